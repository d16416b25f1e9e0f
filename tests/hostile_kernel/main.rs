//! A kernel that breaks every rule: the library returns typed errors, makes no frame of what is no
//! chunk, and no second frame of a chunk that it can know to be taken.
//!
//! With the ledger (debug builds, feature `ledger`) any step is tried. Without it the library
//! cannot detect a chunk that is given twice, so only steps that are invalid in themselves are
//! tried.
#![allow(unsafe_code, reason = "tests")]

#[path = "../ownership/any_ring.rs"]
#[expect(dead_code, reason = "there are no sockets that share a queue here")]
mod any_ring;
mod entries;
mod fixture;
mod indices;
mod input;
mod programs;
mod step;
