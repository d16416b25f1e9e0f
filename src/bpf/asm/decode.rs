//! Programs from bytes.

use super::insn::Insn;
use crate::error::AssemblyFault as Fault;
use xsk_uapi::bpf::bpf_insn;
use zerocopy::FromBytes;

/// Returns the instructions that lie in `bytes`, none of which names a descriptor.
pub(super) fn decode(bytes: &[u8]) -> Result<Vec<Insn<'static>>, Fault> {
    let raw = raw(bytes)?;
    raw.into_iter()
        .enumerate()
        .map(|(at, raw)| Insn::from_raw(raw).ok_or(Fault::NamesObject { at }))
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
