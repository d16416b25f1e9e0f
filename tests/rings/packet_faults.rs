//! Packets without an end, with bad frames, or with frames of another UMEM; and closures that panic or
//! exchange frames.

use crate::fixture::panics;
use crate::jumbo::{Jumbo, ROOM, chunk};
use crate::packets::{WAYS, pass_on};
use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::Once;
use xsk::ring::RingKind;
use xsk::socket::PacketSocket;
use xsk::uapi::if_xdp::XDP_PKT_CONTD;
use xsk::{Frame, Packet, RingError};

#[test]
fn a_packet_without_its_end_stays_in_the_ring_and_comes_whole() {
    for way in WAYS {
        for before in [0, 2] {
            let mut jumbo = Jumbo::with_received(&[1, 2][..before]);
            assert_eq!(jumbo.socket.fill.fill_from(&mut jumbo.pool, 3), Ok(3));
            let arrive = |jumbo: &mut Jumbo, len, options| {
                // SAFETY: the chunk is one of the fill ring.
                let mut hostile = unsafe { jumbo.kernel.hostile_unchecked() };
                hostile.receive_filled(len, options).unwrap()
            };
            let mut chunks = vec![arrive(&mut jumbo, ROOM, XDP_PKT_CONTD)];
            // What is before it comes, and it does not.
            assert_eq!(pass_on(&mut jumbo, way, 9), Ok(before as u32), "{way}");
            chunks.push(arrive(&mut jumbo, ROOM, XDP_PKT_CONTD));
            for other in WAYS {
                assert_eq!(pass_on(&mut jumbo, other, 9), Ok(0), "{way} {other}");
            }
            assert!(jumbo.socket.rx.receive(9).unwrap().into_iter().next().is_none());
            jumbo.audit([], []);
            chunks.push(arrive(&mut jumbo, 9, 0));
            if before == 0 {
                assert_eq!(pass_on(&mut jumbo, way, 9), Ok(1), "{way}");
                assert_eq!(pass_on(&mut jumbo, way, 9), Ok(0), "{way}");
                jumbo.assert_all_back();
                continue;
            }
            let packet = jumbo.socket.rx.receive(9).unwrap().into_iter().next().unwrap();
            let frames = packet.frames().iter();
            let frames: Vec<(u64, u32)> = frames.map(|frame| (chunk(frame), frame.len())).collect();
            assert_eq!(frames, [(chunks[0], ROOM), (chunks[1], ROOM), (chunks[2], 9)]);
            jumbo.pool.extend(packet);
            jumbo.assert_all_back();
        }
    }
}

#[test]
fn a_packet_that_fills_the_ring_and_goes_on_is_one_error_and_the_ring_goes_on() {
    for way in WAYS {
        for before in [0, 3] {
            let mut jumbo = Jumbo::new();
            jumbo.receive(&[1; 3][..before]);
            assert_eq!(pass_on(&mut jumbo, "reclaim", 9), Ok(before as u32));
            assert_eq!(jumbo.socket.fill.fill_from(&mut jumbo.pool, 17), Ok(17));
            let mut lost = BTreeSet::new();
            for _ in 0..16 {
                // SAFETY: the chunk is one of the fill ring.
                let mut hostile = unsafe { jumbo.kernel.hostile_unchecked() };
                lost.insert(hostile.receive_filled(ROOM, XDP_PKT_CONTD).unwrap());
            }
            assert_eq!(pass_on(&mut jumbo, way, 9), Ok(0), "{way}");
            let endless = RingError::EndlessPacket { ring: RingKind::Rx, frames: 16 };
            assert_eq!(pass_on(&mut jumbo, way, 9), Err(endless), "{way}");
            assert_eq!(jumbo.umem.lost_chunks(), 16);
            assert!(jumbo.kernel.deliver(b"good"));
            assert_eq!(pass_on(&mut jumbo, way, 9), Ok(1), "{way}");
            jumbo.audit([], lost.iter().copied());
            assert_eq!(jumbo.missing(&[]), lost);
        }
    }
}

