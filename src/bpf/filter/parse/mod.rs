//! Reads conditions from text in the tcpdump language.

mod arithmetic;
mod error;
mod lexer;
pub(super) mod loads;
mod names;
mod parser;
mod primitives;
#[cfg(test)]
mod tests;

pub(super) use parser::parse;

/// The longest text, in bytes.
pub(super) const LONGEST: usize = 64 << 10;

/// The most levels of lists, negations and parentheses in one another, and of operators in a
/// number.
pub(super) const MOST_LEVELS: usize = 128;

/// The most parentheses, brackets and operators that are open at once: more than the text of a
/// condition and a number with the most levels has.
const MOST_OPEN: usize = 4 * MOST_LEVELS;
