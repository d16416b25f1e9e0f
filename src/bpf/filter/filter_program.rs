//! A filter that is loaded.

use super::super::map::PerCpuArray;
use super::super::program::Program;
use super::counters::{self, Counters};
use super::counts::FilterCounts;
use super::filter_rule::{self, FilterRule};
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
    rules: Option<Vec<FilterRule>>,
}

/// The name of the program.
pub(super) const NAME: &str = "xsk_filter";

impl FilterProgram {
    pub(super) fn new(
        program: Program,
        counters: Option<Counters>,
        rules: Option<Vec<FilterRule>>,
    ) -> Self {
        Self { program, counters, rules }
    }

    /// Takes a program that this or another process loaded, if it is a filter of this crate: by its
    /// name, `xsk_filter`. To read its rules and counters takes `CAP_SYS_ADMIN`; they are known if the
    /// kernel keeps the rules ([`rules`](Self::rules)). What other programs counted before it
    /// ([`CompiledFilter::load_after`]) is in the counts as far as it was counted in the same map.
    ///
    /// ```no_run
    /// # fn main() -> xsk::Result<()> {
    /// use xsk::bpf::{FilterProgram, Program};
    ///
    /// for attached in xsk::Interface::by_name("eth1")?.programs()? {
    ///     let program = Program::from_id(attached.id)?;
    ///     let Some(filter) = FilterProgram::from_program(program)? else { continue };
    ///     println!("{:?}: {:?}", filter.rules(), filter.counts()?);
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::BpfObject`](crate::Error::BpfObject), if the kernel does not report what the program
    /// is.
    ///
    /// [`CompiledFilter::load_after`]: super::CompiledFilter::load_after
    pub fn from_program(program: Program) -> Result<Option<Self>> {
        let info = program.info()?;
        if info.name != NAME {
            return Ok(None);
        }
        let Some((rules, entries)) = filter_rule::kept(&info.map_ids) else {
            return Ok(Some(Self { program, counters: None, rules: None }));
        };
        let map = info.map_ids.iter().find_map(|id| {
            let map = PerCpuArray::from_id(*id).ok()?;
            (map.name() == counters::MAP).then_some(map)
        });
        let counters = map.zip(entries).map(|(map, entries)| Counters::of_other(map, &entries));
        Ok(Some(Self { program, counters, rules: Some(rules) }))
    }

    /// Returns the rules as text, in their order. `None` if they are not known: the kernel keeps
    /// them since 5.10, up to 64 KiB of text, for processes with `CAP_SYS_ADMIN`.
    #[must_use]
    pub fn rules(&self) -> Option<&[FilterRule]> {
        self.rules.as_deref()
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
