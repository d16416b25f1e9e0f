//! What the card knows of a packet comes with that packet, and with no other one.

use proptest::prelude::*;
use std::collections::VecDeque;
use xsk::Umem;
use xsk::packet::{Property, RxHash, RxMetadata, VlanTag};
use xsk::test_util::{ChunkAudit, FakeKernel, strategies};

/// A step: packets that arrive with a record or past the program, or a look at the ring.
#[derive(Debug, Clone)]
enum Step {
    Arrive(Option<RxMetadata>),
    Receive { count: u32, take: usize },
}

fn property<T: Clone + std::fmt::Debug + 'static>(
    value: impl Strategy<Value = T>,
) -> impl Strategy<Value = Property<T>> {
    prop_oneof![
        4 => value.prop_map(Property::Known),
        1 => Just(Property::NotOfThisPacket),
        1 => Just(Property::NotSupported),
    ]
}

fn metadata() -> impl Strategy<Value = RxMetadata> {
    let hash = (any::<u32>(), any::<u16>()).prop_map(|(value, kind)| RxHash { value, kind });
    let tag = (1..=u16::MAX, any::<u16>()).prop_map(|(protocol, tci)| VlanTag { protocol, tci });
    (property(1..=u64::MAX), property(hash), property(tag)).prop_map(|(timestamp, hash, vlan)| {
        let mut metadata = RxMetadata::unknown();
        (metadata.timestamp, metadata.hash, metadata.vlan) = (timestamp, hash, vlan);
        metadata
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => metadata().prop_map(|metadata| Step::Arrive(Some(metadata))),
        2 => Just(Step::Arrive(None)),
        2 => (strategies::burst(), 0..6_usize)
            .prop_map(|(count, take)| Step::Receive { count, take }),
    ]
}

#[test]
fn each_packet_comes_with_its_own_record_or_none() {
    let umem = (strategies::umem(), 1..12_u32);
    let program = (umem, strategies::rings(4), prop::collection::vec(step(), 1..200));
    proptest!(strategies::config(300), |(((umem, chunks), rings, steps) in program)| {
        let (umem, mut pool) = umem.chunk_count(chunks).build()?;
        let (mut kernel, mut socket) = FakeKernel::with(&umem, rings)?;
        let mut rx = kernel.with_metadata(socket.rx);
        let mut expected = VecDeque::new();
        for step in &steps {
            socket.fill.fill_from(&mut pool, 99)?;
            match step {
                Step::Arrive(metadata) => {
                    let arrived = match metadata {
                        Some(metadata) => kernel.deliver_with_metadata(b"with", *metadata),
                        None => kernel.deliver(b"past"),
                    };
                    if arrived {
                        expected.push_back(*metadata);
                    }
                }
                Step::Receive { count, take } => {
                    for (frame, metadata) in rx.receive(*count)?.take(*take) {
                        let (text, wanted): (&[u8], _) = match expected.pop_front() {
                            Some(Some(wanted)) => (b"with", Some(wanted)),
                            Some(None) => (b"past", None),
                            None => panic!("a packet that did not arrive"),
                        };
                        prop_assert_eq!(umem.bytes(&frame), text);
                        prop_assert_eq!(metadata, wanted);
                        pool.put(frame);
                    }
                }
            }
            ChunkAudit::of(&umem).pool(&pool).rings(&kernel).check()?;
        }
    });
}

/// Packets that were received before the ring was asked for metadata leave records, too.
#[test]
fn records_from_before_are_not_believed() {
    let (umem, mut pool) = Umem::builder().chunk_count(4).build().unwrap();
    let (mut kernel, mut socket) = FakeKernel::new(&umem).unwrap();
    let metadata = RxMetadata::unknown();
    for _ in 0..8 {
        socket.fill.fill_from(&mut pool, 4).unwrap();
        assert!(kernel.deliver_with_metadata(b"with", metadata));
        assert_eq!(socket.rx.receive(4).unwrap().reclaim(&mut pool), 1);
    }
    let mut rx = kernel.with_metadata(socket.rx);
    for round in 0..8 {
        socket.fill.fill_from(&mut pool, 4).unwrap();
        assert!(kernel.deliver(b"past"));
        let (frame, found) = rx.receive(4).unwrap().next().unwrap();
        assert_eq!(found, None, "{round}");
        pool.put(frame);
    }
    socket.fill.fill_from(&mut pool, 4).unwrap();
    assert!(kernel.deliver_with_metadata(b"with", metadata));
    let (frame, found) = rx.receive(4).unwrap().next().unwrap();
    assert_eq!(found, Some(metadata));
    pool.put(frame);
}
