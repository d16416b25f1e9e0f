//! Bad input and faults, as the kernel of the day answers them: what this crate refuses before the kernel sees it, what the
//! kernel says, and the text that comes out. Tests are named after the groups that tests/README.md lists.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "tests"
)]

mod bind;
#[path = "../common/mod.rs"]
mod common;
mod limits;
mod objects;
mod programs;
mod receiving;
mod sending;
mod sockets;
mod umem;

use expect_test::Expect;
use xsk::Error;

/// Compares an error's text, less what differs between kernels and runs: numbers of milliseconds and objects, what the
/// kernel adds in words, and the verifier's log. A line for each sentence.
#[track_caller]
fn says(error: &Error, expected: &Expect) {
    let text = error.to_string();
    let text = text.split(" The verifier said:").next().unwrap();
    let mut words: Vec<String> = Vec::new();
    // What is quoted is the kernel's.
    let unquoted = text.split('"').enumerate();
    let unquoted: String = unquoted
        .map(|(i, part)| if i % 2 == 0 { part } else { "\"...\"" })
        .collect();
    for word in unquoted.split(' ') {
        let before = words.last().map_or("", String::as_str);
        let number = matches!(before, "after" | "program" | "map" | "id")
            && word.starts_with(|c: char| c.is_ascii_digit());
        words.push(if number {
            word.replace(|c: char| c.is_ascii_digit(), "")
                .replacen("", "N", 1)
        } else {
            word.to_owned()
        });
    }
    expected.assert_eq(&words.join(" ").replace(". ", ".\n"));
}
