//! Books that agree with the node to the millisatoshi.

mod anew;
mod bookkeeper;
mod busy;
mod faults;
mod lives;
mod long_lists;
mod names;
mod payments;
mod recordings;
