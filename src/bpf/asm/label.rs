//! Places in a program that jumps go to.

use std::borrow::Cow;
use std::fmt;

/// A place in a program that jumps and calls go to, from [`Assembler::label`] and
/// its sisters. It belongs to that assembler.
///
/// ```
/// use xsk::bpf::{Assembler, Insn, Reg};
///
/// # fn main() -> xsk::Result<()> {
/// let mut a = Assembler::new();
/// let end = a.label(); // not placed yet: a jump forward
/// a.add(Insn::mov64_imm(Reg::R0, 2)).jump_if(xsk::bpf::Cond::Eq, Reg::R1, 0, end);
/// a.add(Insn::mov64_imm(Reg::R0, 1));
/// a.place(end).add(Insn::exit());
/// assert_eq!(a.finish()?.insns()[1].raw().off, 1);
/// # Ok(()) }
/// ```
///
/// [`Assembler::label`]: super::Assembler::label
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Label {
    /// The number of the assembler in this process.
    pub(super) assembler: u64,
    pub(super) number: usize,
}

/// A label's name.
pub(super) type Name = Cow<'static, str>;

/// A label's name as errors show it.
pub(super) struct Shown<'a>(pub(super) usize, pub(super) Option<&'a Name>);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            Some(name) => write!(f, "label {name}"),
            None => write!(f, "label {}", self.0),
        }
    }
}
