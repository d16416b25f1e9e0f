//! Compares the value of a field with the ranges of a node's edges.

use super::super::diagram::{Node, Place};
use super::super::field::Load;
use super::unit::{DATA, END, Reach, TEMP, Unit, VALUE, low_half};
use crate::bpf::{Alu, Cond, Insn, Label, Reg};
use std::collections::HashMap;

/// Returns the nodes that a node goes on to; the first is to come right after it.
pub(super) fn ways(node: &Node) -> Vec<u32> {
    let number = |place| if let Place::Node(number) = place { Some(number) } else { None };
    let default = default_edge(&node.edges);
    let likely = node.edges.iter().map(|&(_, place)| place).filter(|&place| Some(place) != default);
    let all = likely.chain(default).chain([node.absent]);
    all.filter_map(number).collect()
}

/// Returns where most ranges of a node go on to: of places with equally many, the one that has the
/// most values.
fn default_edge(edges: &[(u64, Place)]) -> Option<Place> {
    let mut counts: HashMap<Place, (usize, u64)> = HashMap::new();
    let mut first = 0_u64;
    for &(last, place) in edges {
        let count = counts.entry(place).or_default();
        count.0 = count.0.saturating_add(1);
        count.1 = count.1.saturating_add(last.saturating_sub(first));
        first = last.saturating_add(1);
    }
    counts.into_iter().max_by_key(|&(place, count)| (count, place)).map(|(place, _)| place)
}

/// How a node's value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind {
    /// Bytes of the value: 1, 2, 4, 6 or 8.
    pub(super) size: u8,
    /// The bytes are compared as they lie in the packet.
    pub(super) raw: bool,
}

/// Ranges that are single values or blocks, of which a mask tells whether a value is in them.
pub(super) struct Blocks {
    /// The first value, the number of low bits that are free, and where to go.
    pub(super) blocks: Vec<(u64, u32, Place)>,
    default: Place,
}

impl Kind {
    /// Returns what a value is compared with that is to be `number`.
    fn constant(self, number: u64) -> u64 {
        if self.raw { in_packet(self.size, number) } else { number }
    }
}

/// The most blocks that are compared one after the other.
const MOST_BLOCKS: usize = 4;

pub(super) fn blocks(edges: &[(u64, Place)]) -> Option<Blocks> {
    let default = default_edge(edges)?;
    let mut blocks = Vec::new();
    let mut first = 0_u64;
    for &(last, place) in edges {
        if place != default {
            let free = (first ^ last).checked_add(1)?;
            if !free.is_power_of_two() || first & last != first || blocks.len() == MOST_BLOCKS {
                return None;
            }
            blocks.push((first, free.trailing_zeros(), place));
        }
        first = last.saturating_add(1);
    }
    Some(Blocks { blocks, default })
}

/// Returns the number that a load without a swap has for `value`.
pub(super) fn in_packet(size: u8, value: u64) -> u64 {
    let [a, b, c, d, e, f, g, h] = value.to_be_bytes();
    match size {
        2 => u64::from(u16::from_ne_bytes([g, h])),
        4 => u64::from(u32::from_ne_bytes([e, f, g, h])),
        6 if cfg!(target_endian = "little") => u64::from_le_bytes([0, 0, c, d, e, f, g, h]),
        8 => u64::from_ne_bytes([a, b, c, d, e, f, g, h]),
        _ => value,
    }
}

impl Unit<'_, '_> {
    pub(super) fn compare_edges(
        &mut self,
        kind: Kind,
        blocks: Option<Blocks>,
        edges: &[(u64, Place)],
        reach: Reach,
    ) {
        match blocks {
            Some(blocks) => self.compare_blocks(kind, &blocks, reach),
            None => self.search(kind, edges, reach, true),
        }
    }

