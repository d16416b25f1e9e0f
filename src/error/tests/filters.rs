//! Texts of errors about filters that cannot be compiled.

use super::{Texts, variant, variants};
use crate::error::{Error, FilterFault};
use expect_test::expect;
use std::collections::BTreeSet;

#[test]
fn texts_are_as_pinned() {
    super::check(texts());
}

/// Returns the errors and their pinned texts.
// Not formatted: `UPDATE_EXPECT` does not find the texts where rustfmt puts them.
#[rustfmt::skip]
pub(super) fn texts() -> Texts {
    let failed = |fault| Error::Filter { fault };
    let takes = |rule, condition: &str| {
        failed(FilterFault::TakesEverything { rule, condition: condition.to_owned() })
    };
    let no_flow = FilterFault::NoFlow { reason: "no flow has `not udp`".to_owned() };
    let full = FilterFault::SetFull { set: "blocked".to_owned(), bytes: 1 << 30 };
    vec![
        (failed(FilterFault::TooLarge { rules: 1 }), expect!["the filter cannot be compiled: its 1 rule would make too large a program. Put addresses and ports that are many into a set, or spread the rules over fewer conditions"]),
        (failed(FilterFault::TooLarge { rules: 900 }), expect!["the filter cannot be compiled: its 900 rules would make too large a program. Put addresses and ports that are many into a set, or spread the rules over fewer conditions"]),
        (failed(no_flow), expect!["the condition is no list of flows: no flow has `not udp`"]),
        (failed(full), expect![[r#"the prefix is not added: the 1073741824 bytes of the set "blocked" are full. Its room is fixed when a filter with it is first loaded: make the set with more (`AddressSet::with_room`), or a new set with all prefixes, and a new filter with it"#]]),
        (failed(FilterFault::NoSlot { slot: 99, entries: 1 }), expect!["the filter cannot be loaded: a rule is for slot 99, and the map has 1 slot. Make the map with more slots, one for each queue that there can be (`Interface::max_queues`), or name one that it has"]),
        (takes(0, "len >= 0"), expect![[r#"the filter cannot be compiled: rule 0 ("len >= 0") takes every packet from the kernel's stack, ARP and remote shells included. Narrow its condition, or say that it is meant (`Filter::take_everything`)"#]]),
        (takes(2, "udp or not udp"), expect![[r#"the filter cannot be compiled: rule 2 ("udp or not udp") takes every packet from the kernel's stack that the 2 before it leave. Narrow its condition, or say that it is meant (`Filter::take_everything`)"#]]),
    ]
}

#[test]
fn every_kind_of_fault_is_pinned() {
    let declared = variants(include_str!("../filter_fault.rs"), "FilterFault");
    let faults = texts().into_iter().filter_map(|(error, _)| match error {
        Error::Filter { fault } => Some(variant(&fault)),
        _ => None,
    });
    assert_eq!(declared, faults.collect::<BTreeSet<_>>());
}
