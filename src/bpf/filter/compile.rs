//! Compiles the rules of a filter: conditions to diagrams, diagrams to instructions.

use super::super::asm::{self, Alu, Cond, Helper, Insn, Label, Reg, Size};
use super::super::redirect::{RX_QUEUE_INDEX, XDP_PASS};
use super::action::Action;
use super::diagram::{Diagram, Place, TooLarge};
use super::emit::{CONTEXT, DATA, END, Emitter};
use super::expr::{Expr, Number, TestKind};
use super::field::{Field, Fields};
use super::lower::{Formula, collect, lower};
use super::map_part::MapPart;
use super::set::AddressSet;
use crate::num::u32_of_count;
use std::collections::{BTreeMap, BTreeSet};

/// The most instructions: jumps have 16 bits.
const MOST_INSNS: usize = 0x7fff;
/// Programs of more instructions are tried in another form, too.
const LARGE: usize = 2048;
/// The most fields of one diagram, which is how deep its building goes.
const MOST_FIELDS: usize = 1024;
/// The most levels of a condition.
const MOST_LEVELS: u32 = 256;
const XDP_DROP: i32 = 1;

/// What a rule is made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) condition: &'a Expr,
    pub(super) action: Action,
}

/// A program that names its maps by their parts.
#[derive(Debug, Clone)]
pub(super) struct Code {
    pub(super) code: asm::Code,
    /// The first slots of the loads that are to name a map.
    pub(super) maps: Vec<(usize, MapPart)>,
    /// The slots of the jumps that depend on how large the table of a set is.
    pub(super) bounds: Vec<(usize, AddressSet)>,
    /// The slots of the instructions that say which rule a packet is counted for, and those rules; the
    /// number after the last rule is for packets of none.
    pub(super) counts: Vec<(usize, u32)>,
    /// The rules that no packet is for.
    pub(super) unreachable: Vec<u32>,
    /// The rule that takes all packets from the kernel's stack, or all that others have left.
    pub(super) everything: Option<u32>,
}

impl Code {
    /// Returns a program that is written, with where it counts.
    pub(super) fn of(out: Emitter<'static>, counts: Vec<(usize, u32)>) -> Result<Self, TooLarge> {
        let Emitter { code, maps, bounds, .. } = out;
        let code = code.finish().map_err(|_| TooLarge)?;
        Ok(Self { code, maps, bounds, counts, unreachable: Vec::new(), everything: None })
    }
}

