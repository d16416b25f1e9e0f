//! Moves whole batches of entries: ring to ring, ring to pool, pool to ring.
//!
//! # What it does
//! A batch is the same as this loop, which takes an entry at one end, has `map` turn it into an
//! entry of the other end, and stops at the first one that `map` refuses:
//!
//! ```text
//! for n in 0..count {
//!     let entry = from.entries[(from.cursor + n) & from.mask];
//!     let Some(entry) = map(entry) else { from.reject(entry); break };
//!     to.entries[(to.cursor + n) & to.mask] = entry;
//! }
//! from.release(n taken);
//! to.submit(n written);
//! ```
//!
//! # How it does it
//! Both rings may wrap inside the batch. A *run* is a part of the batch that lies side by side at
//! both ends, so that the inner loop needs neither a mask nor a test of the ring's end. A batch has
//! three runs at the most, a batch between a ring and a pool two:
//!
//! ```text
//! from   ┆  5 6 7 ┊ 0 1 2 3 4         a ring of 8 entries, the batch begins at slot 5
//! to     ┆  6 7 ┊ 0 1 2 3 4 5         a ring of 8 slots, the batch begins at slot 6
//! runs   ┆  2     1 5                 slots 5-6 to 6-7, slot 7 to 0, slots 0-4 to 1-5
//! ```
//!
//! Inside a run [`UNROLL`] entries are moved between two tests of the run's end. A batch of one
//! entry goes straight, without the loop: for it the loop's set-up costs more than its entry.
//!
//! # Why
//! Instructions per packet, measured by `benches/instructions.rs` on x86-64 with rustc 1.95, for
//! batches of 64, 16 and 1:
//!
//! | | `rxdrop` | `l2fwd` |
//! |---|---|---|
//! | the loop above | 16.8, 19.2, 53.0 | 43.3, 47.4, 98.7 |
//! | runs, not unrolled | 9.5, 13.9, 50.5 | 26.7, 34.7, 96.3 |
//! | runs, 4 entries between two tests | 6.7, 11.2, 50.5 | 21.3, 29.7, 96.3 |
//! | runs, 8 entries between two tests | 6.1, 10.4, 50.5 | 20.0, 28.4, 96.3 |
//! | runs, 16 entries between two tests | 5.8, 10.1, 50.5 | 19.4, 27.7, 96.3 |
//! | the same as 8, without the straight way for one entry | 6.0, 10.2, 91.0 | 19.9, 27.8, 181.3 |
//!
//! Eight is where doubling the code gains less than one instruction.
//!
//! # Safety
//! A count that was read from a ring or a pool is only good while nothing else changes that ring or
//! pool. So it never travels alone: [`Ready`] and [`Room`] hold the exclusive borrow together with
//! the count that was read under it, and [`transfer`] takes the smaller of the two counts.

use super::atomic::{read_entry, write_entry};

/// Entries that are moved between two tests of a run's end.
pub(super) const UNROLL: u32 = 8;

/// Where a batch comes from.
///
/// # Safety
/// As long as `skip + most` is no more than the source holds, `run` returns a pointer to the entry
/// that is `skip` after the next one, and a number from 1 to `most`: so many entries can be read,
/// each right after the one before, or right before it if `REVERSED`.
pub(crate) unsafe trait Source {
    type Entry: Copy;
    /// Whether the entries of a run lie in descending order.
    const REVERSED: bool;
    /// Returns the run that begins `skip` entries after the next one.
    fn run(&mut self, skip: u32, most: u32) -> (*const Self::Entry, u32);
    /// Position after the batch, kept in a register: `map` may alias the source, so the compiler
    /// would reload it.
    type End;
    /// Takes `count` entries, which are never handed out again.
    ///
    /// # Safety
    /// The source holds at least `count` entries.
    unsafe fn take(&mut self, count: u32) -> Self::End;
    /// Keeps the entry that was taken last, which `map` refused, to report it.
    ///
    /// # Safety
    /// An entry was taken, and no other since.
    unsafe fn reject(&mut self, entry: Self::Entry);
    /// Ends the batch: entries before `end` are released.
    ///
    /// # Safety
    /// `end` is what the last `take` of this source returned.
    unsafe fn finish(&mut self, end: Self::End);
}

/// Where a batch goes to.
///
/// # Safety
/// As [`Source`], for slots that can be written, each right after the one before.
pub(crate) unsafe trait Sink {
    type Entry: Copy;
    /// Returns the run that begins `skip` slots after the next one.
    fn run(&mut self, skip: u32, most: u32) -> (*mut Self::Entry, u32);
    /// Ends the batch: `count` slots were written, and are submitted.
    ///
    /// # Safety
    /// The sink had at least `count` free slots, and the first `count` of them were written.
    unsafe fn finish(&mut self, count: u32);
}

/// Entries that are ready to be taken: a source, borrowed exclusively, and how many entries it was
/// seen to hold since.
#[derive(Debug)]
pub(crate) struct Ready<S> {
    source: S,
    count: u32,
}

