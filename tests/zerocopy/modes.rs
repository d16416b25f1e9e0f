//! Which mode a socket gets, and how it explains that.

use crate::common::{kernel_can, kernel_since};
use crate::fixture::{Cards, Setup, Side, USUAL, forced, kind_is, required, sides};
use rustix::io::Errno;
use std::io::Write;
use xsk::socket::CopyReason;
use xsk::test_util::test_name;
use xsk::{CopyMode, Error};

/// By default a socket is zero-copy where that is possible; otherwise it is in copy mode, with the
/// reason that a request for zero-copy fails with.
#[test]
fn the_mode_chosen_by_default_is_the_best_and_says_why() {
    let Some(cards) = Cards::new(test_name!()) else {
        return;
    };
    for card in [&cards.one, &cards.two] {
        let demanded = forced(card);
        let side = Side::new(card, USUAL);
        let info = &side.socket.handle;
        let note = match (demanded, info.copy_reason()) {
            (Ok(forced), CopyReason::ZeroCopy) => {
                assert!(forced && info.is_zero_copy());
                "zero-copy, as XDP_OPTIONS says".to_owned()
            }
            (Err(error), CopyReason::Refused { errno }) => {
                assert!(!required(), "{error}");
                assert!(!info.is_zero_copy());
                assert_eq!(error.errno(), Some(errno));
                assert!(matches!(error, Error::Bind { .. }), "{error:?}");
                format!("no zero-copy: {}", info.copy_reason())
            }
            (demanded, reason) => panic!("{demanded:?}, but {reason}"),
        };
        // Past the test harness, which hides what a passing test prints.
        let _ = writeln!(std::io::stderr(), "\nnote: {note}");
        side.close();
    }
}

/// A driver that reports zero-copy and then refuses it (virtio without an IOMMU) is explained.
#[test]
fn a_refusal_by_a_driver_that_promised_is_explained() {
    let Some(cards) = Cards::new(test_name!()) else {
        return;
    };
    let Err(error) = forced(&cards.one) else {
        assert!(!kind_is("refusing"), "zero-copy without an IOMMU");
        kernel_can(test_name!(), false, "this card keeps its promise");
        return;
    };
    if kind_is("refusing") && kernel_since(6, 16) {
        assert_eq!(error.errno(), Some(Errno::INVAL));
    }
    let promised = cards.one.xdp_features().unwrap();
    let text = error.to_string();
    match error.errno() {
        Some(Errno::INVAL) => {
            assert!(text.contains("virtio card without iommu_platform"), "{text}")
        }
        Some(Errno::OPNOTSUPP) => {
            assert!(text.contains("has no zero-copy"), "{text}");
            assert!(!promised.is_some_and(|features| features.zero_copy()), "{promised:?}");
        }
        other => panic!("{other:?}: {text}"),
    }
}

#[test]
fn copy_mode_is_used_where_it_is_asked_for() {
    let Some(cards) = Cards::new(test_name!()) else {
        return;
    };
    let setup = Setup { copy: CopyMode::Copy, ..USUAL };
    let (mut from, mut to) = sides(&cards, setup);
    for side in [&from, &to] {
        assert!(!side.socket.handle.is_zero_copy());
        assert_eq!(side.socket.handle.copy_reason(), CopyReason::Asked);
    }
    from.send(0..64);
    to.receive(0..64);
    from.account();
    to.account();
    from.close();
    to.close();
}
