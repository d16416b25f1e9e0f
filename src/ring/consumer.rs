//! The consuming half of a ring: RX and completion for the user, fill and TX for the other side.

use super::atomic::{Ordering, read_entry};
use super::runs::Runs;
use super::transfer::{Ready, Source};
use super::{Index, Memory, RingError, RingKind};
use std::mem::ManuallyDrop;

/// The only consumer of a ring.
///
/// `cursor` is the next entry to take; it moves before what the entry names is handed out, so a
/// batch that is forgotten gives its entries back to the producer late, and hands nothing out twice
/// (invariant I1).
#[derive(Debug)]
pub(crate) struct Consumer<T> {
    pub(super) memory: Memory<T>,
    cursor: Index,
    /// One more than the most entries that can be available: the ring's capacity and one, or 0,
    /// which no number is below, while a rejected entry waits to be reported. So one comparison
    /// finds both.
    max_available: u32,
    /// An entry that was taken and rejected, for the next call to report.
    rejected: Option<T>,
    kind: RingKind,
}

/// Returned when the producer index is impossible, or a rejected entry waits to be reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Suspect {
    available: u32,
    most_allowed: u32,
}

/// What is wrong with a ring.
#[derive(Debug)]
pub(crate) enum Diagnosis<T> {
    /// Its index.
    Index(RingError),
    /// An entry that was taken, and rejected.
    Entry(T),
}

impl<T: Copy> Consumer<T> {
    /// Makes the consumer of a ring.
    pub(crate) fn new(kind: RingKind, memory: Memory<T>) -> Self {
        let cursor = Index::new(memory.consumer().load(Ordering::Relaxed));
        let max_available = memory.capacity().wrapping_add(1);
        Self { memory, cursor, max_available, rejected: None, kind }
    }

    pub(crate) fn memory(&self) -> &Memory<T> {
        &self.memory
    }

    /// Returns the position of the next entry to take.
    #[inline(always)]
    pub(crate) fn cursor(&self) -> Index {
        self.cursor
    }

    /// Returns how many entries, up to `wanted`, can be taken. `most_allowed` returns the position
    /// that the producer's index cannot be beyond; it gets the number of entries that there are if the
    /// index is right, which is not 0.
    ///
    /// The producer's index is read each time. That misses the cache only if the producer submitted
    /// something since, and then it is worth it.
    #[inline(always)]
    pub(crate) fn available(
        &self,
        wanted: u32,
        most_allowed: impl FnOnce(u32) -> Index,
    ) -> Result<u32, Suspect> {
        self.first_available(wanted, most_allowed).map(|(first, _)| first)
    }

    /// As [`available`](Self::available), with how many there are beside.
    #[inline(always)]
    fn first_available(
        &self,
        wanted: u32,
        most_allowed: impl FnOnce(u32) -> Index,
    ) -> Result<(u32, u32), Suspect> {
        // Acquire: the entries are read after the index that hands them over.
        let producer = Index::new(self.memory.producer().load(Ordering::Acquire));
        let available = producer.distance_from(self.cursor);
        if available == 0 {
            return Ok((0, 0));
        }
        let most_allowed = most_allowed(available).distance_from(self.cursor);
        if available > most_allowed || available >= self.max_available {
            return Err(Suspect { available, most_allowed });
        }
        Ok((available.min(wanted), available))
    }

    /// Returns the entries, up to `wanted`, that can be taken; or what `error` makes of a ring with
    /// something wrong.
    #[inline(always)]
    pub(crate) fn peek(
        &mut self,
        wanted: u32,
        most_allowed: impl FnOnce(u32) -> Index,
        error: impl FnOnce(&mut Self, Suspect) -> Option<RingError>,
    ) -> Result<Ready<&mut Self>, RingError> {
        match self.available(wanted, most_allowed) {
            // SAFETY: the producer handed `count` entries from the cursor on over (I8), and takes
            // none back; the cursor moves only through the exclusive borrow that goes into the
            // value.
            Ok(count) => Ok(unsafe { Ready::new(self, count) }),
            Err(suspect) => Err(RingError::expect_error(error(self, suspect))),
        }
    }