/// A frame that is not valid takes its packet with it; the packets before and behind it come.
#[test]
fn a_bad_frame_ends_its_packet_and_is_named_once() {
    for way in WAYS {
        for bad in 0..3 {
            for (len, options) in [(0, 0), (ROOM + 1, 0), (u32::MAX, 0), (60, 2), (60, 1 << 31)] {
                let mut jumbo = Jumbo::with_received(&[2]);
                assert_eq!(jumbo.socket.fill.fill_from(&mut jumbo.pool, 4), Ok(4));
                let (mut lost, mut expected) = (BTreeSet::new(), None);
                for at in 0..3 {
                    let contd = if at < 2 { XDP_PKT_CONTD } else { 0 };
                    let (len, options) = if at == bad { (len, options) } else { (60, 0) };
                    // SAFETY: the chunk is one of the fill ring.
                    let mut hostile = unsafe { jumbo.kernel.hostile_unchecked() };
                    let chunk = hostile.receive_filled(len, options | contd).unwrap();
                    if at == bad {
                        let (address, options) = (chunk + 256, options | contd);
                        let ring = RingKind::Rx;
                        expected = Some(RingError::BadEntry { ring, address, len, options });
                    }
                    lost.insert(chunk);
                }
                assert!(jumbo.kernel.deliver(b"good"));
                assert_eq!(pass_on(&mut jumbo, way, 9), Ok(1), "{way} {bad} {len} {options}");
                let error = pass_on(&mut jumbo, way, 9);
                assert_eq!(error.err(), expected, "{way} {bad} {len} {options}");
                // All but the bad one's chunk, which may be no chunk at all.
                assert_eq!(jumbo.umem.lost_chunks(), 2);
                assert_eq!(pass_on(&mut jumbo, way, 9), Ok(1), "{way} {bad} {len} {options}");
                jumbo.audit([], lost.iter().copied());
                assert_eq!(jumbo.missing(&[]), lost, "{way} {bad} {len} {options}");
            }
        }
    }
}

/// A panic in the middle of a packet loses its frames, and no others.
#[test]
fn a_panic_loses_the_packet_in_hand_only() {
    for frames in [[1_u32, 3, 1, 2], [3, 1, 4, 1], [1, 1, 1, 1]] {
        for at in 0..4 {
            for way in ["recycle_each", "forward_each"] {
                let mut jumbo = Jumbo::with_received(&frames);
                let PacketSocket { rx, tx, fill, .. } = &mut jumbo.socket;
                let (mut number, mut lost) = (0, Vec::new());
                let bomb = |frames: &mut [Frame]| {
                    if number == at {
                        lost.extend(frames.iter().map(chunk));
                        panic!("on purpose");
                    }
                    number += 1;
                };
                let batch = rx.receive(9).unwrap();
                assert!(panics(|| match way {
                    "forward_each" => batch.forward_each(tx, bomb),
                    _ => batch.recycle_each(fill, bomb),
                }));
                assert_eq!(lost.len(), frames[at] as usize);
                let before: u32 = frames[..at].iter().sum();
                let moved = if way == "forward_each" { tx.pending() } else { fill.pending() };
                assert_eq!(moved, before, "{way} {frames:?} {at}");
                jumbo.audit([], lost.iter().copied());
                // Without the ledger, a panic over a packet of one frame is not counted.
                let counted = jumbo.umem.lost_chunks();
                if frames[at] > 1
                    || frames[..at].iter().any(|frames| *frames > 1)
                    || jumbo.umem.chunk_counts().is_some()
                {
                    assert_eq!(counted, frames[at]);
                }
                let left = jumbo.socket.rx.receive(9).unwrap().into_iter();
                let left: Vec<Packet> = left.collect();
                let lens: Vec<u32> =
                    left.iter().map(|packet| packet.frames().len() as u32).collect();
                assert_eq!(lens, frames[at + 1..], "{way} {frames:?} {at}");
                left.into_iter().for_each(|packet| jumbo.pool.extend(packet));
                assert_eq!(jumbo.missing(&[]), lost.into_iter().collect());
            }
        }
    }
}

#[test]
fn frames_that_were_exchanged_are_one_for_each_chunk() {
    for frames in [[1, 3, 1], [4, 1, 2]] {
        let mut jumbo = Jumbo::with_received(&frames);
        let PacketSocket { rx, tx, fill, .. } = &mut jumbo.socket;
        let mut held = jumbo.pool.take().unwrap();
        let mut swap = |frames: &mut [Frame]| {
            // The last for the one in hand, and the order of all.
            std::mem::swap(frames.last_mut().unwrap(), &mut held);
            frames.reverse();
        };
        assert_eq!(rx.receive(2).unwrap().recycle_each(fill, &mut swap), Ok(2));
        assert_eq!(rx.receive(2).unwrap().forward_each(tx, &mut swap), Ok(1));
        jumbo.audit([&held], []);
        assert_eq!(jumbo.missing(&[&held]), BTreeSet::new());
        jumbo.pool.put(held);
        jumbo.assert_all_back();
    }
}

