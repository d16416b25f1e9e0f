//! The common core of the batches of the four rings: entries that are moved on whole, frames that
//! are taken one by one, slots that frames are pushed into.

use crate::num::usize32;
use crate::ring::route::{Slot, Step, route};
use crate::ring::transfer::{Form, Ready, Room, transfer_each_of, transfer_of};
use crate::ring::{Consumer, Producer, Reader, RingError, Writer};
use crate::umem::{BatchChecker, Checker, ChunkPlace, Frame, FramePool};
use std::mem::ManuallyDrop;

/// Entries that the kernel's side handed over: the core of [`RxBatch`](super::RxBatch) and
/// [`CompletionBatch`](super::CompletionBatch).
#[derive(Debug)]
pub(super) struct Batch<'a, E: Copy> {
    ready: Ready<&'a mut Consumer<E>>,
    checker: &'a Checker,
}

impl<'a, E: Copy> Batch<'a, E> {
    #[inline(always)]
    pub(super) fn new(ready: Ready<&'a mut Consumer<E>>, checker: &'a Checker) -> Self {
        Self { ready, checker }
    }

    /// Moves the entries to a ring whose checker is `to`, as what `map` makes of them; returns how
    /// many.
    #[inline(always)]
    #[track_caller]
    pub(super) fn move_to_ring<T: Copy>(
        self,
        ring: &mut Producer<T>,
        to: &Checker,
        mut map: impl FnMut(BatchChecker<'_>, Form, E) -> Option<T>,
    ) -> Result<u32, RingError> {
        let (ready, room, checker) = self.with_room(ring, to)?;
        let map = move |form, entry| map(checker.for_batch(), form, entry);
        Ok(transfer_of(ready, room, || checker.geometry.is_unaligned(), map))
    }

    /// As [`move_to_ring`](Self::move_to_ring), for a `map` that calls the user's code.
    #[inline(always)]
    #[track_caller]
    pub(super) fn move_each_to_ring<T: Copy>(
        self,
        ring: &mut Producer<T>,
        to: &Checker,
        mut map: impl FnMut(BatchChecker<'_>, Form, E) -> Option<T>,
    ) -> Result<u32, RingError> {
        let (ready, room, checker) = self.with_room(ring, to)?;
        let map = move |form, entry| map(checker.for_batch(), form, entry);
        Ok(transfer_each_of(ready, room, || checker.geometry.is_unaligned(), map))
    }

    /// Has `step` say of each entry whether it goes to `first`, a ring whose checker is `to`, or push
    /// it into `second` or elsewhere; returns how many went to each.
    #[inline(always)]
    #[track_caller]
    pub(super) fn route<T: Copy, U: Copy>(
        self,
        first: &mut Producer<T>,
        to: &Checker,
        second: &mut Producer<U>,
        mut step: impl FnMut(BatchChecker<'_>, E, Option<Slot<'_, &mut Producer<U>>>) -> Step<T>,
    ) -> Result<(u32, u32), RingError> {
        let second = second.reserve(self.ready.count())?;
        let (ready, first, checker) = self.with_room(first, to)?;
        let checker = checker.for_batch();
        let step = move |entry, slot: Option<Slot<'_, _>>| step(checker, entry, slot);
        Ok(route(ready, first, second, step))
    }

    /// Returns the entries, and free slots for them in a ring whose checker is `to`.
    #[inline(always)]
    #[track_caller]
    fn with_room<'r, T: Copy>(
        self,
        ring: &'r mut Producer<T>,
        to: &Checker,
    ) -> Result<WithRoom<'a, 'r, E, T>, RingError> {
        let Self { ready, checker } = self;
        to.assert_same_umem(checker.geometry.umem);
        let room = ring.reserve(ready.count())?;
        Ok((ready, room, checker))
    }

    /// Moves the chunks to `pool`, after `accept` has returned an address in each; returns how
    /// many.
    #[inline(always)]
    #[track_caller]
    pub(super) fn move_to_pool(
        self,
        pool: &mut FramePool,
        mut accept: impl FnMut(BatchChecker<'_>, Form, E) -> Option<u64>,
    ) -> u32 {
        let Self { ready, checker } = self;
        pool.geometry().assert_same_umem(checker.geometry.umem);
        let room = pool.room(ready.count());
        let map = move |form, entry| {
            let address = accept(checker.for_batch(), form, entry)?;
            Some(checker.geometry.chunk(address))
        };
        transfer_of(ready, room, || checker.geometry.is_unaligned(), map)
    }

    #[inline(always)]
    pub(super) fn frames(self) -> BatchFrames<'a, E> {
        BatchFrames { entries: self.ready.read(), checker: self.checker.for_batch() }
    }

    #[inline(always)]
    pub(super) fn len(&self) -> usize {
        usize32(self.ready.count())
    }
}

/// The two ends of a transfer, and the checker of the entries.
type WithRoom<'a, 'r, E, T> = (Ready<&'a mut Consumer<E>>, Room<&'r mut Producer<T>>, &'a Checker);

/// The frames of a batch, one by one: the core of [`RxFrames`](super::RxFrames) and
/// [`CompletionFrames`](super::CompletionFrames).
#[derive(Debug)]
pub(super) struct BatchFrames<'a, E: Copy> {
    entries: Reader<'a, E>,
    checker: BatchChecker<'a>,
}

impl<E: Copy> BatchFrames<'_, E> {
    /// Takes the next entry and returns the frame that `accept` makes of it; one that is not
    /// accepted ends the batch.
    #[inline(always)]
    pub(super) fn next(
        &mut self,
        accept: impl FnOnce(BatchChecker<'_>, E) -> Option<Frame>,
    ) -> Option<Frame> {
        let entry = self.entries.take()?;
        let frame = accept(self.checker, entry);
        if frame.is_none() {
            self.entries.reject(entry);
        }
        frame
    }

    #[inline(always)]
    pub(super) fn remaining(&self) -> u32 {
        self.entries.remaining()
    }

    /// Returns the bounds of [`Iterator::size_hint`]: an entry that is not accepted ends the batch
    /// early.
    #[inline]
    pub(super) fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(usize32(self.remaining())))
    }
}

/// Reserved slots of a ring: the core of [`TxBatch`](super::TxBatch) and
/// [`FillBatch`](super::FillBatch).
#[derive(Debug)]
pub(super) struct Slots<'a, E: Copy> {
    slots: Writer<'a, E>,
    checker: BatchChecker<'a>,
}

impl<'a, E: Copy> Slots<'a, E> {
    #[inline(always)]
    pub(super) fn new(slots: Writer<'a, E>, checker: BatchChecker<'a>) -> Self {
        Self { slots, checker }
    }

    /// Writes what `entry` makes of a frame, whose chunk is at `to` then; gives the frame back if
    /// no slot is left.
    #[inline(always)]
    #[track_caller]
    pub(super) fn push(
        &mut self,
        frame: Frame,
        to: ChunkPlace,
        entry: impl FnOnce(&Frame) -> E,
    ) -> Result<(), Frame> {
        let frame = self.checker.own(frame);
        if !self.slots.write(entry(&frame)) {
            return Err(ManuallyDrop::into_inner(frame));
        }
        self.checker.record_move(frame.kernel_address(), ChunkPlace::User, to);
        Ok(())
    }

    #[inline(always)]
    pub(super) fn remaining(&self) -> u32 {
        self.slots.remaining()
    }
}
