//! Leaks and kills. A thousand lifecycles that end in an orderly way, in any order, or by a panic
//! leave nothing behind; hundreds of kills leave nothing that disturbs the next start.
//!
//! The default is the short form; `XSK_LONG=1` makes it 1,000 lifecycles and 200 kills. `XSK_SEED`
//! repeats a run.

mod child_process;
#[path = "../common/mod.rs"]
mod common;
mod count;
mod fixture;
mod kills;
mod leaks;
mod lifecycle;
#[path = "../common/random_numbers.rs"]
mod random_numbers;
mod sockets;

/// Returns whether to run the long form in place of the short one.
fn long() -> bool {
    std::env::var_os("XSK_LONG").is_some_and(|value| value == "1")
}
