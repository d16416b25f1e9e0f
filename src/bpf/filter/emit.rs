//! Writes decision diagrams as BPF instructions.
//!
//! Nodes come in an order in which all jumps go forward. What is known of the packet's length at a
//! node is what is known on every way to it, so that each way passes the verifier.

use super::super::assembler::{Assembler, Label};
use super::super::insn::Insn;
use super::super::operand::{Alu, Cond, Reg, Size, Width};
use super::diagram::{Diagram, Node, Place, TooLarge};
use super::expr::{Header, MOST_EXTENSIONS, Number, Operator, Relation};
use super::field::{Base, Compare, Field, Fields, Load, NOT_FIRST};
use super::lower::network;
use crate::num::usize32;
use std::collections::{BTreeSet, HashMap};

/// The context, `struct xdp_md *`.
pub(super) const CONTEXT: Reg = Reg::R1;
/// The packet's first byte.
pub(super) const DATA: Reg = Reg::R2;
/// The byte behind the packet.
pub(super) const END: Reg = Reg::R3;
/// What [`Reach::payload`] says; while extension headers are walked, their offset.
const PAYLOAD: Reg = Reg::R4;
/// The value of the field that is compared.
pub(super) const VALUE: Reg = Reg::R5;
const TEMP: Reg = Reg::R0;

/// The largest offset that is read where the packet itself has a part in the offset. Packets are
/// shorter than 65536 bytes (`MAX_PACKET_OFF` of the kernel's verifier.c), headers before included.
pub(super) const MOST_VARIABLE: i32 = 0xf000;
/// Eight bytes each of the stack's 512, less what counting takes.
const MOST_SLOTS: u8 = 56;

/// What is known of a packet at a place of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Reach {
    /// So many bytes of the packet can be read.
    packet: u32,
    /// What [`PAYLOAD`] points to, and how many bytes can be read from there: for `Payload4` the
    /// packet's start plus the length of the IPv4 header, so that offsets are as if it had none.
    payload: Option<(Base, u32)>,
}

impl Reach {
    fn meet(self, other: Self) -> Self {
        let payload = match (self.payload, other.payload) {
            (Some((a, reach)), Some((b, other))) if a == b => Some((a, reach.min(other))),
            _ => None,
        };
        Self { packet: self.packet.min(other.packet), payload }
    }
}

/// A program that is being written.
#[derive(Debug, Clone)]
pub(super) struct Emitter<'map> {
    pub(super) code: Assembler<'map>,
    /// What is known where the next unit begins.
    reach: Reach,
    /// Where packets go on to that are for no rule so far.
    others: Label,
    /// Whether there can be such packets.
    pub(super) is_open: bool,
}

/// The parts of a unit while it is written.
struct Unit<'a, 'map> {
    out: &'a mut Emitter<'map>,
    /// Where packets go on to that are for none of the unit's rules.
    others: Label,
    others_reach: Option<Reach>,
    rules: &'a [Label],
    /// The rule of which the unit is the condition, if it has one rule only.
    rule: Option<u32>,
    labels: HashMap<u32, Label>,
    reaches: HashMap<u32, Reach>,
    /// What the ways of the unit come to.
    ends: BTreeSet<Place>,
    /// The label that comes next in the program.
    next: Option<Label>,
}

impl<'map> Emitter<'map> {
    /// Begins a program.
    pub(super) fn new() -> Self {
        let mut code = Assembler::default();
        code.add([
            Insn::load(Size::Word, DATA, CONTEXT, 0),
            Insn::load(Size::Word, END, CONTEXT, 4),
        ]);
        let others = code.label();
        Self { code, reach: Reach { packet: 0, payload: None }, others, is_open: true }
    }

