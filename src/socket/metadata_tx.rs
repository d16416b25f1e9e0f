//! The TX and completion ring of a socket that sends packets with TX metadata.

use super::batch::{BatchFrames, Slots};
use super::desc::Desc;
use super::inner::{Inner, as_fd};
use super::kick::Kick;
use super::tx_requests::TxRequests;
use super::{Completion, Tx};
use crate::error::{Error, Result};
use crate::packet::{TxClock, TxMetadata, TxTimestamp};
use crate::ring::RingError;
use crate::ring::transfer::Form;
use crate::umem::geometry::TX_METADATA_LEN;
use crate::umem::{ChunkPlace, Frame, FramePool, Umem};
use std::fmt;
use std::sync::Arc;
use xsk_uapi::if_xdp::{XDP_TX_METADATA, xsk_tx_metadata_completion};
use zerocopy::{FromBytes, IntoBytes};

impl Tx {
    /// Has what is sent by this ring, and comes back by `completion`, the socket's own, go with TX
    /// metadata (kernel 6.8): requests for checksums, for the time of sending, or for a launch time.
    ///
    /// The UMEM has to be one with room for it
    /// ([`UmemBuilder::tx_metadata`](crate::umem::UmemBuilder::tx_metadata)).
    ///
    /// ```no_run
    /// use xsk::packet::TxMetadata;
    ///
    /// # fn f(interface: &xsk::Interface) -> xsk::Result<()> {
    /// let (umem, mut pool) = xsk::Umem::builder().tx_metadata().build()?;
    /// let socket = xsk::Socket::builder(&umem).tx_only().bind(interface, 0)?;
    /// let (mut tx, mut completion) = socket.tx.with_metadata(socket.completion)?;
    ///
    /// let mut slots = tx.reserve(1)?;
    /// if let Some(mut frame) = pool.take() {
    ///     umem.write(&mut frame, &[0; 60]).expect("it is shorter than a chunk");
    ///     if let Err(refused) = slots.push_with(frame, TxMetadata::new().timestamp()) {
    ///         pool.put(refused.frame);
    ///     }
    /// }
    /// drop(slots);
    /// tx.kick_if_needed()?;
    /// for (frame, sent) in completion.reap(64)? {
    ///     println!("sent: {sent:?}");
    ///     pool.put(frame);
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::Setting`] if the UMEM has no room for TX metadata. The rings are lost then, as if they
    /// had been dropped.
    ///
    /// # Panics
    /// If `completion` is another socket's.
    #[track_caller]
    pub fn with_metadata(self, completion: Completion) -> Result<(MetadataTx, MetadataCompletion)> {
        let inner = Arc::clone(self.inner());
        assert!(completion.is_of(&inner), "the completion ring is that of another socket");
        let umem = inner.pool.umem.clone();
        if !umem.geometry().has_tx_metadata() {
            return Err(Error::Setting {
                name: "room for TX metadata of",
                value: 0,
                rule: "is 24 bytes before each frame, which `UmemBuilder::tx_metadata` makes",
            });
        }
        let requests = Arc::new(TxRequests::new(umem.geometry()));
        let clock = if inner.is_zero_copy() { TxClock::Card } else { TxClock::Tai };
        let tx =
            MetadataTx { tx: self, umem: umem.clone(), requests: Arc::clone(&requests), inner };
        Ok((tx, MetadataCompletion { completion, umem, requests, clock }))
    }
}

/// The TX ring of a socket that sends packets with TX metadata; made by [`Tx::with_metadata`].
#[derive(Debug)]
#[doc(alias = "XDP_TX_METADATA")]
pub struct MetadataTx {
    tx: Tx,
    umem: Umem,
    requests: Arc<TxRequests>,
    inner: Arc<Inner>,
}

impl MetadataTx {
    /// Reserves up to `count` slots. What was pushed is submitted at once when the batch is dropped.
    ///
    /// # Errors
    /// A [`RingError`] if the kernel's side of the ring breaks the rules.
    pub fn reserve(&mut self, count: u32) -> Result<MetadataTxBatch<'_>, RingError> {
        let Self { tx, umem, requests, inner } = self;
        let slots = tx.reserve(count)?.0;
        Ok(MetadataTxBatch { slots, umem, requests, inner })
    }

    /// Has the kernel send what is in the ring, if it asks for it, as [`Tx::kick_if_needed`].
    ///
    /// # Errors
    /// As there.
    pub fn kick_if_needed(&mut self) -> Result<Kick> {
        self.tx.kick_if_needed()
    }

    /// Has the kernel send what is in the ring, as [`Tx::kick`].
    ///
    /// # Errors
    /// As there.
    pub fn kick(&mut self) -> Result<Kick> {
        self.tx.kick()
    }

    /// Returns how many packets are in the ring that the kernel has not taken, as [`Tx::pending`].
    #[must_use]
    pub fn pending(&self) -> u32 {
        self.tx.pending()
    }

    /// Returns the ring's number of entries.
    #[must_use]
    pub fn capacity(&self) -> u32 {
        self.tx.capacity()
    }
}

as_fd!(
    /// Returns the socket.
    MetadataTx: tx,
    /// Returns the socket.
    MetadataCompletion: completion
);

/// Reserved slots of the TX ring; what was pushed is submitted when this is dropped. Made by
/// [`MetadataTx::reserve`].
///
/// ```no_run
/// use xsk::packet::TxMetadata;
///
/// # fn f(tx: &mut xsk::socket::MetadataTx, frame: xsk::Frame, pool: &mut xsk::FramePool) -> xsk::Result<()> {
/// // UDP over IPv4 without options, whose checksum is left to the card.
/// if let Err(refused) = tx.reserve(1)?.push_with(frame, TxMetadata::new().checksum(34, 6)) {
///     eprintln!("{refused}");
///     pool.put(refused.frame);
/// }
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct MetadataTxBatch<'a> {
    slots: Slots<'a, Desc>,
    umem: &'a Umem,
    requests: &'a TxRequests,
    inner: &'a Inner,
}

