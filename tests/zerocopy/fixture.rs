//! The cards, and a socket on each.

use crate::common::{PATIENCE, joined_cards, packet, until};
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::MutexGuard;
use xsk::test_util::ip;
use xsk::{
    AttachMode, Attachment, CopyMode, Error, Fill, FramePool, Interface, Registration, Socket, Umem,
};

/// Chunks of each socket's memory, and entries of each ring.
pub(crate) const CHUNKS: u32 = 1024;
/// Chunks that a receiver gives to the kernel.
pub(crate) const FILL: u32 = 512;
/// Bytes of a packet.
pub(crate) const LEN: usize = 60;

/// Of these, what a socket over the memory of another one gets: in all, and for the kernel.
const SHARE: (u32, u32) = (384, 320);

/// The number of packets of which any may arrive, or none.
const HELLO: u32 = u32::MAX - 1;

pub(crate) struct Cards {
    pub(crate) one: Interface,
    pub(crate) two: Interface,
    _turn: MutexGuard<'static, ()>,
}

impl Cards {
    /// Returns `None` after printing that the test is skipped.
    pub(crate) fn new(test: &str) -> Option<Self> {
        let ([one, two], _turn) = joined_cards(test)?;
        Some(Self { one, two, _turn })
    }
}

/// Returns whether copy mode is a failure on this machine.
pub(crate) fn required() -> bool {
    std::env::var("XSK_ZERO_COPY").is_ok_and(|value| value == "require")
}

/// Returns whether the cards are of this kind (`XSK_CARDS_KIND`).
pub(crate) fn kind_is(kind: &str) -> bool {
    std::env::var("XSK_CARDS_KIND").is_ok_and(|value| value == kind)
}

/// How a side is set up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setup {
    pub(crate) copy: CopyMode,
    pub(crate) need_wakeup: bool,
    pub(crate) fill: When,
}

/// When the fill ring gets its chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    BeforeBind,
    BeforeAttach,
    Last,
}

pub(crate) const USUAL: Setup =
    Setup { copy: CopyMode::Auto, need_wakeup: true, fill: When::BeforeBind };

/// Addressed to all: a card may ignore packets for another address.
pub(crate) fn broadcast(number: u32) -> Vec<u8> {
    let mut bytes = packet(number, LEN);
    bytes[..6].fill(0xff);
    bytes
}

/// Returns the number of a packet that these tests sent.
pub(crate) fn number(bytes: &[u8]) -> Option<u32> {
    let number = u32::from_be_bytes(bytes.get(14..18)?.try_into().ok()?);
    (bytes[12..14] == [0x88, 0xb5] && number != HELLO).then_some(number)
}

/// A socket on queue 0 of a card, its program, and its memory.
pub(crate) struct Side {
    pub(crate) umem: Umem,
    pub(crate) pool: FramePool,
    pub(crate) socket: Socket,
    /// How many chunks are in the pool while nothing is under way.
    at_rest: usize,
    registration: Registration,
    attachment: Attachment,
}

/// Returns a side on each card, when the link between them is up: setting a program up may take it
/// down, for seconds.
pub(crate) fn sides(cards: &Cards, setup: Setup) -> (Side, Side) {
    let sides = (Side::new(&cards.one, setup), Side::new(&cards.two, setup));
    wait_for_links(cards);
    sides
}

pub(crate) fn wait_for_links(cards: &Cards) {
    for card in [&cards.one, &cards.two] {
        ip::wait_for_carrier(card, PATIENCE).unwrap();
    }
}

impl Side {
    pub(crate) fn new(card: &Interface, setup: Setup) -> Self {
        let (umem, mut pool) = Umem::builder().chunk_count(CHUNKS).build().unwrap();
        let mut unbound = Socket::builder(&umem)
            .copy_mode(setup.copy)
            .need_wakeup(setup.need_wakeup)
            .bind_timeout(PATIENCE)
            .open()
            .unwrap();
        let mut fill = |ring: &mut Fill, now| {
            if setup.fill == now {
                assert_eq!(ring.fill_from(&mut pool, FILL), Ok(FILL));
            }
        };
        fill(&mut unbound.fill, When::BeforeBind);
        let mut socket = unbound.bind(card, 0).unwrap();
        fill(&mut socket.fill, When::BeforeAttach);
        let (attachment, registration) = register(card, &socket);
        fill(&mut socket.fill, When::Last);
        socket.fill.kick_if_needed().unwrap();
        let at_rest = (CHUNKS - FILL) as usize;
        let side = Self { umem, pool, socket, at_rest, registration, attachment };
        if required() && setup.copy != CopyMode::Copy {
            assert!(side.socket.handle.is_zero_copy(), "{}", side.socket.handle.copy_reason());
        }
        side
    }

