//! A filter that is loaded.

use super::super::map::PerCpuArray;
use super::super::program::Program;
use crate::error::Result;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// A filter that is loaded, from [`Filter::load`](super::Filter::load).
///
/// ```
/// use xsk::bpf::{Action, Filter, XskMap};
///
/// # fn main() -> xsk::Result<()> {
/// # if !xsk::test_util::privileged("the documentation of FilterProgram") { return Ok(()); }
/// let map = XskMap::create(XskMap::DEFAULT_NAME, 4)?;
/// let filter = Filter::new().rule("arp".parse()?, Action::Drop).counters(true).load(&map)?;
/// let mut packet = [0; 60];
/// packet[12..14].copy_from_slice(&[8, 6]); // ARP
/// assert_eq!(filter.program().test_run(&packet, None)?.retval, 1);
/// assert_eq!(filter.program().test_run(&[0; 60], None)?.retval, 2);
///
/// let counts = filter.counts()?.expect("counters are on");
/// assert_eq!((counts.rules[0].packets, counts.rules[0].bytes), (1, 60));
/// assert_eq!(counts.others.packets, 1);
/// # Ok(()) }
/// ```
///
/// [`program`](Self::program) is attached as any program is, with the map that the filter was loaded
/// for: [`AttachmentBuilder::program`](crate::attach::AttachmentBuilder::program).
#[derive(Debug)]
pub struct FilterProgram {
    program: Program,
    counters: Option<PerCpuArray<RuleCount>>,
}

/// Packets, and their bytes.
///
/// ```
/// use xsk::bpf::RuleCount;
/// let count = RuleCount { packets: 2, bytes: 120 };
/// assert_eq!(count.bytes / count.packets, 60);
/// ```
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct RuleCount {
    /// How many packets.
    pub packets: u64,
    /// How many bytes they have, from the Ethernet header on; of packets in several frames those of
    /// the first frame.
    pub bytes: u64,
}

/// What a filter has counted, from [`FilterProgram::counts`].
///
/// ```
/// use xsk::bpf::FilterCounts;
/// fn dropped(counts: &FilterCounts, rule: usize) -> u64 {
///     counts.rules.get(rule).map_or(0, |rule| rule.packets)
/// }
/// # let _ = dropped;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FilterCounts {
    /// The packets of each rule, in the order of [`Filter::rules`](super::Filter::rules): those of
    /// [`keep_management`](super::Filter::keep_management) come first. Counted is what a rule is for, whatever
    /// becomes of it: of a rule for sockets also what goes on to the kernel's stack because the slot is empty,
    /// and what the socket has no room for.
    pub rules: Vec<RuleCount>,
    /// The packets for which there was no rule.
    pub others: RuleCount,
}

impl FilterProgram {
    pub(super) fn new(program: Program, counters: Option<PerCpuArray<RuleCount>>) -> Self {
        Self { program, counters }
    }

    /// Returns the program.
    #[must_use]
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Reads what the program has counted since it was loaded, also while it runs; `None` if it does
    /// not count.
    ///
    /// # Errors
    /// [`Error::MapEntry`](crate::Error::MapEntry).
    pub fn counts(&self) -> Result<Option<FilterCounts>> {
        let Some(counters) = &self.counters else { return Ok(None) };
        let mut rules = Vec::new();
        for rule in 0..counters.entries() {
            let mut sum = RuleCount::default();
            for count in counters.get(rule)?.unwrap_or_default() {
                sum.packets = sum.packets.wrapping_add(count.packets);
                sum.bytes = sum.bytes.wrapping_add(count.bytes);
            }
            rules.push(sum);
        }
        let others = rules.pop().unwrap_or_default();
        Ok(Some(FilterCounts { rules, others }))
    }
}
