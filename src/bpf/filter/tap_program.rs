//! A tap that is loaded.

use super::super::map::{PerCpuArray, RingBuffer};
use super::super::program::Program;
use super::counters::{self, Counters};
use super::counts::{FilterCounts, RuleCount};
use super::filter_program::FilterProgram;
use super::tap_reader::TapReader;
use crate::error::Result;

/// The names of the program, and of the map in which it counts lost copies.
pub(super) const NAME: &str = "xsk_tap";
pub(super) const LOSSES: &str = "xsk_tap_lost";

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
    /// Packets of which the condition is true, of the queues that were chosen.
    pub matched: RuleCount,
    /// All other packets of these queues.
    pub others: RuleCount,
    /// Packets that matched, and of which the ring had no room for a copy.
    pub lost: u64,
}

impl TapCounts {
    /// Reads what a tap of this or another process has counted since it was loaded: a program of its
    /// name, `xsk_tap`. `None` if it is no tap, or this process may not read its maps, which takes
    /// `CAP_SYS_ADMIN`.
    ///
    /// ```no_run
    /// # fn main() -> xsk::Result<()> {
    /// use xsk::bpf::{Program, TapCounts};
    ///
    /// for attached in xsk::Interface::by_name("eth1")?.programs()? {
    ///     let program = Program::from_id(attached.id)?;
    ///     println!("{:?}", TapCounts::of_program(&program)?);
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::BpfObject`](crate::Error::BpfObject), if the kernel does not report what the program
    /// is; [`Error::MapEntry`](crate::Error::MapEntry).
    pub fn of_program(program: &Program) -> Result<Option<Self>> {
        let info = program.info()?;
        if info.name != NAME {
            return Ok(None);
        }
        let (mut rules, mut losses) = (None, None);
        for id in &info.map_ids {
            if let Ok(map) = PerCpuArray::<RuleCount>::from_id(*id) {
                rules = rules.or((map.name() == counters::MAP).then_some(map));
            } else if let Ok(map) = PerCpuArray::<u64>::from_id(*id) {
                losses = losses.or((map.name() == LOSSES).then_some(map));
            }
        }
        let Some((rules, losses)) = rules.zip(losses) else { return Ok(None) };
        // The entries of a program that was loaded after no other one: of its rule, and of the rest.
        let filter = Counters::of_other(rules, &[0, 1]).read()?;
        Self::read(Some(filter), &losses).map(Some)
    }

    fn read(filter: Option<FilterCounts>, losses: &PerCpuArray<u64>) -> Result<Self> {
        let lost = losses.get(0)?.unwrap_or_default();
        let lost = lost.iter().fold(0, |sum: u64, lost| sum.wrapping_add(*lost));
        let (matched, others) = filter
            .map(|counts| (counts.rules.first().copied().unwrap_or_default(), counts.others))
            .unwrap_or_default();
        Ok(Self { matched, others, lost })
    }
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
        TapCounts::read(self.filter.counts()?, &self.losses)
    }
}
