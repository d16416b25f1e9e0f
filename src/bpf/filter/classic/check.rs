//! Checks of classic programs: what the kernel's `bpf_check_classic` refuses (net/core/filter.c).

use super::WORDS;
use super::op::{Op, Value};
use crate::error::{ClassicError as Error, ClassicFault as Fault};
use xsk_uapi::filter::{BPF_MAXINSNS, sock_filter};

/// Decodes a program, which the kernel takes, too: all jumps go forward, and the last instruction
/// is a return.
pub(in super::super) fn check(program: &[sock_filter]) -> Result<Vec<Op>, Error> {
    if program.len() > usize::from(BPF_MAXINSNS) {
        return Err(Error::new(Fault::TooLong));
    }
    let decode = |(at, raw): (usize, &sock_filter)| {
        Op::decode(*raw, at, program.len()).map_err(|fault| Error::at(at, fault))
    };
    let ops = program.iter().enumerate().map(decode).collect::<Result<Vec<_>, _>>()?;
    match ops.last() {
        None => return Err(Error::new(Fault::Empty)),
        Some(Op::Return(_) | Op::ReturnA) => {}
        Some(_) => return Err(Error::at(ops.len().saturating_sub(1), Fault::NoReturn)),
    }
    memory(&ops)?;
    Ok(ops)
}

/// Refuses reads of words that were not written on every way; of instructions that no way leads to,
/// everything was.
fn memory(ops: &[Op]) -> Result<(), Error> {
    let mut written = vec![[true; WORDS]; ops.len()];
    if let Some(first) = written.first_mut() {
        *first = [false; WORDS];
    }
    for (at, op) in ops.iter().enumerate() {
        let mut known = written.get(at).copied().unwrap_or([true; WORDS]);
        match *op {
            Op::Set(_, Value::Word(word)) if known.get(usize::from(word)) != Some(&true) => {
                return Err(Error::at(at, Fault::Unwritten { word: word.into() }));
            }
            Op::Store(_, word) => {
                if let Some(word) = known.get_mut(usize::from(word)) {
                    *word = true;
                }
            }
            _ => {}
        }
        for next in op.next(at).into_iter().flatten() {
            for (word, known) in written.get_mut(next).into_iter().flatten().zip(known) {
                *word &= known;
            }
        }
    }
    Ok(())
}
