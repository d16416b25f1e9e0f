//! Closures that edit the frames of a packet, exchange one for another, or panic.

use crate::any::Edit;
use crate::area::caught;
use crate::law::{Set, chunk_number, mark};
use std::panic::{AssertUnwindSafe, resume_unwind};
use xsk::{Frame, Umem};

/// Calls `each` with a closure that edits, and in its first to fourth call exchanges or panics, by
/// the bits of `n`. Returns what `each` returns, or `None` if the closure panicked; the frames that
/// it had then are lost.
pub fn with_closure<R>(
    umem: &Umem,
    held: &mut [Frame],
    lost: &mut Set,
    n: u8,
    each: impl FnOnce(Edit<'_>) -> R,
) -> Option<R> {
    let (at, swaps, panics, cuts) = (n & 3, n & 4 != 0, n & 8 != 0, n & 16 != 0);
    let mut call = 0;
    let mut in_hand = Vec::new();
    let result = caught(AssertUnwindSafe(|| {
        each(&mut |frames: &mut [Frame]| {
            for frame in &mut *frames {
                mark(umem, frame);
                if cuts {
                    let _ = (frame.advance(7), frame.truncate(9));
                }
            }
            if call == at {
                if let Some(mine) = held.last_mut().filter(|_| swaps) {
                    std::mem::swap(frames.last_mut().unwrap(), mine);
                    mark(umem, mine);
                }
                if panics {
                    in_hand.extend(frames.iter().map(|frame| chunk_number(umem, frame.address())));
                    resume_unwind(Box::new(()));
                }
            }
            call += 1;
        })
    }));
    assert_eq!(result.is_none(), !in_hand.is_empty(), "only the closure panics");
    in_hand.into_iter().for_each(|chunk| lost.add(chunk));
    result
}
