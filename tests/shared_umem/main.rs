//! Several sockets over one registration of packet memory: on one queue, on others, on other
//! interfaces.

#[path = "../common/mod.rs"]
mod common;
mod fixture;
mod memory;
mod queues;
mod refusals;
mod spread;
