//! What is left behind: nothing, by a thousand lives that end in an orderly way, in any order, or by a panic; and nothing
//! that the next start minds, by hundreds that are killed.
//!
//! In short by default; `XSK_LONG=1` makes it 1,000 lives and 200 kills. `XSK_SEED` repeats a run.

mod child_process;
#[path = "../common/mod.rs"]
mod common;
mod count;
mod fixture;
mod kills;
mod leaks;
mod lifecycle;
mod random;

/// The long form in place of the short one.
fn long() -> bool {
    std::env::var_os("XSK_LONG").is_some_and(|value| value == "1")
}