    /// Writes a diagram. Packets for rule `n` go on to the label `n` of `rules`; if the diagram is a
    /// single condition, those for which it is true go on to that of `rule`. All other packets come
    /// to what is written next. Returns what the packets come to.
    pub(super) fn unit(
        &mut self,
        diagram: &Diagram,
        fields: &Fields,
        root: Place,
        rules: &[Label],
        rule: Option<u32>,
    ) -> Result<BTreeSet<Place>, TooLarge> {
        if !self.is_open {
            return Ok(BTreeSet::new());
        }
        self.code.place(self.others);
        let others = self.code.label();
        let (order, reach) = (order(diagram, root), self.reach);
        let labels: HashMap<u32, Label> =
            order.iter().map(|&node| (node, self.code.label())).collect();
        let next = |at: usize| order.get(at).and_then(|node| labels.get(node)).copied();
        let nexts: Vec<_> = (0..=order.len()).map(|at| next(at).unwrap_or(others)).collect();
        let mut unit = Unit {
            others,
            others_reach: None,
            rules,
            rule,
            labels,
            reaches: HashMap::new(),
            ends: BTreeSet::new(),
            next: nexts.first().copied(),
            out: self,
        };
        unit.go(root, reach);
        for (at, &number) in order.iter().enumerate() {
            unit.next = nexts.get(at.saturating_add(1)).copied();
            let node = diagram.node(number).ok_or(TooLarge)?;
            let field = fields.at(node.field).ok_or(TooLarge)?;
            // Only an absent field leads to some nodes, and what comes before has shown it to be
            // there.
            let Some(&reach) = unit.reaches.get(&number) else { continue };
            if let Some(&label) = unit.labels.get(&number) {
                unit.out.code.place(label);
            }
            unit.node(node, field, reach)?;
        }
        let (reach, ends) = (unit.others_reach, unit.ends);
        self.is_open = reach.is_some();
        self.reach = reach.unwrap_or(self.reach);
        self.others = others;
        Ok(ends)
    }

    /// Places here what packets for no rule go on to.
    pub(super) fn place_others(&mut self) {
        self.code.place(self.others);
    }
}

/// Returns the nodes of a diagram so that each comes after all that go on to it, and the likeliest
/// way of each is next.
fn order(diagram: &Diagram, root: Place) -> Vec<u32> {
    let mut done = vec![false; diagram.len()];
    let mut after = Vec::new();
    // A node, and how many of its ways are done.
    let mut stack: Vec<(u32, Vec<u32>)> = Vec::new();
    let mut visit = |place: Place, stack: &mut Vec<(u32, Vec<u32>)>| {
        let Place::Node(number) = place else { return };
        let (Some(seen), Some(node)) = (done.get_mut(usize32(number)), diagram.node(number)) else {
            return;
        };
        if !std::mem::replace(seen, true) {
            stack.push((number, ways(node)));
        }
    };
    visit(root, &mut stack);
    while let Some((number, ways)) = stack.last_mut() {
        match ways.pop() {
            Some(way) => visit(Place::Node(way), &mut stack),
            None => {
                after.push(*number);
                stack.pop();
            }
        }
    }
    after.reverse();
    after
}

