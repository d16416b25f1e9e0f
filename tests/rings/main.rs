//! The rings through the public API, with the fake kernel on the other side. Needs no root and no
//! network card.
#![allow(
    unsafe_code,
    clippy::forget_non_drop,
    reason = "tests; the unsafe calls make the fake kernel break rules"
)]

mod batches;
mod chunk_audit;
mod closures;
mod entries;
mod fixture;
mod foreign;
mod forgotten;
mod indices;
mod jumbo;
mod kicks;
mod metadata;
mod packet_faults;
mod packet_queue;
mod packet_values;
mod packets;
mod port;
mod shared_queue;
mod threads;
mod verdicts;
