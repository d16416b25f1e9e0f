//! Programs on interfaces: attached, joined, shared between processes, and detached.

mod card;
#[path = "../common/mod.rs"]
mod common;
mod fixture;
mod foreign;
mod lock;
mod modes;
mod moved_interfaces;
mod own;
mod pin_paths;
mod pins;
mod privileges;
mod processes;
mod programs;
mod removal;
mod replacing;
mod restarts;
mod slots;
mod strangers;
mod stream;
mod two_interfaces;
mod users;
