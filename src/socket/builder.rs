//! The builder of sockets: checks sizes before the kernel sees them, then creates, registers, maps
//! and assembles.

use super::register_memory::register_memory;
use super::ring_set::{HalfPair, Halves, MappedRing, RingPair, RingSet, RingSpec};
use super::sealed::Sides;
use super::unbound::BindSettings;
use super::xsk_fd::create;
use super::{
    CopyMode, PacketSocket, RxSocket, Socket, SocketHandle, SocketKind, TxSocket, Unbound, XskFd,
};
use crate::error::{Error, Result, SocketOption};
use crate::interface::Interface;
use crate::ring::{MAX_ENTRIES, RingKind};
use crate::sys::xsk as sys;
use crate::umem::{Sockets, Umem};
use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;
use xsk_uapi::if_xdp::xdp_mmap_offsets;

/// The sizes of the four rings.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    pub(super) rx: u32,
    pub(super) tx: u32,
    pub(super) fill: u32,
    pub(super) completion: u32,
}

/// The builder of a socket; made by [`Socket::builder`].
///
/// Defaults: RX, TX and completion rings of 2048 entries, a fill ring of 4096; zero-copy where
/// possible; need-wakeup on; two seconds to wait for a queue that is still taken.
///
/// ```no_run
/// # fn f(umem: &xsk::Umem, interface: &xsk::Interface) -> xsk::Result<()> {
/// let builder = xsk::Socket::builder(umem).rx_size(512).copy_mode(xsk::CopyMode::Copy);
/// let socket = builder.bind(interface, 0)?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "nothing is made before `open` or `bind`"]
pub struct SocketBuilder<S = Socket> {
    umem: Umem,
    sizes: Sizes,
    bind: BindSettings,
    kind: PhantomData<fn() -> S>,
}

impl<S> Clone for SocketBuilder<S> {
    fn clone(&self) -> Self {
        let Self { umem, sizes, bind, kind } = self;
        Self { umem: umem.clone(), sizes: *sizes, bind: *bind, kind: *kind }
    }
}

impl Socket {
    /// Returns a builder of a socket over `umem`; see [`SocketBuilder::rx_only`] and
    /// [`tx_only`](SocketBuilder::tx_only) for the other kinds.
    pub fn builder(umem: &Umem) -> SocketBuilder {
        SocketBuilder::new(umem)
    }
}

impl SocketBuilder<Socket> {
    pub(super) fn new(umem: &Umem) -> Self {
        let sizes = Sizes::DEFAULT;
        let timeout = Duration::from_secs(2);
        let bind = BindSettings { copy: CopyMode::Auto, need_wakeup: true, timeout };
        Self { umem: umem.clone(), sizes, bind, kind: PhantomData }
    }

    /// Makes it a socket that only receives: it has no TX ring, and the completion ring, which the
    /// kernel demands all the same, has one entry.
    pub fn rx_only(self) -> SocketBuilder<RxSocket> {
        self.with_kind(|sizes| sizes.completion = 1)
    }

    /// Makes it a socket that only sends: it has no RX ring. It keeps a fill ring, which the kernel
    /// demands, and which some zero-copy drivers want filled before they send.
    pub fn tx_only(self) -> SocketBuilder<TxSocket> {
        self.with_kind(|_| ())
    }

    /// Makes it a socket for packets of several frames (`XDP_USE_SG`, kernel 6.6): packets that are
    /// longer than a chunk, jumbo frames for one. Kernels before refuse to bind it
    /// ([`Error::NeedsKernel`]); so does a card that has no such packets in zero-copy mode
    /// ([`CopyMode::Auto`] goes on to copy mode).
    #[doc(alias = "XDP_USE_SG")]
    pub fn multi_buffer(self) -> SocketBuilder<PacketSocket> {
        self.with_kind(|_| ())
    }

    fn with_kind<S>(mut self, resize: impl FnOnce(&mut Sizes)) -> SocketBuilder<S> {
        resize(&mut self.sizes);
        SocketBuilder { umem: self.umem, sizes: self.sizes, bind: self.bind, kind: PhantomData }
    }
}

impl<S: SocketKind> SocketBuilder<S> {
    /// Sets the entries of the RX ring: a power of two, 2^20 at the most, as for all rings.
    #[doc(alias = "XDP_RX_RING")]
    pub fn rx_size(mut self, entries: u32) -> Self {
        self.sizes.rx = entries;
        self
    }

    /// Sets the entries of the TX ring.
    #[doc(alias = "XDP_TX_RING")]
    pub fn tx_size(mut self, entries: u32) -> Self {
        self.sizes.tx = entries;
        self
    }

