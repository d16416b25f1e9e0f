//! Sockets for packets of several frames at the two ends of a cable, and packets between them.

use crate::common::{Cable, PATIENCE, until};
use std::collections::BTreeSet;
use xsk::attach::{AttachMode, Attachment};
use xsk::socket::{PacketSocket, SocketBuilder};
use xsk::test_util::{Namespace, VethPair};
use xsk::umem::UmemBuilder;
use xsk::{FramePool, Interface, Registration, Socket, Umem};

/// A socket with its packet memory and free chunks.
pub(crate) struct End {
    pub(crate) umem: Umem,
    pub(crate) pool: FramePool,
    pub(crate) socket: PacketSocket,
}

/// Returns a cable for packets of 9000 bytes.
pub(crate) fn jumbo_cable() -> Cable {
    jumbo_cable_of(1)
}

/// As [`jumbo_cable`], with so many queues.
pub(crate) fn jumbo_cable_of(queues: u32) -> Cable {
    Cable::build(VethPair::builder().mtu(9000).queues(queues))
}

impl End {
    /// Makes a socket on queue 0 with packet memory of `builder`, a half of whose chunks are in the
    /// fill ring.
    pub(crate) fn new(namespace: &Namespace, interface: &Interface, builder: UmemBuilder) -> Self {
        Self::with(namespace, interface, builder, |socket| socket)
    }

    /// As [`new`](Self::new), after `set` had the builder of the socket.
    pub(crate) fn with(
        namespace: &Namespace,
        interface: &Interface,
        builder: UmemBuilder,
        set: impl FnOnce(SocketBuilder<PacketSocket>) -> SocketBuilder<PacketSocket> + Send,
    ) -> Self {
        let (umem, mut pool) = builder.build().unwrap();
        let socket = namespace.run(|| {
            let builder = Socket::builder(&umem).bind_timeout(PATIENCE).multi_buffer();
            let mut socket = set(builder).open().unwrap();
            let half = u32::try_from(pool.len() / 2).unwrap();
            assert_eq!(socket.fill.fill_from(&mut pool, half), Ok(half));
            socket.bind(interface, 0).unwrap()
        });
        Self { umem, pool, socket: socket.unwrap() }
    }

    /// Attaches a program for packets of several frames, and has them come to this socket.
    pub(crate) fn register(
        &self,
        namespace: &Namespace,
        interface: &Interface,
        mode: AttachMode,
    ) -> (Attachment, Registration) {
        let attach = || Attachment::builder(interface).mode(mode).frags(true).attach().unwrap();
        let attachment = namespace.run(attach).unwrap();
        let registration = self.socket.register(&attachment).unwrap();
        (attachment, registration)
    }

    /// Sends packets of these lengths, numbered from `first` on, and reaps all of their chunks.
    pub(crate) fn send(&mut self, first: u32, lengths: &[u64]) {
        let Self { umem, pool, socket } = self;
        let (all, mut next) = (pool.len(), 0);
        until("packets to be sent", || {
            let mut slots = socket.tx.reserve(64).unwrap();
            while let Some(&len) = lengths.get(next) {
                let Some(mut packet) = pool.take_packet(len) else { break };
                let bytes = bytes(first + u32::try_from(next).unwrap(), len);
                umem.write_packet(packet.frames_mut(), &bytes).unwrap();
                if let Err(refused) = slots.push(packet) {
                    pool.extend(refused.packet);
                    break;
                }
                next += 1;
            }
            drop(slots);
            socket.tx.kick_if_needed().unwrap();
            socket.completion.reap_into(pool, 64).unwrap();
            next == lengths.len() && pool.len() == all
        });
    }

    /// Receives packets of these lengths, in this order; returns of how many frames they were.
    pub(crate) fn receive(&mut self, first: u32, lengths: &[u64]) -> Vec<usize> {
        let Self { umem, pool, socket } = self;
        let mut frames = Vec::new();
        until("packets to come", || {
            let before = pool.len();
            for packet in socket.rx.receive(64).unwrap() {
                let number = frames.len();
                assert!(number < lengths.len(), "a packet too many: {packet:?}");
                let wanted = bytes(first + u32::try_from(number).unwrap(), lengths[number]);
                assert_eq!(packet.len(), lengths[number], "packet {number}");
                assert_eq!(umem.packet_bytes(packet.frames()).to_vec(), wanted, "{number}");
                frames.push(packet.frames().len());
                pool.extend(packet);
            }
            let taken = u32::try_from(pool.len() - before).unwrap();
            assert_eq!(socket.fill.fill_from(pool, taken), Ok(taken));
            frames.len() == lengths.len()
        });
        frames
    }

    /// Checks that every chunk is in the pool or in the fill ring, each once.
    pub(crate) fn assert_home(&self) {
        let Self { umem, pool, socket } = self;
        let size = u64::from(umem.chunk_size());
        let chunks: BTreeSet<u64> = pool.addresses().map(|address| address / size).collect();
        assert_eq!(chunks.len(), pool.len(), "a chunk is twice in the pool");
        let filled = usize::try_from(socket.fill.pending()).unwrap();
        assert_eq!(chunks.len() + filled, umem.chunk_count());
        if let Some(counts) = umem.chunk_counts() {
            assert_eq!((counts.sending, counts.user, counts.lost), (0, 0, 0), "{counts:?}");
        }
    }
}

/// Returns the bytes of a packet: an Ethernet header with a type for experiments, and a pattern.
pub(crate) fn bytes(number: u32, len: u64) -> Vec<u8> {
    let header = [[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2].as_slice(), &[0x88, 0xb5]].concat();
    let pattern = (0..).map(|at: u32| number.wrapping_mul(31).wrapping_add(at).to_le_bytes()[0]);
    let mut bytes: Vec<u8> = header.into_iter().chain(pattern).take(len as usize).collect();
    bytes[14..18].copy_from_slice(&number.to_be_bytes());
    bytes
}
