//! The text of every error: what failed, with which parameters, why, and what to do. Each is pinned word for word, so that
//! a change of one is seen by a reader. `UPDATE_EXPECT=1 cargo test --test errors` writes what there is into these files.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "tests")]

mod attaching;
mod memory;
mod objects;
mod running;
mod sockets;

use expect_test::Expect;
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::error::Error as _;
use xsk::Error;

/// Errors, and what each says.
type Said = Vec<(Error, Expect)>;

/// Compares the texts, and what holds of every text.
fn check(said: Said) {
    for (error, expected) in said {
        let text = error.to_string();
        expected.assert_eq(&text);
        assert!(
            !text.ends_with(['.', '\n', ' ']),
            "goes into a sentence of the caller's: {text:?}"
        );
        assert!(!text.contains("  "), "{text:?}");
        // The number is there for programs too, by two ways; a fault of a ring is its own source.
        let source = error.source();
        let number = source.and_then(|source| source.downcast_ref::<Errno>());
        assert_eq!(number.copied(), error.errno(), "{text}");
        if let Error::Ring(fault) = &error {
            let source = source.and_then(|source| source.downcast_ref());
            assert_eq!(source, Some(fault));
        }
        // Logs show the other form: it is never empty of names.
        assert!(format!("{error:?}").starts_with(char::is_uppercase));
    }
}

/// The name of the error's variant.
fn variant(error: &Error) -> String {
    let whole = format!("{error:?}");
    whole
        .chars()
        .take_while(char::is_ascii_alphanumeric)
        .collect()
}

#[test]
fn every_variant_is_pinned() {
    // The variants are the lines of the enum that are indented once and begin with a capital.
    let source = include_str!("../../src/error/mod.rs");
    let (_, body) = source.split_once("pub enum Error {\n").unwrap();
    let (body, _) = body.split_once("\n}").unwrap();
    let names = body
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .filter(|line| line.starts_with(char::is_uppercase))
        .map(|line| line.split([' ', '(', ',']).next().unwrap().to_owned());
    let there: BTreeSet<String> = names.collect();
    assert!(there.len() > 20, "{there:?}");
    let pinned = [
        memory::said(),
        sockets::said(),
        running::said(),
        objects::said(),
        attaching::said(),
    ];
    let pinned: BTreeSet<String> = pinned
        .iter()
        .flatten()
        .map(|(error, _)| variant(error))
        .collect();
    assert_eq!(there, pinned);
}
