//! Ports, packets in both directions, and where the chunks are.

use crate::common::{PATIENCE, packet, until};
use std::collections::BTreeSet;
use xsk::socket::SharedRx;
use xsk::test_util::Namespace;
use xsk::{Error, Fill, FramePool, Interface, Port, Socket, Tx, Umem};

/// Returns packet memory, half of whose chunks are in the fill ring of a socket on queue 0.
pub(crate) fn first(namespace: &Namespace, interface: &Interface, chunks: u32) -> Port {
    first_of(namespace, (interface, 0), chunks)
}

/// As [`first`], on any queue.
pub(crate) fn first_of(
    namespace: &Namespace,
    (interface, queue): (&Interface, u32),
    chunks: u32,
) -> Port {
    let (umem, mut pool) = Umem::builder().chunk_count(chunks).build().unwrap();
    let mut unbound =
        namespace.run(|| Socket::builder(&umem).bind_timeout(PATIENCE).open()).unwrap().unwrap();
    unbound.fill.fill_from(&mut pool, chunks / 2).unwrap();
    let bind = || Ok::<_, Error>(unbound.bind(interface, queue)?);
    let socket = namespace.run(bind).unwrap().unwrap();
    Port::new(umem, pool, socket)
}

/// Sends packets `from..to` by `tx`, whose chunks `reap` puts back into the pool.
pub(crate) fn send(
    (umem, pool): (&Umem, &mut FramePool),
    (from, to): (u32, u32),
    tx: &mut Tx,
    mut reap: impl FnMut(&mut FramePool),
) {
    let (all, mut next) = (pool.len(), from);
    until("packets to be sent", || {
        tx.send_each(pool, to - next, |frame| {
            umem.write(frame, &packet(next, 64)).unwrap();
            next += 1;
        })
        .unwrap();
        tx.kick_if_needed().unwrap();
        reap(pool);
        next == to && pool.len() == all
    });
}

/// Sends packets `from..to` from a port.
pub(crate) fn send_from(port: &mut Port, from: u32, to: u32) {
    let Port { umem, pool, socket: Socket { tx, completion, .. }, .. } = port;
    send((umem, pool), (from, to), tx, |pool| {
        completion.reap_into(pool, 64).unwrap();
    });
}

/// Receives what came, checks it, and gives the chunks back; returns the sequence numbers.
pub(crate) fn receive(rx: &mut SharedRx, umem: &Umem, pool: &mut FramePool) -> Vec<u32> {
    let mut numbers = Vec::new();
    for frame in rx.receive(64).unwrap() {
        let bytes = umem.bytes(&frame);
        let number = u32::from_be_bytes(bytes[14..18].try_into().unwrap());
        assert_eq!(bytes, packet(number, 64));
        numbers.push(number);
        pool.put(frame);
    }
    numbers
}

/// Checks that every chunk is in the pool or in the fill ring, each once.
pub(crate) fn assert_home(umem: &Umem, pool: &FramePool, fill: &Fill) {
    let size = u64::from(umem.chunk_size());
    let chunks: BTreeSet<u64> = pool.addresses().map(|address| address / size).collect();
    assert_eq!(chunks.len(), pool.len(), "a chunk is twice in the pool");
    let filled = usize::try_from(fill.pending()).unwrap();
    assert_eq!(chunks.len() + filled, umem.chunk_count());
    if let Some(counts) = umem.chunk_counts() {
        assert_eq!((counts.sending, counts.user, counts.lost), (0, 0, 0), "{counts:?}");
    }
}
