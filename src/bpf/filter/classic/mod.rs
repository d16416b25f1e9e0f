//! Classic BPF: instructions, checks, text, an interpreter, and the translation to a program.

mod check;
mod op;
mod run;
mod text;
mod translate;

pub(super) use check::check;
pub(super) use op::Op;
pub(super) use run::run;
pub(super) use text::{parse, write};
pub(super) use translate::translate;

/// The most bytes of a packet that are read, from its beginning on: so many does the kernel's
/// verifier let a program look at (`MAX_PACKET_OFF` of verifier.c).
const MOST_BYTES: u32 = 0xffff;

/// The words of memory.
const WORDS: usize = 16;
