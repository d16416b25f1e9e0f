//! A filter as a program that is not loaded.

use super::super::asm::{Insn, Listing, Reg};
use super::super::map::{SharedValue, XskMap};
use super::super::program::Program;
use super::compile::{Code, store_count};
use super::counters::{Counters, RuleKey};
use super::emit::{TEMP, table_bound};
use super::filter_program::{self, FilterProgram};
use super::filter_rule::{self, FilterRule};
use super::map_part::MapPart;
use super::set::SetMaps;
use crate::error::{Error, FilterFault, Result};
use crate::num::usize32;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
#[cfg(any(test, feature = "test-util"))]
use xsk_uapi::bpf::{BPF_PSEUDO_MAP_FD, BPF_PSEUDO_MAP_VALUE, bpf_insn};

/// A filter as a program that is not loaded, from [`Filter::compile`](super::Filter::compile).
///
/// ```
/// use xsk::bpf::Filter;
/// let compiled = Filter::new().compile()?;
/// assert_eq!(compiled.len(), 4, "two loads, return XDP_PASS");
/// # Ok::<(), xsk::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct CompiledFilter {
    pub(super) code: Code,
    pub(super) rules: Vec<FilterRule>,
    /// What the rules are counted by, if they are.
    pub(super) counted: Option<Arc<[RuleKey]>>,
    pub(super) frags: bool,
    /// The highest slot that a rule is for.
    pub(super) last_slot: Option<u32>,
}

impl CompiledFilter {
    /// Returns how many instructions the program has.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "no program is empty")]
    pub fn len(&self) -> usize {
        self.code.code.insns().len()
    }

    /// Returns the numbers of the rules that no packet is for: their conditions cannot be true, or
    /// rules before them are for all their packets. Of large filters it may leave out some.
    #[must_use]
    pub fn unreachable(&self) -> Vec<usize> {
        self.code.unreachable.iter().map(|&rule| usize32(rule)).collect()
    }

