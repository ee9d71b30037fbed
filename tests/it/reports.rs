//! What reports say: the shapes that programs read, and numbers that agree with the node.

mod capacity;
mod lived;
mod numbers;
mod peers;
mod recorded;
mod shapes;
