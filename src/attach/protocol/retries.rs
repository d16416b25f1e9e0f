//! How often something is tried again that other processes, or the kernel, prevent for a moment.

use crate::error::Result;
use std::iter::successors;
use std::thread::sleep;
use std::time::Duration;

/// How often an interface that is just being changed is looked at again.
const RETRIES: usize = 9;
/// The pause before the second look; it doubles from look to look.
const PAUSE: Duration = Duration::from_micros(250);

/// Returns the pauses between tries.
pub(super) fn pauses() -> impl Iterator<Item = Duration> {
    successors(Some(PAUSE), |pause| pause.checked_mul(2)).take(RETRIES)
}

/// Does what must not stay undone: again, after a pause, if it fails.
pub(super) fn with_retries<T>(mut work: impl FnMut() -> Result<T>) -> Result<T> {
    for pause in pauses() {
        if let Ok(done) = work() {
            return Ok(done);
        }
        sleep(pause);
    }
    work()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use rustix::io::Errno;

    #[test]
    fn what_fails_for_a_moment_is_done_again() {
        let error = || Error::Netlink { operation: "look", errno: Errno::NOBUFS };
        let mut calls = 0;
        let mut fail_until = |last: usize| {
            calls = 0;
            let result = with_retries(|| {
                calls += 1;
                if calls < last { Err(error()) } else { Ok(calls) }
            });
            (result, calls)
        };
        assert_eq!(fail_until(1), (Ok(1), 1));
        assert_eq!(fail_until(3), (Ok(3), 3));
        assert_eq!(fail_until(RETRIES + 1), (Ok(RETRIES + 1), RETRIES + 1));
        assert_eq!(fail_until(usize::MAX), (Err(error()), RETRIES + 1));
    }
}
