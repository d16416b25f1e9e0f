//! Which processes have the abstract Unix names of a network namespace.
//!
//! The kernel lists its Unix sockets (`NETLINK_SOCK_DIAG`, what `ss -x` shows): the name of each,
//! its inode, and the user who made it (5.3). A socket belongs to that user for good, unless a
//! process with `CAP_CHOWN` gives it away. Users are numbered as this process's user namespace
//! does; those that it does not know are all the overflow user, 65534.
//!
//! The list is not of one moment: while it is read, a socket that is closed can hide another one.
//! So whether a name is taken is found out by connecting to it, and the list shows only whose it
//! is.

use crate::error::{Error, Result};
use crate::netlink::message::Malformed;
use crate::netlink::message::Request;
use crate::netlink::{Netlink, Refusal, Reply};
use crate::sys::netlink::Family;
use crate::sys::proc::process_with_socket;
use rustix::io::Errno;
use rustix::process::geteuid;
use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd};
use xsk_uapi::netlink::NLM_F_DUMP;
use xsk_uapi::unix_diag::{
    SOCK_DIAG_BY_FAMILY, UDIAG_SHOW_NAME, UDIAG_SHOW_UID, UNIX_DIAG_NAME, UNIX_DIAG_SHUTDOWN,
    UNIX_DIAG_UID, unix_diag_msg, unix_diag_req,
};

/// `AF_UNIX` (linux/socket.h).
const AF_UNIX: u8 = 1;
/// `SOCK_DGRAM` (linux/net.h). Sockets of other types have names of their own.
const SOCK_DGRAM: u8 = 2;
/// `RCV_SHUTDOWN` (net/sock.h): nothing can be sent to the socket any more.
const RCV_SHUTDOWN: u8 = 1;

/// `DEFAULT_OVERFLOWUID` (linux/highuid.h): each user whom this process's user namespace does not
/// know, unless the sysctl `kernel.overflowuid` says otherwise.
const OVERFLOW_UID: u32 = 65_534;

/// How all names of this crate begin.
const PREFIX: &str = "xsk/";

/// Asks the kernel for the names of a network namespace.
#[derive(Debug)]
pub(super) struct Directory {
    /// `None` where the kernel has no such sockets.
    list: Option<Netlink>,
}

/// The names of this crate that were taken.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeMap<String, Owner>);

/// The socket that has a name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owner {
    inode: u32,
    /// `None` before 5.3.
    uid: Option<u32>,
}

/// A process that has a name, as far as it is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Holder {
    pub(super) pid: Option<u32>,
    pub(super) uid: Option<u32>,
}

impl Directory {
    /// Opens a socket for it in the calling thread's namespace.
    ///
    /// # Errors
    /// [`Error::Netlink`] if descriptors or memory run out.
    pub(super) fn open() -> Result<Self> {
        match Netlink::open(Family::SockDiag) {
            Ok(list) => Ok(Self { list: Some(list) }),
            Err(errno @ (Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::NOBUFS)) => {
                Err(Error::Netlink { operation: "open a netlink socket", errno })
            }
            Err(_) => Ok(Self { list: None }),
        }
    }

    /// Returns its socket, which shows the namespace; `None` where there is none.
    pub(super) fn socket(&self) -> Option<BorrowedFd<'_>> {
        self.list.as_ref().map(AsFd::as_fd)
    }

    /// Returns the names of this crate, or `None` where the kernel does not list its sockets: it is
    /// built without `CONFIG_UNIX_DIAG`, or its security module does not allow it.
    ///
    /// # Errors
    /// [`Error::Netlink`].
    pub(super) fn names(&self) -> Result<Option<Names>> {
        let Some(list) = &self.list else {
            return Ok(None);
        };
        // The whole list: asked for the user of a single socket, kernels before 6.1 dereference
        // null (fixed by b3abe42e9490).
        let request = unix_diag_req {
            sdiag_family: AF_UNIX,
            udiag_states: u32::MAX,
            udiag_show: UDIAG_SHOW_NAME | UDIAG_SHOW_UID,
            udiag_cookie: [u32::MAX; 2],
            ..unix_diag_req::default()
        };
        let failed = |errno| Error::Netlink { operation: "list the Unix sockets", errno };
        match list.ask(&Request::new(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &request)) {
            Ok(replies) => Names::read(&replies).map(Some).map_err(|bad| failed(bad.into())),
            Err(Refusal { errno: Errno::NOENT | Errno::INVAL | Errno::OPNOTSUPP, .. })
            | Err(Refusal { errno: Errno::PERM | Errno::ACCESS, .. }) => Ok(None),
            Err(Refusal { errno, .. }) => Err(failed(errno)),
        }
    }
}