    /// Compares with each block, one after the other.
    pub(super) fn compare_blocks(&mut self, kind: Kind, found: &Blocks, reach: Reach) {
        let Blocks { blocks, default } = found;
        for (at, &(first, free, place)) in blocks.iter().enumerate() {
            let is_last = at.saturating_add(1) == blocks.len();
            let mut value = VALUE;
            if free > 0 {
                let mask = Load::full(kind.size) & u64::MAX.checked_shl(free).unwrap_or(0);
                let mask = low_half(kind.constant(mask));
                if !is_last {
                    value = TEMP;
                    self.add([Insn::mov64_reg(TEMP, VALUE)]);
                }
                self.add([Insn::alu32_imm(Alu::And, value, mask)]);
            }
            let first = kind.constant(first);
            if is_last && self.is_next(place, reach) {
                self.jump_if(kind, Cond::Ne, value, first, *default, reach);
                self.go(place, reach);
                return;
            }
            self.jump_if(kind, Cond::Eq, value, first, place, reach);
        }
        self.go(*default, reach);
    }

    /// Searches for the range that the value is in, by halves.
    pub(super) fn search(
        &mut self,
        kind: Kind,
        edges: &[(u64, Place)],
        reach: Reach,
        is_last: bool,
    ) {
        let next = if is_last { self.next } else { self.next.take() };
        match *edges {
            [] => {}
            [(_, only)] => self.go(only, reach),
            [(last, below), (_, above)] if self.is_next(above, reach) => {
                self.jump_if(kind, Cond::Le, VALUE, last, below, reach);
                self.go(above, reach);
            }
            [(last, below), (_, above)] => {
                self.jump_if(kind, Cond::Gt, VALUE, last, above, reach);
                self.go(below, reach);
            }
            [(before, outside), (value, inside), (_, after)]
                if outside == after && before.checked_add(1) == Some(value) =>
            {
                self.jump_if(kind, Cond::Eq, VALUE, value, inside, reach);
                self.go(outside, reach);
            }
            _ => {
                let (low, high) = edges.split_at(edges.len().div_ceil(2));
                let right = self.out.code.label();
                if let Some(&(last, _)) = low.last() {
                    self.jump_if_label(kind, Cond::Gt, VALUE, last, right);
                }
                self.search(kind, low, reach, false);
                self.out.code.place(right);
                self.search(kind, high, reach, is_last);
            }
        }
        self.next = next;
    }

    pub(super) fn jump_if(
        &mut self,
        kind: Kind,
        cond: Cond,
        value: Reg,
        with: u64,
        place: Place,
        reach: Reach,
    ) {
        let label = self.label(place, reach);
        self.jump_if_label(kind, cond, value, with, label);
    }

    pub(super) fn jump_if_label(
        &mut self,
        kind: Kind,
        cond: Cond,
        value: Reg,
        with: u64,
        label: Label,
    ) {
        let jump = match i32::try_from(with) {
            Ok(small) => Insn::jump_imm(cond, value, small, 0),
            Err(_) if kind.size <= 4 => Insn::jump32_imm(cond, value, low_half(with), 0),
            Err(_) => {
                self.add(Insn::load_imm64(TEMP, with));
                Insn::jump_reg(cond, value, TEMP, 0)
            }
        };
        self.out.code.jump(jump, label);
    }

    /// Compares the packet's length, by its end: no number of it is needed.
    pub(super) fn length(&mut self, edges: &[(u64, Place)], mut reach: Reach) {
        for &(last, place) in edges {
            let next = last.saturating_add(1);
            match i32::try_from(next) {
                Ok(bytes) if next <= 0xffff => {
                    self.add([Insn::mov64_reg(TEMP, DATA), Insn::alu64_imm(Alu::Add, TEMP, bytes)]);
                    self.jump(Insn::jump_reg(Cond::Gt, TEMP, END, 0), place, reach);
                    reach.packet = reach.packet.max(bytes.unsigned_abs());
                }
                // No packet is longer.
                _ => {
                    self.go(place, reach);
                    return;
                }
            }
        }
    }
}
