//! Finishes the checksums of any bytes: at most that field changes, only once, and what follows the
//! packet does not matter.
#![no_main]

use xsk::packet::{Checksum, finish_checksum};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut after = bytes.to_vec();
    let result = finish_checksum(&mut after);
    let changed: Vec<usize> = (0..bytes.len()).filter(|&at| after[at] != bytes[at]).collect();
    if result == Checksum::Finished {
        assert!(matches!(changed[..], [] | [_]) || changed[1] - changed[0] == 1, "{changed:?}");
        assert!(changed.len() <= 2, "{changed:?}");
    } else {
        assert!(changed.is_empty(), "{result:?}: {changed:?}");
    }
    let mut again = after.clone();
    let second = finish_checksum(&mut again);
    assert_eq!(again, after, "a checksum that is whole was changed");
    assert!(second == result || result == Checksum::Finished);
    let mut padded = bytes.to_vec();
    padded.extend([0xa5; 9]);
    if finish_checksum(&mut padded) == result {
        assert_eq!(padded[..bytes.len()], after);
    } else {
        assert_eq!(result, Checksum::Malformed, "only a packet that ended early is another one");
    }
});
