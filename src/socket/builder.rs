//! What a socket is to be like, checked before the kernel sees it.

use super::inner::{Inner, RingOwner};
use super::ring_set::{MappedRing, RingSpec, memory};
use super::{
    Completion, CopyMode, Fill, Rings, Rx, RxSocket, Socket, SocketKind, Tx, TxSocket, Unbound,
};
use crate::error::{Error, Result, SocketOption};
use crate::ring::RingKind;
use crate::sys::xsk as sys;
use crate::umem::Umem;
use rustix::io::Errno;
use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;
use xsk_uapi::if_xdp::xdp_umem_reg;

/// The largest ring: the kernel knows no limit, and 2^30 entries would take 16 GiB of its memory.
const MAX_RING: u32 = 1 << 20;

/// The sizes of the four rings.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    rx: u32,
    tx: u32,
    fill: u32,
    completion: u32,
}

/// What is decided at `bind(2)`.
#[derive(Debug, Clone, Copy)]
pub(super) struct BindSettings {
    pub(super) copy: CopyMode,
    pub(super) need_wakeup: bool,
    pub(super) wait: Duration,
}

/// Describes a socket; made by [`Socket::builder`].
///
/// Defaults: RX, TX and completion rings of 2048 entries, a fill ring of 4096; zero-copy where possible;
/// need-wakeup on; two seconds of patience with a queue that is still taken.
#[derive(Debug, Clone)]
#[must_use = "nothing is made before `open` or `bind`"]
pub struct SocketBuilder<S = Socket> {
    umem: Umem,
    sizes: Sizes,
    bind: BindSettings,
    shape: PhantomData<fn() -> S>,
}

impl Socket {
    /// Describes a socket over `umem`; see [`SocketBuilder::rx_only`] and
    /// [`tx_only`](SocketBuilder::tx_only) for the other kinds.
    pub fn builder(umem: &Umem) -> SocketBuilder {
        SocketBuilder::new(umem)
    }
}

impl SocketBuilder<Socket> {
    pub(super) fn new(umem: &Umem) -> Self {
        let sizes = Sizes { rx: 2048, tx: 2048, fill: 4096, completion: 2048 };
        let wait = Duration::from_secs(2);
        let bind = BindSettings { copy: CopyMode::Auto, need_wakeup: true, wait };
        Self { umem: umem.clone(), sizes, bind, shape: PhantomData }
    }

    /// A socket that only receives: it has no TX ring, and the completion ring that the kernel demands
    /// all the same is as small as can be.
    pub fn rx_only(self) -> SocketBuilder<RxSocket> {
        self.reshape(|sizes| sizes.completion = 1)
    }

    /// A socket that only sends: it has no RX ring. It keeps a fill ring, which the kernel demands, and
    /// which some zero-copy drivers want filled before they send.
    pub fn tx_only(self) -> SocketBuilder<TxSocket> {
        self.reshape(|_| ())
    }

    fn reshape<S>(mut self, resize: impl FnOnce(&mut Sizes)) -> SocketBuilder<S> {
        resize(&mut self.sizes);
        SocketBuilder { umem: self.umem, sizes: self.sizes, bind: self.bind, shape: PhantomData }
    }
}

impl<S: SocketKind> SocketBuilder<S> {
    /// Entries of the RX ring: a power of two, 2^20 at the most, as for all rings.
    #[doc(alias = "XDP_RX_RING")]
    pub fn rx_size(mut self, entries: u32) -> Self {
        self.sizes.rx = entries;
        self
    }

    /// Entries of the TX ring.
    #[doc(alias = "XDP_TX_RING")]
    pub fn tx_size(mut self, entries: u32) -> Self {
        self.sizes.tx = entries;
        self
    }

    /// Entries of the fill ring. For zero-copy: as many as the card's RX ring has, and a burst.
    #[doc(alias = "XDP_UMEM_FILL_RING")]
    pub fn fill_size(mut self, entries: u32) -> Self {
        self.sizes.fill = entries;
        self
    }

    /// Entries of the completion ring.
    #[doc(alias = "XDP_UMEM_COMPLETION_RING")]
    pub fn completion_size(mut self, entries: u32) -> Self {
        self.sizes.completion = entries;
        self
    }

    /// Copy, zero-copy, or zero-copy where possible. What came of it:
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

    /// Whether a zero-copy driver may sleep and ask to be woken (5.4; before, it never does).
    #[doc(alias = "XDP_USE_NEED_WAKEUP")]
    pub fn need_wakeup(mut self, on: bool) -> Self {
        self.bind.need_wakeup = on;
        self
    }

    /// How long to try again while the queue is taken.
    ///
    /// The kernel frees a queue some 20 ms after its socket was closed, or later where it is busy with
    /// other interfaces, so a program that is restarted finds it taken for a moment. A queue that somebody else really uses stays taken.
    pub fn bind_timeout(mut self, wait: Duration) -> Self {
        self.bind.wait = wait;
        self
    }

