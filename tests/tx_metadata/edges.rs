//! TX metadata of frames and packets that a user gets wrong, or that are rare.

use super::{Fake, fake};
use xsk::Umem;
use xsk::packet::TxMetadata;

/// A frame of another UMEM is a programming error, and no lack of room.
#[test]
fn a_frame_of_another_umem_panics_whatever_is_asked() {
    let Fake { umem, mut pool, mut tx, .. } = fake(Umem::builder().chunk_count(4));
    let (other, mut others) = Umem::builder().chunk_count(4).tx_metadata().build().unwrap();
    // Asked for nothing; for what is refused; with no slot.
    for (slots, asked) in [
        (1, TxMetadata::new()),
        (1, TxMetadata::new().checksum(u16::MAX, u16::MAX)),
        (0, TxMetadata::new().timestamp()),
    ] {
        let frame = others.take().unwrap();
        let mut slots = tx.reserve(slots).unwrap();
        let push = std::panic::AssertUnwindSafe(|| slots.push_with(frame, asked).is_ok());
        let message = *std::panic::catch_unwind(push).unwrap_err().downcast::<String>().unwrap();
        assert!(message.contains("UMEM"), "{message}");
    }
    assert_eq!((other.lost_chunks(), umem.lost_chunks()), (3, 0));
    // The ring works on.
    let frame = pool.take().unwrap();
    tx.reserve(1).unwrap().push_with(frame, TxMetadata::new().timestamp()).unwrap();
    assert_eq!(tx.pending(), 1);
}
