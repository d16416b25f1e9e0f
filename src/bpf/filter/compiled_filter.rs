//! A filter as a program that is not loaded.

use super::super::asm::{Insn, Listing, Reg};
use super::super::map::{PerCpuArray, SharedValue, XskMap};
use super::super::program::Program;
use super::compile::Code;
use super::emit::TEMP;
use super::filter_program::FilterProgram;
use super::map_part::MapPart;
use super::set::SetMaps;
use crate::error::{Error, FilterFault, Result};
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
    pub(super) rules: usize,
    pub(super) counters: bool,
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
    /// The counts of a program begin at 0. Put in place of another one, it must use its map: from
    /// Linux 5.10 on one without a rule for a queue or a slot does so, too
    /// ([`Program::bind_map`](super::super::Program::bind_map)).
    ///
    /// # Errors
    /// [`Error::Filter`](crate::Error::Filter) if a rule is for a slot that the map has not;
    /// [`Error::LoadProgram`](crate::Error::LoadProgram); with [`counters`](super::Filter::counters) also [`Error::CreateMap`](crate::Error::CreateMap).
    pub fn load(&self, map: &XskMap) -> Result<FilterProgram> {
        if let Some(slot) = self.last_slot.filter(|slot| *slot >= map.entries()) {
            let fault = FilterFault::NoSlot { slot, entries: map.entries() };
            return Err(Error::Filter { fault });
        }
        let counters = if self.counters {
            let entries = u32_of_count(self.rules).saturating_add(1);
            Some(PerCpuArray::create("xsk_rules", entries)?)
        } else {
            None
        };
        let counting = counters.as_ref().map(AsFd::as_fd);
        let maps = self.code.maps.iter().map(|(_, part)| Loaded::of(part));
        let maps = maps.collect::<Result<Vec<_>>>()?;
        let insns = self.insns(map.as_fd(), counting, &maps);
        let program = Program::builder(&insns)
            .name("xsk_filter")
            .license(c"Dual MIT/GPL")
            .frags(self.frags)
            .load()?;
        if !self.code.maps.iter().any(|(_, part)| matches!(part, MapPart::Sockets)) {
            // If the kernel cannot, `replace_program` says so.
            let _ = program.bind_map(map);
        }
        Ok(FilterProgram::new(program, counters))
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