type Mistake = fn(&mut Jumbo, &mut Jumbo, &mut Option<Packet>);

/// Ways to mix two UMEMs up; each takes the packet, or leaves it.
const MISTAKES: &[(&str, Mistake)] = &[
    ("recycle", |here, there, _| {
        let _ = here.socket.rx.receive(9).unwrap().recycle(&mut there.socket.fill);
    }),
    ("recycle_each", |here, there, _| {
        let batch = here.socket.rx.receive(9).unwrap();
        let _ = batch.recycle_each(&mut there.socket.fill, |_| unreachable!("called"));
    }),
    ("forward", |here, there, _| {
        let _ = here.socket.rx.receive(9).unwrap().forward(&mut there.socket.tx);
    }),
    ("forward_each", |here, there, _| {
        let batch = here.socket.rx.receive(9).unwrap();
        let _ = batch.forward_each(&mut there.socket.tx, |_| unreachable!("called"));
    }),
    ("reclaim", |here, there, _| {
        let _ = here.socket.rx.receive(9).unwrap().reclaim(&mut there.pool);
    }),
    ("push", |here, _, packet| {
        drop(here.socket.tx.reserve(9).unwrap().push(packet.take().unwrap()));
    }),
    ("push without enough slots", |here, _, packet| {
        drop(here.socket.tx.reserve(1).unwrap().push(packet.take().unwrap()));
    }),
    ("push of a frame", |here, there, _| {
        drop(here.socket.tx.reserve(0).unwrap().push(there.pool.take().unwrap()));
    }),
    ("Packet::push", |here, _, packet| {
        packet.as_mut().unwrap().push(here.pool.take().unwrap());
    }),
    ("packet_bytes", |here, _, packet| {
        let _ = here.umem.packet_bytes(packet.as_ref().unwrap().frames()).to_vec();
    }),
    ("write_packet", |here, _, packet| {
        let packet = packet.as_mut().unwrap();
        let bytes = vec![1; packet.len() as usize];
        let _ = here.umem.write_packet(packet.frames_mut(), &bytes);
    }),
    ("FramePool::extend", |here, _, packet| here.pool.extend(packet.take().unwrap())),
];

#[test]
fn another_umem_is_refused_before_anything_is_written() {
    for frames in [1, 3] {
        for (name, mistake) in MISTAKES {
            let (mut here, mut there) = (Jumbo::with_received(&[frames, 1]), Jumbo::new());
            let mut packet = Some(there.packet(frames.max(2)));
            let rings = |here: &Jumbo, there: &Jumbo| {
                [here.kernel.ring_contents(), there.kernel.ring_contents()]
            };
            let (before, pools) = (rings(&here, &there), here.pool.len() + there.pool.len());
            assert!(panics(|| mistake(&mut here, &mut there, &mut packet)), "{name}");
            assert_eq!(rings(&here, &there), before, "{name}");
            // Each chunk that is nowhere any more is counted.
            let held = packet.iter().flat_map(Packet::frames).count();
            let lost = (here.umem.lost_chunks() + there.umem.lost_chunks()) as usize;
            let gone = if packet.is_none() { frames.max(2) as usize } else { 0 };
            let taken = pools - here.pool.len() - there.pool.len();
            assert_eq!(lost, gone + taken, "{name}");
            assert_eq!(held + gone, frames.max(2) as usize, "{name}");
            // Both go on.
            assert_eq!(pass_on(&mut here, "forward", 9), Ok(2), "{name}");
            there.receive(&[3]);
            assert_eq!(pass_on(&mut there, "recycle", 9), Ok(1), "{name}");
        }
    }
}

