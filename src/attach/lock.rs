//! The lock of an interface's attachments, and the marks of its users.
//!
//! Both are Unix datagram sockets bound to abstract names. Such a name belongs to one socket at a
//! time in a network namespace, needs no file system, and is free again when the socket is closed,
//! which the kernel also does for a killed process.
//!
//! A descriptor stays open in a child that another thread has forked, until the child calls
//! `execve(2)`. So a mark is shut down before it is closed: from then on the kernel refuses what is
//! sent to it, though its name is taken. The lock has to wait for the child.
//!
//! Any process of the namespace can take such a name, so a hostile one can make attaching fail or
//! keep a program attached. It gains nothing else.

use crate::error::{Error, Result};
use crate::sys::fork::Process;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SendFlags, Shutdown, SocketAddrUnix, SocketFlags, SocketType, bind, sendto,
    shutdown, socket_with,
};
use std::os::fd::OwnedFd;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The most marks of one kind on one program.
const MARKS: u32 = 1024;
/// The longest pause between two tries for the lock.
const PAUSE: Duration = Duration::from_millis(10);

/// The role of a mark's holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MarkKind {
    /// It attached the program, or joined those who did: the last of them detaches it.
    User,
    /// It uses the program, and others detach it.
    Guest,
}

/// A socket for the lock, made in advance: the thread that takes the lock may be in another
/// namespace by then.
#[derive(Debug)]
pub(super) struct LockSocket(OwnedFd);

impl LockSocket {
    /// Makes a socket in the calling thread's namespace.
    pub(super) fn new() -> Result<Self> {
        socket().map(Self).map_err(failed("make the lock's socket"))
    }

    /// Takes the lock of the interface with this index; waits for it not longer than `timeout`.
    ///
    /// # Errors
    /// [`Error::AttachLock`] if it was taken all the time; [`Error::Netlink`] if the socket fails.
    pub(super) fn acquire(self, ifindex: u32, timeout: Duration) -> Result<Lock> {
        let start = Instant::now();
        let failed = failed("take the lock of the interface's attachments");
        let name = address(&format!("xsk/lock/{ifindex}")).map_err(&failed)?;
        let mut pause = Duration::from_micros(100);
        loop {
            match bind(&self.0, &name) {
                Ok(()) => return Ok(Lock { socket: self.0, ifindex }),
                Err(Errno::ADDRINUSE) if start.elapsed() < timeout => sleep(pause),
                Err(errno @ Errno::ADDRINUSE) => {
                    return Err(Error::AttachLock { waited: start.elapsed(), errno });
                }
                Err(errno) => return Err(failed(errno)),
            }
            pause = pause.saturating_mul(2).min(PAUSE);
        }
    }
}

/// The lock. It is released when it is dropped or its process ends.
#[derive(Debug)]
pub(super) struct Lock {
    socket: OwnedFd,
    ifindex: u32,
}