impl MetadataTxBatch<'_> {
    /// Sends the frame's packet without metadata.
    ///
    /// # Errors
    /// [`MetadataRefused`] with the frame, if no reserved slot is left.
    ///
    /// # Panics
    /// If the frame is of another UMEM.
    #[track_caller]
    pub fn push(&mut self, frame: Frame) -> Result<(), MetadataRefused> {
        self.push_desc(frame, 0, false)
    }

    /// Sends the frame's packet, and asks for something.
    ///
    /// The request is written before the packet, into the 24 bytes that belong to no frame, at the
    /// moment when the packet is final: what the kernel would refuse for ever, a checksum outside of
    /// the packet for one, is refused here.
    ///
    /// # Errors
    /// [`MetadataRefused`] with the frame, and why: see [`MetadataRefusal`].
    ///
    /// # Panics
    /// If the frame is of another UMEM.
    #[track_caller]
    pub fn push_with(
        &mut self,
        mut frame: Frame,
        metadata: TxMetadata,
    ) -> Result<(), MetadataRefused> {
        self.umem.geometry().assert_same_umem(frame.umem());
        let abilities = self.inner.tx_abilities();
        let reason = if self.slots.remaining() == 0 {
            MetadataRefusal::NoRoom
        } else if !metadata.fits(frame.len()) {
            let (start, offset) = metadata.checksum_place().unwrap_or_default();
            MetadataRefusal::ChecksumOutside { start, offset, len: frame.len() }
        } else if metadata.has_launch_time() && !abilities.launch_time {
            MetadataRefusal::NoLaunchTime
        } else if metadata.checksum_place().is_some() && !abilities.checksum {
            MetadataRefusal::NoChecksum
        } else if let Some(place) = self.umem.before_mut(&mut frame) {
            place.copy_from_slice(metadata.to_kernel().as_bytes());
            return self.push_desc(frame, XDP_TX_METADATA, metadata.has_timestamp());
        } else {
            MetadataRefusal::NoSpace
        };
        Err(MetadataRefused { frame, reason })
    }

    #[track_caller]
    fn push_desc(
        &mut self,
        frame: Frame,
        options: u32,
        timestamp: bool,
    ) -> Result<(), MetadataRefused> {
        let (umem, requests) = (self.umem, self.requests);
        let pushed = self.slots.push(frame, ChunkPlace::Sending, |frame| {
            requests.set(umem.geometry(), frame.kernel_address(), timestamp);
            Desc::new(frame.kernel_address(), frame.len()).with_options(options)
        });
        pushed.map_err(|frame| MetadataRefused { frame, reason: MetadataRefusal::NoRoom })
    }

    /// Returns how many slots are left.
    #[must_use]
    pub fn remaining(&self) -> u32 {
        self.slots.remaining()
    }
}

