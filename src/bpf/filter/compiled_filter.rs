//! A filter as a program that is not loaded.

use super::super::asm::{Insn, Listing, Reg};
use super::super::map::{PerCpuArray, SharedValue, XskMap};
use super::super::program::Program;
use super::compile::Code;
use super::emit::TEMP;
use super::filter_program::{self, FilterProgram, RuleCount};
use super::filter_rule::{self, FilterRule};
use super::map_part::MapPart;
use super::set::SetMaps;
use crate::error::Result;
use crate::num::{u32_of_count, usize32};
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
    pub(super) counters: bool,
    pub(super) frags: bool,
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
    /// The counts of a program begin at 0. Put in place of another one, it must use its map: one
    /// without a rule for a queue or a slot uses none.
    ///
    /// # Errors
    /// [`Error::LoadProgram`](crate::Error::LoadProgram); with [`counters`](super::Filter::counters) also [`Error::CreateMap`](crate::Error::CreateMap).
    pub fn load(&self, map: &XskMap) -> Result<FilterProgram> {
        let counters = if self.counters { Some(self.counting()?) } else { None };
        let counting = counters.as_ref().map(AsFd::as_fd);
        let maps = self.maps()?;
        let insns = self.insns(map.as_fd(), counting, &maps);
        let program = Program::builder(&insns)
            .name(filter_program::NAME)
            .license(c"Dual MIT/GPL")
            .frags(self.frags)
            .load()?;
        let rules = filter_rule::keep(&program, &self.rules).then(|| self.rules.clone());
        Ok(FilterProgram::new(program, counters, rules))
    }

    /// Loads, by `load`, the program with another end in place of the redirect to the queue's socket,
    /// which is all that its rules do; the end finds the context in R6. Returns the program, and the
    /// counters, which it has to have.
    pub(super) fn with_end<'a>(
        &'a self,
        end: &[Insn<'a>],
        load: impl FnOnce(&[Insn<'_>]) -> Result<Program>,
    ) -> Result<(Program, PerCpuArray<RuleCount>)> {
        let counters = self.counting()?;
        let maps = self.maps()?;
        // The map of the sockets is not named where the end begins.
        let mut insns = self.insns(counters.as_fd(), Some(counters.as_fd()), &maps);
        let sockets = self.code.maps.iter().find(|(_, part)| matches!(part, MapPart::Sockets));
        // The redirect comes last, and begins with the load of the queue's number. Without it no
        // packet matches.
        if let Some(begin) = sockets.and_then(|(at, _)| at.checked_sub(1)) {
            insns.truncate(begin);
            insns.extend_from_slice(end);
        }
        let program = load(&insns)?;
        Ok((program, counters))
    }

    fn counting(&self) -> Result<PerCpuArray<RuleCount>> {
        let entries = u32_of_count(self.rules.len()).saturating_add(1);
        PerCpuArray::create(filter_program::COUNTERS, entries)
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

    /// Returns the instructions with the maps that they name; `maps` are those of the loads.
    fn insns<'a>(
        &'a self,
        sockets: BorrowedFd<'a>,
        counters: Option<BorrowedFd<'a>>,
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
