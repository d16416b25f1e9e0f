//! NAPI settings and busy polling: set, read back, refused, and restored, on veth pairs.

mod busy_poll;
#[path = "../common/mod.rs"]
mod common;
mod device;
mod fixture;
mod instance;
mod profile;
