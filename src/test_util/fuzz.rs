//! Entry points of fuzz targets: parsers of kernel replies, run on any bytes.
#![allow(unsafe_code, reason = "rings in any memory")]

use crate::bpf;
use crate::error::Error;
use crate::handover::{Message, device_plugin::Reply};
use crate::interface::{
    InterfaceInfo, XdpFeatures, XdpSocketInfo, family_id, queue_side, read_notification,
};
use crate::netlink::ack::Ack;
use crate::netlink::conversation::Conversation;
use crate::netlink::message;
use crate::ring::{AtomicU32, Producer, RingKind};
use crate::socket::{MappedRing, RingSpec, Statistics, statistics_of_reply};
use crate::sys::memory::Mapping;
use crate::sys::xsk as sys;
use crate::types::PageSize;
use rustix::io::Errno;
use std::sync::Arc;
use xsk_uapi::if_xdp::{xdp_mmap_offsets, xdp_statistics};
use zerocopy::{FromBytes, FromZeros, IntoBytes};

/// The length of the longest ring that is mapped here, in bytes.
const LONGEST: usize = 64 << 10;

/// Parses `bytes` as every kind of netlink reply that this crate reads.
pub fn netlink(bytes: &[u8]) {
    for message in message::messages(bytes).flatten() {
        let _ = InterfaceInfo::read(&message);
        let _ = XdpFeatures::read(&message);
        let _ = family_id(&message);
        let _ = XdpSocketInfo::read(&message);
        let _ = queue_side(&message, false);
        read_notification(&message, 1);
        let _ = Ack::of_error(&message);
        let _ = Ack::of_done(&message);
        for dump in [false, true] {
            let _ = Conversation::new(message.sequence, dump).read(bytes);
        }
    }
}

/// Parses `bytes` as a message that goes with what is handed over, and as a reply of a device
/// plugin. Returns the bytes of the message if it is one.
#[must_use]
pub fn handover(bytes: &[u8]) -> Option<Vec<u8>> {
    let _ = Reply::parse(bytes);
    let message = Message::parse(bytes).ok()?;
    message.to_bytes().ok().map(|bytes| bytes.to_vec())
}

/// Parses `bytes` as the kernel's replies with a socket's counters and with the offsets of its
/// rings; locates the rings in memory of that length, and writes every slot of each. Returns the
/// counters, and how many rings were located.
#[must_use]
pub fn socket_replies(bytes: &[u8]) -> (Statistics, u32) {
    let mut raw = xdp_statistics::new_zeroed();
    let len = reply(&mut raw, bytes);
    let statistics = statistics_of_reply(&raw, len);
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
        let spec = RingSpec { kind, entries };
        let (offsets, len) = spec.layout(&offsets);
        let Some(len) = len.filter(|len| *len <= LONGEST) else {
            continue;
        };
        let Ok(mapping) = Mapping::anonymous(len, PageSize::Normal) else {
            continue;
        };
        let ring = spec.mapped(mapping, offsets, flags_word);
        let written = match kind {
            RingKind::Rx | RingKind::Tx => write_all::<[u64; 2]>(kind, ring),
            RingKind::Fill | RingKind::Completion => write_all::<u64>(kind, ring),
        };
        rings = rings.wrapping_add(u32::from(written.is_some()));
    }
    Some(rings)
}

/// Writes every slot of a ring that nothing else uses; returns `None` if it cannot be located.
fn write_all<T: Copy + FromBytes + IntoBytes>(kind: RingKind, ring: MappedRing) -> Option<()> {
    // SAFETY: the mapping is kept until the end of this function, and nothing else uses the ring.
    let (memory, _mapping) = unsafe { ring.memory::<T>() }.ok()?;
    let size = memory.capacity();
    let mut ring = Producer::counted(kind, memory, Arc::<AtomicU32>::default());
    let mut slots = ring.write(size).ok()?;
    while slots.write(T::new_zeroed()) {}
    drop(slots);
    let _ = ring.memory().needs_wakeup();
    Some(())
}

/// Copies `bytes` into `raw`, as the kernel writes a reply; returns the reply's length.
fn reply(raw: &mut (impl FromBytes + IntoBytes), bytes: &[u8]) -> usize {
    let raw = raw.as_mut_bytes();
    for (to, from) in raw.iter_mut().zip(bytes) {
        *to = *from;
    }
    raw.len().min(bytes.len())
}

/// Takes `bytes` as the kernel's type information, if they are some, and looks for a function in
/// it.
#[must_use]
pub fn btf(bytes: &[u8], function: &str) -> Option<Result<Option<u32>, Error>> {
    bpf::Btf::parse(bytes.to_vec()).map(|btf| btf.find(function))
}

/// Returns the error of a program that was refused with `log` in the verifier's buffer.
#[must_use]
pub fn refused_with(log: &[u8]) -> Error {
    let text = bpf::log_text(log);
    Error::LoadProgram {
        name: "fuzzed".into(),
        instructions: log.len(),
        refused_at: bpf::refused_at(&text),
        listing: String::new(),
        log: text,
        bound_to: None,
        errno: Errno::INVAL,
    }
}

/// Returns the instructions of a compiled filter, with numbers in place of the descriptors of maps:
/// 1 for that of the sockets, 2 for that of the counters.
#[must_use]
pub fn instructions(filter: &bpf::CompiledFilter) -> Vec<xsk_uapi::bpf::bpf_insn> {
    filter.raw()
}
