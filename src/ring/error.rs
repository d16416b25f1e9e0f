//! The errors of the ring protocol: what the other side of a ring can do wrong.

use crate::types::RingKind;
use std::fmt;

/// A rule of the ring protocol that the other side broke.
///
/// The kernel does not do this (but for [`TooManyFrames`](Self::TooManyFrames)): seeing one means that something else writes to the ring's memory,
/// or that a descriptor given to the kernel was not one of this crate's.
///
/// ```no_run
/// # fn f(rx: &mut xsk::Rx) {
/// match rx.receive(64) {
///     Ok(batch) => println!("{} packets", batch.len()),
///     Err(error @ xsk::RingError::BadEntry { .. }) => eprintln!("lost a chunk: {error}"),
///     Err(error) => panic!("close the socket: {error}"),
/// }
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RingError {
    /// The kernel's index is further ahead than the ring is long.
    BadIndex {
        /// Which ring.
        ring: RingKind,
        /// The distance between the kernel's index and this side's.
        distance: u32,
        /// The ring's number of entries.
        capacity: u32,
    },
    /// More entries came back than were ever given.
    TooManyEntries {
        /// Which ring.
        ring: RingKind,
        /// Entries that are available.
        available: u32,
        /// Entries that can be available at the most.
        outstanding: u32,
    },
    /// An entry names bytes that are not inside one chunk of the UMEM, or has options that this
    /// crate does not know.
    BadEntry {
        /// Which ring.
        ring: RingKind,
        /// The address, as it is in the ring.
        address: u64,
        /// The length; 0 on the completion ring, whose entries have none.
        len: u32,
        /// The options; 0 on the completion ring.
        options: u32,
    },
    /// A packet fills the whole ring and goes on. All its frames are taken from the ring, and their
    /// chunks are lost.
    EndlessPacket {
        /// Which ring.
        ring: RingKind,
        /// The ring's number of entries.
        frames: u32,
    },
    /// A packet has more frames than a TX ring takes ([`PacketTx::max_frames`]), or than a fill ring
    /// has entries; it stays in the RX ring.
    ///
    /// [`PacketTx::max_frames`]: crate::socket::PacketTx::max_frames
    TooManyFrames {
        /// How many frames the packet has.
        frames: u32,
        /// How many a packet can have.
        limit: u32,
    },
    /// An entry names a chunk that the kernel does not hold, as the ledger knows.
    DuplicateChunk {
        /// Which ring.
        ring: RingKind,
        /// The address, as it is in the ring.
        address: u64,
    },
}

impl RingError {
    /// Unwraps an error that is always present.
    ///
    /// Functions on the cold path return an `Option` of an error and are unwrapped here. Where one
    /// that is not inlined returns a plain `RingError`, the optimiser writes its bytes to where the
    /// caller's `Result` is, and keeps what would be needed after an `Ok` in registers across the
    /// call: that costs every batch of `rxdrop` 22 instructions and every batch of `l2fwd` 33
    /// (`benches/instructions.rs`, batch 1).
    #[inline(always)]
    pub(crate) fn expect_error(error: Option<Self>) -> Self {
        match error {
            Some(error) => error,
            None => unreachable!("a cold path without an error"),
        }
    }
}

impl fmt::Display for RingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadIndex { ring, distance, capacity } => write!(
                f,
                "the kernel's index of the {ring} ring is {distance} entries away from ours, in a ring of {capacity}"
            ),
            Self::TooManyEntries { ring, available, outstanding } => write!(
                f,
                "the {ring} ring holds {available} entries, but the kernel was given only {outstanding}"
            ),
            Self::BadEntry { ring, address, len, options } => write!(
                f,
                "the {ring} ring's entry {{address {address:#x}, length {len}, options {options:#x}}} {}",
                if *options == 0 {
                    "is not inside a chunk of the UMEM"
                } else {
                    "has options that this crate does not know"
                }
            ),
            Self::EndlessPacket { ring, frames } => {
                write!(f, "a packet fills all {frames} entries of the {ring} ring and does not end")
            }
            Self::TooManyFrames { frames, limit } => {
                write!(
                    f,
                    "a packet of {frames} frames cannot be passed on: {limit} are possible here \
                     (`PacketTx::max_frames`, or the length of the fill ring)"
                )
            }
            Self::DuplicateChunk { ring, address } => write!(
                f,
                "the {ring} ring's entry {address:#x} names a chunk that the kernel does not hold"
            ),
        }
    }
}

impl std::error::Error for RingError {}
