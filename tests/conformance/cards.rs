//! Cases that resize a card's own rings: two cards that a cable joins (`XSK_CARDS=name,name`).

use crate::common::{PATIENCE, kernel_can, until};
use crate::packets::{LEN, PACKETS, Packet, stream};
use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use xsk::attach::AttachMode;
use xsk::interface::{RingSizes, RingSizesGuard};
use xsk::test_util::ip;
use xsk::{Attachment, CopyMode, Interface, Port, Registration, Socket, Umem};

/// The most entries of a socket's rings here: twice what igb's own have.
const RING: u32 = 8192;

/// Tests take turns: there are only two cards.
static TURN: Mutex<()> = Mutex::new(());

/// How many packets of small batches may be on their way at once.
const ON_THE_WAY: usize = 64;

/// The number of a packet that may arrive or not.
const HELLO: u32 = 0xffff;

/// Returns the cards' names.
fn names() -> Option<(String, String)> {
    let names = std::env::var("XSK_CARDS").ok()?;
    names.split_once(',').map(|(one, two)| (one.to_owned(), two.to_owned()))
}

/// Returns whether there are cards whose rings can be resized.
pub(crate) fn are_there() -> bool {
    names().is_some_and(|(name, _)| {
        let card = Interface::by_name(name).unwrap();
        // A change to what it is already: a driver without such a call refuses that, too.
        let resize = |sizes: RingSizes| card.set_ring_sizes(&sizes).is_ok();
        card.ring_sizes().unwrap().is_some_and(resize)
    })
}

/// Two cards, with rings of their own of one size while this lives.
struct Cards {
    ends: [Interface; 2],
    mode: AttachMode,
    _sizes: [RingSizesGuard; 2],
    _turn: MutexGuard<'static, ()>,
}

impl Cards {
    /// Returns `None` after printing that the case is skipped.
    fn new(case: &str, mode: AttachMode, choose: impl Fn(&mut RingSizes)) -> Option<Self> {
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        if !kernel_can(case, are_there(), "needs two cards whose rings can be resized, XSK_CARDS") {
            return None;
        }
        let (one, two) = names()?;
        let ends = [one, two].map(|name| {
            let card = Interface::by_name(name).unwrap();
            ip::without_ipv6(&card).unwrap();
            ip::set_up(&card, true).unwrap();
            card
        });
        let _sizes = ends.each_ref().map(|card| {
            let mut sizes = card.ring_sizes().unwrap().unwrap();
            choose(&mut sizes);
            let guard = card.set_ring_sizes(&sizes).unwrap();
            assert_eq!(guard.sizes(), &sizes, "no rounding");
            guard
        });
        Some(Self { ends, mode, _sizes, _turn })
    }

    /// Returns a sender on one card and a receiver on the other, when packets arrive, and what they
    /// are attached with.
    fn ports(&self) -> ([Port; 2], (Attachment, Registration)) {
        let [one, two] = &self.ends;
        let open = |card| {
            let (umem, pool) = Umem::builder().chunk_count(2 * RING).build().unwrap();
            // The kernel has no zero-copy mode beside a program in generic mode.
            let copy = match self.mode {
                AttachMode::Generic => CopyMode::Copy,
                _ => CopyMode::Auto,
            };
            let socket = Socket::builder(&umem)
                .rx_size(RING)
                .tx_size(RING)
                .fill_size(RING)
                .completion_size(RING)
                .copy_mode(copy)
                .bind_timeout(PATIENCE);
            Port::bind(pool, socket, card, 0).unwrap()
        };
        let (mut sender, mut receiver) = (open(one), open(two));
        // Without a program on its card, igb refuses to be woken in zero-copy mode.
        let attach = |card| Attachment::builder(card).mode(self.mode).attach().unwrap();
        let (on_sender, attachment) = (attach(one), attach(two));
        let registration = receiver.socket.register(&attachment).unwrap();
        if self.mode != AttachMode::Generic && std::env::var("XSK_ZERO_COPY").is_ok() {
            assert!(sender.socket.handle.is_zero_copy() && receiver.socket.handle.is_zero_copy());
        }
        for card in &self.ends {
            ip::wait_for_carrier(card, PATIENCE).unwrap();
        }
        let (hello, pooled) = ([Packet { number: HELLO, len: LEN }], sender.pool.len());
        until("a packet arrives", || {
            push(&mut sender, &hello);
            wake(&mut sender);
            receive(&mut receiver).contains(&bytes(hello[0]))
        });
        until("the chunks are back", || {
            wake(&mut sender);
            sender.pool.len() == pooled
        });
        ([sender, receiver], (on_sender, registration))
    }
}

