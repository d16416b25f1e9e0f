//! A filter that is loaded.

use super::super::program::Program;
use super::counters::Counters;
use super::counts::FilterCounts;
use crate::error::Result;

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
    counters: Option<Counters>,
}

impl FilterProgram {
    pub(super) fn new(program: Program, counters: Option<Counters>) -> Self {
        Self { program, counters }
    }

    /// Returns the program.
    #[must_use]
    pub fn program(&self) -> &Program {
        &self.program
    }

    pub(super) fn counters(&self) -> Option<&Counters> {
        self.counters.as_ref()
    }

    /// Reads what the program has counted since it was loaded, also while it runs; `None` if it does
    /// not count. Loaded after another one ([`CompiledFilter::load_after`]), it has the counts of that
    /// for the rules that both have; and as both count in the same place, what the other still counts.
    ///
    /// # Errors
    /// [`Error::MapEntry`](crate::Error::MapEntry).
    ///
    /// [`CompiledFilter::load_after`]: super::CompiledFilter::load_after
    pub fn counts(&self) -> Result<Option<FilterCounts>> {
        self.counters.as_ref().map(Counters::read).transpose()
    }
}
