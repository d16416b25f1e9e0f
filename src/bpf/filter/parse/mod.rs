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

/// The most levels of lists and negations in one another.
pub(super) const MOST_LEVELS: usize = 128;

/// The most parentheses around conditions that are open at once: more than the text of a condition
/// with the most levels has.
const MOST_PARENTHESES: usize = 2 * MOST_LEVELS;

/// The most levels of operators and brackets in a number.
const MOST_NUMBER_LEVELS: usize = 48;

/// The most operators, brackets and parentheses of a number that are open at once, and parentheses
/// around values: more than the text of a number with the most levels has.
const MOST_OPEN: usize = 2 * MOST_NUMBER_LEVELS + 4;
