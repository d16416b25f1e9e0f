//! Parses arbitrary bytes of any length as the kernel's replies about a socket.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let (statistics, rings) = xsk::test_util::fuzz::socket_replies(bytes);
    assert!(rings <= 4);
    // The last three are present together, and only in a reply of the full length.
    let newer = [statistics.rx_ring_full, statistics.fill_ring_empty, statistics.tx_ring_empty];
    assert!(newer.iter().all(|counter| counter.is_some() == (bytes.len() >= 48)));
    let word = |at: usize| {
        let mut word = [0; 8];
        let there = bytes.get(at..).unwrap_or_default();
        let len = there.len().min(8);
        word[..len].copy_from_slice(&there[..len]);
        u64::from_ne_bytes(word)
    };
    assert_eq!(statistics.rx_dropped, word(0));
    assert_eq!(statistics.tx_invalid_descs, word(16));
});