    /// As [`peek`](Self::peek), with what there is behind those entries. (`peek` does not go this
    /// way: the optimiser then does not see that a batch of one ends after its entry, and
    /// `rxdrop-for` with batch 1 costs 13 instructions more.)
    #[inline(always)]
    pub(crate) fn peek_first(
        &mut self,
        wanted: u32,
        most_allowed: impl FnOnce(u32) -> Index,
        error: impl FnOnce(&mut Self, Suspect) -> Option<RingError>,
    ) -> Result<Portion<'_, T>, RingError> {
        match self.first_available(wanted, most_allowed) {
            Ok((first, all)) => {
                let end = self.cursor.advance(all);
                Ok(Portion { all: Rest { ring: self, end }, first })
            }
            Err(suspect) => Err(RingError::expect_error(error(self, suspect))),
        }
    }

    /// Finds what is wrong, after [`available`](Self::available) returned a [`Suspect`]. A rejected
    /// entry is reported once.
    pub(crate) fn diagnose(&mut self, suspect: Suspect) -> Diagnosis<T> {
        let size = self.memory.capacity();
        self.max_available = size.wrapping_add(1);
        if let Some(entry) = self.rejected.take() {
            self.cursor = self.cursor.advance(1);
            self.release();
            return Diagnosis::Entry(entry);
        }
        let (ring, Suspect { available, most_allowed }) = (self.kind, suspect);
        Diagnosis::Index(if available > size {
            RingError::BadIndex { ring, distance: available, capacity: size }
        } else {
            RingError::TooManyEntries { ring, available, outstanding: most_allowed }
        })
    }

    /// Keeps the entry that was taken last, and is not valid, for the next call to report. It lies
    /// in the ring until then, but is not read again.
    #[cold]
    #[inline(never)]
    fn reject(&mut self, entry: T) {
        self.rejected = Some(entry);
        self.max_available = 0;
        self.cursor = self.cursor.advance(u32::MAX);
        self.release();
    }

    /// Goes on at `index`, if that is ahead: what lies between was given away. Returns `false`, and
    /// stays, if it is more than the ring's capacity ahead of what the producer submitted: then the
    /// slots of the ring have no owner any more.
    #[cfg(feature = "test-util")]
    pub(crate) fn skip_to(&mut self, index: Index) -> bool {
        let ahead = index.distance_from(self.cursor);
        if ahead > u32::MAX / 2 {
            return true;
        }
        let producer = Index::new(self.memory.producer().load(Ordering::Acquire));
        let submitted = producer.distance_from(self.cursor);
        // After an earlier step the producer may be behind.
        let behind = self.cursor.distance_from(producer);
        let capacity = self.memory.capacity();
        let beyond = if submitted <= capacity {
            ahead.saturating_sub(submitted)
        } else {
            ahead.saturating_add(behind)
        };
        if beyond > capacity {
            return false;
        }
        self.cursor = index;
        true
    }

    /// Gives the entries before the cursor back to the producer.
    #[inline(always)]
    pub(crate) fn release(&mut self) {
        self.release_to(self.cursor);
    }

    /// As [`release`](Self::release), `cursor` being the ring's.
    #[inline(always)]
    pub(super) fn release_to(&mut self, cursor: Index) {
        // Release: the entries are read before the other side may write them again.
        let index = self.memory.consumer();
        index.store(cursor.get(), Ordering::Release);
    }
}

// SAFETY: a run ends at the ring's end at the latest, and the producer handed the entries over
// (I8).
unsafe impl<T: Copy> Source for &mut Consumer<T> {
    type Entry = T;
    const REVERSED: bool = false;

    #[inline(always)]
    fn run(&mut self, skip: u32, most: u32) -> (*const T, u32) {
        let at = self.cursor.advance(skip);
        (self.memory.slot(at), self.memory.run(at, most))
    }

    type End = Index;

    #[inline(always)]
    unsafe fn take(&mut self, count: u32) -> Index {
        let end = self.cursor.advance(count);
        self.cursor = end;
        end
    }

    #[inline(always)]
    unsafe fn reject(&mut self, entry: T) {
        Consumer::reject(self, entry);
    }

    #[inline(always)]
    unsafe fn finish(&mut self, end: Index) {
        self.release_to(end);
    }
}

impl<'a, T: Copy> Ready<&'a mut Consumer<T>> {
    /// Returns a reader that takes the entries one by one.
    #[inline(always)]
    pub(crate) fn read(self) -> Reader<'a, T> {
        let (ring, count) = self.into_parts();
        Reader::new(ring, count)
    }
}

/// A batch whose first entries can be taken at once; what is left is taken in parts.
#[derive(Debug)]
pub(crate) struct Portion<'a, T: Copy> {
    all: Rest<'a, T>,
    /// How many are the first ones.
    first: u32,
}