    /// Returns a side on another card or queue, over the same registration of the memory, with a part
    /// of the chunks.
    pub(crate) fn share(&mut self, card: &Interface, queue: u32) -> Self {
        let (all, filled) = SHARE;
        let mut pool = self.pool.split_off(all as usize);
        self.at_rest = self.pool.len();
        let builder = self.socket.handle.share_memory().bind_timeout(PATIENCE);
        let mut unbound = builder.open().unwrap();
        assert_eq!(unbound.fill.fill_from(&mut pool, filled), Ok(filled));
        let socket = unbound.bind(card, queue).unwrap();
        let (attachment, registration) = register(card, &socket);
        let at_rest = pool.len();
        Self { umem: self.umem.clone(), pool, socket, at_rest, registration, attachment }
    }

    /// Sends until a packet arrives at the other side: a card that has taken no chunks yet drops
    /// packets, and does not report when it has.
    pub(crate) fn until_it_arrives(&mut self, other: &mut Self) {
        until("a packet arrives", || {
            self.send(HELLO..HELLO + 1);
            let (mut seen, mut back) = (false, 0);
            for frame in other.socket.rx.receive(64).unwrap() {
                seen |= other.umem.bytes(&frame).starts_with(&broadcast(HELLO));
                other.pool.put(frame);
                back += 1;
            }
            assert_eq!(other.socket.fill.fill_from(&mut other.pool, back), Ok(back));
            other.socket.fill.kick_if_needed().unwrap();
            seen
        });
    }

    /// Sends packets `numbers`, and waits until all their chunks are back.
    pub(crate) fn send(&mut self, numbers: Range<u32>) {
        self.send_as(numbers, broadcast);
    }

    /// As [`Side::send`], with other packets.
    pub(crate) fn send_as(&mut self, numbers: Range<u32>, packet: impl Fn(u32) -> Vec<u8>) {
        let mut next = numbers.start;
        let pooled = self.pool.len();
        until("sending", || {
            let left = numbers.end - next;
            let umem = &self.umem;
            let mut number = next;
            let sent = self.socket.tx.send_each(&mut self.pool, left.min(64), |frame| {
                umem.write(frame, &packet(number)).unwrap();
                number += 1;
            });
            next += sent.unwrap();
            assert_eq!(next, number);
            self.socket.tx.kick_if_needed().unwrap();
            self.socket.completion.reap_into(&mut self.pool, 64).unwrap();
            next == numbers.end && self.pool.len() == pooled
        });
    }

    /// Receives `numbers` in order, each once and as it was sent; other packets are ignored.
    pub(crate) fn receive(&mut self, numbers: Range<u32>) {
        self.receive_as(numbers, broadcast);
    }

    /// As [`Side::receive`], with other packets.
    pub(crate) fn receive_as(&mut self, numbers: Range<u32>, packet: impl Fn(u32) -> Vec<u8>) {
        let mut next = numbers.start;
        self.receive_each(numbers.end - numbers.start, |_, bytes| {
            assert_eq!(bytes[..LEN], packet(next), "packet {next}");
            next += 1;
        });
    }

    /// Calls `check` with the number and the bytes of each of `count` packets; other packets are
    /// ignored.
    pub(crate) fn receive_each(&mut self, count: u32, mut check: impl FnMut(u32, &[u8])) {
        let mut received = 0;
        until("receiving", || {
            let mut back = 0;
            for frame in self.socket.rx.receive(64).unwrap() {
                let bytes = self.umem.bytes(&frame);
                if let Some(number) = number(bytes) {
                    check(number, bytes);
                    received += 1;
                }
                self.pool.put(frame);
                back += 1;
            }
            assert_eq!(self.socket.fill.fill_from(&mut self.pool, back), Ok(back));
            self.socket.fill.kick_if_needed().unwrap();
            received == count
        });
    }

    /// Asserts that every chunk is here once, or with the card, which keeps those that it will
    /// receive into.
    pub(crate) fn account(&self) {
        let pooled: BTreeSet<u64> = self.pool.addresses().collect();
        assert_eq!(pooled.len(), self.pool.len(), "a chunk is here twice");
        assert_eq!(self.pool.len(), self.at_rest);
        if let Some(counts) = self.umem.chunk_counts() {
            assert_eq!(counts.pool + counts.receiving, CHUNKS as usize, "{counts:?}");
        }
        let statistics = self.socket.handle.statistics().unwrap();
        assert_eq!(statistics.rx_invalid_descs, 0, "{statistics:?}");
        assert_eq!(statistics.tx_invalid_descs, 0, "{statistics:?}");
    }

    pub(crate) fn close(self) {
        self.registration.close().unwrap();
        self.attachment.close().unwrap();
    }
}

/// Attaches the default program in native mode, and registers the socket.
fn register(card: &Interface, socket: &Socket) -> (Attachment, Registration) {
    let attachment = Attachment::builder(card).mode(AttachMode::Native).attach().unwrap();
    let registration = socket.register(&attachment).unwrap();
    (attachment, registration)
}

/// Binds for zero-copy alone; returns whether the kernel reports zero-copy.
pub(crate) fn forced(card: &Interface) -> Result<bool, Error> {
    let (umem, _pool) = Umem::builder().chunk_count(CHUNKS).build().unwrap();
    let builder = Socket::builder(&umem).copy_mode(CopyMode::ZeroCopy);
    let socket = builder.bind_timeout(PATIENCE).bind(card, 0)?;
    Ok(socket.handle.is_zero_copy())
}
