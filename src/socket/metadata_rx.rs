//! The RX ring of a socket whose program hands over what the card knows of each packet.

use super::inner::as_fd;
use super::{Rx, RxFrames};
use crate::packet::{RxMetadata, RxRecord};
use crate::ring::RingError;
use crate::umem::{Frame, Umem};

/// The RX ring of a socket whose program hands over what the card knows of each packet; made by
/// [`Rx::with_metadata`].
///
/// A record is believed only if it is of the socket's slot and of the program that was named, and if
/// its sequence number is above that of every packet that was received before. So one is never
/// believed that an earlier packet of this ring has left in the chunk: its number is not above that of
/// the packet it was of. Therefore this ring looks at the record of each packet.
///
/// A packet that the kernel dropped because the RX ring was full was not received: its record stays in
/// the chunk, with a number that no packet of this ring had. The next packet of the program that was
/// named has a record of its own. But a packet that another program redirects into that chunk, without
/// a record, comes with that of the dropped one: receive from a new socket after another program has
/// taken the place of this one.
///
/// ```no_run
/// # fn f(rx: &mut xsk::socket::MetadataRx, pool: &mut xsk::FramePool) -> xsk::Result<()> {
/// for (frame, metadata) in rx.receive(64)? {
///     if let Some(hash) = metadata.and_then(|metadata| metadata.hash.known()) {
///         println!("{:08x}", hash.value);
///     }
///     pool.put(frame);
/// }
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct MetadataRx {
    rx: Rx,
    umem: Umem,
    key: u32,
    /// The sequence number of the last packet.
    last: u64,
}

impl MetadataRx {
    /// Makes it of a ring that the records of `key` come to, all of which are numbered above `last`.
    pub(crate) fn new(rx: Rx, key: u32, last: u64) -> Self {
        let umem = rx.umem().clone();
        Self { rx, umem, key, last }
    }

    /// Returns the packets that are in the ring, `count` at the most, each with what the card knows
    /// of it: `None` if no record came with it, because another program redirected it, or the card has
    /// no room before its packets.
    ///
    /// # Errors
    /// As [`Rx::receive`].
    #[inline(always)]
    pub fn receive(&mut self, count: u32) -> Result<MetadataFrames<'_>, RingError> {
        let Self { rx, umem, key, last } = self;
        Ok(MetadataFrames { frames: rx.receive(count)?.into_iter(), umem, key: *key, last })
    }

    /// Returns the ring's number of entries.
    #[must_use]
    pub fn capacity(&self) -> u32 {
        self.rx.capacity()
    }
}

as_fd!(
    /// Returns the socket; readable (`POLLIN`) while the RX ring holds packets.
    MetadataRx: rx
);

/// The frames of a received batch, each with what the card knows of the packet; made by
/// [`MetadataRx::receive`].
///
/// ```no_run
/// # fn f(rx: &mut xsk::socket::MetadataRx, pool: &mut xsk::FramePool) -> xsk::Result<()> {
/// let known = rx.receive(64)?.filter_map(|(frame, metadata)| {
///     pool.put(frame);
///     metadata
/// });
/// println!("{} packets with a record", known.count());
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct MetadataFrames<'a> {
    frames: RxFrames<'a>,
    umem: &'a Umem,
    key: u32,
    last: &'a mut u64,
}

impl Iterator for MetadataFrames<'_> {
    type Item = (Frame, Option<RxMetadata>);

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        let frame = self.frames.next()?;
        let record = self.umem.before(&frame).map(RxRecord::parse);
        let record = record.filter(|record| record.key == self.key && record.sequence > *self.last);
        if let Some(record) = &record {
            *self.last = record.sequence;
        }
        Some((frame, record.map(|record| record.metadata())))
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.frames.size_hint()
    }
}
