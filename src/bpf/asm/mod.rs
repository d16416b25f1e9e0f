//! Programs from instructions: labels, checks, bytes, text.

mod check;
mod code;
mod decode;
mod flow;
mod helper;
mod insn;
mod label;
mod listing;
mod operand;
mod since;

pub use code::Code;
pub use helper::Helper;
pub use insn::Insn;
pub use label::Label;
pub use listing::Listing;
pub use operand::{Alu, Atomic, Cond, Narrow, Operand, Reg, Size, Width};
pub(crate) use since::{Need, newest, numbers};

use crate::error::{AssemblyFault as Fault, Error, Result};
use code::MOST_INSTRUCTIONS;
use flow::Flow;
use label::{Name, Shown};
use std::collections::HashSet;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering};

/// Makes a program of instructions, with labels for its jumps.
///
/// [`finish`](Self::finish) computes the offsets of jumps, and checks the program: what every
/// kernel refuses is an error of its own there, with the number of the instruction.
///
/// ```
/// use xsk::bpf::{Alu, Assembler, Cond, Insn, Program, Reg, Size};
///
/// # fn main() -> xsk::Result<()> {
/// use Reg::{R0, R1, R2, R3, R4};
/// // Drops packets that are shorter than 60 bytes.
/// let mut a = Assembler::new();
/// let drop = a.named("drop");
/// a.add([
///     Insn::load(Size::Word, R2, R1, 0), // data
///     Insn::load(Size::Word, R3, R1, 4), // data_end
///     Insn::mov64_reg(R4, R2),
///     Insn::alu64_imm(Alu::Add, R4, 60),
/// ]);
/// a.jump_if(Cond::Gt, R4, R3, drop);
/// a.add([Insn::mov64_imm(R0, 2), Insn::exit()]); // XDP_PASS
/// a.place(drop);
/// a.add([Insn::mov64_imm(R0, 1), Insn::exit()]); // XDP_DROP
/// let code = a.finish()?;
///
/// # if !xsk::test_util::privileged("the documentation of Assembler") { return Ok(()); }
/// let program = Program::builder(code.insns()).name("no_runts").load()?;
/// assert_eq!(program.test_run(&[0; 59], None)?.retval, 1);
/// assert_eq!(program.test_run(&[0; 60], None)?.retval, 2);
/// # Ok(()) }
/// ```
///
/// `'map` is the borrow of the maps that the instructions name. It ends with
/// [`finish`](Self::finish): the [`Code`] has descriptors of its own.
#[derive(Debug)]
pub struct Assembler<'map> {
    /// The number that this assembler's labels have.
    number: u64,
    insns: Vec<Insn<'map>>,
    labels: Vec<Place>,
    /// The instructions that go to a label.
    jumps: Vec<(usize, Label)>,
    /// The first wrong use.
    fault: Option<Fault>,
    has_long_jumps: bool,
    limit: usize,
}

/// A label: where it is, once it is placed.
#[derive(Debug, Default)]
struct Place {
    at: Option<usize>,
    name: Option<Name>,
}

impl Default for Assembler<'_> {
    fn default() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self {
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            insns: Vec::new(),
            labels: Vec::new(),
            jumps: Vec::new(),
            fault: None,
            has_long_jumps: false,
            limit: MOST_INSTRUCTIONS,
        }
    }
}

impl<'map> Assembler<'map> {
    /// Returns an assembler of a program without instructions.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets whether a [`goto`](Self::goto) that 16 bits do not reach becomes a
    /// [`goto_long`](Self::goto_long) (6.6). By default it is an error, so that the program does
    /// not need a newer kernel than its author knows. Conditional jumps have no long form.
    pub fn long_jumps(&mut self, long_jumps: bool) -> &mut Self {
        self.has_long_jumps = long_jumps;
        self
    }

    /// Sets how many instruction slots the program may have. By default it is 1,000,000, what
    /// kernels since 5.2 take of a process with `CAP_BPF`; before, they take 4096.
    pub fn limit(&mut self, slots: usize) -> &mut Self {
        self.limit = slots;
        self
    }

    /// Returns a new label, which is not placed yet.
    pub fn label(&mut self) -> Label {
        self.add_label(None)
    }

    /// Returns a new label with a name, which errors and the [listing](Code::listing) show.
    pub fn named(&mut self, name: impl Into<std::borrow::Cow<'static, str>>) -> Label {
        self.add_label(Some(name.into()))
    }

    /// Returns a new label that is placed before the next instruction, for jumps back.
    pub fn here(&mut self) -> Label {
        let label = self.label();
        self.place(label);
        label
    }

    fn add_label(&mut self, name: Option<Name>) -> Label {
        let number = self.labels.len();
        self.labels.push(Place { at: None, name });
        Label { assembler: self.number, number }
    }

