//! Books that agree with the node to the millisatoshi.

mod lives;
mod recordings;
