//! The kernel's replies about a socket, of any bytes and any length.

use super::Statistics;
use super::ring_set::{RingSpec, memory};
use super::statistics;
use crate::ring::{AtomicU32, Producer, RingKind};
use crate::sys::memory::Mapping;
use crate::sys::xsk as sys;
use crate::types::PageSize;
use std::sync::Arc;
use xsk_uapi::if_xdp::{xdp_mmap_offsets, xdp_statistics};
use zerocopy::{FromBytes, FromZeros, IntoBytes};

/// The longest ring that is mapped here.
const LONGEST: usize = 64 << 10;

/// Reads `bytes` as what the kernel says of a socket's counters, and of where its rings are; finds the rings in
/// memory of that length, and writes every slot of each: the entry point of a fuzz target. Answers how many rings
/// there were.
#[doc(hidden)]
#[must_use]
pub fn parse_any(bytes: &[u8]) -> (Statistics, u32) {
    let mut raw = xdp_statistics::new_zeroed();
    let len = reply(&mut raw, bytes);
    let statistics = statistics::of_reply(&raw, len);
    (statistics, rings(bytes).unwrap_or(0))
}

fn rings(bytes: &[u8]) -> Option<u32> {
    let (size, bytes) = bytes.split_first()?;
    let mut raw = xdp_mmap_offsets::new_zeroed();
    let len = reply(&mut raw, bytes);
    let (entries, flags_word) = (1 << (size & 15), len == size_of_val(&raw));
    let offsets = sys::offsets_of(&raw, len)?;
    let mut rings: u32 = 0;
    for kind in [RingKind::Rx, RingKind::Tx, RingKind::Fill, RingKind::Completion] {
        let wanted = RingSpec { kind, entries };
        let (offsets, len) = wanted.measure(&offsets);
        let Some(len) = len.filter(|len| *len <= LONGEST) else {
            continue;
        };
        let Ok(mapping) = Mapping::anonymous(len, PageSize::Normal) else {
            continue;
        };
        let map = Some(wanted.found(mapping, offsets, flags_word));
        let written = match kind {
            RingKind::Rx | RingKind::Tx => write_all::<[u64; 2]>(kind, &map),
            RingKind::Fill | RingKind::Completion => write_all::<u64>(kind, &map),
        };
        rings = rings.wrapping_add(u32::from(written.is_some()));
    }
    Some(rings)
}

/// Writes every slot of a ring that nobody else has.
fn write_all<T: Copy + FromZeros>(
    kind: RingKind,
    map: &Option<super::ring_set::MappedRing>,
) -> Option<()> {
    let memory = memory::<T>(map, kind).ok()??;
    let size = memory.capacity();
    let mut ring = Producer::counted(kind, memory, Arc::<AtomicU32>::default());
    let mut slots = ring.write(size).ok()?;
    while slots.write(T::new_zeroed()) {}
    drop(slots);
    let _ = ring.memory().needs_wakeup();
    Some(())
}

/// Copies what there is, as the kernel writes a reply; answers how long it is.
fn reply(raw: &mut (impl FromBytes + IntoBytes), bytes: &[u8]) -> usize {
    let raw = raw.as_mut_bytes();
    for (to, from) in raw.iter_mut().zip(bytes) {
        *to = *from;
    }
    raw.len().min(bytes.len())
}
