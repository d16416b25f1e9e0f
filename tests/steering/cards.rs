//! The two cards of a guest (`XSK_CARDS`), and traffic from one to the queues of the other.

use crate::common::{PATIENCE, joined_cards, kernel_can, until};
use std::net::Ipv4Addr;
use std::sync::MutexGuard;
use xsk::test_util::ip;
use xsk::{AttachMode, Attachment, Frame, Interface, Port, Registration, Socket, Umem};

/// Chunks of each socket.
const CHUNKS: u32 = 1024;

pub(crate) struct Cards {
    pub(crate) from: Interface,
    pub(crate) to: Interface,
    _turn: MutexGuard<'static, ()>,
}

impl Cards {
    /// Returns `None` after printing that the test is skipped.
    pub(crate) fn new(test: &str) -> Option<Self> {
        let ([from, to], _turn) = joined_cards(test)?;
        Some(Self { from, to, _turn })
    }

    /// Returns whether the cards are of one of these kinds (`XSK_CARDS_KIND`); prints that the test
    /// is skipped if not.
    pub(crate) fn are(&self, kinds: &[&str], test: &str) -> bool {
        let is = std::env::var("XSK_CARDS_KIND").is_ok_and(|value| kinds.contains(&&*value));
        kernel_can(test, is, &format!("needs cards of the kind {}", kinds.join(" or ")))
    }
}

/// A sender on one card, and a socket on each queue of the other.
pub(crate) struct Traffic {
    sender: Port,
    /// Without a program on its card, igb refuses to be woken in zero-copy mode.
    _on_sender: Attachment,
    receivers: Vec<(Port, Registration)>,
}

fn port(card: &Interface, queue: u32) -> Port {
    let (umem, pool) = Umem::builder().chunk_count(CHUNKS).build().unwrap();
    Port::bind(pool, Socket::builder(&umem).bind_timeout(PATIENCE), card, queue).unwrap()
}

impl Traffic {
    /// Returns it when packets arrive.
    pub(crate) fn new(cards: &Cards) -> Self {
        let sender = port(&cards.from, 0);
        let queues = cards.to.queues().unwrap().rx;
        let ports: Vec<Port> = (0..queues).map(|queue| port(&cards.to, queue)).collect();
        let attach = |card| Attachment::builder(card).mode(AttachMode::Native).attach().unwrap();
        let (_on_sender, program) = (attach(&cards.from), attach(&cards.to));
        let register = |port: Port| {
            let registration = port.socket.register(&program).unwrap();
            (port, registration)
        };
        let receivers = ports.into_iter().map(register).collect();
        let mut traffic = Self { sender, _on_sender, receivers };
        for card in [&cards.from, &cards.to] {
            ip::wait_for_carrier(card, PATIENCE).unwrap();
        }
        // A card that has taken no chunks yet drops packets.
        until("a packet arrives", || {
            traffic.send(&hello());
            traffic.receive().iter().any(|packets| !packets.is_empty())
        });
        traffic
    }

    /// Sends a packet, and waits until its chunk is back.
    fn send(&mut self, packet: &[u8]) {
        let Port { umem, pool, socket, .. } = &mut self.sender;
        let pooled = pool.len();
        let lay = |frame: &mut Frame| umem.write(frame, packet).unwrap();
        assert_eq!(socket.tx.send_each(pool, 1, lay).unwrap(), 1);
        until("sending", || {
            socket.tx.kick_if_needed().unwrap();
            socket.completion.reap_into(pool, 64).unwrap();
            pool.len() == pooled
        });
    }

    /// Returns the packets that came to each queue.
    fn receive(&mut self) -> Vec<Vec<Vec<u8>>> {
        let receive = |(port, _): &mut (Port, Registration)| {
            let mut packets = Vec::new();
            for frame in port.socket.rx.receive(64).unwrap() {
                packets.push(port.umem.bytes(&frame).to_vec());
                port.pool.put(frame);
            }
            port.service(64).unwrap();
            packets
        };
        self.receivers.iter_mut().map(receive).collect()
    }

    /// Sends packets one by one, and returns how many came to each queue.
    pub(crate) fn arrivals(&mut self, packets: &[Vec<u8>]) -> Vec<usize> {
        let mut counts = vec![0; self.receivers.len()];
        for packet in packets {
            self.send(packet);
            until("receiving", || {
                let mut arrived = false;
                for (count, received) in counts.iter_mut().zip(self.receive()) {
                    let these = received.iter().filter(|bytes| bytes.starts_with(packet)).count();
                    *count += these;
                    arrived |= these > 0;
                }
                arrived
            });
        }
        counts
    }
}

/// A packet that belongs to no test.
fn hello() -> Vec<u8> {
    ethernet(0x88b6)
}

/// Returns a packet of an ethertype, to all.
fn ethernet(ethertype: u16) -> Vec<u8> {
    let mut bytes = vec![0xff; 6];
    bytes.extend([2, 0, 0, 0, 0, 2]);
    bytes.extend(ethertype.to_be_bytes());
    bytes.resize(60, 0x55);
    bytes
}

/// Returns a UDP packet, to all; the checksum of UDP is left out.
pub(crate) fn udp(source: Ipv4Addr, ports: (u16, u16)) -> Vec<u8> {
    let mut bytes = ethernet(0x0800);
    bytes.truncate(14);
    let mut header = vec![0x45, 0, 0, 46, 0, 0, 0x40, 0, 64, 17, 0, 0];
    header.extend(source.octets());
    header.extend([10, 0, 0, 1]);
    let word = |pair: &[u8]| u32::from(u16::from_be_bytes([pair[0], pair[1]]));
    let sum: u32 = header.chunks_exact(2).map(word).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let checksum = !(((folded & 0xffff) + (folded >> 16)) as u16);
    header[10..12].copy_from_slice(&checksum.to_be_bytes());
    bytes.extend(header);
    bytes.extend(ports.0.to_be_bytes());
    bytes.extend(ports.1.to_be_bytes());
    bytes.extend([0, 26, 0, 0]);
    bytes.resize(60, 0x55);
    bytes
}
