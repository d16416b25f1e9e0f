//! The command-line tool, run as a user runs it, in network namespaces of its own.
#![cfg(feature = "cli")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "helpers of tests fail by panicking"
)]

mod bad_input;
mod demo;
mod ends;
mod rig;
mod sharing;
mod traffic;
