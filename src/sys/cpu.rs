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

/// Returns a number that is not below that of the possible CPUs: 64, or a power of two that is less
/// than twice their highest number.
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

/// Returns the number of possible CPUs, from `/sys/devices/system/cpu/possible`.
pub(crate) fn possible() -> Result<usize, Errno> {
    let text = std::fs::read_to_string("/sys/devices/system/cpu/possible")
        .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    let bound = bound()?;
    count(text.trim_end()).filter(|count| *count <= bound).ok_or(Errno::BADMSG)
}

/// Counts the numbers of a list like `0-3,5`.
fn count(list: &str) -> Option<usize> {
    list.split(',').try_fold(0_usize, |sum, part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        sum.checked_add(last.checked_sub(first)?.checked_add(1)?)
    })
}

/// `sched_getaffinity(0, sizeof(mask), mask)`
fn affinity(mask: &mut [u64]) -> Result<(), Errno> {
    let address = mask.as_mut_ptr().expose_provenance();
    // SAFETY: the kernel writes at most `size_of_val(mask)` bytes at `mask`, which is exclusively
    // borrowed until after the call.
    unsafe { syscall(nr::SCHED_GETAFFINITY, [0, size_of_val(mask), address, 0, 0]) }.map(drop)
}

#[cfg(test)]
mod tests {
    use super::{bound, count, possible};

    #[test]
    fn lists_are_counted() {
        for (list, expected) in [
            ("0", Some(1)),
            ("0-3", Some(4)),
            ("0-3,8,10-11", Some(7)),
            ("", None),
            ("3-0", None),
            ("0-18446744073709551615", None),
            ("0-18446744073709551614,0", None),
            ("-1", None),
            ("a", None),
        ] {
            assert_eq!(count(list), expected, "{list}");
        }
    }

    #[test]
    fn the_bound_is_not_below_the_possible_cpus() {
        let bound = bound().unwrap();
        assert!(bound >= 64 && bound.is_power_of_two(), "{bound}");
        assert!(possible().is_ok_and(|possible| (1..=bound).contains(&possible)));
    }
}
