//! Programs from bytes.

use super::insn::Insn;
use crate::error::AssemblyFault as Fault;
use xsk_uapi::bpf::{BPF_PSEUDO_FUNC, bpf_insn};
use zerocopy::FromBytes;

/// Returns the instructions that lie in `bytes`, none of which names a descriptor.
pub(super) fn decode(bytes: &[u8]) -> Result<Vec<Insn<'static>>, Fault> {
    let raw = raw(bytes)?;
    raw.into_iter()
        .enumerate()
        .map(|(at, raw)| {
            let insn = Insn::of(raw);
            let is_plain = Insn::from_raw(raw).is_some() || insn.src() == BPF_PSEUDO_FUNC;
            is_plain.then_some(insn).ok_or(Fault::NamesDescriptor { at })
        })
        .collect()
}

/// Returns the slots that lie in `bytes`, whatever is in them.
pub(super) fn raw(bytes: &[u8]) -> Result<Vec<bpf_insn>, Fault> {
    if bytes.len().checked_rem(8) != Some(0) {
        return Err(Fault::Bytes { len: bytes.len() });
    }
    // Eight bytes of any value are a slot.
    let slots = bytes.chunks_exact(8);
    Ok(slots.filter_map(|slot| bpf_insn::read_from_bytes(slot).ok()).collect())
}
