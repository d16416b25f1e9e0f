//! Filters: which packets go to a socket, as rules that are compiled to one XDP program.

// Until all parts are in.
#![allow(dead_code, reason = "the parts are not joined yet")]

mod condition;
mod display;
mod evaluate;
mod expr;
mod parse;
#[cfg(test)]
mod tests;

pub use condition::Condition;
pub use expr::{Direction, Ports};
