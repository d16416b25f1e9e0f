//! Maps of every type against the running kernel: what user space writes programs find, and the
//! other way round. Needs root, makes no interface.

mod arrays;
#[path = "../common/mod.rs"]
mod common;
mod hashes;
mod programs;
