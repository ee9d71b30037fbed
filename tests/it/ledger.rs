//! Books that agree with the node to the millisatoshi.

mod recordings;
