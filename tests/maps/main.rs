//! Maps of every type against the running kernel: what user space writes programs find, and the
//! other way round. Needs root.

mod arrays;
mod changing;
#[path = "../common/mod.rs"]
mod common;
mod devices;
mod hashes;
mod objects;
mod per_cpu;
mod programs;
mod ring_buffers;
mod tool;
mod tries;
