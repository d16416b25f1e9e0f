//! The text of every error: what failed, with which parameters, why, and what to do. Each is pinned
//! word for word, so that a reader sees a change of one. `UPDATE_EXPECT=1 cargo test --lib error`
//! writes the present texts into these files.

mod attaching;
mod memory;
mod objects;
mod running;
mod sockets;
#[path = "../../tests/common/words.rs"]
mod words;

use super::Error;
use crate::ring::RingError;
use expect_test::Expect;
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::error::Error as _;
use std::io;

/// Errors, and what each says.
type Said = Vec<(Error, Expect)>;

/// Compares the texts, and what holds of every text.
fn check(said: Said) {
    for (error, expected) in said {
        let text = error.to_string();
        expected.assert_eq(&words::of_glibc(&text));
        assert!(
            !text.ends_with(['.', '\n', ' ']),
            "goes into a sentence of the caller's: {text:?}"
        );
        assert!(!text.contains("  "), "{text:?}");
        // The number is in the text already; a program that prints the chain shows it once.
        let fault = error.source().and_then(|source| source.downcast_ref::<RingError>());
        assert_eq!(error.source().is_some(), fault.is_some(), "{text}");
        assert_eq!(fault, if let Error::Ring(fault) = &error { Some(fault) } else { None });
        let hint = error.hint().unwrap_or_default();
        assert!(text.contains(&*hint), "{text:?}: {hint:?}");
        // Logs show the other form: it is never empty of names.
        assert!(format!("{error:?}").starts_with(char::is_uppercase));
        let wrapped = io::Error::from(error.clone());
        assert_eq!(wrapped.to_string(), text);
        assert_eq!(wrapped.downcast::<Error>().unwrap(), error);
    }
}

/// Returns the name of a value's variant.
fn variant(value: &impl std::fmt::Debug) -> String {
    let whole = format!("{value:?}");
    whole.chars().take_while(char::is_ascii_alphanumeric).collect()
}

#[test]
fn every_variant_is_pinned() {
    let written = variants(include_str!("mod.rs"), "Error");
    assert!(written.len() > 20, "{written:?}");
    let pinned: BTreeSet<String> = pinned().iter().map(variant).collect();
    assert_eq!(written, pinned);
}

#[test]
fn every_conflict_is_pinned() {
    let written = variants(include_str!("conflict.rs"), "AttachConflict");
    assert!(written.len() > 5, "{written:?}");
    let conflicts = pinned().into_iter().filter_map(|error| match error {
        Error::OtherAttachment { conflict, .. } => Some(variant(&conflict)),
        _ => None,
    });
    assert_eq!(written, conflicts.collect());
}

/// Returns the names of the variants of an enum: lines that are indented once and begin with a
/// capital.
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
    // What is between two quotation marks is a literal: there are no escaped ones. Its beginning is
    // to be found, up to a parameter or the end of the line, in some text.
    let source = concat!(
        include_str!("hint.rs"),
        include_str!("hint/program.rs"),
        include_str!("hint/socket.rs")
    );
    assert!(!source.contains("\\\""), "an escaped quotation mark");
    let code: Vec<&str> =
        source.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = code.join("\n");
    let literals = code.split('"').skip(1).step_by(2);
    let texts: Vec<String> = pinned().iter().map(Error::to_string).collect();
    let mut looked_at = 0;
    for literal in literals {
        let parts = literal.split(['{', '}', '\\']);
        // One word alone is iproute2's or a capability's name: part of other texts.
        let Some(part) = parts.map(str::trim).find(|part| part.contains(' ')) else {
            continue;
        };
        looked_at += 1;
        assert!(texts.iter().any(|text| text.contains(part)), "no pinned text has {part:?}");
    }
    assert!(looked_at > 50, "{looked_at}");
}

#[test]
fn an_io_error_has_the_kind_of_the_error_number() {
    let kind = |error: Error| io::Error::from(error).kind();
    assert_eq!(kind(Error::CreateSocket { errno: Errno::PERM }), io::ErrorKind::PermissionDenied);
    let unknown = Error::Wait { errno: Errno::from_raw_os_error(4000) };
    assert_eq!(kind(unknown.clone()), io::Error::from_raw_os_error(4000).kind());
    let fault = RingError::DuplicateChunk { ring: crate::types::RingKind::Rx, address: 0 };
    assert_eq!(kind(fault.into()), io::ErrorKind::InvalidData);
    assert_eq!(kind(Error::OutOfBounds), io::ErrorKind::InvalidInput);
    assert_eq!(kind(Error::UmemNumbers), io::ErrorKind::Other);
    let old = Error::NeedsKernel { feature: "this", version: "9.9" };
    assert_eq!(kind(old), io::ErrorKind::Unsupported);
}
