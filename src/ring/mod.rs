//! Ring indices and the user's halves of the four rings, over plain pointers.

mod fault;

pub use fault::{Fault, Kind};
