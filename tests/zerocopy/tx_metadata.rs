//! TX metadata on the cards: what they have of it, and that packets go with it.

use crate::common::{PATIENCE, kernel_can, kernel_since, until};
use crate::fixture::{CHUNKS, Cards, Side, USUAL, broadcast, required, wait_for_links};
use crate::traffic::BATCH;
use xsk::packet::{TxClock, TxMetadata};
use xsk::socket::MetadataRefusal;
use xsk::test_util::test_name;
use xsk::{AttachMode, Attachment, Socket, Umem};

/// Packets with metadata and without arrive; a time comes back from a card that has it, and a checksum
/// is refused where the card computes none.
#[test]
fn packets_go_with_tx_metadata() {
    let Some(cards) = Cards::new(test_name!()) else {
        return;
    };
    if !kernel_can(test_name!(), kernel_since(6, 8), "no TX metadata before 6.8") {
        return;
    }
    let features = cards.one.xdp_features().unwrap().unwrap();
    let (umem, mut pool) = Umem::builder().chunk_count(CHUNKS).tx_metadata().build().unwrap();
    let socket = Socket::builder(&umem).bind_timeout(PATIENCE).bind(&cards.one, 0).unwrap();
    let zero_copy = socket.handle.is_zero_copy();
    assert!(zero_copy || !required(), "{}", socket.handle.copy_reason());
    // A card may send only while a program is attached.
    let attachment = Attachment::builder(&cards.one).mode(AttachMode::Native).attach().unwrap();
    let mut peer = Side::new(&cards.two, USUAL);
    wait_for_links(&cards);
    let handle = socket.handle.clone();
    let (mut tx, mut completion) = socket.tx.with_metadata(socket.completion).unwrap();

    let frame = pool.take().unwrap();
    let refused = tx.reserve(1).unwrap().push_with(frame, TxMetadata::new().launch_time(1));
    match refused {
        Ok(()) => assert!(features.tx_launch_time()),
        Err(refused) => {
            assert_eq!(refused.reason, MetadataRefusal::NoLaunchTime);
            pool.put(refused.frame);
        }
    }
    if zero_copy && !features.tx_checksum() {
        let frame = pool.take().unwrap();
        let refused = tx.reserve(1).unwrap().push_with(frame, TxMetadata::new().checksum(0, 0));
        let refused = refused.unwrap_err();
        assert_eq!(refused.reason, MetadataRefusal::NoChecksum);
        pool.put(refused.frame);
    }

    let mut timed = 0;
    for round in 0..16 {
        let numbers = round * BATCH..round * BATCH + BATCH;
        let mut slots = tx.reserve(BATCH).unwrap();
        for number in numbers.clone() {
            let mut frame = pool.take().unwrap();
            umem.write(&mut frame, &broadcast(number)).unwrap();
            if number % 2 == 0 {
                slots.push_with(frame, TxMetadata::new().timestamp()).unwrap();
            } else {
                slots.push(frame).unwrap();
            }
        }
        drop(slots);
        let mut back = 0;
        until("the chunks come back", || {
            tx.kick_if_needed().unwrap();
            for (frame, sent) in completion.reap(BATCH).unwrap() {
                if let Some(sent) = sent {
                    assert_eq!(sent.clock, if zero_copy { TxClock::Card } else { TxClock::Tai });
                    timed += 1;
                }
                pool.put(frame);
                back += 1;
            }
            back == BATCH
        });
        peer.receive(numbers);
    }
    let expected = if !zero_copy || features.tx_timestamp() { 8 * BATCH } else { 0 };
    // In copy mode the kernel does not look at TX metadata for a virtio card before 6.18.
    let ignored = !zero_copy && !kernel_since(6, 18) && timed == 0;
    assert!(timed == expected || ignored, "{timed} of {expected}");
    assert_eq!(handle.statistics().unwrap().tx_invalid_descs, 0);
    assert_eq!(pool.len(), CHUNKS as usize);
    peer.account();
    peer.close();
    attachment.close().unwrap();
}