    /// Makes the socket, registers the UMEM, and makes and maps the rings; in the network namespace of
    /// the calling thread. The fill ring can be filled now, before [`Unbound::bind`], as zero-copy
    /// drivers want it: they take their first chunks when they are bound or a program is attached, and igb (7.3) never
    /// asks for them later.
    ///
    /// Each socket registers the UMEM for itself: several sockets over one UMEM forward frames between
    /// queues and interfaces, and the kernel counts its pages against `RLIMIT_MEMLOCK` for each.
    ///
    /// # Errors
    /// [`Error::Setting`] for a ring size that no kernel should be asked for; [`Error::CreateSocket`],
    /// [`Error::RegisterUmem`], [`Error::CreateRing`], [`Error::MapRing`] as the kernel answers.
    pub fn open(self) -> Result<Unbound<S>> {
        let specs = self.checked_rings()?;
        let fd = sys::socket().map_err(|errno| Error::CreateSocket { errno })?;
        register(fd.as_fd(), &self.umem)?;
        for ring in specs.iter().flatten() {
            ring.create(fd.as_fd())?;
        }
        let failed = |errno| Error::SocketOption { option: SocketOption::MmapOffsets, errno };
        let (offsets, flags_word) = sys::mmap_offsets(fd.as_fd()).map_err(failed)?;
        let mut maps = [None, None, None, None];
        for (map, ring) in maps.iter_mut().zip(specs) {
            *map = ring.map(|ring| ring.map(fd.as_fd(), &offsets, flags_word)).transpose()?;
        }
        let mut bind = self.bind;
        // The flag came together with the word that it speaks of.
        bind.need_wakeup &= flags_word;
        assemble(fd, self.umem, maps, bind)
    }

    /// [`open`](Self::open) and [`Unbound::bind`] in one. Zero-copy drivers want chunks in the fill ring before: see
    /// there.
    ///
    /// # Errors
    /// As both.
    pub fn bind(self, interface: &crate::interface::Interface, queue: u32) -> Result<S> {
        Ok(self.open()?.bind(interface, queue)?)
    }

    /// The rings that this shape has, in the order RX, TX, fill, completion.
    fn checked_rings(&self) -> Result<[Option<RingSpec>; 4]> {
        let Sizes { rx, tx, fill, completion } = self.sizes;
        let ring = |kind, entries: u32, name| {
            if !entries.is_power_of_two() || entries > MAX_RING {
                let rule = "is a power of two from 1 to 2^20";
                return Err(Error::Setting { name, value: u64::from(entries), rule });
            }
            Ok(Some(RingSpec { kind, entries }))
        };
        let rx = if S::RX { ring(RingKind::Rx, rx, "size of the RX ring")? } else { None };
        let tx = if S::TX { ring(RingKind::Tx, tx, "size of the TX ring")? } else { None };
        let fill = ring(RingKind::Fill, fill, "size of the fill ring")?;
        let completion = ring(RingKind::Completion, completion, "size of the completion ring")?;
        Ok([rx, tx, fill, completion])
    }
}

fn register(fd: BorrowedFd<'_>, umem: &Umem) -> Result<()> {
    let reg = xdp_umem_reg {
        addr: u64::try_from(umem.start().as_ptr().expose_provenance()).unwrap_or(0),
        len: umem.geometry().area,
        chunk_size: umem.chunk_size(),
        headroom: umem.headroom(),
        ..xdp_umem_reg::default()
    };
    sys::register_umem(fd, &reg).map_err(|errno| Error::RegisterUmem {
        bytes: reg.len,
        chunk_size: reg.chunk_size,
        headroom: reg.headroom,
        memlock: rustix::process::getrlimit(rustix::process::Resource::Memlock).current,
        errno,
    })
}

/// Halves over the mapped rings, and what keeps them.
fn assemble<S: SocketKind>(
    fd: OwnedFd,
    umem: Umem,
    maps: [Option<MappedRing>; 4],
    bind: BindSettings,
) -> Result<Unbound<S>> {
    let [rx, tx, fill, completion] = &maps;
    let rx = memory(rx, RingKind::Rx)?;
    let tx = memory(tx, RingKind::Tx)?;
    let fill = memory(fill, RingKind::Fill)?;
    let completion = memory(completion, RingKind::Completion)?;
    let owner = RingOwner::Kernel(maps.map(|map| map.map(|map| map.mapping)));
    let inner = Arc::new(Inner::new(fd, umem, owner, false));
    let missing = |ring| Error::MapRing { ring, bytes: 0, errno: Errno::INVAL };
    let rings = Rings {
        rx: rx.map(|memory| Rx::new(memory, Arc::clone(&inner))),
        tx: tx.map(|memory| Tx::new(memory, Arc::clone(&inner))),
        completion: Completion::new(
            completion.ok_or(missing(RingKind::Completion))?,
            Arc::clone(&inner),
        ),
    };
    let fill = Fill::new(fill.ok_or(missing(RingKind::Fill))?, Arc::clone(&inner));
    Ok(Unbound::new(inner, fill, rings, bind))
}
