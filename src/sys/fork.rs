//! Tells a process from its children by `fork(2)`.
//!
//! # Safety
//! Promises: [`Process::current`] of a child differs from what it returned to an ancestor before
//! the `fork(2)`. Needs: nothing else unmaps the page that it reads.
#![allow(unsafe_code, reason = "one word of a page that children of fork get zeroed")]

use rustix::mm::{Advice, MapFlags, ProtFlags};
use rustix::process::getpid;
use std::ptr::NonNull;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// A process, as its children by `fork(2)` see that they are another one.
///
/// Process ids do not show it: in a PID namespace of its own a child can have the id of its parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Process(u32);

/// The number of this process, or 0 in a child that has none yet: the page is zeroed by `fork(2)`
/// (`MADV_WIPEONFORK`, 4.14).
struct Wiped(NonNull<AtomicU32>);

// SAFETY: the pointer is to one atomic word of a mapping that is never unmapped.
unsafe impl Send for Wiped {}
// SAFETY: as above.
unsafe impl Sync for Wiped {}

/// The largest number that this process or an ancestor had. A child inherits it.
static LARGEST: AtomicU32 = AtomicU32::new(0);

impl Process {
    /// Returns the process that calls.
    pub(crate) fn current() -> Self {
        static PAGE: OnceLock<Option<Wiped>> = OnceLock::new();
        let Some(page) = PAGE.get_or_init(Wiped::new) else {
            // Without such a page the id is the next best.
            return Self(getpid().as_raw_nonzero().get().unsigned_abs());
        };
        // SAFETY: aligned, mapped for good, and only ever used as an atomic.
        let word = unsafe { page.0.as_ref() };
        match word.load(Ordering::Relaxed) {
            0 => {}
            known => return Self(known),
        }
        let next = LARGEST.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        match word.compare_exchange(0, next, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => Self(next),
            // Another thread was faster.
            Err(known) => Self(known),
        }
    }
}

impl Wiped {
    fn new() -> Option<Self> {
        let (len, null) = (rustix::param::page_size(), std::ptr::null_mut());
        let rights = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice touches no other memory.
        let page = unsafe { rustix::mm::mmap_anonymous(null, len, rights, MapFlags::PRIVATE) };
        let page = page.ok()?;
        // SAFETY: the range is the mapping that was just made.
        let advised = unsafe { rustix::mm::madvise(page, len, Advice::LinuxWipeOnFork) };
        advised.ok()?;
        NonNull::new(page.cast()).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::Process;
    use std::io;
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    #[test]
    fn a_child_is_another_process_and_stays_it() {
        let parent = Process::current();
        let mut command = Command::new("true");
        let in_child = move || {
            let child = Process::current();
            let right = child != parent && child == Process::current();
            if right { Ok(()) } else { Err(io::ErrorKind::Other.into()) }
        };
        // SAFETY: what runs in the child takes no lock and allocates nothing.
        unsafe { command.pre_exec(in_child) };
        assert!(command.status().unwrap().success());
        assert_eq!(Process::current(), parent);
    }
}
