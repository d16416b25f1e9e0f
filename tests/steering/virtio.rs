//! What virtio-net can do, on the cards of a guest.

use crate::cards::Cards;
use crate::common::kernel_can;
use xsk::Errno;
use xsk::interface::{HashFunction, Symmetry};
use xsk::test_util::test_name;

/// Returns the cards, if they are of virtio-net.
fn virtio(test: &str) -> Option<Cards> {
    Cards::new(test).filter(|cards| cards.are(&["virtio", "hashing"], test))
}

#[test]
fn ring_sizes_are_set_and_come_back_or_refused() {
    let Some(cards) = virtio(test_name!()) else {
        return;
    };
    let card = &cards.to;
    let before = card.ring_sizes().unwrap().unwrap();
    assert!(before.rx <= before.max_rx && before.tx <= before.max_tx, "{before:?}");
    let mut half = before;
    (half.rx, half.tx) = (before.rx / 2, before.tx / 2);
    match card.set_ring_sizes(&half) {
        Ok(guard) => {
            assert_eq!(card.ring_sizes().unwrap(), Some(half));
            guard.restore().unwrap();
        }
        // A device without VIRTIO_F_RING_RESET, or a kernel before 6.1.
        Err(error) => assert_eq!(error.errno(), Some(Errno::OPNOTSUPP), "{error}"),
    }
    assert_eq!(card.ring_sizes().unwrap(), Some(before));
}

#[test]
fn both_directions_have_one_hash() {
    let Some(cards) = virtio(test_name!()) else {
        return;
    };
    let card = &cards.to;
    let before = card.rss().unwrap();
    let why = "the device was made without a receive hash (rss=on)";
    let Some(before) = before.filter(|rss| kernel_can(test_name!(), !rss.key.is_empty(), why))
    else {
        return;
    };
    assert_eq!(before.function, Some(HashFunction::Toeplitz));
    let guard = card.set_symmetric_rss().unwrap();
    let there = card.rss().unwrap().unwrap();
    assert_eq!(&there, guard.rss());
    assert!(there.symmetry == Some(Symmetry::Xor) || there.key.starts_with(&[0x6d, 0x5a, 0x6d]));
    guard.restore().unwrap();
    assert_eq!(card.rss().unwrap(), Some(before));
}
