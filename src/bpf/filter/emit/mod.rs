//! Writes decision diagrams as BPF instructions.
//!
//! Nodes come in an order in which all jumps go forward. What is known of the packet's length at a
//! node is what is known on every way to it, so that each way passes the verifier.

mod edges;
mod headers;
mod numbers;
mod sets;
mod unit;

pub(super) use sets::table_bound;
pub(super) use unit::{CONTEXT, DATA, END, Emitter, TEMP};

use super::diagram::{Diagram, Node, Place, TooLarge};
use super::field::{Base, Field, Fields, Load, NOT_FIRST};
use crate::bpf::{Alu, Insn, Label};
use crate::num::usize32;
use edges::{Blocks, Kind, blocks, ways};
use std::collections::{BTreeSet, HashMap};
use unit::{Reach, Unit, VALUE};

impl Emitter<'_> {
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
        let (order, reach) = (order(diagram, root), self.reach);
        let others = self.begin();
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
        self.end(others, reach);
        Ok(ends)
    }

    /// Writes a walk along the extension headers of IPv6 behind `depth` tags, whose outcome is kept on
    /// the stack: what is written next finds it there.
    pub(super) fn walk(&mut self, depth: u8) -> Result<(), TooLarge> {
        let reach = self.reach;
        let others = self.begin();
        let mut unit = Unit {
            others,
            others_reach: None,
            rules: &[],
            rule: None,
            labels: HashMap::new(),
            reaches: HashMap::new(),
            ends: BTreeSet::new(),
            next: Some(others),
            out: self,
        };
        unit.keep_walk(depth, reach)?;
        let reach = unit.others_reach;
        self.end(others, reach);
        self.walked.insert(depth);
        Ok(())
    }

    /// Begins a unit: packets for no rule so far come to it. Returns the label of those that are for
    /// none after it.
    fn begin(&mut self) -> Label {
        self.code.place(self.others);
        self.code.label()
    }

    /// Ends a unit: what is written next is for packets that come to `others`.
    fn end(&mut self, others: Label, reach: Option<Reach>) {
        self.is_open = reach.is_some();
        self.reach = reach.unwrap_or(self.reach);
        self.others = others;
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
