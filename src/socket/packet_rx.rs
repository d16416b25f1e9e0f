//! The RX ring of a socket for packets of several frames.

use super::Rx;
use super::desc::Desc;
use super::inner::{Inner, as_fd};
use super::packet_batch::PacketBatch;
use super::packet_entry::ENDLESS;
use crate::ring::{AtomicU32, Consumer, Diagnosis, Index, RingError, RingKind, Suspect};
use crate::umem::Checker;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The RX ring of a socket for packets of several frames ([`PacketSocket`](super::PacketSocket)).
///
/// It hands out whole packets only. A packet of which the end is not in the ring yet stays there.
///
/// The kernel writes all frames of a packet or none, in copy mode always, with a zero-copy driver
/// since 6.18.17. Before, a driver that found the RX ring full could leave the rest of a packet out,
/// and what came next is taken for it, because descriptors say only where a packet ends: have an RX
/// ring as long as the fill ring at least, and look at
/// [`Statistics::rx_ring_full`](super::Statistics::rx_ring_full).
///
/// ```no_run
/// # fn f(socket: &mut xsk::socket::PacketSocket, pool: &mut xsk::FramePool) -> xsk::Result<()> {
/// let umem = socket.handle.umem().clone();
/// for packet in socket.rx.receive(64)? {
///     println!("{} bytes in {} frames", packet.len(), packet.frames().len());
///     println!("{:02x?}", umem.packet_bytes(packet.frames()).to_vec());
///     pool.extend(packet);
/// }
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[doc(alias = "XDP_RX_RING")]
pub struct PacketRx {
    ring: Consumer<Desc>,
    checker: Checker,
    /// How many chunks were filled, as in [`Rx`].
    filled: Arc<AtomicU32>,
    inner: Arc<Inner>,
}

impl PacketRx {
    pub(crate) fn new(rx: Rx) -> Self {
        let (ring, checker, inner) = rx.into_parts();
        let filled = Arc::clone(&inner.pool.given.filled);
        Self { ring, checker, filled, inner }
    }

    /// Returns the packets that are in the ring, up to `count` (of packets, not of frames). A batch is
    /// iterated over, or passed on whole. What was not taken when it is dropped stays in the ring.
    ///
    /// # Errors
    /// As [`Rx::receive`]; [`RingError::BadEntry`] and [`RingError::EndlessPacket`] once for a packet
    /// that is not valid. Its good frames' chunks are counted as lost
    /// ([`Umem::lost_chunks`](crate::Umem::lost_chunks)), and the next call goes on behind it.
    #[inline(always)]
    #[doc(alias = "xsk_ring_cons__peek")]
    pub fn receive(&mut self, count: u32) -> Result<PacketBatch<'_>, RingError> {
        let Self { ring, checker, filled, .. } = self;
        // Relaxed: as in `Rx::receive`.
        let most_allowed = |_| Index::new(filled.load(Ordering::Relaxed));
        let error = |ring: &mut _, suspect| error(ring, checker, suspect);
        let portion = ring.peek_first(count, most_allowed, error)?;
        Ok(PacketBatch::new(portion, count, checker))
    }

    /// Returns the ring's number of entries.
    #[must_use]
    pub fn capacity(&self) -> u32 {
        self.ring.memory().capacity()
    }
}

/// Finds the error of a ring with something wrong.
#[cold]
#[inline(never)]
fn error(rx: &mut Consumer<Desc>, checker: &Checker, suspect: Suspect) -> Option<RingError> {
    let ring = RingKind::Rx;
    let desc = match rx.diagnose(suspect) {
        Diagnosis::Index(error) => return Some(error),
        Diagnosis::Entry(desc) => desc,
    };
    if desc == ENDLESS {
        return Some(RingError::EndlessPacket { ring, frames: rx.memory().capacity() });
    }
    let address = desc.address;
    if checker.geometry.contains_packet(address, desc.frame_length()) {
        return Some(RingError::DuplicateChunk { ring, address });
    }
    Some(RingError::BadEntry { ring, address, len: desc.len(), options: desc.options() })
}

as_fd!(
    /// Returns the socket; readable (`POLLIN`) while the RX ring holds packets.
    PacketRx: inner
);
