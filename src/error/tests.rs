//! The text of every error, pinned word for word, so that a change of one is seen: what failed,
//! with which parameters, why, and what to do. `UPDATE_EXPECT=1 cargo test --lib error` writes the
//! present texts into these files.

mod attaching;
mod classic;
mod devices;
mod expressions;
mod filters;
mod handover;
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

/// Errors and their pinned texts.
type Texts = Vec<(Error, Expect)>;

/// Compares the texts with those pinned, and checks the rules that hold for every text.
fn check(texts: Texts) {
    for (error, expected) in texts {
        let text = error.to_string();
        expected.assert_eq(&words::of_glibc(&text));
        assert!(
            !text.ends_with(['.', '\n', ' ']),
            "callers put the text into a sentence: {text:?}"
        );
        // A listing, on lines of its own, has columns.
        let words = text.lines().next().unwrap_or_default();
        assert!(!words.contains("  "), "{text:?}");
        // The error number is in the text: a program that prints the chain shows it once.
        let ring = error.source().and_then(|source| source.downcast_ref::<RingError>());
        assert_eq!(error.source().is_some(), ring.is_some(), "{text}");
        assert_eq!(ring, if let Error::Ring(ring) = &error { Some(ring) } else { None });
        let hint = error.hint().unwrap_or_default();
        assert!(text.contains(&*hint), "{text:?}: {hint:?}");
        // Logs show the `Debug` form, which begins with the variant's name.
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
    let declared = variants(include_str!("mod.rs"), "Error");
    assert!(declared.len() > 20, "{declared:?}");
    let pinned: BTreeSet<String> = pinned().iter().map(variant).collect();
    assert_eq!(declared, pinned);
}

#[test]
fn every_conflict_is_pinned() {
    let declared = variants(include_str!("conflict.rs"), "AttachConflict");
    assert!(declared.len() > 5, "{declared:?}");
    let conflicts = pinned().into_iter().filter_map(|error| match error {
        Error::OtherAttachment { conflict, .. } => Some(variant(&conflict)),
        _ => None,
    });
    assert_eq!(declared, conflicts.collect());
}

#[test]
fn every_fault_of_a_handover_is_pinned() {
    let declared = variants(include_str!("handover_fault.rs"), "HandoverFault");
    assert!(declared.len() > 5, "{declared:?}");
    let faults = pinned().into_iter().filter_map(|error| match error {
        Error::Handover { fault, .. } => Some(variant(&fault)),
        _ => None,
    });
    assert_eq!(declared, faults.collect());
}

/// Returns the names of an enum's variants: lines that are indented once and begin with a capital
/// letter.
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
    let all = [
        memory::texts(),
        sockets::texts(),
        running::texts(),
        objects::texts(),
        attaching::texts(),
        handover::texts(),
        devices::texts(),
        expressions::texts(),
        filters::texts(),
        classic::texts(),
    ];
    all.into_iter().flatten().map(|(error, _)| error).collect()
}

#[test]
fn every_fault_of_a_program_is_pinned() {
    let declared = variants(include_str!("assembly_fault.rs"), "AssemblyFault");
    assert!(declared.len() > 5, "{declared:?}");
    let faults = pinned().into_iter().filter_map(|error| match error {
        Error::Assemble { fault } => Some(variant(&fault)),
        _ => None,
    });
    assert_eq!(declared, faults.collect());
}

#[test]
fn every_hint_is_pinned() {
    // Literals are what is between two quotation marks, none of which is escaped. The beginning of
    // each, up to a parameter or the end of the line, has to be in some pinned text.
    let source = concat!(
        include_str!("hint.rs"),
        include_str!("hint/attach.rs"),
        include_str!("hint/handover.rs"),
        include_str!("hint/device.rs"),
        include_str!("hint/map.rs"),
        include_str!("hint/program.rs"),
        include_str!("hint/socket.rs")
    );
    assert!(!source.contains("\\\""), "an escaped quotation mark");
    let code: Vec<&str> =
        source.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = code.join("\n");
    let literals = code.split('"').skip(1).step_by(2);
    let texts: Vec<String> = pinned().iter().map(Error::to_string).collect();
    let mut compared = 0;
    for literal in literals {
        let parts = literal.split(['{', '}', '\\']);
        // A single word is a name of iproute2's or of a capability, as a part of other texts.
        let Some(part) = parts.map(str::trim).find(|part| part.contains(' ')) else {
            continue;
        };
        compared += 1;
        assert!(texts.iter().any(|text| text.contains(part)), "no pinned text has {part:?}");
    }
    assert!(compared > 50, "{compared}");
}

#[test]
fn an_io_error_has_the_kind_of_the_error_number() {
    let kind = |error: Error| io::Error::from(error).kind();
    assert_eq!(kind(Error::CreateSocket { errno: Errno::PERM }), io::ErrorKind::PermissionDenied);
    let unknown = Error::Wait { errno: Errno::from_raw_os_error(4000) };
    assert_eq!(kind(unknown.clone()), io::Error::from_raw_os_error(4000).kind());
    let ring = RingError::DuplicateChunk { ring: crate::types::RingKind::Rx, address: 0 };
    assert_eq!(kind(ring.into()), io::ErrorKind::InvalidData);
    assert_eq!(kind(Error::OutOfBounds), io::ErrorKind::InvalidInput);
    assert_eq!(kind(Error::UmemNumbers), io::ErrorKind::Other);
    let old = Error::NeedsKernel { feature: "this", version: "9.9" };
    assert_eq!(kind(old), io::ErrorKind::Unsupported);
}
