//! The test bed closes every descriptor that it opens. One test alone, because descriptors belong
//! to the whole process.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::panic::catch_unwind;
use xsk::test_util::{Namespace, VethPair, privileged};

/// Returns the lowest free descriptor, which grows with every one that is left open.
fn lowest_free() -> Option<i32> {
    File::open(".").ok().map(|file| file.as_raw_fd())
}

#[test]
fn no_descriptor_is_left_open() {
    if !privileged!() {
        return;
    }
    let before = lowest_free().unwrap();
    for round in 0..20 {
        let result = catch_unwind(|| {
            let (left, right) = (Namespace::new().unwrap(), Namespace::new().unwrap());
            let pair = VethPair::builder().build(&left, &right).unwrap();
            let _found = Namespace::of_socket(&left).err();
            let _inside = left.enter().unwrap();
            let _state = pair.a().queues().unwrap();
            assert!(round % 2 == 0, "every other round fails");
        });
        assert_eq!(result.is_ok(), round % 2 == 0);
    }
    assert_eq!(lowest_free().unwrap(), before);
}
