//! Checks that every chunk of a UMEM is in exactly one place (I3).

use super::{FakeKernel, RingContents};
use crate::umem::{ChunkPlace, Frame, FramePool, Umem};
use std::fmt;

/// Where a [`ChunkAudit`] found a chunk.
///
/// ```
/// use xsk::test_util::{ChunkAudit, ChunkHolder};
///
/// let (umem, mut pool) = xsk::Umem::builder().chunk_count(16).build()?;
/// let frame = pool.take().ok_or("the pool is empty")?;
/// // A frame that is counted twice is in two places.
/// let audit = ChunkAudit::of(&umem).pool(&pool).frames([&frame, &frame]);
/// let error = audit.check().unwrap_err();
/// assert_eq!(error.twice, [(frame.address(), ChunkHolder::User, ChunkHolder::User)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
    /// A kernel that transmitted the chunk's packet and has not completed it.
    Kernel,
    /// A completion ring.
    Completion,
    /// No holder: the chunk was in a frame or pool that was dropped, or in a closed socket's ring.
    Lost,
}

/// Checks that every chunk of a [`Umem`] is in exactly one of the places that the audit is given.
///
/// It compares sets of addresses, as pools, frames and the rings' memory contain them, and no
/// counts. With the ledger on (debug builds, feature `ledger`) it also compares them with the
/// ledger.
///
/// Make an audit while no call is under way. A ring whose guard was forgotten needs another batch
/// first (see [`RingContents`]).
///
/// ```
/// use xsk::test_util::{ChunkAudit, FakeKernel};
///
/// let (umem, mut pool) = xsk::Umem::builder().chunk_count(16).build()?;
/// let (mut kernel, mut socket) = FakeKernel::new(&umem)?;
/// socket.fill.fill_from(&mut pool, 8)?;
/// kernel.deliver(b"hello");
/// let frames: Vec<_> = socket.rx.receive(8)?.into_iter().collect();
/// ChunkAudit::of(&umem).pool(&pool).frames(&frames).rings(&kernel).check()?;
///
/// // Without the frame, a chunk is missing.
/// let error = ChunkAudit::of(&umem).pool(&pool).rings(&kernel).check().unwrap_err();
/// assert_eq!(error.missing.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "an audit reports nothing before `check`"]
pub struct ChunkAudit {
    umem: Umem,
    /// The holder of each chunk, in the order of addresses.
    holders: Vec<Option<ChunkHolder>>,
    error: AuditError,
}

/// What a [`ChunkAudit`] found wrong.
///
/// ```
/// use xsk::test_util::{AuditError, ChunkAudit};
///
/// let (umem, mut pool) = xsk::Umem::builder().chunk_count(16).build()?;
/// let frame = pool.take().ok_or("the pool is empty")?;
/// let error = ChunkAudit::of(&umem).pool(&pool).check().unwrap_err();
/// let expected = AuditError { missing: vec![frame.address()], ..AuditError::default() };
/// assert_eq!(error, expected);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditError {
    /// Chunks that no holder has.
    pub missing: Vec<u64>,
    /// Chunks in two places.
    pub twice: Vec<(u64, ChunkHolder, ChunkHolder)>,
    /// Addresses outside the UMEM, and their holders.
    pub outside: Vec<(u64, ChunkHolder)>,
    /// Chunks whose place in the ledger is not that of their holder.
    pub ledger: Vec<(u64, ChunkHolder, ChunkPlace)>,
}

impl ChunkAudit {
    /// Starts an audit of the chunks of `umem`. It ignores frames, pools and kernels of other
    /// UMEMs.
    pub fn of(umem: &Umem) -> Self {
        Self {
            umem: umem.clone(),
            holders: vec![None; umem.chunk_count()],
            error: AuditError::default(),
        }
    }

    /// Adds the chunks in `pool`.
    pub fn pool(mut self, pool: &FramePool) -> Self {
        if pool.geometry() == self.umem.geometry() {
            self.add(ChunkHolder::Pool, pool.addresses());
        }
        self
    }

