//! A table of IPv4 prefixes as programs read it: at most three loads for each address.
//!
//! The first 2^16 words are for the first 16 bits of an address. A word is 0 or 1 if all addresses
//! that begin so are outside or inside; else it is the offset of a block, a multiple of 32, which
//! decides by the next bits:
//!
//! - without [`FULL_BLOCK`]: 256 bits, one for each value of the third byte;
//! - with [`FULL_BLOCK`]: 256 words, one for each value of the third byte: 0, 1, or the offset of
//!   256 bits, one for each value of the fourth byte.
//!
//! A change writes new blocks first, and then the word that leads to them, so that a program finds
//! either the old prefixes or the new ones. A block that is free is used again once all programs have
//! ended that may have read the word that led to it.

use crate::sys::rcu::wait_for_programs;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

/// In the word of a block of 256 words.
pub(in super::super) const FULL_BLOCK: u32 = 4;
/// The bits of a word that are an offset.
pub(in super::super) const OFFSET: u32 = !31;
/// Bytes of a block of 256 words: no offset is further than this before the table's end.
pub(in super::super) const BLOCK_BYTES: u32 = 1024;
/// In the word of a block of 256 bits, so that it is neither 0 nor 1.
const BITS: u32 = 2;
const BITS_BYTES: u32 = 32;
const ROOT_BYTES: u32 = 4 << 16;
/// The most bytes of a table.
const MOST_BYTES: u32 = 1 << 30;
/// Blocks for what is written before the old blocks are free, and so that programs are not waited for
/// at each change when the rest is in use.
const SPARE_BITS: u32 = 1024;
const SPARE_WORDS: u32 = 32;

/// An IPv4 prefix: the first address in it, and how many bits all of them have in common.
pub(super) type Prefix4 = (u32, u8);

/// Writes a word, four bytes, at an offset in bytes that is a multiple of four.
pub(super) type Write<'a> = &'a mut dyn FnMut(u32, u32);

/// The most blocks of one part. They are there twice while it is written anew.
const OF_PART: [u32; 2] = [256, 1];
/// The lengths of the two kinds of blocks.
const LENGTHS: [u32; 2] = [BITS_BYTES, BLOCK_BYTES];

/// The table has no room for a prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full;

/// How many blocks a table has room for: of bits, and of words.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room([u32; 2]);

/// The most blocks of each kind that prefixes take, also when any of them are removed: one that lies
/// in a shorter prefix takes none until that is removed.
#[derive(Debug, Clone, Copy, Default)]
struct Need([u32; 2]);

/// What is in a table, and where its free blocks are.
#[derive(Debug)]
pub(super) struct Table {
    room: Room,
    bytes: u32,
    words: Vec<u32>,
    /// From here on nothing was used yet.
    unused: u32,
    /// So many blocks of each kind are taken from there before programs are waited for, so that
    /// changes with blocks of one kind leave bytes to the other.
    allotted: [u32; 2],
    /// The need of the prefixes: there is room for it, and for [`OF_PART`] beside it.
    need: Need,
    /// So many blocks of each kind there are, in use or not.
    made: [u32; 2],
    /// Blocks that no program reads any more: of bits, and of words.
    free: [Vec<u32>; 2],
    /// Blocks that a program may still read.
    left: [Vec<u32>; 2],
}

/// Indices of the two kinds of blocks.
const OF_BITS: usize = 0;
const OF_WORDS: usize = 1;

/// What the addresses of a part are.
enum Part {
    Outside,
    Inside,
    /// A bit for each value of the next byte.
    Bits([u8; 32]),
    /// A part for each value of the next byte.
    Parts(Vec<Part>),
}

impl Room {
    /// Returns room for these prefixes twice over, and for `count` prefixes in all, wherever they are.
    pub(super) fn new(prefixes: &BTreeSet<Prefix4>, count: u32) -> Self {
        let (mut bits, mut words, mut last) = (0_u32, 0_u32, None);
        for &(address, len) in prefixes.iter().filter(|(_, len)| *len > 16) {
            let has_words = len > 24;
            if has_words {
                bits = bits.saturating_add(1);
            }
            if last != Some((address >> 16, has_words)) {
                let blocks = if has_words { &mut words } else { &mut bits };
                *blocks = blocks.saturating_add(1);
                last = Some((address >> 16, has_words));
            }
        }
        // At worst each prefix is in a /16 and a /24 network of its own.
        let room = |blocks: u32, most: u32, spare| {
            blocks.saturating_mul(2).max(count).min(most).saturating_add(spare)
        };
        Self([room(bits, 1 << 24, SPARE_BITS), room(words, 1 << 16, SPARE_WORDS)])
    }

