//! Reading the copies of packets that a tap makes.

use super::super::map::RingReader;
use crate::error::Result;
use crate::num::usize32;
use zerocopy::{FromBytes, Immutable, KnownLayout};

/// Bytes of a record before those of the packet.
pub(super) const HEAD: u32 = 24;

/// The head of a record.
#[derive(Debug, Clone, Copy, FromBytes, KnownLayout, Immutable)]
#[repr(C)]
struct Head {
    time: u64,
    length: u32,
    kept: u32,
    queue: u32,
    _unused: u32,
}

const _: () = assert!(size_of::<Head>() == usize32(HEAD));

/// Reads the copies of packets, from [`TapProgram::reader`](super::TapProgram::reader).
///
/// ```no_run
/// # fn f(reader: &mut xsk::bpf::TapReader) -> xsk::Result<()> {
/// while let Some(packet) = reader.read()? {
///     println!("{} of {} bytes", packet.bytes.len(), packet.length);
/// }
/// // Many copies at once cost less.
/// let mut bytes = 0;
/// reader.read_each(1024, |packet| bytes += packet.bytes.len())?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct TapReader {
    ring: RingReader,
}

/// The copy of a packet.
///
/// ```
/// use xsk::bpf::PacketCopy;
/// fn is_whole(copy: &PacketCopy<'_>) -> bool {
///     copy.bytes.len() == copy.length as usize
/// }
/// # let _ = is_whole;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PacketCopy<'a> {
    /// When the program ran: nanoseconds of the monotonic clock (`CLOCK_MONOTONIC`).
    pub time: u64,
    /// Bytes of the packet.
    pub length: u32,
    /// The queue that it came on.
    pub queue: u32,
    /// Its first bytes, as many as the tap copies.
    pub bytes: &'a [u8],
}

impl TapReader {
    pub(super) fn new(ring: RingReader) -> Self {
        Self { ring }
    }

    /// Returns the next copy, or `None` if there is none at the moment. Its room in the ring is free
    /// from this call on.
    ///
    /// # Errors
    /// As [`RingReader::read`].
    pub fn read(&mut self) -> Result<Option<PacketCopy<'_>>> {
        Ok(self.ring.read()?.and_then(PacketCopy::of))
    }

    /// Calls `f` with the copies that are there, `most` at the most. Returns how many there were.
    ///
    /// It costs less than as many calls of [`read`](Self::read), here and in the program: their room
    /// in the ring is free after the last one, or for an eighth of the ring at once. If `f` panics,
    /// some of the copies that it saw come again. With edge-triggered epoll, call it until it returns
    /// 0: otherwise there is no event for what is left.
    ///
    /// # Errors
    /// As [`RingReader::read`].
    pub fn read_each(&mut self, most: usize, mut f: impl FnMut(PacketCopy<'_>)) -> Result<usize> {
        self.ring.read_each(most, |record| {
            if let Some(copy) = PacketCopy::of(record) {
                f(copy);
            }
        })
    }
}

impl<'a> PacketCopy<'a> {
    fn of(record: &'a [u8]) -> Option<Self> {
        // Nothing else writes into this ring: a record has its head, and what the head says.
        let (head, bytes) = Head::read_from_prefix(record).ok()?;
        let bytes = bytes.get(..usize32(head.kept)).unwrap_or(bytes);
        Some(Self { time: head.time, length: head.length, queue: head.queue, bytes })
    }
}