/// HW_SW_MIN_RING_SIZE: the card's RX ring has 128 entries and its TX ring 64; single packets, then
/// batches of one less than the TX ring has entries.
pub(crate) fn hw_sw_min_ring_size(mode: AttachMode) {
    let smallest = |sizes: &mut RingSizes| (sizes.rx, sizes.tx) = (128, 64);
    let Some(cards) = Cards::new("hw_sw_min_ring_size", mode, smallest) else {
        return;
    };
    let ([mut sender, mut receiver], _attached) = cards.ports();
    all_arrive(&mut sender, &mut receiver, &stream(PACKETS, LEN), 1);
    all_arrive(&mut sender, &mut receiver, &stream(PACKETS, LEN), 63);
}

/// HW_SW_MAX_RING_SIZE: the card's rings are as long as they can be, and the socket's twice as long
/// as those; batches of 2048, then of eight less than the TX ring has entries.
pub(crate) fn hw_sw_max_ring_size(mode: AttachMode) {
    let longest = |sizes: &mut RingSizes| (sizes.rx, sizes.tx) = (sizes.max_rx, sizes.max_tx);
    let Some(cards) = Cards::new("hw_sw_max_ring_size", mode, longest) else {
        return;
    };
    let ([mut sender, mut receiver], _attached) = cards.ports();
    all_arrive(&mut sender, &mut receiver, &stream(PACKETS, LEN), 2048);
    let batch = cards.ends[0].ring_sizes().unwrap().unwrap().tx - 8;
    assert!(batch > 2048 && batch < RING, "{batch}");
    all_arrive(&mut sender, &mut receiver, &stream(2 * batch, LEN), batch as usize);
}

/// Sends packets in batches of this size and receives them all, in order and intact. Every chunk of
/// the sender comes back, each once.
#[track_caller]
fn all_arrive(from: &mut Port, to: &mut Port, packets: &[Packet], batch: usize) {
    let pooled: BTreeSet<u64> = from.pool.addresses().collect();
    let mut rest = packets.chunks(batch);
    let (mut sent, mut received) = (0, 0);
    let start = Instant::now();
    while received < packets.len() || from.pool.len() < pooled.len() {
        let on_the_way = sent - received;
        if on_the_way == 0 || on_the_way + batch <= ON_THE_WAY {
            sent += rest.next().map_or(0, |packets| push(from, packets));
        }
        wake(from);
        for packet in receive(to).iter().filter(|packet| **packet != hello()) {
            assert!(received < sent, "a packet too many: {packet:?}");
            assert_eq!(*packet, bytes(packets[received]), "packet {received}");
            received += 1;
        }
        assert!(
            start.elapsed() < PATIENCE,
            "{sent} packets sent in batches of {batch}, {received} received, {} of {} chunks back: {:?} {:?}",
            from.pool.len(),
            pooled.len(),
            from.socket.handle.statistics(),
            to.socket.handle.statistics(),
        );
    }
    assert_eq!(from.pool.addresses().collect::<BTreeSet<_>>(), pooled);
    let statistics = to.socket.handle.statistics().unwrap();
    let lost = (statistics.rx_dropped, statistics.rx_ring_full, statistics.rx_invalid_descs);
    assert_eq!(lost, (0, Some(0), 0));
}

/// Returns the bytes of a packet, to all: a card ignores packets for another address.
fn bytes(packet: Packet) -> Vec<u8> {
    let mut bytes = packet.bytes();
    bytes[..6].fill(0xff);
    bytes
}

fn hello() -> Vec<u8> {
    bytes(Packet { number: HELLO, len: LEN })
}

/// Puts packets into the TX ring, all at once. Returns how many.
#[track_caller]
fn push(port: &mut Port, packets: &[Packet]) -> usize {
    let Port { umem, pool, socket, .. } = port;
    let mut rest = packets.iter();
    let sent = socket.tx.send_each(pool, packets.len() as u32, |frame| {
        umem.write(frame, &bytes(*rest.next().unwrap())).unwrap();
    });
    assert_eq!(sent.unwrap() as usize, packets.len(), "the ring has room for a batch");
    packets.len()
}

/// Wakes the kernel to send, and takes chunks back.
fn wake(port: &mut Port) {
    port.socket.tx.kick_if_needed().unwrap();
    port.socket.completion.reap_into(&mut port.pool, RING).unwrap();
}

/// Returns the bytes of what has arrived, and gives the chunks back.
fn receive(port: &mut Port) -> Vec<Vec<u8>> {
    let Port { umem, pool, socket, .. } = port;
    let mut packets = Vec::new();
    for frame in socket.rx.receive(RING).unwrap() {
        packets.push(umem.bytes(&frame).to_vec());
        pool.put(frame);
    }
    socket.fill.fill_from(pool, packets.len() as u32).unwrap();
    socket.fill.kick_if_needed().unwrap();
    packets
}