    /// Returns the length of the table in bytes.
    pub(super) fn bytes(self) -> u32 {
        let Self([bits, words]) = self;
        let blocks = bits.saturating_mul(BITS_BYTES);
        let blocks = blocks.saturating_add(words.saturating_mul(BLOCK_BYTES));
        ROOT_BYTES.saturating_add(blocks).min(MOST_BYTES)
    }
}

impl Need {
    /// Returns the need of all prefixes.
    fn of(prefixes: &BTreeSet<Prefix4>) -> Self {
        let roots = roots(prefixes).map(|root| Self::of_part(prefixes, root));
        roots.fold(Self::default(), |all, one| all.combined(one, u32::saturating_add))
    }

    /// Returns the need of those whose first 16 bits are `root`.
    fn of_part(prefixes: &BTreeSet<Prefix4>, root: u32) -> Self {
        let (mut has_bits, mut longer, mut last) = (false, 0_u32, None);
        for &(address, len) in prefixes.range(prefixes_of(root)) {
            if len <= 24 {
                has_bits = true;
            } else if last.replace(address >> 8) != Some(address >> 8) {
                longer = longer.saturating_add(1);
            }
        }
        // Without the longer ones, the others have one block.
        Self([longer.max(has_bits.into()), (longer > 0).into()])
    }

    fn combined(self, other: Self, with: impl Fn(u32, u32) -> u32) -> Self {
        let (Self([bits, words]), Self([other_bits, other_words])) = (self, other);
        Self([with(bits, other_bits), with(words, other_words)])
    }
}

impl Table {
    /// Makes an empty table with this room.
    pub(super) fn new(room: Room) -> Self {
        let bytes = room.bytes();
        Self {
            room,
            bytes,
            words: vec![0; crate::num::usize32(bytes / 4)],
            unused: ROOT_BYTES,
            allotted: room.0,
            need: Need::default(),
            made: [0; 2],
            free: Default::default(),
            left: Default::default(),
        }
    }

    /// Returns the table's length in bytes.
    pub(super) fn bytes(&self) -> u32 {
        self.bytes
    }

    /// Returns the words, to be written to a new map.
    pub(super) fn words(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        let words = (0..).step_by(4).zip(self.words.iter().copied());
        words.filter(|&(_, word)| word != 0)
    }

    /// Writes the prefixes into an empty table.
    pub(super) fn fill(&mut self, prefixes: &BTreeSet<Prefix4>) -> Result<(), Full> {
        let need = Need::of(prefixes);
        if !self.fits(need, self.made, self.unused) {
            return Err(Full);
        }
        self.need = need;
        let short = prefixes.iter().copied().filter(|(_, len)| *len < 16);
        let parts = roots(prefixes).map(|root| (root << 16, 16));
        short.chain(parts).try_for_each(|part| self.update(prefixes, part, &mut |_, _| {}))
    }

    /// Adds a prefix to the prefixes that are written, or removes it. Returns `false` if that changes
    /// nothing. To remove one never takes room that is not there: where it uncovers others, there is
    /// room for them since they were added.
    pub(super) fn change(
        &mut self,
        prefixes: &mut BTreeSet<Prefix4>,
        prefix: Prefix4,
        add: bool,
        write: Write<'_>,
    ) -> Result<bool, Full> {
        let root = prefix.0 >> 16;
        let before = Need::of_part(prefixes, root);
        if !put(prefixes, prefix, add) {
            return Ok(false);
        }
        let others = self.need.combined(before, u32::saturating_sub);
        let need = others.combined(Need::of_part(prefixes, root), u32::saturating_add);
        if add && !self.fits(need, self.made, self.unused) {
            put(prefixes, prefix, !add);
            return Err(Full);
        }
        let needed = self.need;
        if add {
            self.need = need;
        }
        if let Err(full) = self.update(prefixes, prefix, write) {
            put(prefixes, prefix, !add);
            self.need = needed;
            return Err(full);
        }
        self.need = need;
        Ok(true)
    }

    /// Returns whether blocks for a need, and for a part that is written anew, are made or have room
    /// behind `unused`.
    fn fits(&self, Need(need): Need, made: [u32; 2], unused: u32) -> bool {
        let counts = need.into_iter().zip(OF_PART).zip(made);
        let missing = counts.zip(LENGTHS).map(|(((need, of_part), made), length)| {
            need.saturating_add(of_part).saturating_sub(made).saturating_mul(length)
        });
        missing.fold(0, u32::saturating_add) <= self.last().saturating_sub(unused)
    }

