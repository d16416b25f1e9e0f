//! A kernel that breaks every rule: the library answers with typed errors, makes no frame of what is no
//! chunk, and no second frame of a chunk that it can know to be taken.
//!
//! With the ledger (debug builds, feature `ledger`) anything goes. Without it nobody can tell a chunk that
//! is given twice, so only what is wrong in itself is tried then.
#![allow(unsafe_code, reason = "tests")]

mod entries;
mod fixture;
mod indices;
mod input;
mod programs;
mod step;
