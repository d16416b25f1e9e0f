//! What is asked of the network card, or of the kernel, for a packet that is sent; and when it was
//! sent.

use super::headers::{Transport, transport};
use rustix::time::{DynamicClockId, clock_gettime_dynamic};
use xsk_uapi::if_xdp::{
    XDP_TXMD_FLAGS_CHECKSUM, XDP_TXMD_FLAGS_LAUNCH_TIME, XDP_TXMD_FLAGS_TIMESTAMP, xsk_tx_metadata,
};

/// What is asked for a packet that is sent
/// ([`MetadataTxBatch::push_with`](crate::socket::MetadataTxBatch::push_with)). All of it can be
/// combined.
///
/// ```
/// use xsk::packet::TxMetadata;
///
/// // UDP over IPv4 without options: the checksum is of the bytes from 34 on, and stands at 40.
/// let asked = TxMetadata::new().checksum(34, 6).timestamp();
/// assert_eq!(asked, TxMetadata::new().timestamp().checksum(34, 6));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[doc(alias = "xsk_tx_metadata")]
pub struct TxMetadata {
    checksum: Option<(u16, u16)>,
    timestamp: bool,
    launch_time: Option<u64>,
}

impl TxMetadata {
    /// Returns that nothing is asked.
    #[must_use]
    pub const fn new() -> Self {
        Self { checksum: None, timestamp: false, launch_time: None }
    }

    /// Asks for the checksum of the packet's bytes from `start` to the packet's end to be written, two
    /// bytes long, `offset` bytes behind `start`. In its place the packet must have the sum of what else belongs to
    /// it, not inverted: for TCP and UDP that of the pseudo-header (see
    /// [`for_transport`](Self::for_transport)).
    #[must_use]
    #[doc(alias = "XDP_TXMD_FLAGS_CHECKSUM")]
    pub const fn checksum(mut self, start: u16, offset: u16) -> Self {
        self.checksum = Some((start, offset));
        self
    }

    /// Asks for the time at which the packet is sent
    /// ([`MetadataCompletion::reap`](crate::socket::MetadataCompletion::reap)).
    #[must_use]
    #[doc(alias = "XDP_TXMD_FLAGS_TIMESTAMP")]
    pub const fn timestamp(mut self) -> Self {
        self.timestamp = true;
        self
    }

    /// Asks for the packet to be sent at a time, in nanoseconds of the card's clock, and not before
    /// (kernel 6.15).
    ///
    /// The card has to be told before that its queue takes such times, for igc and stmmac by
    /// `tc qdisc ... etf ... offload`: else it sends the packet at once, and reports nothing. How far
    /// ahead a time can be is the card's to say: with igc it is less than a cycle, 1 second if no other
    /// was set.
    #[must_use]
    #[doc(alias = "XDP_TXMD_FLAGS_LAUNCH_TIME")]
    pub const fn launch_time(mut self, nanoseconds: u64) -> Self {
        self.launch_time = Some(nanoseconds);
        self
    }

