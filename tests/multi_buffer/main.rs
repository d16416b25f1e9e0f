//! Packets of several frames between two ends of a cable, in native and generic mode.
#![allow(clippy::cast_possible_truncation, reason = "tests; lengths are small")]

#[path = "../common/mod.rs"]
mod common;
mod echo;
mod fixture;
mod limits;
mod shared;

use fixture::{End, jumbo_cable};
use xsk::attach::AttachMode;
use xsk::test_util::{privileged, test_name};
use xsk::{Error, Socket, Umem};

pub(crate) const MODES: [AttachMode; 2] = [AttachMode::Native, AttachMode::Generic];

/// Returns whether the test `name` can run: as root, on a kernel that has such packets.
pub(crate) fn can_run(name: &str) -> bool {
    let why = "no packets of several frames before 6.6";
    privileged(name) && common::kernel_can(name, common::kernel_since(6, 6), why)
}

#[test]
fn a_kernel_without_such_packets_says_so() {
    if !privileged(test_name!()) {
        return;
    }
    let cable = jumbo_cable();
    let (umem, _pool) = Umem::builder().chunk_count(16).build().unwrap();
    let bind = || Socket::builder(&umem).multi_buffer().bind(cable.veth.a(), 0);
    match cable.left.run(bind).unwrap() {
        Ok(_) => assert!(common::kernel_since(6, 6)),
        Err(error) => {
            assert!(!common::kernel_since(6, 6), "{error}");
            assert!(matches!(error, Error::NeedsKernel { version: "6.6", .. }), "{error}");
        }
    }
}

#[test]
fn jumbo_packets_arrive_whole_in_both_modes() {
    if !can_run(test_name!()) {
        return;
    }
    for mode in MODES {
        for size in [2048, 4096] {
            let cable = jumbo_cable();
            let builder = || Umem::builder().chunk_count(512).chunk_size(size);
            let mut left = End::new(&cable.left, cable.veth.a(), builder());
            let mut right = End::new(&cable.right, cable.veth.b(), builder());
            let _slot = right.register(&cable.right, cable.veth.b(), mode);
            // Frames of the sender's have up to `size` bytes, those received `size` - 256.
            let room = u64::from(size) - 256;
            let lengths = [60, 9014, room, room + 1, 1514, 2 * room, 5000, 2 * room + 1];
            let expected = lengths.map(|len| len.div_ceil(room) as usize);
            for round in 0..32 {
                left.send(8 * round, &lengths);
                let frames = right.receive(8 * round, &lengths);
                assert_eq!(frames, expected, "{mode:?} {size}");
            }
            left.assert_home();
            right.assert_home();
        }
    }
}