    /// Returns the last offset that a block of words can have: programs check all offsets against it.
    fn last(&self) -> u32 {
        self.bytes.saturating_sub(BLOCK_BYTES)
    }

    /// Brings the part of a prefix up to date with the prefixes that there are.
    fn update(
        &mut self,
        prefixes: &BTreeSet<Prefix4>,
        (address, len): Prefix4,
        write: Write<'_>,
    ) -> Result<(), Full> {
        let first = address >> 16;
        let last = first | (0xffff_u32.checked_shr(len.into()).unwrap_or(0) & 0xffff);
        for root in first..=last {
            let part = part(prefixes, root);
            let new = self.write_part(&part, write)?;
            let place = root.saturating_mul(4);
            let old = self.read(place);
            self.write_word(place, new, write);
            self.free(old);
        }
        if prefixes.is_empty() && self.unused > ROOT_BYTES {
            // Nothing leads to a block any more: the next may be of either kind.
            wait_for_programs();
            self.unused = ROOT_BYTES;
            self.allotted = self.room.0;
            self.made = [0; 2];
            (self.free, self.left) = Default::default();
        }
        Ok(())
    }

    /// Writes the blocks of a part, and returns the word that leads to it.
    fn write_part(&mut self, part: &Part, write: Write<'_>) -> Result<u32, Full> {
        match part {
            Part::Outside => Ok(0),
            Part::Inside => Ok(1),
            Part::Bits(bits) => {
                let at = self.take(OF_BITS)?;
                for (place, bytes) in (at..).step_by(4).zip(bits.chunks_exact(4)) {
                    if let [a, b, c, d] = *bytes {
                        self.write_word(place, u32::from_ne_bytes([a, b, c, d]), write);
                    }
                }
                Ok(at | BITS)
            }
            Part::Parts(parts) => {
                let at = self.take(OF_WORDS)?;
                // What an earlier user left is not to be taken for this one's.
                for place in (at..).step_by(4).take(256) {
                    self.write_word(place, 0, write);
                }
                for (place, part) in (at..).step_by(4).zip(parts) {
                    match self.write_part(part, write) {
                        Ok(word) => self.write_word(place, word, write),
                        Err(Full) => {
                            self.free(at | FULL_BLOCK);
                            return Err(Full);
                        }
                    }
                }
                Ok(at | FULL_BLOCK)
            }
        }
    }

    /// Takes a block: one that is free, or one of those allotted to the kind, or one that is free once
    /// programs have ended, or else any bytes that were not used yet.
    fn take(&mut self, kind: usize) -> Result<u32, Full> {
        let is_free = |blocks: &[Vec<u32>; 2]| blocks.get(kind).is_some_and(|of| !of.is_empty());
        if !is_free(&self.free) && is_free(&self.left) && !self.has_allotted(kind) {
            wait_for_programs();
            for (free, left) in self.free.iter_mut().zip(&mut self.left) {
                free.append(left);
            }
        }
        match self.free.get_mut(kind).and_then(Vec::pop) {
            Some(at) => Ok(at),
            // All that there are of this kind are in use: fewer than there is room for (`fits`).
            None => self.make(kind),
        }
    }

    /// Returns whether a block can be made of the bytes allotted to the kind, and leaves to the other
    /// kind what it needs, which may have taken such bytes.
    fn has_allotted(&self, kind: usize) -> bool {
        let (mut made, unused) = (self.made, self.unused);
        let (Some(count), Some(length)) = (made.get_mut(kind), LENGTHS.get(kind)) else {
            return false;
        };
        *count = count.saturating_add(1);
        // The bytes behind the last offset are allotted, too, and no block can begin there.
        self.allotted.get(kind).is_some_and(|allotted| *allotted > 0)
            && unused <= self.last()
            && self.fits(self.need, made, unused.saturating_add(*length))
    }

    /// Makes a block of bytes that were not used yet.
    fn make(&mut self, kind: usize) -> Result<u32, Full> {
        let (at, last) = (self.unused, self.last());
        let end = LENGTHS.get(kind).and_then(|length| at.checked_add(*length));
        self.unused = end.filter(|&end| end <= self.bytes && at <= last).ok_or(Full)?;
        if let Some(allotted) = self.allotted.get_mut(kind) {
            *allotted = allotted.saturating_sub(1);
        }
        if let Some(made) = self.made.get_mut(kind) {
            *made = made.saturating_add(1);
        }
        Ok(at)
    }

