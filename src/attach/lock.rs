//! The lock of an interface's attachments, and the marks of its users.
//!
//! All are Unix datagram sockets bound to abstract names. Such a name belongs to one socket at a
//! time in a network namespace, needs no file system, and is free again when the socket is closed,
//! which the kernel also does for a killed process.
//!
//! A descriptor stays open in a child that another thread has forked, until the child calls
//! `execve(2)`. So a mark is shut down before it is closed: from then on the kernel refuses what is
//! sent to it, though its name is taken. The lock has to wait for the child.
//!
//! Any process of the namespace can take such a name, whatever its privileges. So marks are
//! trusted only of root, of this process's effective user, and of the user who loaded the program,
//! as far as the kernel reports whose they are ([`names`](super::names)). The lock has no such
//! remedy: a process that holds it makes attaching fail, and the error names the process.

use super::names::{Directory, Holder, Names, Owner};
use crate::error::{Error, Result};
use crate::sys::fork::Process;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SendFlags, Shutdown, SocketAddrUnix, SocketFlags, SocketType, bind, connect,
    sendto, shutdown, socket_with,
};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::iter;
use std::os::fd::OwnedFd;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The most marks of one kind on one program. A look that finds none has to ask for each, because
/// the last of as many users may have any of them: 0.4 microseconds for each, 0.8 ms for both
/// kinds. Marks that are not trusted count, too: a process that takes them all makes attaching
/// fail, as one that takes the lock does.
const MARKS: u32 = 1024;
/// How often a random name is tried: any is taken only by chance.
const RANDOM_NAMES: usize = 8;
/// How often what others can hide for a moment is looked for, such as the owner of a name.
const LOOKS: u32 = 8;
/// The longest pause between two tries for the lock.
const PAUSE: Duration = Duration::from_millis(10);

/// The role of a mark's holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MarkKind {
    /// It attached the program, or joined those who did: the last of them detaches it.
    User,
    /// It uses the program, and others detach it.
    Guest,
    /// It uses a link that is pinned: the last of them removes the pin. The number is the link's.
    Pin,
}

/// A socket for the lock, made in advance: the thread that takes the lock may be in another
/// namespace by then.
#[derive(Debug)]
pub(super) struct LockSocket {
    socket: OwnedFd,
    directory: Directory,
}

impl LockSocket {
    /// Makes a socket in the calling thread's namespace.
    pub(super) fn new() -> Result<Self> {
        let socket = socket().map_err(failed("make the lock's socket"))?;
        Ok(Self { socket, directory: Directory::open()? })
    }

