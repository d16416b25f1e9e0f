//! Filters on the real kernel: sets, counters, what is refused.
#![expect(clippy::unwrap_used, reason = "tests")]

mod packets;
mod sets;