    /// Sets the entries of the fill ring. For zero-copy: at least as many as the card's RX ring has
    /// (`ethtool -g`), and a batch more.
    #[doc(alias = "XDP_UMEM_FILL_RING")]
    pub fn fill_size(mut self, entries: u32) -> Self {
        self.sizes.fill = entries;
        self
    }

    /// Sets the entries of the completion ring.
    #[doc(alias = "XDP_UMEM_COMPLETION_RING")]
    pub fn completion_size(mut self, entries: u32) -> Self {
        self.sizes.completion = entries;
        self
    }

    /// Sets copy, zero-copy, or zero-copy where possible. The result:
    /// [`SocketHandle::is_zero_copy`], and why: [`SocketHandle::copy_reason`].
    ///
    /// [`SocketHandle::is_zero_copy`]: super::SocketHandle::is_zero_copy
    /// [`SocketHandle::copy_reason`]: super::SocketHandle::copy_reason
    #[doc(alias = "XDP_ZEROCOPY")]
    #[doc(alias = "XDP_COPY")]
    pub fn copy_mode(mut self, copy: CopyMode) -> Self {
        self.bind.copy = copy;
        self
    }

    /// Sets whether a zero-copy driver may sleep and ask to be woken (5.4; before, it never does).
    #[doc(alias = "XDP_USE_NEED_WAKEUP")]
    pub fn need_wakeup(mut self, on: bool) -> Self {
        self.bind.need_wakeup = on;
        self
    }

    /// Sets how long [`Unbound::bind`] tries again while the queue is taken.
    ///
    /// The kernel frees a queue some 20 ms after its socket was closed, or later where it is busy
    /// with other interfaces, so a program that is restarted finds it taken for a moment. A queue
    /// that another socket really uses stays taken.
    pub fn bind_timeout(mut self, timeout: Duration) -> Self {
        self.bind.timeout = timeout;
        self
    }

    /// Makes the socket, registers the UMEM, and makes and maps the rings; in the network namespace
    /// of the calling thread. The fill ring can be filled now, before [`Unbound::bind`], as
    /// zero-copy drivers want it: they take their first chunks when they are bound or a program is
    /// attached, and igb (7.3) never asks for them later.
    ///
    /// Each socket registers the UMEM for itself: several sockets over one UMEM forward frames
    /// between queues and interfaces, and the kernel counts its pages against `RLIMIT_MEMLOCK` for
    /// each.
    ///
    /// # Errors
    /// [`Error::Setting`] for a ring size that is no power of two, or above 2^20;
    /// [`Error::CreateSocket`], [`Error::RegisterUmem`], [`Error::CreateRing`], [`Error::MapRing`]
    /// if the kernel refuses.
    pub fn open(self) -> Result<Unbound<S>> {
        let specs = self.specs()?;
        self.finish(specs, create()?)
    }

    /// Makes the socket as [`open`](Self::open) does, of one that was opened before, perhaps by
    /// another process. This takes no capability. The descriptor is used up: it is closed if this
    /// fails.
    ///
    /// # Errors
    /// As [`open`](Self::open), without [`Error::CreateSocket`]; [`Error::RegisterUmem`] with
    /// `EBUSY`, or [`Error::CreateRing`] with `EBUSY` or `EINVAL`, if something else has used the
    /// socket meanwhile.
    pub fn open_with(self, fd: XskFd) -> Result<Unbound<S>> {
        let specs = self.specs()?;
        self.finish(specs, fd.into())
    }

    /// Makes a socket of `fd`, which has neither memory nor rings: the kernel registers memory and
    /// makes each ring once for a socket (I11).
    fn finish(self, specs: RingSet<S, RingSpec>, fd: OwnedFd) -> Result<Unbound<S>> {
        register_memory(fd.as_fd(), &self.umem)?;
        let (rings, has_flags_word) = map(fd.as_fd(), specs)?;
        // Not before: a socket that was refused uses no memory.
        self.umem.used_by(Sockets::Real)?;
        let mut bind = self.bind;
        // The flag came together with its word in the ring.
        bind.need_wakeup &= has_flags_word;
        let halves = rings.into_halves(fd, self.umem)?;
        Ok(halves.into_unbound(bind, None))
    }

    /// Does [`open`](Self::open) and [`Unbound::bind`] in one. Zero-copy drivers want chunks in the
    /// fill ring before: see there.
    ///
    /// # Errors
    /// As both; but without the socket, which is closed. [`Unbound::bind`] gives it back beside the
    /// error, with what is in its fill ring.
    pub fn bind(self, interface: &Interface, queue: u32) -> Result<S> {
        Ok(self.open()?.bind(interface, queue)?)
    }

