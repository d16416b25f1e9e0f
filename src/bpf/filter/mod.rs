//! Filters: which packets go to a socket, as rules that are compiled to one XDP program.

mod action;
mod compile;
mod condition;
mod diagram;
mod display;
mod emit;
mod evaluate;
mod expr;
mod field;
#[expect(clippy::module_inception, reason = "a type lives in the file of its name")]
mod filter;
mod lower;
mod management;
mod parse;
#[cfg(test)]
mod tests;

pub use action::Action;
pub use condition::Condition;
pub use expr::{Direction, Ports};
pub use filter::{CompiledFilter, Filter, FilterProgram, Verdict};
