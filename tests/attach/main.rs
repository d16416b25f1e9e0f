//! Programs on interfaces: attached, joined, shared between processes, and taken off again.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking"
)]

#[path = "../common/mod.rs"]
mod common;
mod elsewhere;
mod foreign;
mod lock;
mod modes;
mod privileges;
mod processes;
mod rig;
mod slots;
mod users;