    /// Adds the chunks of the user's frames.
    pub fn frames<'a>(mut self, frames: impl IntoIterator<Item = &'a Frame>) -> Self {
        let umem = self.umem.geometry().umem;
        let frames = frames.into_iter().filter(|frame| frame.umem() == umem);
        self.add(ChunkHolder::User, frames.map(Frame::kernel_address));
        self
    }

    /// Adds the chunks in a socket's rings, and those that its kernel holds.
    pub fn rings(self, kernel: &FakeKernel) -> Self {
        if kernel.umem.geometry() == self.umem.geometry() {
            self.ring_contents(&kernel.ring_contents())
        } else {
            self
        }
    }

    /// As [`rings`](Self::rings), for contents that were read earlier, of rings of this UMEM.
    pub fn ring_contents(mut self, contents: &RingContents) -> Self {
        self.add(ChunkHolder::Fill, contents.fill.iter().copied());
        self.add(ChunkHolder::Rx, contents.rx.iter().map(|desc| desc.addr));
        self.add(ChunkHolder::Tx, contents.tx.iter().map(|desc| desc.addr));
        self.add(ChunkHolder::Kernel, contents.kernel.iter().copied());
        self.add(ChunkHolder::Completion, contents.completion.iter().copied());
        self
    }

    /// Adds chunks that were lost, which is allowed, each by any address in it: those of dropped
    /// frames and pools, and those in the rings of closed sockets.
    ///
    /// An address is as [`Frame::address`] returns it, or as [`RingContents`] has it.
    pub fn lost(mut self, addresses: impl IntoIterator<Item = u64>) -> Self {
        let geometry = *self.umem.geometry();
        let chunk = |address| geometry.chunk_of_plain(geometry.plain(address));
        self.add(ChunkHolder::Lost, addresses.into_iter().map(chunk));
        self
    }

    fn add(&mut self, holder: ChunkHolder, addresses: impl IntoIterator<Item = u64>) {
        let geometry = *self.umem.geometry();
        for address in addresses {
            match self.holders.get_mut(geometry.index(address)) {
                None => self.error.outside.push((address, holder)),
                Some(Some(other)) => {
                    let both = (geometry.chunk(address), *other, holder);
                    self.error.twice.push(both);
                }
                Some(free) => *free = Some(holder),
            }
        }
    }

    /// Ends the audit: succeeds if every chunk is in exactly one place.
    ///
    /// # Errors
    /// [`AuditError`] with every chunk that is not.
    pub fn check(self) -> Result<(), AuditError> {
        let Self { umem, holders, mut error } = self;
        let chunks = (0_u64..).map(|number| number.wrapping_mul(umem.geometry().step()));
        let mut places = umem.chunk_places().map(Vec::into_iter);
        for (chunk, holder) in chunks.zip(holders) {
            let place = places.as_mut().and_then(Iterator::next);
            match (holder, place) {
                (None, _) => error.missing.push(chunk),
                (Some(holder), Some(place)) if !holder.is_at(place) => {
                    error.ledger.push((chunk, holder, place));
                }
                _ => (),
            }
        }
        if error == AuditError::default() { Ok(()) } else { Err(error) }
    }
}

impl ChunkHolder {
    /// Returns whether the ledger has the chunks of this holder at `place`.
    fn is_at(self, place: ChunkPlace) -> bool {
        match self {
            Self::Pool => place == ChunkPlace::Pool,
            Self::User => place == ChunkPlace::User,
            Self::Fill | Self::Rx => place == ChunkPlace::Receiving,
            Self::Tx | Self::Kernel | Self::Completion => place == ChunkPlace::Sending,
            // In a closed socket's ring, or in a frame that was forgotten, a chunk stays where it
            // was.
            Self::Lost => place != ChunkPlace::Pool,
        }
    }
}

impl fmt::Display for AuditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "chunks that no holder has: {:#x?}; in two places: {:#x?}; outside the UMEM: {:#x?}; \
             elsewhere than the ledger says: {:#x?}",
            self.missing, self.twice, self.outside, self.ledger
        )
    }
}

impl std::error::Error for AuditError {}
