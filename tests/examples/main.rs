//! The programs of `examples/`, as their users run them: with the traffic of real sockets, whose
//! checksums are left to the virtual cards, over links that flap, to an orderly end.

#[path = "../common/mod.rs"]
mod common;
mod drop_list;
mod echo;
mod every_second;
mod filter;
mod fixture;
mod flow_hash;
mod forward;
mod jumbo;
mod metadata;
mod per_queue;
mod receive;
mod restart;
mod sample;
mod send_frames;
mod tx_times;
mod worker_without_rights;
mod workers;
