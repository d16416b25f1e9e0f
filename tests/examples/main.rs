//! The programs of `examples/`, as their users run them: with the traffic of real sockets, whose
//! checksums are left to the virtual cards, over links that flap, to an orderly end.

#[path = "../common/mod.rs"]
mod common;
mod echo;
mod filter;
mod fixture;
mod forward;
mod jumbo;
mod metadata;
mod per_queue;
mod receive;
mod tx_times;
mod worker_without_rights;
mod workers;
