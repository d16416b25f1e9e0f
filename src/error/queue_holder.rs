//! The socket that has a queue, as [`Error::Bind`](super::Error::Bind) names it.

use std::fmt;

/// The AF_XDP socket that has a queue which another one was to get.
///
/// ```no_run
/// use xsk::{Error, Port, Interface};
/// # fn main() -> xsk::Result<()> {
/// match Port::open(&Interface::by_name("eth1")?, 0) {
///     Err(Error::Bind { holder: Some(holder), .. }) => println!("{holder} has the queue"),
///     result => drop(result?),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueHolder {
    /// The number of the socket's inode: `/proc/PID/fd` shows it as `socket:[NUMBER]`, and
    /// `ss -f xdp -e` as `ino:NUMBER`. 0 if no process has the socket open any more.
    pub inode: u32,
    /// The user who made the socket.
    pub uid: Option<u32>,
    /// A process that has it open, where `/proc` shows it.
    pub pid: Option<u32>,
}

impl QueueHolder {
    /// Returns the holder with this inode.
    pub(crate) fn new(inode: u32, uid: Option<u32>, pid: Option<u32>) -> Self {
        Self { inode, uid, pid }
    }
}

impl fmt::Display for QueueHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pid {
            Some(pid) if pid == std::process::id() => f.write_str("this process")?,
            Some(pid) => write!(f, "process {pid}")?,
            None => f.write_str("a process")?,
        }
        if let Some(uid) = self.uid {
            write!(f, " of user {uid}")?;
        }
        write!(f, " (socket inode {})", self.inode)
    }
}
