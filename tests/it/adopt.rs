//! The Python plugin's database, taken over by the real plugin on a simulated node.

mod contents;
mod python;
mod trouble;
mod whose;