    /// Asks for the checksum of a TCP or UDP packet over IPv4 or IPv6, and writes the sum of its
    /// pseudo-header into the checksum's place, as it has to be. `packet` begins with the Ethernet
    /// header. `None` for packets of other kinds, fragments, and malformed ones, and for those with
    /// bytes other than 0 behind their data (padding, to be cut off before by
    /// [`Frame::truncate`](crate::Frame::truncate)), which the kernel would sum, too: nothing is
    /// written.
    ///
    /// ```
    /// use xsk::packet::TxMetadata;
    ///
    /// # let mut packet = [0; 60];
    /// # packet[12..].copy_from_slice(&[
    /// #     8, 0, 0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
    /// #     0, 9, 0, 9, 0, 26, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18,
    /// # ]);
    /// let asked = TxMetadata::for_transport(&mut packet).ok_or("neither TCP nor UDP")?;
    /// assert_eq!(asked, TxMetadata::new().checksum(34, 6));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn for_transport(packet: &mut [u8]) -> Option<Self> {
        let all = packet.as_ptr().addr();
        let Transport { bytes, checksum_at, pseudo_header, .. } = transport(packet).ok()?;
        let start = bytes.as_ptr().addr().wrapping_sub(all);
        let end = start.checked_add(bytes.len())?;
        if packet.get(end..)?.iter().any(|padding| *padding != 0) {
            return None;
        }
        let field = packet.get_mut(start.checked_add(checksum_at)?..)?.first_chunk_mut()?;
        *field = pseudo_header.fold().to_be_bytes();
        let offset = u16::try_from(checksum_at).ok()?;
        Some(Self::new().checksum(u16::try_from(start).ok()?, offset))
    }

    /// Returns where the checksum is asked for: where the sum begins, and how far behind that it is
    /// written.
    pub(crate) fn checksum_place(&self) -> Option<(u16, u16)> {
        self.checksum
    }

    /// Returns whether a launch time is asked for.
    pub(crate) fn has_launch_time(&self) -> bool {
        self.launch_time.is_some()
    }

    /// Returns whether the time of sending is asked for.
    pub(crate) fn has_timestamp(&self) -> bool {
        self.timestamp
    }

    /// Returns whether the bytes that the checksum is of, and its place, are inside a packet of `len`
    /// bytes.
    pub(crate) fn fits(&self, len: u32) -> bool {
        self.checksum.is_none_or(|(start, offset)| {
            u32::from(start).saturating_add(offset.into()).saturating_add(2) <= len
        })
    }

    /// Returns the form in which the kernel takes it.
    pub(crate) fn to_kernel(self) -> xsk_tx_metadata {
        let Self { checksum, timestamp, launch_time } = self;
        let flag = |asked, flag| if asked { flag } else { 0 };
        let (csum_start, csum_offset) = checksum.unwrap_or_default();
        xsk_tx_metadata {
            flags: flag(checksum.is_some(), XDP_TXMD_FLAGS_CHECKSUM)
                | flag(timestamp, XDP_TXMD_FLAGS_TIMESTAMP)
                | flag(launch_time.is_some(), XDP_TXMD_FLAGS_LAUNCH_TIME),
            csum_start,
            csum_offset,
            launch_time: launch_time.unwrap_or_default(),
            ..xsk_tx_metadata::default()
        }
    }
}

/// When a packet was sent.
///
/// ```
/// use xsk::packet::{TxClock, TxTimestamp};
///
/// let sent = TxTimestamp { nanoseconds: 1_700_000_000_000_000_000, clock: TxClock::Tai };
/// println!("{} ns of {:?}", sent.nanoseconds, sent.clock);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TxTimestamp {
    /// Nanoseconds of the clock.
    pub nanoseconds: u64,
    /// The clock.
    pub clock: TxClock,
}

/// The clock of a [`TxTimestamp`].
///
/// ```
/// assert_ne!(xsk::packet::TxClock::Tai, xsk::packet::TxClock::Card);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TxClock {
    /// `CLOCK_TAI`, read by the kernel when it had handed the packet on (copy mode;
    /// `xsk_tx_metadata_complete`, net/xdp/xsk.c).
    Tai,
    /// The clock of the network card (zero-copy mode), which `ethtool -T` names.
    Card,
}

impl TxClock {
    /// Returns the time of this clock, in nanoseconds; `None` for that of a card, which this crate
    /// cannot read (`CLOCK_TAI`: seconds of the international atomic time, 37 ahead of UTC where the
    /// system knows that, and the same where not).
    ///
    /// ```
    /// use xsk::packet::TxClock;
    ///
    /// assert!(TxClock::Tai.now() > Some(1_700_000_000_000_000_000));
    /// assert_eq!(TxClock::Card.now(), None);
    /// ```
    #[must_use]
    #[doc(alias = "CLOCK_TAI")]
    pub fn now(self) -> Option<u64> {
        match self {
            Self::Tai => {
                let now = clock_gettime_dynamic(DynamicClockId::Tai).ok()?;
                let seconds = u64::try_from(now.tv_sec).ok()?;
                seconds.checked_mul(1_000_000_000)?.checked_add(now.tv_nsec.try_into().ok()?)
            }
            Self::Card => None,
        }
    }
}
