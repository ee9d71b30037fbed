//! What reports say: the shapes that programs read, and numbers that agree with the node.

mod lived;
mod numbers;
mod peers;
mod recorded;
mod shapes;