    /// Returns how many instruction slots there are so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.insns.len()
    }

    /// Returns whether there is no instruction so far.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.insns.is_empty()
    }

    /// Returns the labels that jumps go to so far.
    pub(super) fn targets(&self) -> HashSet<Label> {
        self.jumps.iter().map(|&(_, label)| label).collect()
    }

    /// Adds instructions: one, an array of them, or a `Vec`.
    pub fn add(&mut self, insns: impl IntoIterator<Item = Insn<'map>>) -> &mut Self {
        self.insns.extend(insns);
        self
    }

    /// Adds the instructions of a complete program, with the maps that they name and the names of
    /// its labels: a part of this program.
    pub fn add_code(&mut self, code: &'map Code) -> &mut Self {
        let first = self.insns.len();
        for (at, name) in code.names() {
            let at = Some(first.saturating_add(*at));
            self.labels.push(Place { at, name: Some(name.clone()) });
        }
        self.insns.extend(code.borrowed());
        self
    }

    /// Places `label` before the next instruction.
    pub fn place(&mut self, label: Label) -> &mut Self {
        let at = self.insns.len();
        let place = self.labels.get_mut(label.number).filter(|_| label.assembler == self.number);
        let fault = match place {
            None => Fault::ForeignLabel { at },
            Some(Place { at: Some(first), name }) => {
                let label = Shown(label.number, name.as_ref()).to_string();
                Fault::PlacedTwice { label, first: *first, second: at }
            }
            Some(place) => {
                place.at = Some(at);
                return self;
            }
        };
        self.fault.get_or_insert(fault);
        self
    }

    /// Adds a jump or a call whose offset will be that of `label`; the offset that it has is lost.
    pub fn jump(&mut self, jump: Insn<'map>, label: Label) -> &mut Self {
        self.jumps.push((self.insns.len(), label));
        self.insns.push(jump);
        self
    }

    /// `goto label`
    pub fn goto(&mut self, label: Label) -> &mut Self {
        self.jump(Insn::jump(0), label)
    }

    /// `gotol label`: reaches further than 16 bits (6.6).
    #[doc(alias = "gotol")]
    pub fn goto_long(&mut self, label: Label) -> &mut Self {
        self.jump(Insn::jump_long(0), label)
    }

    /// `if dst cond operand goto label`, compared in 64 bits.
    pub fn jump_if(
        &mut self,
        cond: Cond,
        dst: Reg,
        operand: impl Into<Operand>,
        label: Label,
    ) -> &mut Self {
        let jump = match operand.into() {
            Operand::Reg(src) => Insn::jump_reg(cond, dst, src, 0),
            Operand::Imm(imm) => Insn::jump_imm(cond, dst, imm, 0),
        };
        self.jump(jump, label)
    }

    /// `if dst cond operand goto label`, compared in 32 bits (5.1).
    pub fn jump32_if(
        &mut self,
        cond: Cond,
        dst: Reg,
        operand: impl Into<Operand>,
        label: Label,
    ) -> &mut Self {
        let jump = match operand.into() {
            Operand::Reg(src) => Insn::jump32_reg(cond, dst, src, 0),
            Operand::Imm(imm) => Insn::jump32_imm(cond, dst, imm, 0),
        };
        self.jump(jump, label)
    }

    /// `r0 = label(r1, r2, r3, r4, r5)`: calls the function of the program that begins at `label`
    /// (4.16); R1 to R5 are lost. A function ends with [`Insn::exit`], and no jump leads out of it.
    pub fn call(&mut self, label: Label) -> &mut Self {
        self.jump(Insn::call_function(0), label)
    }

    /// `dst = map`: two slots, as [`Insn::load_map_fd`].
    pub fn load_map(&mut self, dst: Reg, map: &'map impl AsFd) -> &mut Self {
        self.add(Insn::load_map_fd(dst, map.as_fd()))
    }

    /// Returns the program, with the offsets of its jumps.
    ///
    /// # Errors
    /// [`Error::Assemble`] if the program is one that every kernel refuses: see [`AssemblyFault`].
    /// [`Error::WrongObject`] if what an instruction names is no map, [`Error::BpfObject`] if no
    /// more descriptors may be opened.
    ///
    /// [`AssemblyFault`]: crate::error::AssemblyFault
    pub fn finish(mut self) -> Result<Code> {
        self.resolve().map_err(|fault| Error::Assemble { fault })?;
        let Self { insns, labels, limit, .. } = self;
        let named = labels.into_iter().filter_map(|Place { at, name }| at.zip(name));
        let mut names: Vec<(usize, Name)> = named.collect();
        names.sort_by_key(|(at, _)| *at);
        names.dedup_by_key(|(at, _)| *at);
        Code::new(&insns, names, limit)
    }

    /// Sets the offsets of jumps to labels.
    fn resolve(&mut self) -> Result<(), Fault> {
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        for (at, label) in std::mem::take(&mut self.jumps) {
            if label.assembler != self.number {
                return Err(Fault::ForeignLabel { at });
            }
            let place = self.labels.get(label.number);
            let to = place.and_then(|place| place.at).ok_or_else(|| {
                let name = place.and_then(|place| place.name.as_ref());
                Fault::NotPlaced { at, label: Shown(label.number, name).to_string() }
            })?;
            if let Some(insn) = self.insns.get_mut(at) {
                *insn = aimed(*insn, at, to, self.has_long_jumps)?;
            }
        }
        Ok(())
    }
}

/// Returns the instruction of slot `at`, going to slot `to`.
fn aimed(insn: Insn<'_>, at: usize, to: usize, has_long_jumps: bool) -> Result<Insn<'_>, Fault> {
    let too_far = Fault::TooFar { at, to };
    let distance = i32::try_from(to).ok().zip(i32::try_from(at).ok());
    let distance = distance.and_then(|(to, at)| to.checked_sub(at)?.checked_sub(1));
    let distance = distance.ok_or(too_far.clone())?;
    let near = i16::try_from(distance);
    match (Flow::of(insn), near) {
        (Flow::Next | Flow::Exit | Flow::Function(_), _) => Err(Fault::NotAJump { at }),
        (Flow::Call(_), _) => Ok(insn.with_imm(distance)),
        (Flow::Jump(_), _) if insn == Insn::jump_long(insn.raw().imm) => {
            Ok(insn.with_imm(distance))
        }
        (_, Ok(near)) => Ok(insn.with_offset(near)),
        (Flow::Jump(_), Err(_)) if has_long_jumps => Ok(Insn::jump_long(distance)),
        (Flow::Jump(_) | Flow::Branch(_), Err(_)) => Err(too_far),
    }
}