/// Returns the nodes that a node goes on to; the first is to come right after it.
fn ways(node: &Node) -> Vec<u32> {
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
struct Kind {
    /// Bytes of the value: 1, 2, 4, 6 or 8.
    size: u8,
    /// The bytes are compared as they lie in the packet.
    raw: bool,
}

/// Ranges that are single values or blocks, of which a mask tells whether a value is in them.
struct Blocks {
    /// The first value, the number of low bits that are free, and where to go.
    blocks: Vec<(u64, u32, Place)>,
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

fn blocks(edges: &[(u64, Place)]) -> Option<Blocks> {
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

impl Unit<'_, '_> {
    /// Returns the label of a place, to which the program goes with what is known in `reach`.
    fn label(&mut self, place: Place, reach: Reach) -> Label {
        if !matches!(place, Place::Node(_)) {
            self.ends.insert(place);
        }
        let rule = match place {
            Place::Node(number) => {
                let known = self.reaches.entry(number).or_insert(reach);
                *known = known.meet(reach);
                return self.labels.get(&number).copied().unwrap_or(self.others);
            }
            Place::Rule(rule) => Some(rule),
            Place::Outcome(true) => self.rule,
            Place::Outcome(false) | Place::Unreadable | Place::NoRule => None,
        };
        if let Some(&label) = rule.and_then(|rule| self.rules.get(usize32(rule))) {
            return label;
        }
        self.others_reach = Some(self.others_reach.map_or(reach, |known| known.meet(reach)));
        self.others
    }

    fn go(&mut self, place: Place, reach: Reach) {
        let label = self.label(place, reach);
        if self.next != Some(label) {
            self.out.code.jump(Insn::jump(0), label);
        }
    }

    fn is_next(&mut self, place: Place, reach: Reach) -> bool {
        let label = self.label(place, reach);
        self.next == Some(label)
    }

    fn jump(&mut self, jump: Insn<'static>, place: Place, reach: Reach) {
        let label = self.label(place, reach);
        self.out.code.jump(jump, label);
    }

    fn add<const N: usize>(&mut self, insns: [Insn<'static>; N]) {
        self.out.code.add(insns);
    }

    fn node(&mut self, node: &Node, field: &Field, mut reach: Reach) -> Result<(), TooLarge> {
        match field {
            Field::Load(load) => {
                let place = self.bounds(load, &mut reach, node.absent)?;
                if let [(_, only)] = *node.edges {
                    self.go(only, reach);
                    return Ok(());
                }
                let blocks = blocks(&node.edges).filter(|found| {
                    load.size < 6 || found.blocks.iter().all(|&(_, free, _)| free == 0)
                });
                self.load(load, place, blocks.is_some());
                let kind = Kind { size: load.size, raw: blocks.is_some() };
                self.compare_edges(kind, blocks, &node.edges, reach);
            }
            Field::Upper6 { depth } => {
                self.walk(*depth, &mut reach, node.absent)?;
                let blocks = blocks(&node.edges);
                let kind = Kind { size: 2, raw: false };
                self.compare_edges(kind, blocks, &node.edges, reach);
            }
            Field::Length => self.length(&node.edges, reach),
            Field::Compare(compare) => self.compare(compare, node, reach)?,
        }
        Ok(())
    }

    /// Makes sure that the bytes of a load can be read; else the program goes on to `absent`.
    /// Returns from where they are read.
    fn bounds(
        &mut self,
        load: &Load,
        reach: &mut Reach,
        absent: Place,
    ) -> Result<(Reg, i16), TooLarge> {
        let (base, start) = match load.base {
            Base::Packet => (DATA, 0),
            Base::Payload4 { depth } => (PAYLOAD, self.payload4(depth, reach, absent)?),
            Base::Payload6 { depth } => {
                if !matches!(reach.payload, Some((base, _)) if base == load.base) {
                    self.walk(depth, reach, absent)?;
                }
                (PAYLOAD, 0)
            }
        };
        let offset = load.offset.checked_add(start).ok_or(TooLarge)?;
        // Six bytes are loaded as eight: Ethernet addresses, behind which there are two at least.
        let size = if load.size == 6 { 8 } else { u32::from(load.size) };
        let need = offset.checked_add(size).ok_or(TooLarge)?;
        let known = match reach.payload {
            _ if base == DATA => reach.packet,
            Some((_, known)) => known,
            None => 0,
        };
        if need > known {
            self.check(base, need, absent, *reach)?;
            match &mut reach.payload {
                _ if base == DATA => reach.packet = need,
                Some((_, known)) => *known = need,
                None => {}
            }
        }
        Ok((base, i16::try_from(offset).map_err(|_| TooLarge)?))
    }

    /// Goes on to `absent` if the packet has fewer than `need` bytes from `base` on.
    fn check(&mut self, base: Reg, need: u32, absent: Place, reach: Reach) -> Result<(), TooLarge> {
        let need = i32::try_from(need).map_err(|_| TooLarge)?;
        self.add([Insn::mov64_reg(TEMP, base), Insn::alu64_imm(Alu::Add, TEMP, need)]);
        self.jump(Insn::jump_reg(Cond::Gt, TEMP, END, 0), absent, reach);
        Ok(())
    }

    /// Has [`PAYLOAD`] point as far behind the packet's start as the IPv4 header is long. Returns at
    /// which offset the header begins.
    fn payload4(&mut self, depth: u8, reach: &mut Reach, absent: Place) -> Result<u32, TooLarge> {
        let (base, start) = (Base::Payload4 { depth }, network(depth));
        if !matches!(reach.payload, Some((known, _)) if known == base) {
            let first = Load { base: Base::Packet, offset: start, size: 1, mask: 0xff };
            let (from, offset) = self.bounds(&first, reach, absent)?;
            self.add([
                Insn::load(Size::Byte, VALUE, from, offset),
                Insn::alu64_imm(Alu::And, VALUE, 15),
            ]);
            self.jump(Insn::jump_imm(Cond::Lt, VALUE, 5, 0), absent, *reach);
            self.add([
                Insn::alu64_imm(Alu::Lsh, VALUE, 2),
                Insn::mov64_reg(PAYLOAD, DATA),
                Insn::alu64_reg(Alu::Add, PAYLOAD, VALUE),
            ]);
            reach.payload = Some((base, 0));
        }
        Ok(start)
    }

    /// Walks the extension headers of IPv6: afterwards [`VALUE`] is what [`Field::Upper6`] says, and
    /// [`PAYLOAD`] points to what comes behind them.
    fn walk(&mut self, depth: u8, reach: &mut Reach, absent: Place) -> Result<(), TooLarge> {
        let start = network(depth);
        let next_header =
            Load { base: Base::Packet, offset: start.saturating_add(6), size: 1, mask: 0xff };
        // The header is read as far as its next-header field; the extensions are behind all of it.
        let (from, offset) = self.bounds(&next_header, reach, absent)?;
        let first = i32::try_from(start.saturating_add(40)).map_err(|_| TooLarge)?;
        reach.payload = None;
        self.add([Insn::load(Size::Byte, VALUE, from, offset), Insn::mov64_imm(PAYLOAD, first)]);
        let done = self.out.code.label();
        for _ in 0..MOST_EXTENSIONS {
            self.extension(done, *reach, absent);
        }
        // One more extension header is too many.
        for kind in [HOP_BY_HOP, ROUTING, FRAGMENT, AUTHENTICATION, DESTINATION] {
            self.jump(Insn::jump_imm(Cond::Eq, VALUE, kind, 0), absent, *reach);
        }
        self.out.code.place(done);
        self.add([Insn::alu64_reg(Alu::Add, PAYLOAD, DATA)]);
        reach.payload = Some((Base::Payload6 { depth }, 0));
        Ok(())
    }

    /// Goes past one extension header, if the next is one; else on to `done`.
    fn extension(&mut self, done: Label, reach: Reach, absent: Place) {
        let code = &mut self.out.code;
        let (known, next) = (code.label(), code.label());
        for kind in [HOP_BY_HOP, ROUTING, DESTINATION, FRAGMENT, AUTHENTICATION] {
            code.jump(Insn::jump_imm(Cond::Eq, VALUE, kind, 0), known);
        }
        code.jump(Insn::jump(0), done);
        code.place(known);
        let (fragment, authentication) = (code.label(), code.label());
        // Each begins with the next header and its own length.
        code.add([
            Insn::mov64_reg(TEMP, DATA),
            Insn::alu64_reg(Alu::Add, TEMP, PAYLOAD),
            Insn::alu64_imm(Alu::Add, TEMP, 2),
        ]);
        self.jump(Insn::jump_reg(Cond::Gt, TEMP, END, 0), absent, reach);
        let code = &mut self.out.code;
        code.jump(Insn::jump_imm(Cond::Eq, VALUE, FRAGMENT, 0), fragment);
        code.jump(Insn::jump_imm(Cond::Eq, VALUE, AUTHENTICATION, 0), authentication);
        // The length of most is in units of eight bytes, less one. It is a range, not a number, so
        // the verifier need not look at the others once it has seen this one.
        code.add([
            Insn::load(Size::Byte, VALUE, TEMP, -2),
            Insn::load(Size::Byte, TEMP, TEMP, -1),
            Insn::alu64_imm(Alu::Lsh, TEMP, 3),
            Insn::alu64_imm(Alu::Add, TEMP, 8),
        ]);
        code.jump(Insn::jump(0), next);
        code.place(authentication);
        code.add([
            Insn::load(Size::Byte, VALUE, TEMP, -2),
            Insn::load(Size::Byte, TEMP, TEMP, -1),
            Insn::alu64_imm(Alu::Lsh, TEMP, 2),
            Insn::alu64_imm(Alu::Add, TEMP, 8),
        ]);
        code.jump(Insn::jump(0), next);
        code.place(fragment);
        let first = code.label();
        code.add([Insn::alu64_imm(Alu::Add, TEMP, 2)]);
        self.jump(Insn::jump_reg(Cond::Gt, TEMP, END, 0), absent, reach);
        let code = &mut self.out.code;
        code.add([
            Insn::load(Size::Byte, VALUE, TEMP, -4),
            Insn::load(Size::Half, TEMP, TEMP, -2),
            Insn::to_be(TEMP, Width::W16),
            Insn::alu64_imm(Alu::And, TEMP, 0xfff8),
        ]);
        code.jump(Insn::jump_imm(Cond::Eq, TEMP, 0, 0), first);
        let not_first = i32::try_from(NOT_FIRST).unwrap_or(0);
        code.add([
            Insn::alu64_imm(Alu::Or, VALUE, not_first),
            Insn::alu64_imm(Alu::Add, PAYLOAD, 8),
        ]);
        code.jump(Insn::jump(0), done);
        code.place(first);
        code.add([Insn::mov64_imm(TEMP, 8)]);
        code.place(next);
        code.add([Insn::alu64_reg(Alu::Add, PAYLOAD, TEMP)]);
    }

    /// Loads a value: as it lies in the packet, or as the number that it is.
    fn load(&mut self, load: &Load, (base, offset): (Reg, i16), raw: bool) {
        let size = match load.size {
            1 => Size::Byte,
            2 => Size::Half,
            4 => Size::Word,
            _ => Size::Double,
        };
        self.add([Insn::load(size, VALUE, base, offset)]);
        let full = load.mask == Load::full(load.size);
        match (load.size, raw) {
            (2, false) => self.add([Insn::to_be(VALUE, Width::W16)]),
            (4, false) => self.add([Insn::to_be(VALUE, Width::W32)]),
            (6, false) => {
                self.add([Insn::to_be(VALUE, Width::W64), Insn::alu64_imm(Alu::Rsh, VALUE, 16)])
            }
            (8, false) => self.add([Insn::to_be(VALUE, Width::W64)]),
            (6, true) if cfg!(target_endian = "little") => {
                self.add([Insn::alu64_imm(Alu::Lsh, VALUE, 16)]);
            }
            (6, true) => self.add([Insn::alu64_imm(Alu::Rsh, VALUE, 16)]),
            _ => {}
        }
        if !full {
            let mask = if raw { in_packet(load.size, load.mask) } else { load.mask };
            self.add([Insn::alu32_imm(Alu::And, VALUE, low_half(mask))]);
        }
    }

    fn compare_edges(
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
    fn compare_blocks(&mut self, kind: Kind, found: &Blocks, reach: Reach) {
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
    fn search(&mut self, kind: Kind, edges: &[(u64, Place)], reach: Reach, is_last: bool) {
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

    fn jump_if(
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

    fn jump_if_label(&mut self, kind: Kind, cond: Cond, value: Reg, with: u64, label: Label) {
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
    fn length(&mut self, edges: &[(u64, Place)], mut reach: Reach) {
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

    fn compare(
        &mut self,
        compare: &Compare,
        node: &Node,
        mut reach: Reach,
    ) -> Result<(), TooLarge> {
        let Compare { depth, left, relation, right } = compare;
        let (is_true, is_false) = match *node.edges {
            [(0, is_false), (_, is_true)] => (is_true, is_false),
            [(_, only)] => (only, only),
            _ => return Err(TooLarge),
        };
        let at = (*depth, node.absent);
        self.number(left, at, 0, &mut reach)?;
        let cond = match relation {
            Relation::Equal => Cond::Eq,
            Relation::NotEqual => Cond::Ne,
            Relation::Less => Cond::Lt,
            Relation::LessOrEqual => Cond::Le,
            Relation::Greater => Cond::Gt,
            Relation::GreaterOrEqual => Cond::Ge,
        };
        let jump = if let Number::Constant(right) = right {
            Insn::jump32_imm(cond, VALUE, low_half(u64::from(*right)), 0)
        } else {
            self.add([Insn::store(Size::Double, Reg::R10, slot(0)?, VALUE)]);
            self.number(right, at, 1, &mut reach)?;
            self.add([Insn::load(Size::Double, TEMP, Reg::R10, slot(0)?)]);
            Insn::jump32_reg(cond, TEMP, VALUE, 0)
        };
        self.jump(jump, is_true, reach);
        self.go(is_false, reach);
        Ok(())
    }

    /// Computes a number into [`VALUE`], as 32 bits, with the stack from slot `free` on.
    fn number(
        &mut self,
        number: &Number,
        (depth, absent): (u8, Place),
        free: u8,
        reach: &mut Reach,
    ) -> Result<(), TooLarge> {
        let at = (depth, absent);
        match number {
            Number::Constant(value) => {
                self.add([Insn::mov32_imm(VALUE, low_half(u64::from(*value)))]);
            }
            Number::Length => self.add([
                Insn::mov64_reg(VALUE, END),
                Insn::alu64_reg(Alu::Sub, VALUE, DATA),
                Insn::mov32_reg(VALUE, VALUE),
            ]),
            Number::Load { header, offset, size } => {
                let offset = match **offset {
                    Number::Constant(offset) if offset <= 0x7000 => Some(offset),
                    _ => None,
                };
                if offset.is_none() {
                    let Number::Load { offset, .. } = number else { return Err(TooLarge) };
                    self.number(offset, at, free, reach)?;
                    self.add([Insn::store(Size::Double, Reg::R10, slot(free)?, VALUE)]);
                }
                let network = network(depth);
                let (base, start) = match header {
                    Header::Ethernet => (DATA, 0),
                    Header::Network => (DATA, network),
                    Header::Ip4Payload => (PAYLOAD, self.payload4(depth, reach, absent)?),
                    Header::Ip6Payload => (DATA, network.saturating_add(40)),
                };
                let place = match offset {
                    Some(offset) => {
                        let base = match header {
                            Header::Ip4Payload => Base::Payload4 { depth },
                            _ => Base::Packet,
                        };
                        let start = if base == Base::Packet { start } else { 0 };
                        let offset = offset.saturating_add(start);
                        let load = Load { base, offset, size: *size, mask: Load::full(*size) };
                        self.bounds(&load, reach, absent)?
                    }
                    None => {
                        let need = start.saturating_add(u32::from(*size));
                        self.add([Insn::load(Size::Double, VALUE, Reg::R10, slot(free)?)]);
                        let most = MOST_VARIABLE;
                        self.jump(Insn::jump_imm(Cond::Gt, VALUE, most, 0), absent, *reach);
                        self.add([Insn::alu64_reg(Alu::Add, VALUE, base)]);
                        self.check(VALUE, need, absent, *reach)?;
                        (VALUE, i16::try_from(start).map_err(|_| TooLarge)?)
                    }
                };
                let load =
                    Load { base: Base::Packet, offset: 0, size: *size, mask: Load::full(*size) };
                self.load(&load, place, false);
            }
            Number::Negate(inner) => {
                self.number(inner, at, free, reach)?;
                self.add([Insn::neg32(VALUE)]);
            }
            Number::Binary(operator, left, right) => {
                self.number(left, at, free, reach)?;
                self.add([Insn::store(Size::Double, Reg::R10, slot(free)?, VALUE)]);
                self.number(right, at, free.checked_add(1).ok_or(TooLarge)?, reach)?;
                self.add([Insn::load(Size::Double, TEMP, Reg::R10, slot(free)?)]);
                self.operate(*operator, absent, *reach);
                self.add([Insn::mov32_reg(VALUE, TEMP)]);
            }
        }
        Ok(())
    }

    /// `TEMP = TEMP operator VALUE`
    fn operate(&mut self, operator: Operator, absent: Place, reach: Reach) {
        let alu = match operator {
            Operator::Add => Alu::Add,
            Operator::Subtract => Alu::Sub,
            Operator::Multiply => Alu::Mul,
            Operator::Divide => Alu::Div,
            Operator::Remainder => Alu::Mod,
            Operator::And => Alu::And,
            Operator::Or => Alu::Or,
            Operator::Xor => Alu::Xor,
            Operator::ShiftLeft => Alu::Lsh,
            Operator::ShiftRight => Alu::Rsh,
        };
        match alu {
            Alu::Div | Alu::Mod => {
                self.jump(Insn::jump_imm(Cond::Eq, VALUE, 0, 0), absent, reach);
            }
            Alu::Lsh | Alu::Rsh => self.add([
                Insn::jump_imm(Cond::Lt, VALUE, 32, 2),
                Insn::mov32_imm(TEMP, 0),
                Insn::mov32_imm(VALUE, 0),
            ]),
            _ => {}
        }
        self.add([Insn::alu32_reg(alu, TEMP, VALUE)]);
    }
}

const HOP_BY_HOP: i32 = 0;
const ROUTING: i32 = 43;
const FRAGMENT: i32 = 44;
const AUTHENTICATION: i32 = 51;
const DESTINATION: i32 = 60;

/// Returns the offset of a slot of the stack.
fn slot(number: u8) -> Result<i16, TooLarge> {
    if number >= MOST_SLOTS {
        return Err(TooLarge);
    }
    Ok(i16::from(number).saturating_add(1).saturating_mul(-8))
}

/// Returns the number that a load without a swap has for `value`.
fn in_packet(size: u8, value: u64) -> u64 {
    let [a, b, c, d, e, f, g, h] = value.to_be_bytes();
    match size {
        2 => u64::from(u16::from_ne_bytes([g, h])),
        4 => u64::from(u32::from_ne_bytes([e, f, g, h])),
        6 if cfg!(target_endian = "little") => u64::from_le_bytes([0, 0, c, d, e, f, g, h]),
        8 => u64::from_ne_bytes([a, b, c, d, e, f, g, h]),
        _ => value,
    }
}

/// Returns the low 32 bits as an instruction holds them.
fn low_half(value: u64) -> i32 {
    let [a, b, c, d, ..] = value.to_le_bytes();
    i32::from_le_bytes([a, b, c, d])
}
