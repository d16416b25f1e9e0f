//! Waits until packets come.

use crate::error::{Error, Result};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use std::os::fd::AsFd;
use std::time::Duration;

/// Sleeps until one of `sockets` has received packets, or `timeout` is over (`None`: for ever);
/// returns how many of them have. 0 is the timeout, or a signal.
///
/// Anything with a descriptor may be waited for together with sockets: an `eventfd` that ends the
/// loop, a `signalfd`, a [`Watch`](crate::interface::Watch) over an interface.
///
/// What `poll(2)` does not report:
/// - *Room for sending.* `POLLOUT` is true while the TX ring is half empty or more, which is nearly
///   always, so a loop that waits for it spins; and the true limit is the completion ring, which it
///   does not look at. Instead: reap, and when nothing can be reserved, kick and wait a bounded
///   time.
/// - *The interface going away.* The kernel wakes no sleeper, and `POLLERR` never comes: wait for a
///   [`Watch`](crate::interface::Watch) over it together with the sockets; or use a timeout, and call
///   [`SocketHandle::check`](super::SocketHandle::check) after it.
///
/// In copy mode the call also sends what is in the TX ring of each socket, as a kick does, whatever
/// it waits for.
///
/// # Errors
/// [`Error::Wait`] if `poll(2)` fails.
#[doc(alias = "poll")]
#[inline]
pub fn wait(sockets: &[&dyn AsFd], timeout: Option<Duration>) -> Result<usize> {
    // The usual one socket is waited for in the caller's code: that takes 32 instructions, and 90 as
    // a function (`wait-rxdrop` of `benches/instructions.rs`).
    match sockets {
        [one] => poll(&mut [poll_fd(*one)], timeout),
        more => wait_for_several(more, timeout),
    }
}

#[inline(never)]
fn wait_for_several(sockets: &[&dyn AsFd], timeout: Option<Duration>) -> Result<usize> {
    match sockets {
        // Two need no allocation.
        [one, two] => poll(&mut [poll_fd(*one), poll_fd(*two)], timeout),
        more => poll(&mut more.iter().map(|socket| poll_fd(*socket)).collect::<Vec<_>>(), timeout),
    }
}

const LONGEST: Timespec = Timespec { tv_sec: 0x7fff_ffff, tv_nsec: 0 };

#[inline]
fn poll_fd(socket: &dyn AsFd) -> PollFd<'_> {
    PollFd::from_borrowed_fd(socket.as_fd(), PollFlags::IN)
}

#[inline]
fn poll(fds: &mut [PollFd<'_>], timeout: Option<Duration>) -> Result<usize> {
    let timeout = timeout.map(|timeout| Timespec::try_from(timeout).unwrap_or(LONGEST));
    match rustix::event::poll(fds, timeout.as_ref()) {
        Ok(ready) => Ok(ready),
        Err(Errno::INTR) => Ok(0),
        Err(errno) => Err(Error::Wait { errno }),
    }
}