/// A closure puts a frame of another UMEM into a packet: the packet does not go, and the frame that it
/// took out for it stays with the user.
#[test]
fn a_foreign_frame_from_a_closure_is_not_passed_on() {
    for frames in [[3, 1], [1, 3], [1, 1]] {
        for at in 0..2 {
            for way in ["recycle_each", "forward_each"] {
                let (mut here, mut there) = (Jumbo::with_received(&frames), Jumbo::new());
                let mut held = there.pool.take().unwrap();
                let foreign = chunk(&held);
                let (mut number, mut lost) = (0, BTreeSet::new());
                let swap = |frames: &mut [Frame]| {
                    if number == at {
                        std::mem::swap(frames.last_mut().unwrap(), &mut held);
                        lost.extend(frames[..frames.len() - 1].iter().map(chunk));
                    }
                    number += 1;
                };
                let PacketSocket { rx, tx, fill, .. } = &mut here.socket;
                let batch = rx.receive(9).unwrap();
                assert!(panics(|| match way {
                    "forward_each" => batch.forward_each(tx, swap),
                    _ => batch.recycle_each(fill, swap),
                }));
                let moved = if way == "forward_each" { tx.pending() } else { fill.pending() };
                assert_eq!(moved, frames[..at].iter().sum::<u32>(), "{way} {frames:?} {at}");
                here.audit([&held], lost.iter().copied());
                there.audit([], [foreign]);
                let counted = [here.umem.lost_chunks(), there.umem.lost_chunks()];
                assert_eq!(counted, [frames[at] - 1, 1], "{way} {frames:?} {at}");
                assert_eq!(here.missing(&[&held]), lost);
                assert_eq!(there.missing(&[]), BTreeSet::from([foreign]));
                here.pool.put(held);
            }
        }
    }
}

/// The single-frame socket takes no fragment for a packet.
#[test]
fn a_socket_for_single_frames_refuses_a_fragment() {
    use crate::fixture::{Fixture, WAYS, take_all};
    for way in 0..WAYS {
        let mut fixture = Fixture::with_received(1);
        assert_eq!(fixture.socket.fill.fill_from(&mut fixture.pool, 3), Ok(3));
        // SAFETY: the chunk is one of the fill ring.
        let mut hostile = unsafe { fixture.kernel.hostile_unchecked() };
        let address = hostile.receive_filled(60, XDP_PKT_CONTD).unwrap() + 256;
        assert_eq!(fixture.kernel.deliver_unwritten(1, 60), 1);
        // Where the bytes are not looked at, only the chunk matters.
        if way == 0 || way == 4 {
            assert_eq!(take_all(&mut fixture, way), Ok(3));
            continue;
        }
        assert_eq!(take_all(&mut fixture, way), Ok(1));
        let ring = RingKind::Rx;
        let bad = RingError::BadEntry { ring, address, len: 60, options: XDP_PKT_CONTD };
        assert_eq!(take_all(&mut fixture, way), Err(bad), "{way}");
        assert_eq!(take_all(&mut fixture, way), Ok(1));
    }
}

thread_local! {
    /// The file that the last panic of this thread named.
    static FILE: Cell<Option<String>> = const { Cell::new(None) };
}

/// Returns the file that the panic of `call` names.
fn file_of_panic(call: impl FnOnce()) -> Option<String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let others = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            FILE.set(info.location().map(|place| place.file().to_owned()));
            others(info);
        }));
    });
    assert!(panics(call));
    FILE.take()
}

#[test]
fn a_refusal_names_a_place_in_the_users_code() {
    for frames in [1, 3] {
        let (mut here, mut there) = (Jumbo::with_received(&[3]), Jumbo::new());
        let packet = there.packet(frames);
        let tx = &mut here.socket.tx;
        let file = file_of_panic(|| drop(tx.reserve(9).unwrap().push(packet)));
        assert_eq!(file.as_deref(), Some(file!()), "push of {frames}");
        let mut packet = there.packet(frames);
        let frame = here.pool.take().unwrap();
        let file = file_of_panic(|| packet.push(frame));
        assert_eq!(file.as_deref(), Some(file!()), "Packet::push to {frames}");
        let mut held = there.pool.take().unwrap();
        let PacketSocket { rx, tx, .. } = &mut here.socket;
        let swap = |frames: &mut [Frame]| std::mem::swap(&mut frames[1], &mut held);
        let batch = rx.receive(9).unwrap();
        let file = file_of_panic(|| _ = batch.forward_each(tx, swap));
        assert_eq!(file.as_deref(), Some(file!()), "forward_each");
    }
}
