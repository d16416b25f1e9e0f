//! Packet memory and the panic hook, which are set up once for all runs.

use std::alloc::{Layout, alloc_zeroed};
use std::panic::{AssertUnwindSafe, UnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use xsk::{FramePool, Umem};

pub const CHUNKS: u32 = 16;

/// The bytes of a chunk, and whether chunks are unaligned.
const KINDS: [(u32, bool); 6] =
    [(2048, false), (4096, false), (2048, true), (2049, true), (3000, true), (4001, true)];

/// The memory of the UMEM and of a foreign one, for each kind of chunks. On the heap, so that the
/// address sanitizer checks its bounds.
static AREAS: [[OnceLock<usize>; KINDS.len()]; 2] =
    [const { [const { OnceLock::new() }; KINDS.len()] }; 2];

/// A UMEM over area 0 or 1 with chunks of a kind; a number too high counts from 0 again. At most
/// one exists for each area at a time.
pub fn umem(which: usize, kind: usize) -> (Umem, FramePool) {
    let kind = kind % KINDS.len();
    let (size, unaligned) = KINDS[kind];
    // Behind a chunk of an odd size there is a byte more.
    let len = (CHUNKS * size.next_multiple_of(2)) as usize;
    let start = AREAS[which][kind].get_or_init(|| {
        let layout = Layout::from_size_align(len, 4096).unwrap();
        // SAFETY: the layout is not empty.
        unsafe { alloc_zeroed(layout) }.expose_provenance()
    });
    let start = NonNull::new(std::ptr::with_exposed_provenance_mut::<u8>(*start)).unwrap();
    let memory = NonNull::slice_from_raw_parts(start, len);
    let builder = Umem::builder().chunk_count(CHUNKS).chunk_size(size);
    let builder = if unaligned { builder.unaligned() } else { builder };
    // SAFETY: never freed, not used by anything else, and the run before has dropped all of its
    // UMEM.
    unsafe { builder.build_in(memory, ()) }.unwrap()
}

static EXPECTED: AtomicBool = AtomicBool::new(false);

/// Wraps libFuzzer's hook, which ends the process at any panic: expected panics do not reach it.
pub fn keep_expected_panics_quiet() {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !EXPECTED.load(Ordering::Relaxed) {
            hook(info);
        }
    }));
}

/// Whether the library refuses `call` by a panic.
pub fn refused<R>(call: impl FnOnce() -> R) -> bool {
    EXPECTED.store(true, Ordering::Relaxed);
    let result = caught(AssertUnwindSafe(call));
    EXPECTED.store(false, Ordering::Relaxed);
    result.is_none()
}

/// Returns `None` if `call` panics. A panic by `resume_unwind` does not run the hook.
pub fn caught<R>(call: impl FnOnce() -> R + UnwindSafe) -> Option<R> {
    catch_unwind(call).ok()
}
