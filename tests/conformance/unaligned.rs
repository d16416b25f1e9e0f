//! Unaligned chunks: packets across lines of 4096 bytes, which are borders of aligned chunks only,
//! and chunks whose size is odd.

use crate::fixture::{CHUNKS, RECEIVER, SENDER, Shape};
use crate::invalid::borders;
use crate::packets::{LEN, PACKETS, across_a_line, stream};
use crate::traffic::one_way;
use xsk::Umem;
use xsk::attach::AttachMode;

/// SEND_RECEIVE_UNALIGNED: every other packet lies across a line of 4096 bytes.
///
/// The kernel's case cuts packets of 64 bytes out of the memory as if there were no chunks. A frame
/// does not leave its chunk; so that there are lines inside of chunks, theirs are 3000 bytes long,
/// and then 3001, which leaves no address as it was.
pub(crate) fn send_receive_unaligned(mode: AttachMode) {
    for chunk_size in [3000, 3001] {
        let builder = Umem::builder().chunk_count(CHUNKS).chunk_size(chunk_size).unaligned();
        let (umem, pool) = builder.build().unwrap();
        let lines = pool.addresses().filter_map(|chunk| across_a_line(&umem, chunk, LEN));
        assert!(lines.count() > 2 * pool.len() / 3, "two of three chunks have a line");
        let from = Shape { chunk_size, unaligned: true, ..SENDER };
        let to = Shape { chunk_size, unaligned: true, ..RECEIVER };
        one_way(mode, from, to, &stream(PACKETS, LEN));
        // The sizes of the two ends are their own matter.
        one_way(mode, from, Shape { chunk_size: 4096, ..to }, &stream(256, LEN));
        one_way(mode, SENDER, to, &stream(256, LEN));
    }
}

/// UNALIGNED_INV_DESC: as ALIGNED_INV_DESC, where only the memory has borders.
pub(crate) fn unaligned_inv_desc(mode: AttachMode) {
    borders(mode, 4096, true);
}

/// UNALIGNED_INV_DESC_4001_FRAME_SIZE: the end of the memory is within a page.
pub(crate) fn unaligned_inv_desc_4001_frame_size(mode: AttachMode) {
    let behind = CHUNKS * 4001 % 4096;
    assert!((LEN..4096 - LEN).contains(&behind), "{behind} bytes in the last page");
    borders(mode, 4001, true);
}
