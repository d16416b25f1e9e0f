//! The naive oracle: queues, a stack, and a copy of the packet memory.

use crate::op::{Edit, End};
use std::collections::VecDeque;
use xsk::test_util::KernelStep;

/// Address and length; the length is 0 where entries have none.
pub(crate) type Entry = (u64, u32);

/// A ring whose producer is the user.
#[derive(Debug)]
pub(crate) struct Out {
    size: usize,
    pub(crate) published: VecDeque<Entry>,
    /// Written, and the guard was forgotten.
    pub(crate) written: VecDeque<Entry>,
}

impl Out {
    fn new(size: u32) -> Self {
        Self { size: size as usize, published: VecDeque::new(), written: VecDeque::new() }
    }

    pub(crate) fn free(&self) -> usize {
        self.size - self.published.len() - self.written.len()
    }

    pub(crate) fn end(&mut self, end: End) {
        if end == End::Drop {
            self.published.append(&mut self.written);
        }
    }
}

/// A ring whose consumer is the user.
#[derive(Debug)]
pub(crate) struct In {
    size: usize,
    pub(crate) there: VecDeque<Entry>,
    /// Taken, and the guard was forgotten.
    pub(crate) taken: VecDeque<Entry>,
}

impl In {
    fn new(size: u32) -> Self {
        Self { size: size as usize, there: VecDeque::new(), taken: VecDeque::new() }
    }

    /// Published to the kernel.
    fn free(&self) -> usize {
        self.size - self.there.len() - self.taken.len()
    }

    pub(crate) fn take(&mut self) -> Option<Entry> {
        let entry = self.there.pop_front()?;
        self.taken.push_back(entry);
        Some(entry)
    }

    pub(crate) fn end(&mut self, end: End) {
        if end == End::Drop {
            self.taken.clear();
        }
    }

    /// Returns what is between the two indices in the ring's memory.
    pub(crate) fn memory(&self) -> Vec<Entry> {
        self.taken.iter().chain(&self.there).copied().collect()
    }
}

#[derive(Debug)]
pub(crate) struct Oracle {
    chunks: usize,
    /// A chunk's size, and how far apart chunks begin.
    pub(crate) size: u32,
    step: u64,
    headroom: u64,
    /// The last is on top.
    pub(crate) pool: Vec<u64>,
    pub(crate) held: VecDeque<Entry>,
    pub(crate) fill: Out,
    pub(crate) rx: In,
    pub(crate) tx: Out,
    /// Taken from the TX ring, and not transmitted.
    pub(crate) taken: VecDeque<Entry>,
    /// Transmitted, and not completed.
    pub(crate) kernel: VecDeque<u64>,
    /// Whether the kernel sends without a kick.
    pub(crate) awake: bool,
    pub(crate) completion: In,
    memory: Vec<u8>,
}

/// Returns an address of a ring, which says how far behind its chunk's beginning it is in its upper
/// 16 bits where chunks are unaligned, as bytes from the beginning of the memory.
pub(crate) fn plain(address: u64) -> u64 {
    (address & ((1 << 48) - 1)) + (address >> 48)
}

impl Oracle {
    pub(crate) fn new(setting: &crate::Setting, size: u32) -> Self {
        let chunks = u64::from(setting.chunks);
        let rings = setting.rings;
        // Chunks begin at even addresses.
        let step = u64::from(size.next_multiple_of(2));
        Self {
            chunks: chunks as usize,
            size,
            step,
            headroom: u64::from(setting.headroom) + 256,
            pool: (0..chunks).rev().map(|number| number * step).collect(),
            held: VecDeque::new(),
            fill: Out::new(rings.fill),
            rx: In::new(rings.rx),
            tx: Out::new(rings.tx),
            taken: VecDeque::new(),
            kernel: VecDeque::new(),
            awake: false,
            completion: In::new(rings.completion),
            memory: vec![0; (chunks * step) as usize],
        }
    }

