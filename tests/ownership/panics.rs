//! Panics that a test expects.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    static WANTED: Cell<u32> = const { Cell::new(0) };
}

/// Calls `call`, and catches its panic without a message on standard error.
pub(crate) fn caught<T>(call: impl FnOnce() -> T) -> std::thread::Result<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let others = take_hook();
        set_hook(Box::new(move |info| {
            if WANTED.get() == 0 {
                others(info);
            }
        }));
    });
    WANTED.set(WANTED.get() + 1);
    let done = catch_unwind(AssertUnwindSafe(call));
    WANTED.set(WANTED.get() - 1);
    done
}
