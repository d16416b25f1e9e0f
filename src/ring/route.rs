//! Moves the entries of one batch to two sinks, each where the caller says.
//!
//! As [`transfer`](super::transfer) it works run by run: the inner loop makes as many steps as all
//! three have entries and slots side by side, so that it tests for no end.

use super::atomic::{read_entry, write_entry};
use super::transfer::{Ready, Room, Sink, Source, UNROLL};
use crate::num::{u32_of_count, usize32};

/// What becomes of an entry.
pub(crate) enum Step<E> {
    /// It goes to the first sink, as this.
    First(E),
    /// It went elsewhere.
    Elsewhere,
    /// It is not valid: it is rejected, and the batch ends.
    Refused,
}

/// Has `step` look at each entry, and put it where it belongs, until the entries or the room of the
/// first sink are used up. `step` is given a slot of the second sink, if there is one, and may use
/// it. Returns how many entries each sink got.
///
/// If `step` panics, the entry that it was given is lost; what was done with those before it stays
/// done.
#[inline(always)]
pub(crate) fn route<S: Source, A: Sink, B: Sink>(
    ready: Ready<S>,
    first: Room<A>,
    second: Room<B>,
    mut step: impl FnMut(S::Entry, Option<Slot<'_, B>>) -> Step<A::Entry>,
) -> (u32, u32) {
    const { assert!(!S::REVERSED) };
    if ready.count() == 0 {
        return route_none(ready, first, second);
    }
    if ready.count() == 1 && first.count() != 0 {
        // SAFETY: an entry and a slot are there.
        return unsafe { route_one(ready, first, second, step) };
    }
    let (mut inlet, mut first, mut second) = ends(ready, first, second);
    loop {
        // So many entries and slots lie side by side, whatever `step` says.
        let entries = inlet.run();
        if entries == 0 {
            break;
        }
        let mut count = entries.min(first.run());
        if count == 0 {
            break;
        }
        let slots = second.run();
        if slots == 0 {
            // SAFETY: an entry and a slot are there.
            if !unsafe { move_one(&mut inlet, &mut first, None, &mut step) } {
                break;
            }
            continue;
        }
        count = count.min(slots);
        while count >= UNROLL {
            for _ in 0..UNROLL {
                let slot = Some(Slot(&mut second));
                // SAFETY: no more than `count` steps are made before the runs are looked at again.
                if !unsafe { move_one(&mut inlet, &mut first, slot, &mut step) } {
                    return (first.count(), second.count());
                }
            }
            count = count.wrapping_sub(UNROLL);
        }
        while count != 0 {
            let slot = Some(Slot(&mut second));
            // SAFETY: as above.
            if !unsafe { move_one(&mut inlet, &mut first, slot, &mut step) } {
                return (first.count(), second.count());
            }
            count = count.wrapping_sub(1);
        }
    }
    (first.count(), second.count())
}

/// Ends a batch without entries: what forgotten batches took and wrote is released and submitted.
#[inline(always)]
fn route_none<S: Source, A: Sink, B: Sink>(
    ready: Ready<S>,
    first: Room<A>,
    second: Room<B>,
) -> (u32, u32) {
    let ((mut from, _), (mut to, _), (mut other, _)) =
        (ready.into_parts(), first.into_parts(), second.into_parts());
    // SAFETY: no entry is taken.
    let end = unsafe { from.take(0) };
    // SAFETY: `end` came from the one `take`.
    unsafe { from.finish(end) };
    // SAFETY: no slot was written.
    unsafe { to.finish(0) };
    // SAFETY: as above.
    unsafe { other.finish(0) };
    (0, 0)
}

/// Routes a batch of one entry straight, without the loop: its set-up costs more than the entry.
///
/// # Safety
/// An entry is ready, and the first sink has room for it.
#[inline(always)]
unsafe fn route_one<S: Source, A: Sink, B: Sink>(
    ready: Ready<S>,
    first: Room<A>,
    second: Room<B>,
    mut step: impl FnMut(S::Entry, Option<Slot<'_, B>>) -> Step<A::Entry>,
) -> (u32, u32) {
    let ((mut from, _), (mut to, _), mut second) =
        (ready.into_parts(), first.into_parts(), Lane::new(second));
    // SAFETY: an entry is there, so `run` returns where (contract of `Source`).
    let entry = unsafe { read_entry(from.run(0, 1).0) };
    // SAFETY: an entry is there.
    let end = unsafe { from.take(1) };
    let slot = if second.run() == 0 { None } else { Some(Slot(&mut second)) };
    let moved = match step(entry, slot) {
        Step::First(entry) => {
            // SAFETY: a slot is free, so `run` returns where (contract of `Sink`).
            unsafe { write_entry(to.run(0, 1).0, entry) };
            1
        }
        Step::Elsewhere => 0,
        Step::Refused => {
            // SAFETY: `entry` was just taken.
            unsafe { from.reject(entry) };
            return (0, second.count());
        }
    };
    // SAFETY: a slot was free, and as many as `moved` were just written.
    unsafe { to.finish(moved) };
    // SAFETY: `end` came from the one `take`.
    unsafe { from.finish(end) };
    (moved, second.count())
}

/// Returns the three ends of a batch. Each ends its side when it is dropped, also after a panic.
#[inline(always)]
fn ends<S: Source, A: Sink, B: Sink>(
    ready: Ready<S>,
    first: Room<A>,
    second: Room<B>,
) -> (Inlet<S>, Lane<A>, Lane<B>) {
    (Inlet::new(ready), Lane::new(first), Lane::new(second))
}

/// Moves one entry; returns whether it was valid.
///
/// # Safety
/// The runs of `inlet` and `first` have at least one entry and one slot left; so has that of the
/// lane of `slot`.
#[inline(always)]
unsafe fn move_one<S: Source, A: Sink, B: Sink>(
    inlet: &mut Inlet<S>,
    first: &mut Lane<A>,
    slot: Option<Slot<'_, B>>,
    step: &mut impl FnMut(S::Entry, Option<Slot<'_, B>>) -> Step<A::Entry>,
) -> bool {
    // SAFETY: the run has an entry (contract of this function).
    let entry = unsafe { inlet.take() };
    match step(entry, slot) {
        Step::First(entry) => {
            // SAFETY: the run has a slot (contract of this function).
            unsafe { first.put(entry) };
            true
        }
        Step::Elsewhere => true,
        Step::Refused => {
            // SAFETY: `entry` was taken last.
            unsafe { inlet.reject(entry) };
            false
        }
    }
}

/// A free slot of the second sink. It is made in [`route`] and [`route_one`] only, where the lane's
/// run has a slot left, and is used once at the most.
pub(crate) struct Slot<'a, D: Sink>(&'a mut Lane<D>);

impl<D: Sink> Slot<'_, D> {
    /// Writes `entry` into the slot.
    #[inline(always)]
    pub(crate) fn put(self, entry: D::Entry) {
        // SAFETY: the run has a slot (see the type).
        unsafe { self.0.put(entry) };
    }
}

/// The entries of a batch, run by run.
struct Inlet<S: Source> {
    source: S,
    /// The next entry, the end of its run, and how many entries the runs up to that end have.
    at: *const S::Entry,
    end: *const S::Entry,
    before_end: u32,
    /// How many entries the batch has.
    count: u32,
}

impl<S: Source> Inlet<S> {
    #[inline(always)]
    fn new(ready: Ready<S>) -> Self {
        let (source, count) = ready.into_parts();
        let none = std::ptr::null();
        Self { source, at: none, end: none, before_end: 0, count }
    }

    /// Returns how many entries lie side by side from the next one on; 0 after the last.
    #[inline(always)]
    fn run(&mut self) -> u32 {
        if self.at == self.end {
            let rest = self.count.wrapping_sub(self.before_end);
            if rest == 0 {
                return 0;
            }
            let (at, run) = self.source.run(self.before_end, rest);
            self.at = at;
            self.end = at.wrapping_add(usize32(run));
            self.before_end = self.before_end.wrapping_add(run);
        }
        distance(self.at, self.end)
    }

    /// Takes the next entry.
    ///
    /// # Safety
    /// The run has one.
    #[inline(always)]
    unsafe fn take(&mut self) -> S::Entry {
        // SAFETY: it is in the run, so it can be read (contract of `Source`).
        let entry = unsafe { read_entry(self.at) };
        self.at = self.at.wrapping_add(1);
        entry
    }

    /// Returns how many entries were taken.
    #[inline(always)]
    fn taken(&self) -> u32 {
        self.before_end.wrapping_sub(distance(self.at, self.end))
    }

    /// Rejects the entry that was taken last, and ends the batch.
    ///
    /// # Safety
    /// `entry` is it.
    #[inline(always)]
    unsafe fn reject(&mut self, entry: S::Entry) {
        let taken = self.taken();
        // SAFETY: so many were read, of those that are there.
        unsafe { self.source.take(taken) };
        // SAFETY: `entry` is the last of them (contract of this function).
        unsafe { self.source.reject(entry) };
        // None is left to be reported to the source.
        (self.end, self.before_end) = (self.at, 0);
    }
}

impl<S: Source> Drop for Inlet<S> {
    #[inline(always)]
    fn drop(&mut self) {
        let taken = self.taken();
        // SAFETY: so many were read and not yet reported, of those that are there.
        let end = unsafe { self.source.take(taken) };
        // SAFETY: `end` came from the last `take`.
        unsafe { self.source.finish(end) };
    }
}

/// The free slots of a sink, run by run.
struct Lane<D: Sink> {
    sink: D,
    /// The next slot, the end of its run, and how many slots the runs up to that end have.
    at: *mut D::Entry,
    end: *mut D::Entry,
    before_end: u32,
    /// How many slots there are.
    room: u32,
}

impl<D: Sink> Lane<D> {
    #[inline(always)]
    fn new(room: Room<D>) -> Self {
        let (sink, room) = room.into_parts();
        let none = std::ptr::null_mut();
        Self { sink, at: none, end: none, before_end: 0, room }
    }

    /// Returns how many slots lie side by side from the next one on; 0 after the last.
    #[inline(always)]
    fn run(&mut self) -> u32 {
        if self.at == self.end {
            let rest = self.room.wrapping_sub(self.before_end);
            if rest == 0 {
                return 0;
            }
            let (at, run) = self.sink.run(self.before_end, rest);
            self.at = at;
            self.end = at.wrapping_add(usize32(run));
            self.before_end = self.before_end.wrapping_add(run);
        }
        distance(self.at, self.end)
    }

    /// Writes `entry` into the next slot.
    ///
    /// # Safety
    /// The run has one.
    #[inline(always)]
    unsafe fn put(&mut self, entry: D::Entry) {
        // SAFETY: it is in the run, so it can be written (contract of `Sink`).
        unsafe { write_entry(self.at, entry) };
        self.at = self.at.wrapping_add(1);
    }

    /// Returns how many slots were written.
    #[inline(always)]
    fn count(&self) -> u32 {
        self.before_end.wrapping_sub(distance(self.at, self.end))
    }
}

impl<D: Sink> Drop for Lane<D> {
    #[inline(always)]
    fn drop(&mut self) {
        let count = self.count();
        // SAFETY: so many slots were written, of those that were free.
        unsafe { self.sink.finish(count) };
    }
}

/// Returns how many entries lie from `at` on before `end`.
#[inline(always)]
fn distance<T>(at: *const T, end: *const T) -> u32 {
    let bytes = end.addr().wrapping_sub(at.addr());
    u32_of_count(bytes.checked_div(size_of::<T>()).unwrap_or(0))
}
