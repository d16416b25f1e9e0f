//! Checks where every chunk is, by the existing handles and by the ledger.

use crate::area::CHUNKS;
use crate::port::{Parts, Place, parts};
use crate::world::World;
use xsk::ring::RingKind;
use xsk::umem::ChunkPlace;
use xsk::{Frame, Umem};

/// A set of chunks.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Set(u32);

impl Set {
    pub const ALL: Self = Self(((1_u64 << CHUNKS) - 1) as u32);

    /// Adds the chunk of this number.
    pub fn add(&mut self, number: u64) {
        let bit = 1 << number;
        assert!(self.0 & bit == 0, "chunk {number} is in two places");
        self.0 |= bit;
    }
}

/// Returns how far apart chunks begin: at even addresses.
pub fn chunk_step(umem: &Umem) -> u64 {
    umem.chunk_size().next_multiple_of(2).into()
}

/// Returns the number of the chunk that the byte at `address` is in, counted from the beginning of
/// the UMEM.
pub fn chunk_number(umem: &Umem, address: u64) -> u64 {
    address / chunk_step(umem)
}

/// As [`chunk_number`], for an address in a ring: of an unaligned chunk's byte it has the distance
/// from the chunk's beginning in the upper 16 bits.
fn number_in_ring(umem: &Umem, address: u64) -> u64 {
    chunk_number(umem, (address & (u64::MAX >> 16)) + (address >> 48))
}

pub fn mark(umem: &Umem, frame: &mut Frame) {
    let mark = chunk_number(umem, frame.address()) as u8 | 0x40;
    umem.bytes_mut(frame)[0] = mark;
}

/// Whether a frame in hand still has its mark: nothing else wrote to it.
pub fn marked(umem: &Umem, frame: &Frame) -> bool {
    let bytes = umem.bytes(frame);
    let end = frame.address() % chunk_step(umem) + u64::from(frame.len());
    bytes.len() == frame.len() as usize
        && end <= umem.chunk_size().into()
        && bytes[0] == chunk_number(umem, frame.address()) as u8 | 0x40
}

impl World {
    /// Asserts that no chunk has two handles, and that the ledger agrees with the handles.
    pub fn check(&mut self) {
        if self.hostile && self.has_packets() {
            self.learn_losses();
        }
        let (mut pool, mut user) = (Set::default(), Set::default());
        for frame in &self.held {
            user.add(chunk_number(&self.umem, frame.address()));
            assert!(marked(&self.umem, frame), "{frame:?}: something else wrote there");
        }
        for address in self.pools.iter().flat_map(|pool| pool.addresses()) {
            pool.add(chunk_number(&self.umem, address));
        }
        let lost = self.lost;
        assert_eq!(pool.0 & user.0, 0, "in a pool and in hand");
        assert_eq!(lost.0 & (pool.0 | user.0), 0, "lost, and in a pool or in hand");
        assert_eq!(self.umem.lost_chunks(), lost.0.count_ones(), "the count of lost chunks");
        let mut in_lost = Set::default();
        let (mut in_pool, mut in_hand) = (Set::default(), Set::default());
        for (chunk, place) in (0..).zip(self.umem.chunk_places().unwrap()) {
            match place {
                ChunkPlace::Pool => in_pool.add(chunk),
                ChunkPlace::User => in_hand.add(chunk),
                ChunkPlace::Lost => in_lost.add(chunk),
                ChunkPlace::Receiving | ChunkPlace::Sending => {}
            }
        }
        assert_eq!((in_pool, in_hand, in_lost), (pool, user, lost), "the ledger differs");
    }

    /// Learns which chunks the library has lost: those of the good frames of packets that have a bad
    /// one.
    fn learn_losses(&mut self) {
        for (chunk, place) in self.umem.chunk_places().unwrap().into_iter().enumerate() {
            let bit = 1 << chunk;
            if place == ChunkPlace::Lost && self.lost.0 & bit == 0 {
                self.lost.add(chunk as u64);
            }
        }
    }

    /// Asserts that every chunk comes back, unless the kernels are hostile.
    pub fn settle(mut self) {
        if self.hostile {
            return;
        }
        let places: Vec<Place> = (0..self.sockets()).map(|index| self.place(index)).collect();
        let Self { ports, pools: [pool, other], held, .. } = &mut self;
        held.drain(..).for_each(|frame| other.put(frame));
        for port in ports.iter_mut() {
            port.kernel.set_need_wakeup(RingKind::Tx, false);
        }
        let mut still = 0;
        while still < 2 {
            // One more round after nothing moved: reading an empty ring returns what a forgotten
            // guard took.
            let mut moved = 0;
            for place in &places {
                let (Parts { rx, completion, kernel, number, tx }, fill) =
                    parts(ports, *place, *place);
                // Publishes what a forgotten guard wrote.
                drop(tx.reserve(0).unwrap());
                drop(fill.reserve(0).unwrap());
                moved += kernel.deliver_unwritten_to(number, u32::MAX, 60);
                moved += kernel.transmit_unread(u32::MAX);
                moved += kernel.complete(u32::MAX);
                for frame in rx.receive(u32::MAX).unwrap().take(usize::MAX, false) {
                    pool.put(frame);
                    moved += 1;
                }
                for frame in completion.reap(u32::MAX).unwrap() {
                    other.put(frame);
                    moved += 1;
                }
            }
            still = if moved == 0 { still + 1 } else { 0 };
        }
        for place in &places {
            let (Parts { tx, .. }, _) = parts(ports, *place, *place);
            assert_eq!(tx.pending(), 0, "not sent");
        }
        self.check();
        let mut all = self.lost;
        for address in self.pools.iter().flat_map(|pool| pool.addresses()) {
            all.add(chunk_number(&self.umem, address));
        }
        for port in &self.ports {
            let rings = port.kernel.ring_contents();
            let empty = [&rings.fill, &rings.kernel, &rings.completion].map(Vec::is_empty);
            assert_eq!(empty, [true; 3], "left in a ring: {rings:?}");
            // Only dropped sockets did not receive, or send, everything.
            rings.tx.iter().for_each(|packet| all.add(number_in_ring(&self.umem, packet.addr)));
            rings.rx.iter().for_each(|packet| all.add(number_in_ring(&self.umem, packet.addr)));
        }
        assert_eq!(all, Set::ALL, "a chunk is missing");
    }
}