/// Writes the program of rules, of which each packet is for the first whose condition is true. With
/// `counters` it counts the packets and bytes of each rule in a map of as many entries as there are
/// rules, and one more for the packets of none.
pub(super) fn compile(rules: &[Source<'_>], counters: bool) -> Result<Code, TooLarge> {
    let mut formulas = Vec::with_capacity(rules.len());
    for rule in rules {
        if !is_shallow(rule.condition, MOST_LEVELS) {
            return Err(TooLarge);
        }
        formulas.push((lower(rule.condition), rule.action));
    }
    let as_one = Together::build(&formulas);
    let together = |walks| {
        let as_one = as_one.as_ref().map_err(|&error| error)?;
        write(rules, &formulas, counters, walks, |labels, out| as_one.write(labels, out))
    };
    let one_by_one = |walks| {
        // One rule is no different.
        if rules.len() < 2 {
            return Err(TooLarge);
        }
        write(rules, &formulas, counters, walks, |labels, out| one_by_one(&formulas, labels, out))
    };
    let len = |code: &Code| code.code.insns().len();
    let all = together(false);
    if matches!(&all, Ok(code) if len(code) <= LARGE) {
        return all;
    }
    // Where rules have little in common, they are shorter one by one; and where many look behind the
    // extension headers of IPv6, if those are walked once, also for packets that need no walk.
    let others = [one_by_one(false), together(true), one_by_one(true)];
    others.into_iter().fold(all, |best, other| match (best, other) {
        (Ok(best), Ok(other)) if len(&other) >= len(&best) => Ok(best),
        (best, other) => other.or(best),
    })
}

/// Writes the program of rules in each form that it may have.
#[cfg(test)]
pub(super) fn in_each_form(rules: &[Source<'_>], counters: bool) -> Vec<Code> {
    let formulas: Vec<Lowered> =
        rules.iter().map(|rule| (lower(rule.condition), rule.action)).collect();
    let mut forms = Vec::new();
    for walks in [false, true] {
        let as_one = Together::build(&formulas).and_then(|as_one| {
            write(rules, &formulas, counters, walks, |labels, out| as_one.write(labels, out))
        });
        let each = write(rules, &formulas, counters, walks, |labels, out| {
            one_by_one(&formulas, labels, out)
        });
        forms.extend([as_one, each].into_iter().flatten());
    }
    forms
}

/// A formula, and what becomes of packets of which it is true.
type Lowered = (Formula, Action);

/// Writes the program, the rules as `write_rules` does; with `walks`, each walk along extension
/// headers comes first.
fn write(
    rules: &[Source<'_>],
    formulas: &[Lowered],
    counters: bool,
    walks: bool,
    write_rules: impl FnOnce(&[Label], &mut Emitter<'static>) -> Result<Found, TooLarge>,
) -> Result<Code, TooLarge> {
    let mut out = Emitter::new();
    if walks {
        for depth in walked(formulas) {
            out.walk(depth)?;
        }
    }
    let mut ends: BTreeMap<Action, Label> = BTreeMap::new();
    let mut labels = Vec::with_capacity(rules.len());
    for rule in rules {
        let end = *ends.entry(rule.action).or_insert_with(|| out.code.label());
        labels.push(if counters { out.code.label() } else { end });
    }
    let found = write_rules(&labels, &mut out)?;
    let actions: Vec<Action> = rules.iter().map(|rule| rule.action).collect();
    let everything = found.everything.filter(|(_, action)| *action != Action::Pass);
    let everything = everything.map(|(rule, _)| rule);
    let code = finish(&actions, &labels, ends, counters, out)?;
    let unreachable =
        (0..u32_of_count(rules.len())).filter(|rule| !found.reached.contains(rule)).collect();
    Ok(Code { unreachable, everything, ..code })
}

/// Writes what becomes of packets: those of rule `n` come to the label `n`, and those of none to what
/// is written next. Without `counters`, the labels are those of `ends`.
pub(super) fn finish(
    actions: &[Action],
    labels: &[Label],
    mut ends: BTreeMap<Action, Label>,
    counters: bool,
    mut out: Emitter<'static>,
) -> Result<Code, TooLarge> {
    out.place_others();
    let mut is_open = out.is_open;
    let mut counts = Vec::new();
    if counters {
        let pass = *ends.entry(Action::Pass).or_insert_with(|| out.code.label());
        counts = count(actions, labels, pass, &ends, &mut out);
        is_open = false;
    }
    // The verifier refuses instructions that no way leads to.
    let targets = out.code.targets();
    ends.retain(|_, label| targets.contains(label));
    // Without counters the packets of no rule come to what is written first.
    let pass = ends.remove(&Action::Pass);
    let first = (is_open || pass.is_some()).then_some((Action::Pass, pass));
    let others = ends.into_iter().map(|(action, label)| (action, Some(label)));
    for (action, label) in first.into_iter().chain(others) {
        if let Some(label) = label {
            out.code.place(label);
        }
        end(action, if counters { Reg::R6 } else { CONTEXT }, &mut out);
    }
    if out.code.len() > MOST_INSNS {
        return Err(TooLarge);
    }
    Code::of(out, counts)
}

/// Writes what counts packets. The packets of no rule come to it at its start, those of rule `n` at
/// the label `n`. Returns where the numbers of rules are.
fn count(
    actions: &[Action],
    labels: &[Label],
    pass: Label,
    ends: &BTreeMap<Action, Label>,
    out: &mut Emitter<'static>,
) -> Vec<(usize, u32)> {
    let mut counts = Vec::new();
    let tails: BTreeMap<Action, Label> =
        ends.keys().map(|&action| (action, out.code.label())).collect();
    let targets = out.code.targets();
    let none = out.is_open.then_some((u32_of_count(actions.len()), Action::Pass, None));
    let stubs = (0_u32..).zip(actions).zip(labels).filter(|(_, label)| targets.contains(label));
    let stubs = stubs.map(|((number, &action), &label)| (number, action, Some(label)));
    for (number, action, label) in none.into_iter().chain(stubs) {
        if let Some(label) = label {
            out.code.place(label);
        }
        counts.push((out.code.len(), number));
        out.code.add([store_count(number)]);
        if let Some(&tail) = tails.get(&action) {
            out.code.jump(Insn::jump(0), tail);
        }
    }
    let targets = out.code.targets();
    for (action, tail) in tails.into_iter().filter(|(_, tail)| targets.contains(tail)) {
        out.code.place(tail);
        out.code.add([
            Insn::mov64_reg(Reg::R6, CONTEXT),
            Insn::mov64_reg(Reg::R7, END),
            Insn::alu64_reg(Alu::Sub, Reg::R7, DATA),
            Insn::mov64_reg(Reg::R2, Reg::R10),
            Insn::alu64_imm(Alu::Add, Reg::R2, -4),
        ]);
        out.load_map(Reg::R1, MapPart::Counters);
        out.code.add([Insn::call(Helper::MAP_LOOKUP_ELEM)]);
        let end = ends.get(&action).copied().unwrap_or(pass);
        out.code.jump(Insn::jump_imm(Cond::Eq, Reg::R0, 0, 0), end);
        out.code.add([
            Insn::load(Size::Double, Reg::R1, Reg::R0, 0),
            Insn::alu64_imm(Alu::Add, Reg::R1, 1),
            Insn::store(Size::Double, Reg::R0, 0, Reg::R1),
            Insn::load(Size::Double, Reg::R1, Reg::R0, 8),
            Insn::alu64_reg(Alu::Add, Reg::R1, Reg::R7),
            Insn::store(Size::Double, Reg::R0, 8, Reg::R1),
        ]);
        out.code.jump(Insn::jump(0), end);
    }
    counts
}

/// Returns the instruction that says in which entry of the map a packet is counted.
pub(super) fn store_count(entry: u32) -> Insn<'static> {
    Insn::store_imm(Size::Word, Reg::R10, -4, i32::from_ne_bytes(entry.to_ne_bytes()))
}

/// Writes the end of packets that have this action.
pub(super) fn end(action: Action, context: Reg, out: &mut Emitter<'static>) {
    let target = match action {
        Action::Pass | Action::Drop => {
            let verdict = if action == Action::Pass { XDP_PASS } else { XDP_DROP };
            out.code.add([Insn::mov64_imm(Reg::R0, verdict), Insn::exit()]);
            return;
        }
        Action::Queue => Insn::load(Size::Word, Reg::R2, context, RX_QUEUE_INDEX),
        Action::Slot(slot) => Insn::mov32_imm(Reg::R2, i32::from_ne_bytes(slot.to_ne_bytes())),
    };
    out.code.add([target]);
    out.load_map(Reg::R1, MapPart::Sockets);
    out.code.add([
        Insn::mov64_imm(Reg::R3, XDP_PASS),
        Insn::call(Helper::REDIRECT_MAP),
        Insn::exit(),
    ]);
}

/// What is known of rules that are written.
#[derive(Debug, Default)]
struct Found {
    reached: BTreeSet<u32>,
    /// The first rule whose condition is true of all packets, and its action: none is left for
    /// others.
    everything: Option<(u32, Action)>,
}

/// One diagram of all rules: a field that several of them compare is read once.
struct Together {
    diagram: Diagram,
    fields: Fields,
    root: Place,
    everything: Option<(u32, Action)>,
}

impl Together {
    fn build(formulas: &[Lowered]) -> Result<Self, TooLarge> {
        let (mut diagram, fields) =
            (Diagram::default(), fields(formulas.iter().map(|(formula, _)| formula))?);
        let (mut root, mut everything) = (Place::NoRule, None);
        for (rule, (formula, action)) in (0..u32_of_count(formulas.len())).zip(formulas).rev() {
            let condition = diagram.build(formula, &fields)?;
            if diagram.is_always_true(condition) {
                everything = Some((rule, *action));
            }
            root = diagram.choose(condition, rule, root)?;
        }
        Ok(Self { diagram, fields, root, everything })
    }

    fn write(&self, labels: &[Label], out: &mut Emitter<'static>) -> Result<Found, TooLarge> {
        let ends = out.unit(&self.diagram, &self.fields, self.root, labels, None)?;
        let reached = ends.iter().filter_map(|end| match end {
            Place::Rule(rule) => Some(*rule),
            _ => None,
        });
        Ok(Found { reached: reached.collect(), everything: self.everything })
    }
}

/// Writes a diagram for each rule, one after the other.
fn one_by_one(
    formulas: &[Lowered],
    labels: &[Label],
    out: &mut Emitter<'static>,
) -> Result<Found, TooLarge> {
    let mut found = Found::default();
    for (rule, (formula, action)) in (0_u32..).zip(formulas) {
        let (mut diagram, fields) = (Diagram::default(), fields([formula])?);
        let root = diagram.build(formula, &fields)?;
        let ends = out.unit(&diagram, &fields, root, labels, Some(rule))?;
        if out.code.len() > MOST_INSNS {
            return Err(TooLarge);
        }
        if ends.contains(&Place::Outcome(true)) {
            found.reached.insert(rule);
        }
        if diagram.is_always_true(root) {
            found.everything = found.everything.or(Some((rule, *action)));
        }
    }
    Ok(found)
}

fn fields<'a>(formulas: impl IntoIterator<Item = &'a Formula>) -> Result<Fields, TooLarge> {
    let mut list = Vec::new();
    for formula in formulas {
        collect(formula, &mut list);
    }
    let fields = Fields::new(list);
    match fields.at(u32_of_count(MOST_FIELDS)) {
        Some(_) => Err(TooLarge),
        None => Ok(fields),
    }
}

/// Returns the numbers of tags before IPv6 headers whose extension headers are walked.
fn walked(formulas: &[Lowered]) -> BTreeSet<u8> {
    let mut fields = Vec::new();
    for (formula, _) in formulas {
        collect(formula, &mut fields);
    }
    let depth = |field: &Field| match field {
        Field::Upper6 { depth } => Some(*depth),
        _ => None,
    };
    fields.iter().filter_map(depth).collect()
}

/// Returns whether a condition has at most so many levels.
fn is_shallow(expr: &Expr, levels: u32) -> bool {
    let Some(levels) = levels.checked_sub(1) else { return false };
    match expr {
        Expr::Always(_) => true,
        Expr::Test(test) => match &test.kind {
            TestKind::Compare(left, _, right) => {
                is_shallow_number(left, levels) && is_shallow_number(right, levels)
            }
            _ => true,
        },
        Expr::Not(inner) => is_shallow(inner, levels),
        Expr::And(all) | Expr::Or(all) => all.iter().all(|one| is_shallow(one, levels)),
    }
}

fn is_shallow_number(number: &Number, levels: u32) -> bool {
    let Some(levels) = levels.checked_sub(1) else { return false };
    match number {
        Number::Constant(_) | Number::Length => true,
        Number::Load { offset: inner, .. } | Number::Negate(inner) => {
            is_shallow_number(inner, levels)
        }
        Number::Binary(_, left, right) => {
            is_shallow_number(left, levels) && is_shallow_number(right, levels)
        }
    }
}
