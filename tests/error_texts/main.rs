//! The text of every error: what failed, with which parameters, why, and what to do. Each is pinned
//! word for word, so that every change of one is visible in review. `UPDATE_EXPECT=1 cargo test
//! --test error_texts` writes the present texts into these files.

mod attaching;
mod memory;
mod objects;
mod running;
mod sockets;
#[path = "../common/words.rs"]
mod words;

use expect_test::Expect;
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::error::Error as _;
use xsk::Error;

/// Errors, and the text of each.
type Said = Vec<(Error, Expect)>;

/// Compares the texts, and checks what holds for every text.
fn check(said: Said) {
    for (error, expected) in said {
        let text = error.to_string();
        expected.assert_eq(&words::of_glibc(&text));
        assert!(
            !text.ends_with(['.', '\n', ' ']),
            "must fit into a sentence of the caller's: {text:?}"
        );
        assert!(!text.contains("  "), "{text:?}");
        // Programs get the number, too, in two ways; a fault of a ring is its own source.
        let source = error.source();
        let number = source.and_then(|source| source.downcast_ref::<Errno>());
        assert_eq!(number.copied(), error.errno(), "{text}");
        if let Error::Ring(fault) = &error {
            let source = source.and_then(|source| source.downcast_ref());
            assert_eq!(source, Some(fault));
        }
        // Logs show the `Debug` form, which starts with the name of the variant.
        assert!(format!("{error:?}").starts_with(char::is_uppercase));
    }
}

/// Returns the name of a value's variant.
fn variant(value: &impl std::fmt::Debug) -> String {
    let whole = format!("{value:?}");
    whole.chars().take_while(char::is_ascii_alphanumeric).collect()
}

#[test]
fn every_variant_is_pinned() {
    let there = variants(include_str!("../../src/error/mod.rs"), "Error");
    assert!(there.len() > 20, "{there:?}");
    let pinned: BTreeSet<String> = pinned().iter().map(variant).collect();
    assert_eq!(there, pinned);
}

#[test]
fn every_conflict_is_pinned() {
    let there = variants(include_str!("../../src/error/conflict.rs"), "AttachConflict");
    assert!(there.len() > 5, "{there:?}");
    let conflicts = pinned().into_iter().filter_map(|error| match error {
        Error::OtherAttachment { conflict, .. } => Some(variant(&conflict)),
        _ => None,
    });
    assert_eq!(there, conflicts.collect());
}

/// Returns the names of the variants of an enum: lines that are indented once and begin with a capital.
fn variants(source: &str, name: &str) -> BTreeSet<String> {
    let (_, body) = source.split_once(&format!("pub enum {name} {{\n")).unwrap();
    let (body, _) = body.split_once("\n}").unwrap();
    body.lines()
        .filter_map(|line| line.strip_prefix("    "))
        .filter(|line| line.starts_with(char::is_uppercase))
        .map(|line| line.split([' ', '(', ',']).next().unwrap().to_owned())
        .collect()
}

/// Returns all errors that are pinned.
fn pinned() -> Vec<Error> {
    let all =
        [memory::said(), sockets::said(), running::said(), objects::said(), attaching::said()];
    all.into_iter().flatten().map(|(error, _)| error).collect()
}

#[test]
fn every_hint_is_pinned() {
    // What is between two quotation marks is a literal: there are no escaped ones. Its beginning,
    // up to a parameter or the end of the line, must be in some text.
    let source = include_str!("../../src/error/hint.rs");
    assert!(!source.contains("\\\""), "an escaped quotation mark");
    let code: Vec<&str> =
        source.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = code.join("\n");
    let literals = code.split('"').skip(1).step_by(2);
    let texts: Vec<String> = pinned().iter().map(Error::to_string).collect();
    let mut looked_at = 0;
    for literal in literals {
        let parts = literal.split(['{', '}', '\\']);
        // Names of options and operations are only compared with; they are no part of a text.
        let Some(part) = parts.map(str::trim).find(|part| part.contains(' ')) else {
            continue;
        };
        looked_at += 1;
        assert!(texts.iter().any(|text| text.contains(part)), "no text has {part:?}");
    }
    assert!(looked_at > 50, "{looked_at}");
}
