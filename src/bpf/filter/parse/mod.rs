//! Reads conditions from text in the tcpdump language.

mod arithmetic;
mod built;
mod cursor;
mod error;
mod lexer;
pub(super) mod loads;
mod names;
mod parser;
mod primitives;
#[cfg(test)]
mod tests;
mod values;

pub(super) use cursor::MOST_LEVELS;
pub(super) use parser::parse;
