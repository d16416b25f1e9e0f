//! Whether the kernel has batches for a type of map.

use rustix::io::Errno;

/// Linux's own number for "not supported", which kernels pass on for batches of a type of map that
/// has none (`ENOTSUPP` of include/linux/errno.h).
const ENOTSUPP: i32 = 524;

/// Returns whether the kernel has no batches, or not for this type of map: it does not know the
/// command (before 5.6) or the type's function.
pub(super) fn has_no_batches(errno: Errno) -> bool {
    errno == Errno::INVAL || errno.raw_os_error() == ENOTSUPP || errno == Errno::OPNOTSUPP
}