    /// Frees the blocks that a word leads to.
    fn free(&mut self, word: u32) {
        let at = word & OFFSET;
        if word < 2 {
        } else if word & FULL_BLOCK == 0 {
            self.leave(at, OF_BITS);
        } else {
            for place in (at..).step_by(4).take(256) {
                let word = self.read(place);
                if word >= 2 {
                    self.leave(word & OFFSET, OF_BITS);
                }
            }
            self.leave(at, OF_WORDS);
        }
    }

    fn leave(&mut self, at: u32, kind: usize) {
        if let Some(left) = self.left.get_mut(kind) {
            left.push(at);
        }
    }

    fn read(&self, place: u32) -> u32 {
        self.words.get(crate::num::usize32(place / 4)).copied().unwrap_or(0)
    }

    fn write_word(&mut self, place: u32, word: u32, write: Write<'_>) {
        if let Some(known) = self.words.get_mut(crate::num::usize32(place / 4)) {
            *known = word;
            write(place, word);
        }
    }
}

/// Adds an element or removes it; returns whether that changes anything.
pub(super) fn put<T: Ord>(set: &mut BTreeSet<T>, element: T, add: bool) -> bool {
    if add { set.insert(element) } else { set.remove(&element) }
}

/// Returns the first 16 bits of the prefixes, each once.
fn roots(prefixes: &BTreeSet<Prefix4>) -> impl Iterator<Item = u32> + '_ {
    let mut last = None;
    let roots = prefixes.iter().map(|(address, _)| address >> 16);
    roots.filter(move |&root| last.replace(root) != Some(root))
}

/// Returns the range in which the prefixes of more than 16 bits are whose first 16 bits are `root`.
fn prefixes_of(root: u32) -> RangeInclusive<Prefix4> {
    let first = root << 16;
    (first, 17)..=(first | 0xffff, 32)
}

/// Returns what the addresses are whose first 16 bits are `root`.
fn part(prefixes: &BTreeSet<Prefix4>, root: u32) -> Part {
    let first = root << 16;
    let is_covered = (0..=16_u8).any(|len| prefixes.contains(&(first & mask(len), len)));
    if is_covered {
        return Part::Inside;
    }
    let mut bits = Bits::default();
    let mut longer: Vec<(u8, Bits)> = Vec::new();
    for &(address, len) in prefixes.range(prefixes_of(root)) {
        let [_, _, third, fourth] = address.to_be_bytes();
        match len {
            ..=16 => {}
            17..=24 => bits.set(third, 24_u8.saturating_sub(len)),
            _ => {
                if longer.last().is_none_or(|(last, _)| *last != third) {
                    longer.push((third, Bits::default()));
                }
                if let Some((_, bits)) = longer.last_mut() {
                    bits.set(fourth, 32_u8.saturating_sub(len));
                }
            }
        }
    }
    longer.retain(|(third, _)| !bits.has(*third));
    if longer.is_empty() {
        return bits.part();
    }
    let whole = |third| if bits.has(third) { Part::Inside } else { Part::Outside };
    let mut parts: Vec<Part> = (0..=255).map(whole).collect();
    for (third, bits) in longer {
        if let Some(part) = parts.get_mut(usize::from(third)) {
            *part = bits.part();
        }
    }
    Part::Parts(parts)
}

/// A bit for each value of a byte.
#[derive(Default)]
struct Bits([u8; 32]);

impl Bits {
    /// Sets the bits of 2^`free` values from `first` on.
    fn set(&mut self, first: u8, free: u8) {
        let last = first | (u8::MAX.checked_shr(8_u32.saturating_sub(free.into())).unwrap_or(0));
        for value in first..=last {
            if let Some(byte) = self.0.get_mut(usize::from(value / 8)) {
                *byte |= 1 << (value % 8);
            }
        }
    }

    fn has(&self, value: u8) -> bool {
        self.0.get(usize::from(value / 8)).is_some_and(|byte| byte & (1 << (value % 8)) != 0)
    }

    fn part(self) -> Part {
        if self.0 == [0; 32] {
            Part::Outside
        } else if self.0 == [0xff; 32] {
            Part::Inside
        } else {
            Part::Bits(self.0)
        }
    }
}

/// Returns the mask of a prefix's bits.
pub(super) fn mask(len: u8) -> u32 {
    u32::MAX.checked_shl(32_u32.saturating_sub(len.into())).unwrap_or(0)
}

#[cfg(test)]
mod tests;
