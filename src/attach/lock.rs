//! The lock of an interface's attachments, and the marks of its users: names that die with their holder.
//!
//! Both are Unix datagram sockets bound to abstract names. Such a name belongs to one socket at a time in a
//! network namespace, needs no file system, and is free again when the socket is closed, which the kernel
//! does for a killed process too.
//!
//! A descriptor lives on in a child that another thread has forked, until the child calls `execve(2)`. So a mark that
//! is taken off is shut down first: from then on the kernel refuses what is sent to it, though its name is taken.
//! The lock has to wait for the child.
//!
//! Any process of the namespace can take such a name, so a hostile one can make attaching fail or keep a
//! program attached; it can gain nothing by it.

use crate::error::{Error, Result};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SendFlags, Shutdown, SocketAddrUnix, SocketFlags, SocketType, bind, sendto,
    shutdown, socket_with,
};
use rustix::process::{Pid, getpid};
use std::os::fd::OwnedFd;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The most marks of one kind on one program.
const MARKS: u32 = 1024;
/// The longest pause between two tries for the lock.
const PAUSE: Duration = Duration::from_millis(10);

/// What a mark says about its holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MarkKind {
    /// It attached the program, or joined those who did: the last of them detaches.
    User,
    /// It uses a program that somebody else takes care of.
    Guest,
}

/// A socket for the lock, made ahead: the thread that takes the lock may be in another namespace by then.
#[derive(Debug)]
pub(super) struct LockSocket(OwnedFd);

impl LockSocket {
    /// Makes one in the calling thread's namespace.
    pub(super) fn new() -> Result<Self> {
        socket().map(Self).map_err(failed("make the lock's socket"))
    }

    /// Waits for the lock of the interface with this index, not longer than `patience`.
    ///
    /// # Errors
    /// [`Error::AttachLock`] if somebody held it all the time; [`Error::Netlink`] for what has to do with nobody else.
    pub(super) fn acquire(self, ifindex: u32, patience: Duration) -> Result<Lock> {
        let start = Instant::now();
        let failed = failed("take the lock of the interface's attachments");
        let name = address(&format!("xsk/lock/{ifindex}")).map_err(&failed)?;
        let mut pause = Duration::from_micros(100);
        loop {
            match bind(&self.0, &name) {
                Ok(()) => {
                    return Ok(Lock { socket: self.0, ifindex });
                }
                Err(Errno::ADDRINUSE) if start.elapsed() < patience => sleep(pause),
                Err(errno @ Errno::ADDRINUSE) => {
                    return Err(Error::AttachLock { waited: start.elapsed(), errno });
                }
                Err(errno) => return Err(failed(errno)),
            }
            pause = pause.saturating_mul(2).min(PAUSE);
        }
    }
}

/// The lock; dropping it, or the death of its process, gives it back.
#[derive(Debug)]
pub(super) struct Lock {
    socket: OwnedFd,
    ifindex: u32,
}

impl Lock {
    /// Whether a mark of this kind is on the program at this moment.
    ///
    /// # Errors
    /// [`Error::Netlink`] if it cannot be found out.
    pub(super) fn is_marked(&self, kind: MarkKind, program: u32) -> Result<bool> {
        for number in 0..MARKS {
            let name = mark(kind, self.ifindex, program, number)
                .map_err(failed("look for marks on the program"))?;
            // Refused: nobody has the name. Broken pipe: the mark was taken off. Anything else, also that its queue is
            // full of such questions, which nobody reads, comes from a mark.
            let asked = sendto(&self.socket, &[], SendFlags::DONTWAIT | SendFlags::NOSIGNAL, &name);
            if !matches!(asked, Err(Errno::CONNREFUSED | Errno::PIPE)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Puts a mark on a program; it stays until the answer is dropped, or its process dies.
    ///
    /// # Errors
    /// [`Error::Netlink`]; with `EADDRINUSE` if there are too many.
    pub(super) fn mark(&self, kind: MarkKind, program: u32) -> Result<Mark> {
        let bound = || {
            let socket = socket()?;
            for number in 0..MARKS {
                match bind(&socket, &mark(kind, self.ifindex, program, number)?) {
                    Err(Errno::ADDRINUSE) => {}
                    other => {
                        return other.map(|()| Mark { socket, owner: getpid() });
                    }
                }
            }
            Err(Errno::ADDRINUSE)
        };
        bound().map_err(failed("put a mark on the program"))
    }
}

/// A mark on a program, by which other processes see that it is in use.
#[derive(Debug)]
pub(super) struct Mark {
    socket: OwnedFd,
    owner: Pid,
}

impl Drop for Mark {
    fn drop(&mut self) {
        // A copy in a forked child only closes its descriptor.
        if self.owner == getpid() {
            // A bound datagram socket can always be shut down, and is closed in any case.
            let _ = shutdown(&self.socket, Shutdown::Both);
        }
    }
}

/// What goes wrong without anybody else having a part in it, such as too many open files.
fn failed(operation: &'static str) -> impl Fn(Errno) -> Error {
    move |errno| Error::Netlink { operation, errno }
}

fn socket() -> Result<OwnedFd, Errno> {
    socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)
}

fn mark(kind: MarkKind, ifindex: u32, program: u32, number: u32) -> Result<SocketAddrUnix, Errno> {
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
        let patience = Duration::from_millis(20);
        let second = LockSocket::new().unwrap().acquire(IFINDEX, patience);
        let Err(Error::AttachLock { waited, errno: Errno::ADDRINUSE }) = second else {
            panic!("{second:?}");
        };
        assert!(waited >= patience);
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
        // Asking does not wear a mark out, and a second descriptor, such as a forked child's, does not keep it up.
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