/// A frame that was not sent, and why.
///
/// ```no_run
/// # fn f(refused: xsk::socket::MetadataRefused, pool: &mut xsk::FramePool) {
/// eprintln!("{refused}");
/// pool.put(refused.frame);
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a dropped frame's chunk is lost until its UMEM ends"]
pub struct MetadataRefused {
    /// The frame.
    pub frame: Frame,
    /// Why it was not sent.
    pub reason: MetadataRefusal,
}

/// Why a frame was not sent ([`MetadataRefused`]).
///
/// ```
/// let reason = xsk::socket::MetadataRefusal::NoLaunchTime;
/// assert!(reason.to_string().starts_with("the driver has no launch times"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetadataRefusal {
    /// No reserved slot is left: it can be sent later.
    NoRoom,
    /// The checksum, or bytes that it is of, are not inside the packet.
    ChecksumOutside {
        /// Where the bytes begin that it is of.
        start: u16,
        /// Where it is written, counted from `start`.
        offset: u16,
        /// The packet's length in bytes.
        len: u32,
    },
    /// The driver has no launch times
    /// ([`XdpFeatures::tx_launch_time`](crate::interface::XdpFeatures::tx_launch_time)), or the kernel
    /// is older than 6.15: the packet would be sent at once.
    NoLaunchTime,
    /// The socket is in zero-copy mode, and the card computes no checksums
    /// ([`XdpFeatures::tx_checksum`](crate::interface::XdpFeatures::tx_checksum)); or it is in copy mode
    /// on a virtio card, where the kernel does not look at what is asked before 6.18, and later sends no
    /// such packet over memory of
    /// [`software_checksum`](crate::umem::UmemBuilder::software_checksum). The packet would be sent with
    /// a wrong one, or never.
    NoChecksum,
    /// The packet begins in the room for metadata, where the kernel's side put it.
    NoSpace,
}

impl fmt::Display for MetadataRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRoom => f.write_str("no reserved slot of the TX ring is left"),
            Self::ChecksumOutside { start, offset, len } => write!(
                f,
                "the checksum at byte {} (start {start}, offset {offset}) is not inside the packet \
                 of {len} bytes",
                u32::from(*start).saturating_add((*offset).into())
            ),
            Self::NoLaunchTime => f.write_str(
                "the driver has no launch times (`XdpFeatures::tx_launch_time`), or the kernel is \
                 older than 6.15: wait for the time yourself, then send it without",
            ),
            Self::NoChecksum => f.write_str(
                "neither the card nor the kernel would compute the checksum: compute it, or use \
                 copy mode (`CopyMode::Copy`; on a virtio card since Linux 6.18)",
            ),
            Self::NoSpace => f.write_str(
                "there is no room for TX metadata before the packet, which begins earlier than the \
                 kernel was asked to put it: send it without",
            ),
        }
    }
}

impl fmt::Display for MetadataRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a packet was not sent: {}", self.reason)
    }
}

impl std::error::Error for MetadataRefused {}

/// The completion ring of a socket that sends packets with TX metadata; made by
/// [`Tx::with_metadata`].
///
/// ```no_run
/// # fn f(completion: &mut xsk::socket::MetadataCompletion, pool: &mut xsk::FramePool) -> xsk::Result<()> {
/// for (frame, sent) in completion.reap(64)? {
///     if let Some(sent) = sent {
///         println!("sent at {} ns of {:?}", sent.nanoseconds, sent.clock);
///     }
///     pool.put(frame);
/// }
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct MetadataCompletion {
    completion: Completion,
    umem: Umem,
    requests: Arc<TxRequests>,
    clock: TxClock,
}

