//! The entries of a map, one after another.

use super::batch::has_no_batches;
use super::data::{MapData, from_prefix};
use super::raw::RawMap;
use crate::error::{MapOp, Result};
use crate::num::usize32;
use crate::sys::bpf::Place;
use rustix::io::Errno;
use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;

/// The entries that the first batch has room for.
const FIRST_ROOM: u32 = 256;

/// How many times as many steps as the map has entries a walk takes at the most.
const ROUNDS: u64 = 64;

/// A walk from key to key.
///
/// The kernel finds the key after a given one. If that one was removed in the meantime, it begins
/// with the first key again; so this one asks for the key after the next before the caller has the
/// next and may remove it, and passes over keys that it has returned before.
struct Walk<'a> {
    map: &'a RawMap,
    next: Option<Vec<u8>>,
    seen: HashSet<Vec<u8>>,
    started: bool,
    steps_left: u64,
}

impl<'a> Walk<'a> {
    fn new(map: &'a RawMap) -> Self {
        let steps_left = u64::from(map.entries()).saturating_add(1).saturating_mul(ROUNDS);
        Self { map, next: None, seen: HashSet::new(), started: false, steps_left }
    }

    /// Returns the next key that was not there before.
    fn next(&mut self) -> Result<Option<Vec<u8>>, Errno> {
        if !self.started {
            self.started = true;
            self.next = self.after(None)?;
        }
        let Some(key) = self.next.take() else { return Ok(None) };
        self.next = self.after(Some(&key))?;
        Ok(Some(key))
    }

    fn after(&mut self, key: Option<&[u8]>) -> Result<Option<Vec<u8>>, Errno> {
        let mut key = key.map(<[u8]>::to_vec);
        loop {
            self.steps_left = self.steps_left.checked_sub(1).ok_or(Errno::AGAIN)?;
            let mut next = vec![0; self.map.fd.key_len()];
            if !self.map.fd.next_key(key.as_deref(), &mut next)? {
                return Ok(None);
            }
            if self.seen.insert(next.clone()) {
                return Ok(Some(next));
            }
            key = Some(next);
        }
    }
}

/// A key and its value, if there is one more.
type Entry<'b> = Option<(&'b [u8], &'b [u8])>;

/// Entries that came by a batch.
struct Batches<'a> {
    map: &'a RawMap,
    place: Place,
    keys: Vec<u8>,
    values: Vec<u8>,
    /// The bytes from one value to the next, as the kernel copies them: of a per-CPU map there may be
    /// fewer than those of a buffer for one value.
    stride: usize,
    /// How many entries the buffers have room for, hold, and have given.
    room: u32,
    count: usize,
    given: usize,
    more: bool,
}

impl<'a> Batches<'a> {
    fn new(map: &'a RawMap, stride: usize) -> Self {
        let room = map.entries().clamp(1, FIRST_ROOM);
        let (keys, values) = (Vec::new(), Vec::new());
        let place = Place::default();
        Self { map, place, keys, values, stride, room, count: 0, given: 0, more: true }
    }

    /// Returns whether no batch has come yet.
    fn is_new(&self) -> bool {
        self.count == 0 && self.more
    }

