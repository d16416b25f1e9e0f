//! Writes decision diagrams as BPF instructions.
//!
//! Nodes come in an order in which all jumps go forward. What is known of the packet's length at a
//! node is what is known on every way to it, so that each way passes the verifier.

mod edges;
mod headers;
mod numbers;
mod sets;

use super::compile::MapPart;
use super::diagram::{Diagram, Node, Place, TooLarge};
use super::field::{Base, Field, Fields, Load, NOT_FIRST};
use crate::bpf::{Alu, Assembler, Insn, Label, Reg, Size};
use crate::num::usize32;
use edges::{Blocks, Kind, blocks, ways};
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
pub(super) const TEMP: Reg = Reg::R0;

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
#[derive(Debug)]
pub(super) struct Emitter<'map> {
    pub(super) code: Assembler<'map>,
    /// The first slots of the loads that are to name a map.
    pub(super) maps: Vec<(usize, MapPart)>,
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
        Self {
            code,
            maps: Vec::new(),
            reach: Reach { packet: 0, payload: None },
            others,
            is_open: true,
        }
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

    /// `dst = ` the map of this part, or its value: a load whose map is not there yet.
    pub(super) fn load_map(&mut self, dst: Reg, part: MapPart) {
        self.maps.push((self.code.len(), part));
        self.code.add(Insn::load_imm64(dst, 0));
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
                let mut found = blocks(&node.edges);
                if let Some(Blocks { blocks, .. }) = found.as_mut().filter(|_| load.size >= 6) {
                    match blocks.as_mut_slice() {
                        // An instruction has no mask of so many bits: the free ones are cut off.
                        [(first, free, _)] if *free > 0 => {
                            self.load(load, place, false);
                            let cut = i32::try_from(*free).unwrap_or(0);
                            self.add([Insn::alu64_imm(Alu::Rsh, VALUE, cut)]);
                            *first = first.checked_shr(*free).unwrap_or(0);
                            let size = if *free >= 32 { 4 } else { load.size };
                            *free = 0;
                            let kind = Kind { size, raw: false };
                            self.compare_edges(kind, found, &node.edges, reach);
                            return Ok(());
                        }
                        several if several.iter().all(|&(_, free, _)| free == 0) => {}
                        _ => found = None,
                    }
                }
                self.load(load, place, found.is_some());
                let kind = Kind { size: load.size, raw: found.is_some() };
                self.compare_edges(kind, found, &node.edges, reach);
            }
            Field::Upper6 { depth } => {
                let blocks = blocks(&node.edges);
                let singles = blocks.iter().flat_map(|found| &found.blocks);
                let singles = singles.filter(|&&(first, free, _)| free == 0 && first < NOT_FIRST);
                let likely: Vec<i32> =
                    singles.filter_map(|&(first, ..)| i32::try_from(first).ok()).collect();
                self.walk(*depth, &mut reach, node.absent, &likely)?;
                let kind = Kind { size: 2, raw: false };
                self.compare_edges(kind, blocks, &node.edges, reach);
            }
            Field::InTable { set, offset } => {
                let load = Load { base: Base::Packet, offset: *offset, size: 4, mask: 0xffff_ffff };
                let place = self.bounds(&load, &mut reach, node.absent)?;
                self.load(&load, place, false);
                self.table(set, node, reach)?;
            }
            Field::InTrie { set, offset } => {
                let last = offset.checked_add(12).ok_or(TooLarge)?;
                let load = Load { base: Base::Packet, offset: last, size: 4, mask: 0xffff_ffff };
                self.bounds(&load, &mut reach, node.absent)?;
                let offset = i16::try_from(*offset).map_err(|_| TooLarge)?;
                self.trie(set, offset, node, reach)?;
            }
            Field::InPorts { set, load } => {
                let place = self.bounds(load, &mut reach, node.absent)?;
                self.load(load, place, false);
                self.ports(set, node, reach)?;
            }
            Field::Length => self.length(&node.edges, reach),
            Field::Compare(compare) => self.compare(compare, node, reach)?,
        }
        Ok(())
    }
}

/// Returns the low 32 bits as an instruction holds them.
fn low_half(value: u64) -> i32 {
    let [a, b, c, d, ..] = value.to_le_bytes();
    i32::from_le_bytes([a, b, c, d])
}