    /// Returns the sizes of the rings, and how long `bind` tries again.
    pub(super) fn sizes_and_timeout(&self) -> (Sizes, Duration) {
        (self.sizes, self.bind.timeout)
    }

    /// Returns the rings of this kind of socket, their sizes checked.
    fn specs(&self) -> Result<RingSet<S, RingSpec>> {
        self.sizes.specs()
    }
}

impl Sizes {
    pub(super) const DEFAULT: Self = Self { rx: 2048, tx: 2048, fill: 4096, completion: 2048 };

    /// Returns the rings of a kind of socket, their sizes checked.
    pub(super) fn specs<S: SocketKind>(&self) -> Result<RingSet<S, RingSpec>> {
        let Self { fill, completion, .. } = *self;
        let specs = RingSet {
            pair: self.pair(),
            fill: RingSpec { kind: RingKind::Fill, entries: fill },
            completion: RingSpec { kind: RingKind::Completion, entries: completion },
        };
        specs.try_map(RingSpec::checked)
    }

    /// Returns the RX and the TX ring of a kind of socket.
    pub(super) fn pair<S: Sides>(&self) -> RingPair<S, RingSpec> {
        let Self { rx, tx, .. } = *self;
        RingPair {
            rx: S::rx(RingSpec { kind: RingKind::Rx, entries: rx }),
            tx: S::tx(RingSpec { kind: RingKind::Tx, entries: tx }),
        }
    }
}

impl RingSpec {
    /// Refuses a size that no ring can have.
    pub(super) fn checked(self) -> Result<Self> {
        if self.entries.is_power_of_two() && self.entries <= MAX_ENTRIES {
            return Ok(self);
        }
        let name = match self.kind {
            RingKind::Rx => "size of the RX ring",
            RingKind::Tx => "size of the TX ring",
            RingKind::Fill => "size of the fill ring",
            RingKind::Completion => "size of the completion ring",
        };
        let rule = "is a power of two from 1 to 2^20";
        Err(Error::Setting { name, value: u64::from(self.entries), rule })
    }
}

impl<S: SocketKind> Halves<S> {
    pub(super) fn into_unbound(
        self,
        bind: BindSettings,
        shares: Option<SocketHandle>,
    ) -> Unbound<S> {
        let Self { pair: HalfPair { rx, tx, inner }, fill, completion } = self;
        Unbound { fill, rx, tx, completion, inner, bind, shares }
    }
}

/// Creates and maps the rings of a socket; also returns whether they have a flags word (5.4).
pub(super) fn map<S: SocketKind>(
    fd: BorrowedFd<'_>,
    specs: RingSet<S, RingSpec>,
) -> Result<(RingSet<S, MappedRing>, bool)> {
    let specs = specs.try_map(|spec| spec.create(fd).map(|()| spec))?;
    let (offsets, has_flags_word) = offsets(fd)?;
    let rings = specs.try_map(|spec| spec.map(fd, &offsets, has_flags_word))?;
    Ok((rings, has_flags_word))
}

/// Returns where the parts of rings are, and whether they have a flags word (5.4).
pub(super) fn offsets(fd: BorrowedFd<'_>) -> Result<(xdp_mmap_offsets, bool)> {
    let failed = |errno| Error::SocketOption { option: SocketOption::MmapOffsets, errno };
    sys::mmap_offsets(fd).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_of_socket_has_the_rings_that_it_needs() {
        let (umem, _pool) = Umem::builder().chunk_count(1).build().unwrap();
        let entries = |spec: RingSpec| (spec.kind, spec.entries);
        let both = Socket::builder(&umem).specs().unwrap();
        assert_eq!(entries(both.pair.rx), (RingKind::Rx, 2048));
        assert_eq!(entries(both.pair.tx), (RingKind::Tx, 2048));
        assert_eq!(entries(both.fill), (RingKind::Fill, 4096));
        assert_eq!(entries(both.completion), (RingKind::Completion, 2048));
        // The kernel demands a completion ring of a socket that never sends: the smallest will do.
        let rx_only = Socket::builder(&umem).rx_only().specs().unwrap();
        assert_eq!((rx_only.pair.tx, entries(rx_only.completion)), ((), (RingKind::Completion, 1)));
        let tx_only = Socket::builder(&umem).tx_only().specs().unwrap();
        assert_eq!((tx_only.pair.rx, entries(tx_only.fill)), ((), (RingKind::Fill, 4096)));
    }
}
