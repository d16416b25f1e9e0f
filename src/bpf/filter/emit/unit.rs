//! A program while it is written: its registers, its labels, and what is known of the packet.

use super::super::diagram::Place;
use super::super::field::Base;
use super::super::map_part::MapPart;
use super::super::set::AddressSet;
use crate::bpf::{Assembler, Insn, Label, Reg, Size};
use crate::num::usize32;
use std::collections::{BTreeSet, HashMap};

/// The context, `struct xdp_md *`.
pub(in super::super) const CONTEXT: Reg = Reg::R1;
/// The packet's first byte.
pub(in super::super) const DATA: Reg = Reg::R2;
/// The byte behind the packet.
pub(in super::super) const END: Reg = Reg::R3;
/// What [`Reach::payload`] says; while extension headers are walked, their offset.
pub(super) const PAYLOAD: Reg = Reg::R4;
/// The value of the field that is compared.
pub(super) const VALUE: Reg = Reg::R5;
pub(in super::super) const TEMP: Reg = Reg::R0;

/// What is known of a packet at a place of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reach {
    /// So many bytes of the packet can be read.
    pub(super) packet: u32,
    /// What [`PAYLOAD`] points to, and how many bytes can be read from there: for `Payload4` the
    /// packet's start plus the length of the IPv4 header, so that offsets are as if it had none.
    pub(super) payload: Option<(Base, u32)>,
}

impl Reach {
    pub(super) fn meet(self, other: Self) -> Self {
        let payload = match (self.payload, other.payload) {
            (Some((a, reach)), Some((b, other))) if a == b => Some((a, reach.min(other))),
            _ => None,
        };
        Self { packet: self.packet.min(other.packet), payload }
    }
}

/// A program that is being written.
#[derive(Debug)]
pub(in super::super) struct Emitter<'map> {
    pub(in super::super) code: Assembler<'map>,
    /// The first slots of the loads that are to name a map.
    pub(in super::super) maps: Vec<(usize, MapPart)>,
    /// The slots of the jumps that depend on how large the table of a set is.
    pub(in super::super) bounds: Vec<(usize, AddressSet)>,
    /// The numbers of tags before IPv6 headers whose extension headers the program has walked.
    pub(super) walked: BTreeSet<u8>,
    /// What is known where the next unit begins.
    pub(super) reach: Reach,
    /// Where packets go on to that are for no rule so far.
    pub(super) others: Label,
    /// Whether there can be such packets.
    pub(in super::super) is_open: bool,
}

/// The parts of a unit while it is written.
pub(super) struct Unit<'a, 'map> {
    pub(super) out: &'a mut Emitter<'map>,
    /// Where packets go on to that are for none of the unit's rules.
    pub(super) others: Label,
    pub(super) others_reach: Option<Reach>,
    pub(super) rules: &'a [Label],
    /// The rule of which the unit is the condition, if it has one rule only.
    pub(super) rule: Option<u32>,
    pub(super) labels: HashMap<u32, Label>,
    pub(super) reaches: HashMap<u32, Reach>,
    /// What the ways of the unit come to.
    pub(super) ends: BTreeSet<Place>,
    /// The label that comes next in the program.
    pub(super) next: Option<Label>,
}

impl<'map> Emitter<'map> {
    /// Begins a program.
    pub(in super::super) fn new() -> Self {
        let mut code = Assembler::default();
        code.add([
            Insn::load(Size::Word, DATA, CONTEXT, 0),
            Insn::load(Size::Word, END, CONTEXT, 4),
        ]);
        let others = code.label();
        Self::with(code, others, true)
    }

    /// Goes on with a program whose packets for no rule, if there are such, come to `others`.
    pub(in super::super) fn with(code: Assembler<'map>, others: Label, is_open: bool) -> Self {
        let reach = Reach { packet: 0, payload: None };
        let (maps, bounds, walked) = (Vec::new(), Vec::new(), BTreeSet::new());
        Self { code, maps, bounds, walked, reach, others, is_open }
    }

    /// `dst = ` the map of this part, or its value: a load whose map is not there yet.
    pub(in super::super) fn load_map(&mut self, dst: Reg, part: MapPart) {
        self.maps.push((self.code.len(), part));
        self.code.add(Insn::load_imm64(dst, 0));
    }

    /// Places here what packets for no rule go on to.
    pub(in super::super) fn place_others(&mut self) {
        self.code.place(self.others);
    }
}

impl Unit<'_, '_> {
    /// Returns the label of a place, to which the program goes with what is known in `reach`.
    pub(super) fn label(&mut self, place: Place, reach: Reach) -> Label {
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

    pub(super) fn go(&mut self, place: Place, reach: Reach) {
        let label = self.label(place, reach);
        if self.next != Some(label) {
            self.out.code.jump(Insn::jump(0), label);
        }
    }

    pub(super) fn is_next(&mut self, place: Place, reach: Reach) -> bool {
        let label = self.label(place, reach);
        self.next == Some(label)
    }

    pub(super) fn jump(&mut self, jump: Insn<'static>, place: Place, reach: Reach) {
        let label = self.label(place, reach);
        self.out.code.jump(jump, label);
    }

    pub(super) fn add<const N: usize>(&mut self, insns: [Insn<'static>; N]) {
        self.out.code.add(insns);
    }
}

/// Returns the low 32 bits as an instruction holds them.
pub(super) fn low_half(value: u64) -> i32 {
    let [a, b, c, d, ..] = value.to_le_bytes();
    i32::from_le_bytes([a, b, c, d])
}
