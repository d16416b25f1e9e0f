//! Parses arbitrary bytes as netlink replies.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| xsk::test_util::fuzz::netlink(bytes));
