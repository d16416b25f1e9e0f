//! Filters: which packets go to a socket, as rules that are compiled to one XDP program.

mod action;
mod classic;
mod classic_filter;
mod compile;
mod compiled_filter;
mod condition;
mod counters;
mod counts;
mod diagram;
mod direction;
mod display;
mod emit;
mod evaluate;
mod expr;
mod field;
#[expect(clippy::module_inception, reason = "a type lives in the file of its name")]
mod filter;
mod filter_program;
mod filter_rule;
mod flow;
mod flows;
mod lower;
mod management;
mod map_part;
mod parse;
mod ports;
mod set;
mod set_conditions;
mod tap;
mod tap_program;
mod tap_reader;
#[cfg(test)]
mod tests;
mod verdict;

pub use action::Action;
pub use classic_filter::ClassicFilter;
pub use compiled_filter::CompiledFilter;
pub use condition::Condition;
pub use counts::{FilterCounts, RuleCount};
pub use direction::Direction;
pub use filter::Filter;
pub use filter_program::FilterProgram;
pub use filter_rule::FilterRule;
pub use flow::Flow;
pub use ports::Ports;
pub use set::{AddressSet, PortSet};
pub use tap::Tap;
pub use tap_program::{TapCounts, TapProgram};
pub use tap_reader::{PacketCopy, TapReader};
pub use verdict::Verdict;
