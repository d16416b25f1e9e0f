//! Netlink replies of any bytes: parsed, or refused, and nothing else.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| xsk::test_util::fuzz::netlink(bytes));
