//! A device's queues and what comes to them: channels, ring sizes, flow rules, the receive hash.

#[path = "../common/mod.rs"]
mod common;

mod cards;
mod channels;
mod igb;
mod offloads;
mod refusals;
mod virtio;
