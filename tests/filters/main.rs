//! Filters on the real kernel: random ones, sets, counters, what is refused.

#[path = "../common/mod.rs"]
mod common;
mod counts;
mod large;
mod loaded;
mod packets;
mod random;
#[path = "../common/random_filters.rs"]
#[allow(dead_code, reason = "what differs from tcpdump is not asked for here")]
mod random_filters;
#[path = "../common/random_numbers.rs"]
mod random_numbers;
mod refusals;
mod sets;
