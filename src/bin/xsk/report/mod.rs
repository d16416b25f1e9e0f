//! What the tool writes: lines, numbers for people, and the words of JSON.

pub(crate) mod clock;
pub(crate) mod histogram;
pub(crate) mod output;
pub(crate) mod paragraph;
pub(crate) mod rates;
pub(crate) mod words;
