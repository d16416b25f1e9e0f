//! NAPI settings and busy polling: set, read back, refused, and restored, on veth pairs
//! and on cards.

mod busy_poll;
mod cards;
#[path = "../common/mod.rs"]
mod common;
mod device;
mod fixture;
mod instance;
mod profile;
