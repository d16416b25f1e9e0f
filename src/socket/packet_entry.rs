//! Entries of the rings for the frames of packets.

use super::desc::Desc;
use crate::ring::transfer::Form;
use crate::umem::{BatchChecker, ChunkPlace, Frame};

/// What is kept of a packet that does not end
/// ([`RingError::EndlessPacket`](crate::RingError::EndlessPacket)): no descriptor of the kernel's is it.
pub(super) const ENDLESS: Desc = Desc::NONE;

/// Returns the frame of a descriptor of a packet, if it is a good one (invariants I2, I4, I7).
#[inline(always)]
pub(super) fn accept(checker: BatchChecker<'_>, desc: Desc) -> Option<Frame> {
    let (from, to) = (ChunkPlace::Receiving, ChunkPlace::User);
    let length = desc.frame_length();
    let address = checker.accept_packet(Form::Either, desc.address, length, from, to)?;
    Some(Frame::new(&checker.geometry, address, desc.len()))
}

/// As [`accept`], for a packet of one frame.
#[inline(always)]
pub(super) fn accept_single(checker: BatchChecker<'_>, form: Form, desc: Desc) -> Option<Frame> {
    let (from, to) = (ChunkPlace::Receiving, ChunkPlace::User);
    let address = checker.accept_packet(form, desc.address, desc.length(), from, to)?;
    Some(Frame::new(&checker.geometry, address, desc.len()))
}

/// Returns the entry of the fill ring for a frame of its UMEM, which ends.
#[inline(always)]
pub(super) fn to_fill(checker: BatchChecker<'_>, frame: &Frame, _: bool) -> u64 {
    let address = frame.kernel_address();
    checker.record_move(address, ChunkPlace::User, ChunkPlace::Receiving);
    address
}

/// Returns the entry of the TX ring for a frame of its UMEM, which ends; the packet goes on after it
/// if `continued`.
#[inline(always)]
pub(super) fn to_tx(checker: BatchChecker<'_>, frame: &Frame, continued: bool) -> Desc {
    let (address, len) = (frame.kernel_address(), frame.len());
    checker.record_move(address, ChunkPlace::User, ChunkPlace::Sending);
    Desc::new(address, len).continued(continued)
}
