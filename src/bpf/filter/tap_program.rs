//! A tap that is loaded.

use super::super::map::{PerCpuArray, RingBuffer};
use super::super::program::Program;
use super::counts::RuleCount;
use super::filter_program::FilterProgram;
use super::tap_reader::TapReader;
use crate::error::Result;

/// A tap that is loaded, from [`Tap::load`](super::Tap::load).
///
/// ```no_run
/// use xsk::bpf::{Tap, XskMap};
/// use xsk::{Attachment, Interface};
///
/// # fn main() -> xsk::Result<()> {
/// let tap = Tap::new("udp dst port 53".parse()?).load()?;
/// let interface = Interface::by_name("eth1")?;
/// let none = XskMap::create(XskMap::DEFAULT_NAME, 1)?;
/// let builder = Attachment::builder(&interface).program(tap.program().try_clone()?, none);
/// let _attachment = builder.attach()?;
/// let mut reader = tap.reader()?;
/// loop {
///     while let Some(packet) = reader.read()? {
///         println!("{} ns, queue {}: {:02x?}", packet.time, packet.queue, packet.bytes);
///     }
///     std::thread::sleep(std::time::Duration::from_millis(1));
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct TapProgram {
    filter: FilterProgram,
    ring: RingBuffer,
    losses: PerCpuArray<u64>,
}

/// What a tap has counted, from [`TapProgram::counts`].
///
/// ```
/// use xsk::bpf::TapCounts;
/// fn copied(counts: &TapCounts) -> u64 {
///     counts.matched.packets.saturating_sub(counts.lost)
/// }
/// # let _ = copied;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TapCounts {
    /// Packets of which the condition is true, of any queue.
    pub matched: RuleCount,
    /// All other packets.
    pub others: RuleCount,
    /// Packets that matched, and of which the ring had no room for a copy.
    pub lost: u64,
}

impl TapProgram {
    pub(super) fn new(filter: FilterProgram, ring: RingBuffer, losses: PerCpuArray<u64>) -> Self {
        Self { filter, ring, losses }
    }

    /// Returns the program.
    #[must_use]
    pub fn program(&self) -> &Program {
        self.filter.program()
    }

    /// Returns what reads the copies, of which there must be one at a time.
    ///
    /// # Errors
    /// As [`RingBuffer::reader`].
    pub fn reader(&self) -> Result<TapReader> {
        Ok(TapReader::new(self.ring.reader()?))
    }

    /// Reads what the program has counted since it was loaded, also while it runs.
    ///
    /// # Errors
    /// [`Error::MapEntry`](crate::Error::MapEntry).
    pub fn counts(&self) -> Result<TapCounts> {
        let lost = self.losses.get(0)?.unwrap_or_default();
        let lost = lost.iter().fold(0, |sum: u64, lost| sum.wrapping_add(*lost));
        let counts = self.filter.counts()?;
        let (matched, others) = counts
            .map(|counts| (counts.rules.first().copied().unwrap_or_default(), counts.others))
            .unwrap_or_default();
        Ok(TapCounts { matched, others, lost })
    }
}