/// Slots that are free: a sink, borrowed exclusively, and how many free slots it was seen to have
/// since.
#[derive(Debug)]
pub(crate) struct Room<D> {
    sink: D,
    count: u32,
}

impl<S: Source> Ready<S> {
    /// Binds a count to its source.
    ///
    /// # Safety
    /// `source` holds at least `count` entries, and goes on to do so until something is taken
    /// through this value.
    #[inline(always)]
    pub(crate) unsafe fn new(source: S, count: u32) -> Self {
        Self { source, count }
    }

    /// Returns how many entries there are.
    #[inline(always)]
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// Returns the source, and how many entries it holds.
    #[inline(always)]
    pub(super) fn into_parts(self) -> (S, u32) {
        (self.source, self.count)
    }
}

impl<D: Sink> Room<D> {
    /// Binds a count to its sink.
    ///
    /// # Safety
    /// `sink` has at least `count` free slots, and goes on to do so until something is written
    /// through this value.
    #[inline(always)]
    pub(crate) unsafe fn new(sink: D, count: u32) -> Self {
        Self { sink, count }
    }

    /// Returns how many free slots there are.
    #[inline(always)]
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// Returns the sink, and how many free slots it has.
    #[inline(always)]
    pub(super) fn into_parts(self) -> (D, u32) {
        (self.sink, self.count)
    }
}

/// Which of two forms the entries of a batch have. All have the same; a loop over several is made for
/// each form, and has no code for the other one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// The usual one.
    Usual,
    /// The other one.
    Other,
    /// One of them: the entry is alone, and looks are cheaper than to know before.
    Either,
}

/// Moves as many entries as are ready and have room, as what `map` makes of them, until `map`
/// refuses one, which is taken and does not arrive. Returns how many arrived.
///
/// If `map` panics, the entry that it was given is lost; those before it have arrived.
#[inline(always)]
pub(crate) fn transfer<S: Source, D: Sink>(
    ready: Ready<S>,
    room: Room<D>,
    mut map: impl FnMut(S::Entry) -> Option<D::Entry>,
) -> u32 {
    transfer_of(ready, room, || false, move |_, entry| map(entry))
}

/// As [`transfer`], for entries that have one of two forms. `form` returns which; it is called if
/// there are several.
#[inline(always)]
pub(crate) fn transfer_of<S: Source, D: Sink>(
    ready: Ready<S>,
    room: Room<D>,
    other: impl FnOnce() -> bool,
    mut map: impl FnMut(Form, S::Entry) -> Option<D::Entry>,
) -> u32 {
    let count = ready.count.min(room.count);
    let (mut from, mut to) = (ready.source, room.sink);
    if count == 0 {
        flush_empty(from, to);
        return 0;
    }
    if count > 1 {
        if other() {
            // SAFETY: `Ready` and `Room` say that `count` entries and slots are there.
            return unsafe { transfer_other(from, to, count, map) };
        }
        let map = move |entry| map(Form::Usual, entry);
        // SAFETY: as above.
        return unsafe { transfer_runs(from, to, count, map) };
    }
    // SAFETY: one entry is there, so `run` returns where (contract of `Source`).
    let entry = unsafe { read_entry(from.run(0, 1).0) };
    // SAFETY: one entry is there.
    let end = unsafe { from.take(1) };
    let Some(mapped) = map(Form::Either, entry) else {
        // SAFETY: `entry` was just taken.
        unsafe { from.reject(entry) };
        return 0;
    };
    // SAFETY: one slot is free, so `run` returns where (contract of `Sink`).
    unsafe { write_entry(to.run(0, 1).0, mapped) };
    // SAFETY: one slot was free, and was just written.
    unsafe { to.finish(1) };
    // SAFETY: `end` came from the one `take`.
    unsafe { from.finish(end) };
    1
}

/// Submits and releases what a forgotten guard left open; the batch itself is empty.
#[cold]
#[inline(never)]
fn flush_empty<S: Source, D: Sink>(mut from: S, mut to: D) {
    // SAFETY: no slot has to be written for an empty batch.
    unsafe { to.finish(0) };
    // SAFETY: every source holds 0 entries.
    let end = unsafe { from.take(0) };
    // SAFETY: `end` came from the one `take`.
    unsafe { from.finish(end) };
}

/// As [`transfer`], for a `map` that calls the user's code. The loop is kept out of the caller: it
/// needs the registers for itself.
#[cfg(feature = "test-util")]
#[inline(always)]
pub(crate) fn transfer_each<S: Source, D: Sink>(
    ready: Ready<S>,
    room: Room<D>,
    mut map: impl FnMut(S::Entry) -> Option<D::Entry>,
) -> u32 {
    transfer_each_of(ready, room, || false, move |_, entry| map(entry))
}