    /// Takes the lock of the interface with this index; waits for it not longer than `timeout`.
    ///
    /// # Errors
    /// [`Error::AttachLock`] if it was taken all the time; [`Error::Netlink`] if the socket fails.
    pub(super) fn acquire(self, ifindex: u32, timeout: Duration) -> Result<Lock> {
        let start = Instant::now();
        let failed = failed("take the lock of the interface's attachments");
        let name = format!("xsk/lock/{ifindex}");
        let taken = address(&name).map_err(&failed)?;
        let mut pause = Duration::from_micros(100);
        loop {
            match bind(&self.socket, &taken) {
                Ok(()) => {
                    let Self { socket, directory } = self;
                    return Ok(Lock { socket, directory, ifindex });
                }
                Err(Errno::ADDRINUSE) if start.elapsed() < timeout => sleep(pause),
                Err(errno @ Errno::ADDRINUSE) => {
                    let waited = start.elapsed();
                    // Whose it is only adds to the error.
                    let names = self.directory.names().ok().flatten();
                    let owner = names.and_then(|names| names.owner(&name));
                    let Holder { pid, uid } = owner.map(Owner::holder).unwrap_or_default();
                    return Err(Error::AttachLock { waited, errno, pid, uid });
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
    directory: Directory,
    ifindex: u32,
}

impl Lock {
    /// Returns the index of the lock's interface.
    pub(super) fn ifindex(&self) -> u32 {
        self.ifindex
    }

    /// Returns who has which names in the namespace, where the kernel reports it.
    ///
    /// # Errors
    /// [`Error::Netlink`].
    pub(super) fn names(&self) -> Result<Option<Names>> {
        self.directory.names()
    }

    /// Returns whether a mark of this kind that is to be trusted is on the program at this moment.
    /// `loader` is the user who loaded it, if that is known.
    ///
    /// # Errors
    /// [`Error::Netlink`] if a socket fails; with `EAGAIN` if the owner of a mark cannot be found,
    /// because it takes the name and gives it back all the time.
    pub(super) fn is_marked(
        &self,
        kind: MarkKind,
        program: u32,
        loader: Option<u32>,
    ) -> Result<bool> {
        self.is_marked_beside(kind, program, loader, None)
    }

    /// The same of marks that are not `own`.
    pub(super) fn is_marked_beside(
        &self,
        kind: MarkKind,
        program: u32,
        loader: Option<u32>,
        own: Option<&Mark>,
    ) -> Result<bool> {
        let failed = failed("look for marks on the program");
        let mut names = None;
        for number in 0..MARKS {
            let name = mark_name(kind, self.ifindex, program, number);
            if own.is_some_and(|own| own.name == name) {
                continue;
            }
            let address = address(&name).map_err(&failed)?;
            let mut looks = 0..LOOKS;
            while self.is_taken(&address) {
                let listed = match &names {
                    Some(names) => names,
                    None => names.insert(self.names()?),
                };
                // Where the kernel reports no owners, every mark is trusted.
                let owner = listed.as_ref().map(|listed| listed.owner(&name));
                match owner {
                    Some(Some(owner)) if !owner.is_trusted(loader) => break,
                    _ if self.is_shut_down(&address).map_err(&failed)? => break,
                    Some(Some(_)) | None => return Ok(true),
                    Some(None) if looks.next().is_some() => names = None,
                    Some(None) => return Err(failed(Errno::AGAIN)),
                }
            }
        }
        Ok(false)
    }

    /// Returns whether a socket has the name.
    fn is_taken(&self, name: &SocketAddrUnix) -> bool {
        // A refusal for another reason than that the name is free comes from its socket. A datagram
        // socket can be connected any number of times.
        connect(&self.socket, name) != Err(Errno::CONNREFUSED)
    }

    /// Returns whether the mark with this name was shut down.
    ///
    /// # Errors
    /// `EAGAIN` if others prevent each look.
    fn is_shut_down(&self, name: &SocketAddrUnix) -> Result<bool, Errno> {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        for _ in 0..LOOKS {
            match sendto(&self.socket, &[], flags, name) {
                // It says nothing about the mark: the socket that the lock's was connected to
                // before has been connected to the lock's name, and then to another one.
                Err(Errno::CONNRESET) => {}
                // Any other error, also that the mark's queue is full, comes from one that was not
                // shut down: these empty datagrams are never read.
                sent => return Ok(sent == Err(Errno::PIPE)),
            }
        }
        Err(Errno::AGAIN)
    }

    /// Puts a mark on a program; it stays until the returned value is dropped or its process ends.
    ///
    /// # Errors
    /// [`Error::Netlink`]; [`Error::AttachMarks`] if there are too many.
    pub(super) fn mark(&self, kind: MarkKind, program: u32) -> Result<Mark> {
        let names = (0..MARKS).map(|number| mark_name(kind, self.ifindex, program, number));
        let mark = Mark::on_first_free(names).map_err(failed("put a mark on the program"))?;
        mark.ok_or_else(|| self.too_many_marks(kind, program))
    }

    /// Returns the error that names who has the marks: of the wrong ones, if there are such.
    fn too_many_marks(&self, kind: MarkKind, program: u32) -> Error {
        let names = self.names().ok().flatten().unwrap_or_default();
        let prefix = marks_prefix(kind, self.ifindex, program);
        let owner = names
            .beginning(&prefix)
            .map(|(_, owner)| owner)
            .min_by_key(|owner| owner.is_trusted(None));
        let Holder { pid, uid } = owner.map(Owner::holder).unwrap_or_default();
        Error::AttachMarks { marks: MARKS, pid, uid, errno: Errno::ADDRINUSE }
    }
}

/// A mark on a program or a slot, which other processes see.
#[derive(Debug)]
pub(super) struct Mark {
    socket: OwnedFd,
    name: String,
    owner: Process,
}

impl Mark {
    /// Marks a slot of the map with the id `map` as one of a socket that is registered for the
    /// interface with this index, in the calling thread's namespace. Needs no lock.
    ///
    /// The end of its name is random, so that no process can take it in advance: marks of slots are
    /// found by the beginning of their names.
    pub(super) fn on_slot(ifindex: u32, map: u32, slot: u32) -> Result<Self, Errno> {
        let prefix = slot_prefix(map, slot);
        // A hasher with keys that the standard library takes from the system's random numbers.
        let random = || RandomState::new().build_hasher().finish();
        let names = iter::repeat_with(|| format!("{prefix}{ifindex}/{:016x}", random()));
        Self::on_first_free(names.take(RANDOM_NAMES))?.ok_or(Errno::ADDRINUSE)
    }

    fn on_first_free(names: impl Iterator<Item = String>) -> Result<Option<Self>, Errno> {
        let socket = socket()?;
        for name in names {
            match bind(&socket, &address(&name)?) {
                Err(Errno::ADDRINUSE) => {}
                Err(errno) => return Err(errno),
                Ok(()) => return Ok(Some(Self { socket, name, owner: Process::current() })),
            }
        }
        Ok(None)
    }
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

/// Returns the indices of the interfaces that the socket in a slot is registered for, by the marks
/// that are to be trusted. `loader` is the user who loaded the program, if that is known.
pub(super) fn registered_for(names: &Names, map: u32, slot: u32, loader: Option<u32>) -> Vec<u32> {
    let prefix = slot_prefix(map, slot);
    let trusted = names.beginning(&prefix).filter(|(_, owner)| owner.is_trusted(loader));
    trusted.filter_map(|(name, _)| name.split('/').next()?.parse().ok()).collect()
}

/// Returns the error of a socket that fails by itself, such as for too many open files.
fn failed(operation: &'static str) -> impl Fn(Errno) -> Error {
    move |errno| Error::Netlink { operation, errno }
}

fn socket() -> Result<OwnedFd, Errno> {
    socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)
}

fn mark_name(kind: MarkKind, ifindex: u32, program: u32, number: u32) -> String {
    let mut name = marks_prefix(kind, ifindex, program);
    name.push_str(&number.to_string());
    name
}

fn marks_prefix(kind: MarkKind, ifindex: u32, program: u32) -> String {
    let kind = match kind {
        MarkKind::User => "user",
        MarkKind::Guest => "guest",
        MarkKind::Pin => "pin",
    };
    format!("xsk/{kind}/{ifindex}/{program}/")
}

fn slot_prefix(map: u32, slot: u32) -> String {
    format!("xsk/slot/{map}/{slot}/")
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
        let Err(Error::AttachLock { waited, errno: Errno::ADDRINUSE, pid, uid }) = second else {
            panic!("{second:?}");
        };
        assert!(waited >= timeout);
        let user = rustix::process::geteuid().as_raw();
        let ours = (Some(std::process::id()), Some(user));
        let is_listed = held.names().unwrap().is_some();
        assert_eq!((pid, uid), if is_listed { ours } else { (None, None) });
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
        assert!(!lock.is_marked(MarkKind::User, 7, None).unwrap());
        let marks = [lock.mark(MarkKind::User, 7).unwrap(), lock.mark(MarkKind::User, 7).unwrap()];
        let [first, second] = marks;
        drop(first);
        assert!(lock.is_marked(MarkKind::User, 7, None).unwrap());
        assert!(!lock.is_marked(MarkKind::Guest, 7, None).unwrap());
        assert!(!lock.is_marked(MarkKind::User, 70, None).unwrap());
        // A mark can be looked up any number of times, and a second descriptor, such as that of a
        // forked child, does not keep it.
        for _ in 0..2000 {
            assert!(lock.is_marked(MarkKind::User, 7, None).unwrap());
        }
        let copy = second.socket.try_clone().unwrap();
        drop(second);
        assert!(!lock.is_marked(MarkKind::User, 7, None).unwrap());
        let third = lock.mark(MarkKind::User, 7).unwrap();
        assert!(lock.is_marked(MarkKind::User, 7, None).unwrap());
        drop((third, copy));
    }

    /// The kernel reports to a datagram socket, once, that its peer has turned away from it, if the
    /// peer has not read all that it received.
    #[test]
    fn a_stranger_that_resets_the_locks_connection_does_not_keep_a_mark() {
        let lock = lock(IFINDEX - 3);
        let name = |name: &str| address(&format!("xsk/test/{}/{name}", IFINDEX - 3)).unwrap();
        let stranger = socket().unwrap();
        bind(&stranger, &name("stranger")).unwrap();
        let mark = lock.mark(MarkKind::User, 7).unwrap();
        let _copy_in_a_child = mark.socket.try_clone().unwrap();
        drop(mark);
        let elsewhere = socket().unwrap();
        bind(&elsewhere, &name("elsewhere")).unwrap();
        sendto(&elsewhere, &[], SendFlags::empty(), &name("stranger")).unwrap();
        assert!(lock.is_taken(&name("stranger")));
        connect(&stranger, &address(&format!("xsk/lock/{}", IFINDEX - 3)).unwrap()).unwrap();
        connect(&stranger, &name("elsewhere")).unwrap();
        let mark = address(&mark_name(MarkKind::User, IFINDEX - 3, 7, 0)).unwrap();
        assert_eq!(lock.is_shut_down(&mark), Ok(true));
    }
}
