//! The rings through the public API, with the fake kernel on the other side: no root, no network card.
#![allow(
    unsafe_code,
    clippy::unwrap_used,
    clippy::panic,
    clippy::mem_forget,
    clippy::forget_non_drop,
    clippy::arithmetic_side_effects,
    reason = "tests; the unsafe is the fake kernel's breaking of rules"
)]

mod batches;
mod bed;
mod closures;
mod entries;
mod foreign;
mod forgotten;
mod indices;
mod whereabouts;