/// As [`transfer_each`], for entries that have one of two forms, as those of [`transfer_of`].
#[inline(always)]
pub(crate) fn transfer_each_of<S: Source, D: Sink>(
    ready: Ready<S>,
    room: Room<D>,
    other: impl FnOnce() -> bool,
    mut map: impl FnMut(Form, S::Entry) -> Option<D::Entry>,
) -> u32 {
    /// # Safety
    /// As [`transfer_runs`].
    #[inline(never)]
    unsafe fn outlined<S: Source, D: Sink>(
        from: S,
        to: D,
        count: u32,
        map: impl FnMut(S::Entry) -> Option<D::Entry>,
    ) -> u32 {
        // SAFETY: the caller's contract.
        unsafe { transfer_runs(from, to, count, map) }
    }
    let count = ready.count.min(room.count);
    if count <= 1 {
        return transfer_of(ready, room, other, map);
    }
    if other() {
        // SAFETY: `Ready` and `Room` say that `count` entries and slots are there.
        return unsafe { transfer_other(ready.source, room.sink, count, map) };
    }
    let map = move |entry| map(Form::Usual, entry);
    // SAFETY: as above.
    unsafe { outlined(ready.source, room.sink, count, map) }
}

/// As [`transfer_runs`], for entries of the other form.
///
/// # Safety
/// As there.
#[cold]
#[inline(never)]
unsafe fn transfer_other<S: Source, D: Sink>(
    from: S,
    to: D,
    count: u32,
    mut map: impl FnMut(Form, S::Entry) -> Option<D::Entry>,
) -> u32 {
    let map = move |entry| map(Form::Other, entry);
    // SAFETY: the caller's contract.
    unsafe { transfer_runs(from, to, count, map) }
}

/// Moves a batch run by run.
///
/// # Safety
/// `from` holds `count` entries, and `to` has as many free slots.
#[inline(always)]
unsafe fn transfer_runs<S: Source, D: Sink>(
    from: S,
    to: D,
    count: u32,
    mut map: impl FnMut(S::Entry) -> Option<D::Entry>,
) -> u32 {
    let mut progress = Progress { from, to, taken: 0, done: 0 };
    loop {
        let rest = count.wrapping_sub(progress.done);
        let (mut write, run) = progress.to.run(progress.done, rest);
        let (mut read, run) = progress.from.run(progress.done, run);
        let end = progress.done.wrapping_add(run);
        for _ in 0..run / UNROLL {
            for _ in 0..UNROLL {
                // SAFETY: at most `run` steps are made, in a run of that many.
                if !unsafe { progress.step(&mut read, &mut write, &mut map) } {
                    return progress.done;
                }
            }
        }
        while progress.done != end {
            // SAFETY: `end` is where the run ends.
            if !unsafe { progress.step(&mut read, &mut write, &mut map) } {
                return progress.done;
            }
        }
        if run == rest {
            return count;
        }
    }
}

/// How far a transfer has come. Its drop ends the batch at both ends, also after a panic of `map`.
struct Progress<S: Source, D: Sink> {
    from: S,
    to: D,
    /// Entries read and not yet reported to the source: one more than `done` while `map` looks at
    /// one.
    taken: u32,
    done: u32,
}

impl<S: Source, D: Sink> Progress<S, D> {
    /// Moves one entry of a run; returns whether it arrived.
    ///
    /// # Safety
    /// The run has one more entry at `read`, and one more slot at `write`.
    #[inline(always)]
    unsafe fn step(
        &mut self,
        read: &mut *const S::Entry,
        write: &mut *mut D::Entry,
        map: &mut impl FnMut(S::Entry) -> Option<D::Entry>,
    ) -> bool {
        self.taken = self.done.wrapping_add(1);
        // SAFETY: the run has one more entry (contract of this function), so it can be read.
        let entry = unsafe { read_entry(*read) };
        *read = if S::REVERSED { read.wrapping_sub(1) } else { read.wrapping_add(1) };
        let Some(mapped) = map(entry) else {
            // SAFETY: `taken` entries were read, of the `count` that are there (contract of
            // `transfer_runs`).
            unsafe { self.from.take(self.taken) };
            self.taken = 0;
            // SAFETY: `entry` is the last of those that were just taken.
            unsafe { self.from.reject(entry) };
            return false;
        };
        // SAFETY: the run has one more slot (contract of this function), so it can be written.
        unsafe { write_entry(*write, mapped) };
        *write = write.wrapping_add(1);
        self.done = self.taken;
        true
    }
}

impl<S: Source, D: Sink> Drop for Progress<S, D> {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: `done` slots were written, of the `count` that were free (contract of
        // `transfer_runs`).
        unsafe { self.to.finish(self.done) };
        // SAFETY: `taken` entries were read and not yet taken, of the `count` that are there.
        let end = unsafe { self.from.take(self.taken) };
        // SAFETY: `end` came from the last `take`.
        unsafe { self.from.finish(end) };
    }
}
