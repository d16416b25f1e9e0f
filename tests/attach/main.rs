//! Programs on interfaces: attached, joined, shared between processes, and taken off again.

mod foreign;
mod processes;
mod rig;
mod single;