impl Lock {
    /// Returns whether a mark of this kind is on the program at this moment.
    ///
    /// # Errors
    /// [`Error::Netlink`] if the socket fails.
    pub(super) fn is_marked(&self, kind: MarkKind, program: u32) -> Result<bool> {
        for number in 0..MARKS {
            let name = mark_name(kind, self.ifindex, program, number)
                .map_err(failed("look for marks on the program"))?;
            // Refused: the name is free. Broken pipe: the mark was shut down. Anything else comes
            // from a mark, also that its queue is full: these empty datagrams are never read.
            let sent = sendto(&self.socket, &[], SendFlags::DONTWAIT | SendFlags::NOSIGNAL, &name);
            if !matches!(sent, Err(Errno::CONNREFUSED | Errno::PIPE)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Puts a mark on a program; it stays until the returned value is dropped or its process ends.
    ///
    /// # Errors
    /// [`Error::Netlink`]; with `EADDRINUSE` if there are too many marks.
    pub(super) fn mark(&self, kind: MarkKind, program: u32) -> Result<Mark> {
        let bind_first_free = || {
            let socket = socket()?;
            for number in 0..MARKS {
                match bind(&socket, &mark_name(kind, self.ifindex, program, number)?) {
                    Err(Errno::ADDRINUSE) => {}
                    result => return result.map(|()| Mark { socket, owner: Process::current() }),
                }
            }
            Err(Errno::ADDRINUSE)
        };
        bind_first_free().map_err(failed("put a mark on the program"))
    }
}

/// A mark on a program, by which other processes see that it is in use.
#[derive(Debug)]
pub(super) struct Mark {
    socket: OwnedFd,
    owner: Process,
}

impl Drop for Mark {
    fn drop(&mut self) {
        // A copy in a forked child only closes its descriptor.
        if self.owner == Process::current() {
            // A bound datagram socket can always be shut down, and is closed in any case.
            let _ = shutdown(&self.socket, Shutdown::Both);
        }
    }
}

/// Returns the error of a socket that fails by itself, such as for too many open files.
fn failed(operation: &'static str) -> impl Fn(Errno) -> Error {
    move |errno| Error::Netlink { operation, errno }
}

fn socket() -> Result<OwnedFd, Errno> {
    socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)
}

fn mark_name(
    kind: MarkKind,
    ifindex: u32,
    program: u32,
    number: u32,
) -> Result<SocketAddrUnix, Errno> {
    let kind = match kind {
        MarkKind::User => "user",
        MarkKind::Guest => "guest",
    };
    address(&format!("xsk/{kind}/{ifindex}/{program}/{number}"))
}

fn address(name: &str) -> Result<SocketAddrUnix, Errno> {
    SocketAddrUnix::new_abstract_name(name.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An index that no interface has.
    const IFINDEX: u32 = u32::MAX;

    fn lock(ifindex: u32) -> Lock {
        LockSocket::new().unwrap().acquire(ifindex, Duration::from_secs(10)).unwrap()
    }

    #[test]
    fn one_holder_at_a_time() {
        let held = lock(IFINDEX);
        let timeout = Duration::from_millis(20);
        let second = LockSocket::new().unwrap().acquire(IFINDEX, timeout);
        let Err(Error::AttachLock { waited, errno: Errno::ADDRINUSE }) = second else {
            panic!("{second:?}");
        };
        assert!(waited >= timeout);
        drop(held);
        drop(lock(IFINDEX));
    }

    #[test]
    fn the_next_waiter_gets_it() {
        let held = lock(IFINDEX - 1);
        let waiter = std::thread::spawn(|| drop(lock(IFINDEX - 1)));
        drop(held);
        waiter.join().unwrap();
    }

    #[test]
    fn marks_are_seen_until_dropped() {
        let lock = lock(IFINDEX - 2);
        assert!(!lock.is_marked(MarkKind::User, 7).unwrap());
        let marks = [lock.mark(MarkKind::User, 7).unwrap(), lock.mark(MarkKind::User, 7).unwrap()];
        let [first, second] = marks;
        drop(first);
        assert!(lock.is_marked(MarkKind::User, 7).unwrap());
        assert!(!lock.is_marked(MarkKind::Guest, 7).unwrap());
        assert!(!lock.is_marked(MarkKind::User, 70).unwrap());
        // A mark can be looked up any number of times, and a second descriptor, such as that of a
        // forked child, does not keep it.
        for _ in 0..2000 {
            assert!(lock.is_marked(MarkKind::User, 7).unwrap());
        }
        let copy = second.socket.try_clone().unwrap();
        drop(second);
        assert!(!lock.is_marked(MarkKind::User, 7).unwrap());
        let third = lock.mark(MarkKind::User, 7).unwrap();
        assert!(lock.is_marked(MarkKind::User, 7).unwrap());
        drop((third, copy));
    }
}