impl MetadataCompletion {
    /// Returns the chunks that came back, each with the time at which its packet was sent, if that was
    /// asked for and the driver has it.
    ///
    /// # Errors
    /// As [`Completion::reap`].
    pub fn reap(&mut self, count: u32) -> Result<MetadataCompletionFrames<'_>, RingError> {
        let Self { completion, umem, requests, clock } = self;
        let frames = completion.reap(count)?.0.frames();
        Ok(MetadataCompletionFrames { frames, umem, requests, clock: *clock })
    }

    /// Puts up to `count` chunks that came back into `pool`; returns how many.
    ///
    /// # Errors
    /// As [`Completion::reap`].
    ///
    /// # Panics
    /// If `pool` is of another UMEM.
    #[track_caller]
    pub fn reap_into(&mut self, pool: &mut FramePool, count: u32) -> Result<u32, RingError> {
        self.completion.reap_into(pool, count)
    }

    /// Returns the ring's number of entries.
    #[must_use]
    pub fn capacity(&self) -> u32 {
        self.completion.capacity()
    }
}

/// The frames of a batch of chunks that came back, each over its whole chunk and with the time at which
/// its packet was sent; made by [`MetadataCompletion::reap`].
///
/// ```no_run
/// # fn f(completion: &mut xsk::socket::MetadataCompletion, pool: &mut xsk::FramePool) -> xsk::Result<()> {
/// let times = completion.reap(64)?.filter_map(|(frame, sent)| {
///     pool.put(frame);
///     sent
/// });
/// println!("last: {:?}", times.last());
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct MetadataCompletionFrames<'a> {
    frames: BatchFrames<'a, u64>,
    umem: &'a Umem,
    requests: &'a TxRequests,
    clock: TxClock,
}

impl Iterator for MetadataCompletionFrames<'_> {
    type Item = (Frame, Option<TxTimestamp>);

    fn next(&mut self) -> Option<Self::Item> {
        let frame = self.frames.next(|checker, address| {
            let (from, to) = (ChunkPlace::Sending, ChunkPlace::User);
            let address = checker.accept_chunk(Form::Either, address, from, to)?;
            let geometry = &checker.geometry;
            // A completion names an address in the chunk that was sent, not the chunk (I9).
            Some(Frame::whole(geometry, geometry.chunk(address)))
        })?;
        let packet = self.requests.get(self.umem.geometry(), frame.kernel_address());
        let place = packet.and_then(|packet| self.umem.before_packet(&frame, packet));
        let clock = self.clock;
        let sent = place.and_then(time).map(|nanoseconds| TxTimestamp { nanoseconds, clock });
        Some((frame, sent))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.frames.size_hint()
    }
}

/// Returns the time that was written into TX metadata which asked for it; `None` where a driver writes
/// none: then the place of the checksum is there still, in four bytes, and zeros behind it.
fn time(metadata: &[u8; TX_METADATA_LEN]) -> Option<u64> {
    let (written, _) = xsk_tx_metadata_completion::read_from_prefix(metadata).ok()?;
    let [_, _, _, _, after_checksum @ ..] = written.tx_timestamp.to_ne_bytes();
    (after_checksum != [0; 4]).then_some(written.tx_timestamp)
}

#[cfg(test)]
mod tests {
    use super::time;
    use crate::packet::TxMetadata;
    use zerocopy::IntoBytes;

    #[test]
    fn a_request_is_no_time_in_any_byte_order() {
        let asked = TxMetadata::new().timestamp();
        for asked in [asked, asked.checksum(34, 6), asked.checksum(u16::MAX, u16::MAX)] {
            let mut metadata = [0; 24];
            metadata.copy_from_slice(asked.launch_time(u64::MAX).to_kernel().as_bytes());
            assert_eq!(time(&metadata), None);
            let now = 1_700_000_000_000_000_000_u64;
            metadata[8..16].copy_from_slice(&now.to_ne_bytes());
            assert_eq!(time(&metadata), Some(now));
        }
    }
}