    /// Returns the program as text; the maps, which are not there yet, are shown as 0.
    #[must_use]
    pub fn listing(&self) -> Listing<'_> {
        self.code.code.listing()
    }

    /// Loads the program for the sockets of `map`. Needs what
    /// [`ProgramBuilder::load`](super::super::ProgramBuilder::load) does, and Linux 5.3; with sets,
    /// Linux 5.5. Filters that compare ports, or count, or compute with lengths or offsets, also need
    /// `CAP_PERFMON` (5.8): without it the verifier refuses arithmetic with pointers into packets.
    ///
    /// The program keeps the text of its rules, for [`FilterProgram::from_program`] of any process
    /// (5.10).
    ///
    /// The counts of a program begin at 0; [`load_after`](Self::load_after) keeps those of another
    /// one. Put in place of another one, it must use its map: from Linux 5.10 on one without a rule
    /// for a queue or a slot does so, too ([`Program::bind_map`](super::super::Program::bind_map)).
    ///
    /// # Errors
    /// [`Error::Filter`](crate::Error::Filter) if a rule is for a slot that the map has not;
    /// [`Error::LoadProgram`](crate::Error::LoadProgram); with [`counters`](super::Filter::counters)
    /// also [`Error::CreateMap`](crate::Error::CreateMap).
    pub fn load(&self, map: &XskMap) -> Result<FilterProgram> {
        self.load_with(map, None)
    }

    /// Loads the program, as [`load`](Self::load) does, to take the place of `old`: it keeps the
    /// counts. A rule that `old` has, too, with an equal condition and the same action, goes on from
    /// its count there, wherever in the order it is; and so do the packets for which there is no rule.
    /// Other rules begin at 0. If `old` does not count, or is of
    /// [`from_program`](FilterProgram::from_program), all counts begin at 0; so in a child by `fork(2)`, if
    /// its parent has loaded `old`.
    ///
    /// Such rules count in one place in both programs. So nothing is lost and nothing is counted twice
    /// while one takes the place of the other, and `old` may run on, too: on another interface, or
    /// because it was not replaced.
    ///
    /// ```no_run
    /// use xsk::bpf::{Action, Filter, FilterProgram};
    ///
    /// /// Puts `filter` in the place of the filter `old`, and returns it.
    /// fn change(
    ///     attachment: &xsk::Attachment,
    ///     old: FilterProgram,
    ///     filter: &Filter,
    /// ) -> xsk::Result<FilterProgram> {
    ///     let new = filter.compile()?.load_after(attachment.map(), &old)?;
    ///     attachment.replace_program(new.program().try_clone()?)?;
    ///     Ok(new)
    /// }
    /// ```
    ///
    /// # Cost
    /// The map of the counters has room for twice the rules, 64 at least. A rule that no program has
    /// any more makes room for others, if this process can see that the programs that had it are gone,
    /// which takes `CAP_SYS_ADMIN`. When there is no room, there is another map, and another
    /// descriptor.
    ///
    /// # Errors
    /// As [`load`](Self::load); [`Error::MapEntry`](crate::Error::MapEntry).
    pub fn load_after(&self, map: &XskMap, old: &FilterProgram) -> Result<FilterProgram> {
        self.load_with(map, old.counters())
    }

    fn load_with(&self, map: &XskMap, old: Option<&Counters>) -> Result<FilterProgram> {
        if let Some(slot) = self.last_slot.filter(|slot| *slot >= map.entries()) {
            let fault = FilterFault::NoSlot { slot, entries: map.entries() };
            return Err(Error::Filter { fault });
        }
        let maps = self.maps()?;
        let load = |counting: Option<BorrowedFd<'_>>, entries: &[u32]| {
            Program::builder(&self.insns(map.as_fd(), counting, entries, &maps))
                .name(filter_program::NAME)
                .license(c"Dual MIT/GPL")
                .frags(self.frags)
                .load()
        };
        let (program, counters) = match &self.counted {
            None => (load(None, &[])?, None),
            Some(rules) => {
                let load = |map: &_, entries: &_| load(Some(AsFd::as_fd(map)), entries);
                let (program, counters) = Counters::load(rules, old, load)?;
                (program, Some(counters))
            }
        };
        if !self.code.maps.iter().any(|(_, part)| matches!(part, MapPart::Sockets)) {
            // If the kernel cannot, `replace_program` says so.
            let _ = program.bind_map(map);
        }
        let entries = counters.as_ref().map(Counters::entries);
        let kept = filter_rule::keep(&program, &self.rules, entries.as_deref());
        let rules = kept.then(|| self.rules.clone());
        Ok(FilterProgram::new(program, counters, rules))
    }

    /// Loads, by `load`, the program with another end in place of the redirect to the queue's socket,
    /// which is all that its rules do; the end finds the context in R6. Returns the program, and the
    /// counters, which begin at 0.
    pub(super) fn with_end<'a>(
        &'a self,
        end: &[Insn<'a>],
        load: impl FnOnce(&[Insn<'_>]) -> Result<Program>,
    ) -> Result<(Program, Counters)> {
        let maps = self.maps()?;
        let none = Arc::from([]);
        let rules = self.counted.as_ref().unwrap_or(&none);
        Counters::load(rules, None, |counting, entries| {
            // The map of the sockets is not named where the end begins.
            let counting = counting.as_fd();
            let mut insns = self.insns(counting, Some(counting), entries, &maps);
            let sockets = self.code.maps.iter().find(|(_, part)| matches!(part, MapPart::Sockets));
            // The redirect comes last, and begins with the load of the queue's number. Without it no
            // packet matches.
            if let Some(begin) = sockets.and_then(|(at, _)| at.checked_sub(1)) {
                insns.truncate(begin);
                insns.extend_from_slice(end);
            }
            load(&insns)
        })
    }

    fn maps(&self) -> Result<Vec<Loaded>> {
        self.code.maps.iter().map(|(_, part)| Loaded::of(part)).collect()
    }

    /// Returns the instructions, with numbers in place of the descriptors of maps: 1 for that of the
    /// sockets, 2 for that of the counters, 3 for those of sets.
    #[cfg(any(test, feature = "test-util"))]
    pub(crate) fn raw(&self) -> Vec<bpf_insn> {
        let mut raw: Vec<bpf_insn> = self.code.code.insns().iter().map(|insn| insn.raw()).collect();
        for (at, part) in &self.code.maps {
            let (source, number) = match part {
                MapPart::Sockets => (BPF_PSEUDO_MAP_FD, 1),
                MapPart::Counters => (BPF_PSEUDO_MAP_FD, 2),
                MapPart::Trie(_) => (BPF_PSEUDO_MAP_FD, 3),
                MapPart::Table(_) | MapPart::Ports(_) => (BPF_PSEUDO_MAP_VALUE, 3),
            };
            if let Some(insn) = raw.get_mut(*at) {
                insn.regs |= if cfg!(target_endian = "little") { source << 4 } else { source };
                insn.imm = number;
            }
        }
        raw
    }

    /// Returns the instructions with the maps that they name, and the entries that the rules count
    /// in; `maps` are those of the loads.
    fn insns<'a>(
        &'a self,
        sockets: BorrowedFd<'a>,
        counters: Option<BorrowedFd<'a>>,
        entries: &[u32],
        maps: &'a [Loaded],
    ) -> Vec<Insn<'a>> {
        let mut insns: Vec<Insn<'a>> = self.code.code.insns().to_vec();
        for ((at, _), map) in self.code.maps.iter().zip(maps) {
            let load = match map {
                Loaded::Sockets => Some(Insn::load_map_fd(Reg::R1, sockets)),
                Loaded::Counters => counters.map(|map| Insn::load_map_fd(Reg::R1, map)),
                Loaded::Trie(maps) => Some(Insn::load_map_fd(Reg::R1, maps.trie.as_fd())),
                Loaded::Table(maps) => Some(Insn::load_map_value(TEMP, maps.table.as_fd(), 0)),
                Loaded::Ports(map) => Some(Insn::load_map_value(TEMP, map.as_fd(), 0)),
            };
            if let (Some(load), [low, high, ..]) = (load, insns.get_mut(*at..).unwrap_or_default())
            {
                [*low, *high] = load;
            }
        }
        // Sets may have grown since the program was compiled.
        for (at, set) in &self.code.bounds {
            if let Some(insn) = insns.get_mut(*at) {
                *insn = table_bound(set.table_bytes(), insn.raw().off);
            }
        }
        for &(at, rule) in &self.code.counts {
            let entry = entries.get(usize32(rule));
            if let (Some(&entry), Some(insn)) = (entry, insns.get_mut(at)) {
                *insn = store_count(entry);
            }
        }
        insns
    }
}

/// The map of a load.
enum Loaded {
    Sockets,
    Counters,
    Table(Arc<SetMaps>),
    Trie(Arc<SetMaps>),
    Ports(Arc<SharedValue>),
}

impl Loaded {
    fn of(part: &MapPart) -> Result<Self> {
        Ok(match part {
            MapPart::Sockets => Self::Sockets,
            MapPart::Counters => Self::Counters,
            MapPart::Table(set) => Self::Table(set.maps()?),
            MapPart::Trie(set) => Self::Trie(set.maps()?),
            MapPart::Ports(set) => Self::Ports(set.map()?),
        })
    }
}
