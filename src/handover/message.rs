//! The message that goes with the descriptors: 48 bytes, numbers in little-endian order.
//!
//! | bytes | what |
//! |---|---|
//! | 0..8 | `xskgrant` |
//! | 8..10 | the version: 1 |
//! | 10..12 | the length: 48 |
//! | 12..16 | the interface's index, not 0 |
//! | 16..20 | the queue |
//! | 20..24 | the slot |
//! | 24 | 0: zero-copy where possible, 1: copy, 2: zero-copy |
//! | 25 | 1: packets of several frames, 0: not |
//! | 26..32 | 0 |
//! | 32..48 | the interface's name, up to the first 0; only zeros after it |
//!
//! Two descriptors come with the first byte: the socket and the map.

use crate::error::HandoverFault;
use crate::types::CopyMode;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use zerocopy::byteorder::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The bytes of a message.
pub(super) const LEN: usize = size_of::<Raw>();
const MAGIC: [u8; 8] = *b"xskgrant";
const VERSION: u16 = 1;

#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Raw {
    magic: [u8; 8],
    version: U16,
    len: U16,
    interface: U32,
    queue: U32,
    slot: U32,
    copy_mode: u8,
    multi_buffer: u8,
    zero: [u8; 6],
    name: [u8; 16],
}

static_assertions::const_assert_eq!(size_of::<Raw>(), 48);

/// A message: a grant without its descriptors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) interface_name: OsString,
    pub(crate) interface_index: u32,
    pub(crate) queue: u32,
    pub(crate) slot: u32,
    pub(crate) copy_mode: CopyMode,
    pub(crate) multi_buffer: bool,
}

impl Message {
    /// Refuses the beginning of a message, as far as it is there: of what is no message, and of
    /// another version, the rest may never come.
    pub(super) fn check_head(bytes: &[u8]) -> Result<(), HandoverFault> {
        if bytes.iter().zip(&MAGIC).any(|(found, wanted)| found != wanted) {
            return Err(HandoverFault::Malformed { rule: "it begins with \"xskgrant\"" });
        }
        match bytes.get(8..10) {
            Some(&[low, high]) if u16::from_le_bytes([low, high]) != VERSION => {
                Err(HandoverFault::Version { found: u16::from_le_bytes([low, high]) })
            }
            _ => Ok(()),
        }
    }

    /// Reads a message.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, HandoverFault> {
        let broken = |rule| Err(HandoverFault::Malformed { rule });
        Self::check_head(bytes)?;
        let Ok(raw) = Raw::read_from_bytes(bytes) else {
            return broken("it has 48 bytes");
        };
        if usize::from(raw.len.get()) != LEN {
            return broken("it says that it has 48 bytes");
        }
        if raw.interface.get() == 0 {
            return broken("the index of an interface is not 0");
        }
        let copy_mode = match raw.copy_mode {
            0 => CopyMode::Auto,
            1 => CopyMode::Copy,
            2 => CopyMode::ZeroCopy,
            _ => return broken("the copy mode is 0, 1 or 2"),
        };
        if raw.multi_buffer > 1 || raw.zero != [0; 6] {
            return broken("what has no meaning is 0");
        }
        let mut parts = raw.name.splitn(2, |byte| *byte == 0);
        let (Some(name), Some(rest)) = (parts.next(), parts.next()) else {
            return broken("the name of the interface ends with a 0");
        };
        if name.is_empty() || rest.iter().any(|byte| *byte != 0) {
            return broken("the name of the interface is not empty, and only zeros follow it");
        }
        Ok(Self {
            interface_name: OsString::from_vec(name.to_vec()),
            interface_index: raw.interface.get(),
            queue: raw.queue.get(),
            slot: raw.slot.get(),
            copy_mode,
            multi_buffer: raw.multi_buffer == 1,
        })
    }

    /// Returns the bytes of the message.
    pub(crate) fn to_bytes(&self) -> Result<[u8; LEN], HandoverFault> {
        let Self { interface_name, interface_index, queue, slot, copy_mode, multi_buffer } = self;
        let mut raw = Raw {
            magic: MAGIC,
            version: VERSION.into(),
            len: 48.into(),
            interface: (*interface_index).into(),
            queue: (*queue).into(),
            slot: (*slot).into(),
            copy_mode: match copy_mode {
                CopyMode::Auto => 0,
                CopyMode::Copy => 1,
                CopyMode::ZeroCopy => 2,
            },
            multi_buffer: (*multi_buffer).into(),
            zero: [0; 6],
            name: [0; 16],
        };
        write_name(&mut raw.name, interface_name)?;
        Ok(zerocopy::transmute!(raw))
    }
}

/// Writes an interface's name, which has 15 bytes at the most.
fn write_name(to: &mut [u8; 16], name: &OsStr) -> Result<(), HandoverFault> {
    let bytes = name.as_bytes();
    let room = to.get_mut(..bytes.len().min(15)).unwrap_or_default();
    if bytes.is_empty() || bytes.contains(&0) || room.len() != bytes.len() {
        let rule = "the name of an interface has 1 to 15 bytes, none of them 0";
        return Err(HandoverFault::Malformed { rule });
    }
    room.copy_from_slice(bytes);
    Ok(())
}
