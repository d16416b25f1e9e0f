//! Programs on interfaces: attached, joined, shared between processes, and taken off again.

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
