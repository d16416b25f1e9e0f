//! Programs and maps against the running kernel: needs root, makes no interface.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking"
)]

mod forms;
mod objects;
mod rig;
mod slots;
mod verifier;
