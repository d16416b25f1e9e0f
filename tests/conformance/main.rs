//! The cases of the kernel's and libxdp's own test suites, run with this crate on the running
//! kernel.
//!
//! `cases` is the list of the kernel's cases; `tests/README.md` says which of them run here.

mod cards;
mod cases;
#[path = "../common/mod.rs"]
mod common;
mod fixture;
mod invalid;
mod libxdp;
mod multi_buffer;
mod packets;
mod programs;
mod raw;
mod redirects;
mod shared_umem;
mod statistics;
mod traffic;
mod unaligned;
mod waiting;