impl<'a, T: Copy> Portion<'a, T> {
    /// Has `take` take the first entries. Returns how many it says it took, and, if that is not all
    /// of them, what is left of all.
    #[inline(always)]
    pub(crate) fn take_first<E>(
        self,
        take: impl FnOnce(Ready<&mut Consumer<T>>) -> Result<u32, E>,
    ) -> Result<(u32, Option<Rest<'a, T>>), E> {
        // What takes entries gives the slots back itself.
        let mut all = ManuallyDrop::new(self.all);
        // SAFETY: the producer handed so many entries from the cursor on over (I8): they are the
        // first ones of `all`, of which nothing was taken. The cursor moves only through the borrow
        // that is in the value.
        let first = unsafe { Ready::new(&mut *all.ring, self.first) };
        let taken = take(first)?;
        Ok((taken, if taken == self.first { None } else { Some(ManuallyDrop::into_inner(all)) }))
    }

    /// Returns all entries.
    #[inline(always)]
    pub(crate) fn into_rest(self) -> Rest<'a, T> {
        self.all
    }
}

/// What is left of a batch that is taken in parts; the slots of what was taken go back to the
/// producer when this is dropped.
#[derive(Debug)]
pub(crate) struct Rest<'a, T: Copy> {
    ring: &'a mut Consumer<T>,
    /// The position after the last entry.
    end: Index,
}

impl<T: Copy> Rest<'_, T> {
    /// Returns how many entries are left: none after one was rejected.
    #[inline(always)]
    pub(crate) fn count(&self) -> u32 {
        if self.ring.max_available == 0 { 0 } else { self.end.distance_from(self.ring.cursor) }
    }

    /// Returns the entry that is `ahead` of the next one, if there is one, and takes none.
    #[inline(always)]
    pub(crate) fn peek(&self, ahead: u32) -> Option<T> {
        if ahead >= self.count() {
            return None;
        }
        let at = self.ring.cursor.advance(ahead);
        // SAFETY: so many entries are there, which the producer handed over (I8).
        Some(unsafe { read_entry(self.ring.memory.slot(at)) })
    }

    /// Takes the next entry, if there is one.
    #[inline(always)]
    pub(crate) fn take(&mut self) -> Option<T> {
        let entry = self.peek(0)?;
        self.ring.cursor = self.ring.cursor.advance(1);
        Some(entry)
    }

    /// Keeps an entry for the next call to report, after the last of those that belong to it was
    /// taken; nothing is left of the batch then.
    #[cold]
    pub(crate) fn reject(&mut self, entry: T) {
        self.ring.reject(entry);
    }

    /// Returns whether an entry was rejected that `test` is true for: it is the next one again then.
    #[cold]
    pub(crate) fn take_back(&mut self, test: impl FnOnce(&T) -> bool) -> bool {
        if !self.ring.rejected.as_ref().is_some_and(test) {
            return false;
        }
        self.ring.rejected = None;
        self.ring.max_available = self.ring.memory.capacity().wrapping_add(1);
        true
    }

    /// Returns the ring's number of entries.
    pub(crate) fn capacity(&self) -> u32 {
        self.ring.memory.capacity()
    }
}

impl<T: Copy> Drop for Rest<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        self.ring.release();
    }
}

/// Takes entries one by one; those taken go back to the producer when this is dropped.
///
/// The ring's cursor moves before an entry is handed out: forgetting the reader only delays the
/// release (invariant I1).
#[derive(Debug)]
pub(crate) struct Reader<'a, T: Copy> {
    ring: &'a mut Consumer<T>,
    /// The entries from the ring's cursor on that are to be taken.
    runs: Runs<T>,
}

impl<'a, T: Copy> Reader<'a, T> {
    /// Reads the next `count` entries, which are available ([`Ready::read`]).
    #[inline(always)]
    fn new(ring: &'a mut Consumer<T>, count: u32) -> Self {
        let runs = Runs::new(&ring.memory, ring.cursor, count);
        Self { ring, runs }
    }

    /// Takes the next entry.
    #[inline(always)]
    pub(crate) fn take(&mut self) -> Option<T> {
        let at = self.runs.next(&self.ring.memory)?;
        self.ring.cursor = self.ring.cursor.advance(1);
        // SAFETY: `at` is the entry that the cursor was on, of those that the producer handed over
        // (I8).
        Some(unsafe { read_entry(at) })
    }

    /// Returns how many entries are left to take.
    #[inline(always)]
    pub(crate) fn remaining(&self) -> u32 {
        self.runs.remaining()
    }

    /// Keeps the entry that was taken last, which is not valid, for the next call to report, and
    /// leaves what was not taken in the ring.
    #[inline(always)]
    pub(crate) fn reject(&mut self, entry: T) {
        self.ring.reject(entry);
        self.runs.stop();
    }
}

impl<T: Copy> Drop for Reader<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        self.ring.release();
    }
}
