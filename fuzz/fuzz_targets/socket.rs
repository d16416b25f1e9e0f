//! Programs of calls on a socket with a fake kernel behind it: no chunk is ever in two places.
#![no_main]

use arbitrary::Arbitrary;
use std::collections::BTreeSet;
use xsk::test_util::{FakeKernel, FakeRings, Index};
use xsk::{Frame, Umem};

#[derive(Arbitrary, Debug)]
enum Call {
    Fill(u8),
    Deliver(u8),
    Receive(u8),
    ReceiveAndForget(u8),
    Recycle(u8),
    Forward(u8),
    ToPool(u8),
    Push(u8),
    SendFrom(u8),
    Transmit(u8),
    Complete(u8),
    Reap(u8),
    ReapIntoFill(u8),
    PutAll,
    HostileReceive(u64, u32, u32),
    HostileComplete(u64),
}

const CHUNKS: u32 = 16;

libfuzzer_sys::fuzz_target!(|input: (u32, Vec<Call>)| {
    let (start, calls) = input;
    let Ok((umem, mut pool)) = Umem::builder().chunks(CHUNKS).chunk_size(2048).build() else { return };
    let rings = FakeRings { rx: 8, tx: 8, fill: 16, completion: 8, start: Index::new(start) };
    let (mut kernel, mut socket) = FakeKernel::with(&umem, rings).unwrap();
    let mut held: Vec<Frame> = Vec::new();
    for call in calls {
        match call {
            Call::Fill(n) => drop(socket.fill.fill_from(&mut pool, n.into())),
            Call::Deliver(n) => drop(kernel.deliver(&vec![n; usize::from(n)])),
            Call::Receive(n) => {
                if let Ok(batch) = socket.rx.receive(n.into()) {
                    held.extend(batch);
                }
            }
            Call::ReceiveAndForget(n) => {
                if let Ok(batch) = socket.rx.receive(n.into()) {
                    let mut frames = batch.into_iter();
                    held.extend(frames.next());
                    std::mem::forget(frames);
                }
            }
            Call::Recycle(n) => {
                if let Ok(batch) = socket.rx.receive(n.into()) {
                    let _ = batch.recycle(&mut socket.fill);
                }
            }
            Call::Forward(n) => {
                if let Ok(batch) = socket.rx.receive(n.into()) {
                    let _ = batch.forward(&mut socket.tx);
                }
            }
            Call::ToPool(n) => {
                if let Ok(batch) = socket.rx.receive(n.into()) {
                    batch.into_pool(&mut pool);
                }
            }
            Call::Push(n) => {
                if let Ok(mut slots) = socket.tx.reserve(n.into()) {
                    while let Some(frame) = held.pop() {
                        if let Err(frame) = slots.push(frame) {
                            held.push(frame);
                            break;
                        }
                    }
                }
            }
            Call::SendFrom(n) => drop(socket.tx.send_from(&mut pool, n.into(), 60)),
            Call::Transmit(n) => drop(kernel.transmit_unread(n.into())),
            Call::Complete(n) => drop(kernel.complete(n.into())),
            Call::Reap(n) => drop(socket.completion.reap_into(&mut pool, n.into())),
            Call::ReapIntoFill(n) => {
                if let Ok(batch) = socket.completion.reap(n.into()) {
                    let _ = batch.into_fill(&mut socket.fill);
                }
            }
            Call::PutAll => held.drain(..).for_each(|frame| pool.put(frame)),
            Call::HostileReceive(address, len, options) => {
                kernel.hostile().unwrap().receive(address, len, options);
            }
            Call::HostileComplete(address) => kernel.hostile().unwrap().complete(address),
        }
        let mut seen = BTreeSet::new();
        for frame in &held {
            let bytes = umem.bytes(frame);
            assert!(!bytes.is_empty());
            assert!(seen.insert(frame.address() / 2048), "two frames of one chunk");
        }
        for chunk in pool.addresses() {
            assert!(seen.insert(chunk / 2048), "a chunk in the pool and in hand");
        }
    }
});