    pub(crate) fn chunk(&self, address: u64) -> u64 {
        address / self.step * self.step
    }

    pub(crate) fn vacant(&self) -> usize {
        self.chunks - self.pool.len()
    }

    fn room(&self) -> u64 {
        u64::from(self.size) - self.headroom
    }

    pub(crate) fn bytes(&self, (address, len): Entry) -> &[u8] {
        &self.memory[address as usize..][..len as usize]
    }

    pub(crate) fn deliver(&mut self, len: u32, packet: Option<&[u8]>) -> bool {
        if u64::from(len) > self.room() || self.rx.free() == 0 {
            return false;
        }
        let Some((given, _)) = self.fill.published.pop_front() else {
            return false;
        };
        let address = self.chunk(given) + self.headroom;
        if let Some(packet) = packet {
            self.memory[address as usize..][..packet.len()].copy_from_slice(packet);
        }
        self.rx.there.push_back((address, len));
        true
    }

    /// Takes up to `most` packets from the TX ring, as many as the completion ring has room for.
    pub(crate) fn take(&mut self, most: usize) {
        let room = self.completion.free() - self.kernel.len() - self.taken.len();
        let count = self.tx.published.len().min(most).min(room);
        self.taken.extend(self.tx.published.drain(..count));
    }

    /// A kick; returns whether it leaves packets on the TX ring.
    pub(crate) fn kick(&mut self) -> bool {
        self.take(32);
        !self.tx.published.is_empty()
    }

    /// Returns the result of the kernel's step: a count, and the packets that it sent.
    pub(crate) fn step(&mut self, step: &KernelStep) -> (u32, Vec<Vec<u8>>) {
        let mut count = 0;
        let mut sent = Vec::new();
        match *step {
            // There is one socket.
            KernelStep::Deliver(ref packet) | KernelStep::DeliverTo { ref packet, .. } => {
                count = u32::from(self.deliver(packet.len() as u32, Some(packet)));
            }
            KernelStep::DeliverUnwritten { count: wanted, len } => {
                let len = len.min(self.room() as u32);
                while count < wanted && self.deliver(len, None) {
                    count += 1;
                }
            }
            KernelStep::Transmit(wanted) => {
                while count < wanted {
                    if self.awake && self.taken.is_empty() {
                        self.take(1);
                    }
                    let Some(entry) = self.taken.pop_front() else {
                        break;
                    };
                    sent.push(self.bytes(entry).to_vec());
                    self.kernel.push_back(entry.0);
                    count += 1;
                }
            }
            KernelStep::Complete(wanted) => {
                while count < wanted {
                    let Some(address) = self.kernel.pop_front() else {
                        break;
                    };
                    self.completion.there.push_back((address, 0));
                    count += 1;
                }
            }
            KernelStep::NeedWakeup(..) => (),
        }
        (count, sent)
    }

    /// Edits, and returns whether that was possible. If not, everything is unchanged.
    pub(crate) fn edit(&mut self, entry: &mut Entry, edit: &Edit) -> bool {
        let (address, len) = (i128::from(entry.0), i128::from(entry.1));
        let start = i128::from(self.chunk(entry.0));
        let (new, most) = match *edit {
            Edit::Truncate(to) => ((address, i128::from(to)), address + len),
            Edit::Advance(by) => ((address + i128::from(by), len - i128::from(by)), address + len),
            Edit::GrowFront(by) => {
                ((address - i128::from(by), len + i128::from(by)), address + len)
            }
            Edit::SetLen(to) => ((address, i128::from(to)), start + i128::from(self.size)),
            Edit::Write(ref bytes) => {
                ((address, bytes.len() as i128), start + i128::from(self.size))
            }
        };
        if new.0 < start || new.1 < 1 || new.0 + new.1 > most {
            return false;
        }
        *entry = (new.0 as u64, new.1 as u32);
        if let Edit::Write(bytes) = edit {
            self.memory[entry.0 as usize..][..bytes.len()].copy_from_slice(bytes);
        }
        true
    }
}
