//! The law of conservation: every chunk of a UMEM is in one place.

use super::{FakeKernel, Holdings};
use crate::umem::{Frame, Place, Pool, Umem};
use std::fmt;

/// Who has a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Holder {
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
/// Compares sets of addresses, which pools, frames and the rings' memory name; no count is trusted. With
/// the ledger on (debug builds, feature `ledger`) its books are compared too.
///
/// Ask while no call is under way, and after each ring whose guard was forgotten had another batch (see
/// [`Holdings`]).
///
/// ```
/// use xsk::test_util::{FakeKernel, Whereabouts};
///
/// let (umem, mut pool) = xsk::Umem::builder().chunks(16).build()?;
/// let (mut kernel, mut socket) = FakeKernel::new(&umem)?;
/// socket.fill.fill_from(&mut pool, 8)?;
/// kernel.deliver(b"hello");
/// let held: Vec<_> = socket.rx.receive(8)?.into_iter().collect();
/// Whereabouts::of(&umem).pool(&pool).frames(&held).rings(&kernel).check()?;
///
/// // Without the frame, a chunk is missing.
/// let imbalance = Whereabouts::of(&umem).pool(&pool).rings(&kernel).check();
/// assert_eq!(imbalance.map_err(|found| found.missing.len()), Err(1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing is found before `check`"]
pub struct Whereabouts {
    umem: Umem,
    /// Of each chunk, in the order of addresses.
    holders: Vec<Option<Holder>>,
    imbalance: Imbalance,
}

/// What is wrong about the [`Whereabouts`] of chunks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Imbalance {
    /// Chunks that nobody has.
    pub missing: Vec<u64>,
    /// Chunks in two places.
    pub twice: Vec<(u64, Holder, Holder)>,
    /// Addresses outside the UMEM, and who has them.
    pub outside: Vec<(u64, Holder)>,
    /// Chunks that the ledger has in another place than they are.
    pub ledger: Vec<(u64, Holder, Place)>,
}

impl Whereabouts {
    /// Of the chunks of `umem`. Frames, pools and kernels of other UMEMs are passed over.
    pub fn of(umem: &Umem) -> Self {
        Self {
            umem: umem.clone(),
            holders: vec![None; umem.chunks()],
            imbalance: Imbalance::default(),
        }
    }

    /// The chunks in `pool`.
    pub fn pool(mut self, pool: &Pool) -> Self {
        if pool.bounds() == self.umem.bounds() {
            self.add(Holder::Pool, pool.addresses());
        }
        self
    }

    /// The chunks in the user's hands.
    pub fn frames<'a>(mut self, frames: impl IntoIterator<Item = &'a Frame>) -> Self {
        let umem = self.umem.bounds().umem;
        let ours = frames.into_iter().filter(|frame| frame.umem() == umem);
        self.add(Holder::User, ours.map(Frame::address));
        self
    }

    /// The chunks in a socket's rings, and with its kernel.
    pub fn rings(self, kernel: &FakeKernel) -> Self {
        if kernel.umem.bounds() == self.umem.bounds() {
            self.holdings(&kernel.holdings())
        } else {
            self
        }
    }

    /// As [`rings`](Self::rings), for rings of this UMEM that were looked at before.
    pub fn holdings(mut self, holdings: &Holdings) -> Self {
        self.add(Holder::Fill, holdings.fill.iter().copied());
        self.add(Holder::Rx, holdings.rx.iter().map(|desc| desc.addr));
        self.add(Holder::Tx, holdings.tx.iter().map(|desc| desc.addr));
        self.add(Holder::Kernel, holdings.kernel.iter().copied());
        self.add(Holder::Completion, holdings.completion.iter().copied());
        self
    }

    /// Chunks that were lost, which is allowed, by any address in them: those of dropped frames and
    /// pools, and in the rings of closed sockets.
    pub fn lost(mut self, addresses: impl IntoIterator<Item = u64>) -> Self {
        self.add(Holder::Lost, addresses);
        self
    }

    fn add(&mut self, holder: Holder, addresses: impl IntoIterator<Item = u64>) {
        let bounds = *self.umem.bounds();
        for address in addresses {
            let number = address.checked_div(bounds.chunk_size());
            let number = number.and_then(|number| usize::try_from(number).ok());
            match number.and_then(|number| self.holders.get_mut(number)) {
                None => self.imbalance.outside.push((address, holder)),
                Some(Some(other)) => {
                    let both = (bounds.chunk(address), *other, holder);
                    self.imbalance.twice.push(both);
                }
                Some(place) => *place = Some(holder),
            }
        }
    }

    /// Whether every chunk is in one place.
    ///
    /// # Errors
    /// The [`Imbalance`], if not.
    pub fn check(self) -> Result<(), Imbalance> {
        let Self { umem, holders, mut imbalance } = self;
        let chunks = (0_u64..).map(|number| number.wrapping_mul(umem.chunk_size().into()));
        let mut places = umem.places().map(Vec::into_iter);
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
        if imbalance == Imbalance::default() { Ok(()) } else { Err(imbalance) }
    }
}

impl Holder {
    /// Whether the ledger counts what is with this holder at `place`.
    fn is_at(self, place: Place) -> bool {
        match self {
            Self::Pool => place == Place::Pool,
            Self::User => place == Place::User,
            Self::Fill | Self::Rx => place == Place::Receiving,
            Self::Tx | Self::Kernel | Self::Completion => place == Place::Sending,
            Self::Lost => true,
        }
    }
}

impl fmt::Display for Imbalance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "chunks that nobody has: {:#x?}; in two places: {:#x?}; outside the UMEM: {:#x?}; \
             elsewhere than the ledger says: {:#x?}",
            self.missing, self.twice, self.outside, self.ledger
        )
    }
}

impl std::error::Error for Imbalance {}