    /// Gets the next batch that has an entry, if there is one.
    fn fill(&mut self) -> Result<(), Errno> {
        while self.more && self.given == self.count {
            let room = usize32(self.room);
            let lengths = (
                room.checked_mul(self.map.fd.key_len()).ok_or(Errno::NOMEM)?,
                room.checked_mul(self.map.fd.value_len()).ok_or(Errno::NOMEM)?,
            );
            self.keys.resize(lengths.0, 0);
            self.values.resize(lengths.1, 0);
            match self.map.fd.lookup_batch(&mut self.place, &mut self.keys, &mut self.values) {
                Ok((count, more)) => {
                    self.count = usize32(count.min(self.room));
                    self.given = 0;
                    self.more = more;
                }
                // A bucket has more entries than there is room for; it can have all of them.
                Err(Errno::NOSPC) if self.room <= self.map.entries() => {
                    self.room = self.room.saturating_mul(2);
                }
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }

    fn next(&mut self) -> Result<Entry<'_>, Errno> {
        self.fill()?;
        if self.given == self.count {
            return Ok(None);
        }
        let part = |bytes: &'_ [u8], len: usize| {
            let start = self.given.saturating_mul(len);
            start..start.saturating_add(len).min(bytes.len())
        };
        let key = part(&self.keys, self.map.fd.key_len());
        let value = part(&self.values, self.stride);
        self.given = self.given.saturating_add(1);
        Ok(Some((
            self.keys.get(key).unwrap_or_default(),
            self.values.get(value).unwrap_or_default(),
        )))
    }
}

enum Way<'a> {
    Batches(Batches<'a>),
    Walk(Walk<'a>),
    Ended,
}

/// The entries of a map as bytes: by batches where the kernel has them, else key by key.
pub(super) struct RawEntries<'a> {
    map: &'a RawMap,
    way: Way<'a>,
}

impl<'a> RawEntries<'a> {
    /// Returns the entries by batches if the map's type has batches that stand at a bucket, else by
    /// keys.
    pub(super) fn new(map: &'a RawMap, by_buckets: bool) -> Self {
        if by_buckets {
            return Self::with_stride(map, map.fd.value_len());
        }
        Self { map, way: Way::Walk(Walk::new(map)) }
    }

    /// Returns the entries by batches, in which values are so many bytes apart.
    pub(super) fn with_stride(map: &'a RawMap, stride: usize) -> Self {
        Self { map, way: Way::Batches(Batches::new(map, stride)) }
    }

    /// Calls `f` with the next entry's key and value.
    pub(super) fn next<T>(&mut self, f: impl FnOnce(&[u8], &[u8]) -> T) -> Option<Result<T>> {
        let result = self.step(f);
        if !matches!(result, Ok(Some(_))) {
            self.way = Way::Ended;
        }
        result.map_err(self.map.failed(MapOp::List, None)).transpose()
    }

    fn step<T>(&mut self, f: impl FnOnce(&[u8], &[u8]) -> T) -> Result<Option<T>, Errno> {
        if let Way::Batches(batches) = &mut self.way {
            let is_new = batches.is_new();
            match batches.next() {
                Ok(entry) => return Ok(entry.map(|(key, value)| f(key, value))),
                Err(errno) if has_no_batches(errno) && is_new => {}
                Err(errno) => return Err(errno),
            }
            self.way = Way::Walk(Walk::new(self.map));
        }
        let Way::Walk(walk) = &mut self.way else { return Ok(None) };
        let mut value = vec![0; self.map.fd.value_len()];
        while let Some(key) = walk.next()? {
            match self.map.fd.lookup(&key, &mut value) {
                Ok(()) => return Ok(Some(f(&key, &value))),
                // It was removed after it was found.
                Err(Errno::NOENT) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(None)
    }
}

/// The entries of a map, from its `iter`: an iterator of keys with their values.
///
/// An error ends it.
pub struct Entries<'a, K, V> {
    entries: RawEntries<'a>,
    types: PhantomData<fn() -> (K, V)>,
}

impl<'a, K, V> Entries<'a, K, V> {
    pub(super) fn new(entries: RawEntries<'a>) -> Self {
        Self { entries, types: PhantomData }
    }
}

impl<K: MapData, V: MapData> Iterator for Entries<'_, K, V> {
    type Item = Result<(K, V)>;

    fn next(&mut self) -> Option<Self::Item> {
        self.entries.next(|key, value| (from_prefix(key), from_prefix(value)))
    }
}

impl fmt::Debug for RawEntries<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawEntries").field("map", &self.map).finish_non_exhaustive()
    }
}

impl<K, V> fmt::Debug for Entries<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Entries").field(&self.entries).finish()
    }
}
