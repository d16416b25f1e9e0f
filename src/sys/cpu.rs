//! How many CPUs the kernel may have.
//!
//! # Safety
//! Promises: [`bound`] is not below the number of CPUs that the kernel copies a value of for a
//! per-CPU map. Needs: nothing of the caller.
#![allow(unsafe_code, reason = "a system call that writes a mask of CPUs")]

use super::syscall::{nr, syscall};
use rustix::io::Errno;
use std::sync::atomic::{AtomicUsize, Ordering};

/// More CPUs than any kernel has (`NR_CPUS` is 8192 at the most in 6.18).
const FAR_TOO_MANY: usize = 1 << 20;

/// Returns a number that is not below that of the possible CPUs, and below 64 or at most about twice
/// that number.
///
/// The kernel refuses a mask with less room than its CPUs have numbers, with `EINVAL`
/// (`sys_sched_getaffinity` of kernel/sched/syscalls.c compares the length with `nr_cpu_ids`, the
/// highest number of a possible CPU and one). Possible CPUs are those that can ever be plugged in, so
/// the number never changes.
pub(crate) fn bound() -> Result<usize, Errno> {
    static BOUND: AtomicUsize = AtomicUsize::new(0);
    let known = BOUND.load(Ordering::Relaxed);
    if known != 0 {
        return Ok(known);
    }
    let mut cpus = 64;
    while cpus <= FAR_TOO_MANY {
        match affinity(&mut vec![0; cpus / 64]) {
            Ok(()) => {
                BOUND.store(cpus, Ordering::Relaxed);
                return Ok(cpus);
            }
            Err(Errno::INVAL) => cpus = cpus.saturating_mul(2),
            Err(errno) => return Err(errno),
        }
    }
    Err(Errno::OVERFLOW)
}

/// `sched_getaffinity(0, sizeof(mask), mask)`
fn affinity(mask: &mut [u64]) -> Result<(), Errno> {
    let address = mask.as_mut_ptr().expose_provenance();
    // SAFETY: the kernel writes at most `size_of_val(mask)` bytes at `mask`, which is exclusively
    // borrowed until after the call.
    unsafe { syscall(nr::SCHED_GETAFFINITY, [0, size_of_val(mask), address, 0, 0]) }.map(drop)
}
