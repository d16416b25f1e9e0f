//! The law of conservation: every chunk of a UMEM is in one place.

use super::{FakeKernel, RingContents};
use crate::umem::{ChunkPlace, Frame, FramePool, Umem};
use std::fmt;

/// Who has a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChunkHolder {
    /// A pool.
    Pool,
    /// The user, as a frame.
    User,
    /// A fill ring.
    Fill,
    /// An RX ring.
    Rx,
    /// A TX ring.
    Tx,
    /// A kernel that transmitted its packet and did not complete it.
    Kernel,
    /// A completion ring.
    Completion,
    /// Nobody: it was in a frame, a pool or a closed socket's ring that is gone.
    Lost,
}

/// Where the chunks of a [`Umem`] are: asks everybody who can have one, and finds whether each is
/// somewhere, and none in two places.
///
/// Compares sets of addresses, which pools, frames and the rings' memory name; no count is trusted.
/// With the ledger on (debug builds, feature `ledger`) its books are compared too.
///
/// Ask while no call is under way, and after each ring whose guard was forgotten had another batch
/// (see [`RingContents`]).
///
/// ```
/// use xsk::test_util::{FakeKernel, ChunkAudit};
///
/// let (umem, mut pool) = xsk::Umem::builder().chunk_count(16).build()?;
/// let (mut kernel, mut socket) = FakeKernel::new(&umem)?;
/// socket.fill.fill_from(&mut pool, 8)?;
/// kernel.deliver(b"hello");
/// let held: Vec<_> = socket.rx.receive(8)?.into_iter().collect();
/// ChunkAudit::of(&umem).pool(&pool).frames(&held).rings(&kernel).check()?;
///
/// // Without the frame, a chunk is missing.
/// let imbalance = ChunkAudit::of(&umem).pool(&pool).rings(&kernel).check();
/// assert_eq!(imbalance.map_err(|found| found.missing.len()), Err(1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing is found before `check`"]
pub struct ChunkAudit {
    umem: Umem,
    /// Of each chunk, in the order of addresses.
    holders: Vec<Option<ChunkHolder>>,
    imbalance: AuditError,
}

/// What is wrong about the [`ChunkAudit`] of chunks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditError {
    /// Chunks that nobody has.
    pub missing: Vec<u64>,
    /// Chunks in two places.
    pub twice: Vec<(u64, ChunkHolder, ChunkHolder)>,
    /// Addresses outside the UMEM, and who has them.
    pub outside: Vec<(u64, ChunkHolder)>,
    /// Chunks that the ledger has in another place than they are.
    pub ledger: Vec<(u64, ChunkHolder, ChunkPlace)>,
}

impl ChunkAudit {
    /// Of the chunks of `umem`. Frames, pools and kernels of other UMEMs are passed over.
    pub fn of(umem: &Umem) -> Self {
        Self {
            umem: umem.clone(),
            holders: vec![None; umem.chunk_count()],
            imbalance: AuditError::default(),
        }
    }

    /// Returns the chunks in `pool`.
    pub fn pool(mut self, pool: &FramePool) -> Self {
        if pool.geometry() == self.umem.geometry() {
            self.add(ChunkHolder::Pool, pool.addresses());
        }
        self
    }

    /// Returns the chunks in the user's hands.
    pub fn frames<'a>(mut self, frames: impl IntoIterator<Item = &'a Frame>) -> Self {
        let umem = self.umem.geometry().umem;
        let ours = frames.into_iter().filter(|frame| frame.umem() == umem);
        self.add(ChunkHolder::User, ours.map(Frame::address));
        self
    }

    /// Returns the chunks in a socket's rings, and with its kernel.
    pub fn rings(self, kernel: &FakeKernel) -> Self {
        if kernel.umem.geometry() == self.umem.geometry() {
            self.ring_contents(&kernel.ring_contents())
        } else {
            self
        }
    }

    /// As [`rings`](Self::rings), for rings of this UMEM that were looked at before.
    pub fn ring_contents(mut self, holdings: &RingContents) -> Self {
        self.add(ChunkHolder::Fill, holdings.fill.iter().copied());
        self.add(ChunkHolder::Rx, holdings.rx.iter().map(|desc| desc.addr));
        self.add(ChunkHolder::Tx, holdings.tx.iter().map(|desc| desc.addr));
        self.add(ChunkHolder::Kernel, holdings.kernel.iter().copied());
        self.add(ChunkHolder::Completion, holdings.completion.iter().copied());
        self
    }

    /// Chunks that were lost, which is allowed, by any address in them: those of dropped frames and
    /// pools, and in the rings of closed sockets.
    pub fn lost(mut self, addresses: impl IntoIterator<Item = u64>) -> Self {
        self.add(ChunkHolder::Lost, addresses);
        self
    }

    fn add(&mut self, holder: ChunkHolder, addresses: impl IntoIterator<Item = u64>) {
        let geometry = *self.umem.geometry();
        for address in addresses {
            match self.holders.get_mut(geometry.index(address)) {
                None => self.imbalance.outside.push((address, holder)),
                Some(Some(other)) => {
                    let both = (geometry.chunk(address), *other, holder);
                    self.imbalance.twice.push(both);
                }
                Some(place) => *place = Some(holder),
            }
        }
    }

    /// Returns whether every chunk is in one place.
    ///
    /// # Errors
    /// The [`AuditError`], if not.
    pub fn check(self) -> Result<(), AuditError> {
        let Self { umem, holders, mut imbalance } = self;
        let chunks = (0_u64..).map(|number| number.wrapping_mul(umem.chunk_size().into()));
        let mut places = umem.chunk_places().map(Vec::into_iter);
        for (chunk, holder) in chunks.zip(holders) {
            let place = places.as_mut().and_then(Iterator::next);
            match (holder, place) {
                (None, _) => imbalance.missing.push(chunk),
                (Some(holder), Some(place)) if !holder.is_at(place) => {
                    imbalance.ledger.push((chunk, holder, place));
                }
                _ => (),
            }
        }
        if imbalance == AuditError::default() { Ok(()) } else { Err(imbalance) }
    }
}

impl ChunkHolder {
    /// Returns whether the ledger counts what is with this holder at `place`.
    fn is_at(self, place: ChunkPlace) -> bool {
        match self {
            Self::Pool => place == ChunkPlace::Pool,
            Self::User => place == ChunkPlace::User,
            Self::Fill | Self::Rx => place == ChunkPlace::Receiving,
            Self::Tx | Self::Kernel | Self::Completion => place == ChunkPlace::Sending,
            Self::Lost => true,
        }
    }
}

impl fmt::Display for AuditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "chunks that nobody has: {:#x?}; in two places: {:#x?}; outside the UMEM: {:#x?}; \
             elsewhere than the ledger says: {:#x?}",
            self.missing, self.twice, self.outside, self.ledger
        )
    }
}

impl std::error::Error for AuditError {}