impl Names {
    /// Reads a dump.
    fn read(replies: &[Reply]) -> Result<Self, Malformed> {
        let mut names = BTreeMap::new();
        for reply in replies {
            let message = reply.message();
            if message.kind != SOCK_DIAG_BY_FAMILY {
                continue;
            }
            let (head, attributes) = message.split::<unix_diag_msg>()?;
            let (mut name, mut uid, mut shutdown) = (None, None, 0_u8);
            for attribute in attributes {
                let attribute = attribute?;
                match attribute.kind {
                    UNIX_DIAG_NAME => name = abstract_name(attribute.payload),
                    UNIX_DIAG_UID => uid = Some(attribute.value()?),
                    UNIX_DIAG_SHUTDOWN => shutdown = attribute.value()?,
                    _ => {}
                }
            }
            let is_open = head.udiag_type == SOCK_DGRAM && shutdown & RCV_SHUTDOWN == 0;
            if let Some(name) = name.filter(|_| is_open) {
                names.insert(name.to_owned(), Owner { inode: head.udiag_ino, uid });
            }
        }
        Ok(Self(names))
    }

    /// Returns the owner of a name.
    pub(super) fn owner(&self, name: &str) -> Option<Owner> {
        self.0.get(name).copied()
    }

    /// Returns the names that begin with `prefix`, without it.
    pub(super) fn beginning(&self, prefix: &str) -> impl Iterator<Item = (&str, Owner)> {
        self.0.iter().filter_map(move |(name, owner)| Some((name.strip_prefix(prefix)?, *owner)))
    }
}

/// Returns the abstract name in an attribute, if it is one of this crate.
fn abstract_name(bytes: &[u8]) -> Option<&str> {
    let name = std::str::from_utf8(bytes.strip_prefix(&[0])?).ok()?;
    name.starts_with(PREFIX).then_some(name)
}

impl Owner {
    /// Returns whether what the name says is trusted: it is root's, that of this process's
    /// effective user, or that of the user `other`, unless this is the overflow user: that may be
    /// anyone. Before 5.3 the user is unknown, and every name is trusted.
    pub(super) fn is_trusted(self, other: Option<u32>) -> bool {
        self.is_trusted_by(geteuid().as_raw(), other)
    }

    fn is_trusted_by(self, effective: u32, other: Option<u32>) -> bool {
        let other = other.filter(|uid| *uid != OVERFLOW_UID);
        self.uid.is_none_or(|uid| uid == 0 || uid == effective || Some(uid) == other)
    }

    /// Returns the process, for the text of an error.
    pub(super) fn holder(self) -> Holder {
        Holder { pid: process_with_socket(self.inode), uid: self.uid }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loader_that_may_be_anyone_makes_no_other_user_trusted() {
        let owner = |uid| Owner { inode: 1, uid };
        for (uid, loader, trusted) in [
            (Some(0), None, true),
            (Some(1000), None, true),
            (Some(1001), None, false),
            (Some(1001), Some(1001), true),
            (Some(OVERFLOW_UID), Some(1001), false),
            (Some(OVERFLOW_UID), Some(OVERFLOW_UID), false),
            (Some(1000), Some(OVERFLOW_UID), true),
            (None, None, true),
        ] {
            assert_eq!(owner(uid).is_trusted_by(1000, loader), trusted, "{uid:?}, {loader:?}");
        }
        assert!(owner(Some(OVERFLOW_UID)).is_trusted_by(OVERFLOW_UID, None));
    }
}
