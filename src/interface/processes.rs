//! Which processes have sockets and links open.

use crate::sys::proc::{OpenFile, command, is_xdp_socket, open_files, shares_netns};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The processes that have sockets and BPF links open, as far as `/proc` shows them: with
/// `CAP_SYS_PTRACE`, as root has it, those of the PID namespace whose `/proc` it is; else those of
/// the own user.
///
/// ```
/// use xsk::Interface;
/// use xsk::interface::Processes;
///
/// # fn main() -> xsk::Result<()> {
/// let processes = Processes::read();
/// for socket in Interface::by_name("lo")?.xdp_sockets()?.unwrap_or_default() {
///     for process in processes.with_socket(socket.inode) {
///         println!("queue {}: {process}", socket.queue); // Such as "process 4711 (xdpsock)".
///     }
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Processes {
    sockets: BTreeMap<u32, Vec<ProcessInfo>>,
    links: BTreeMap<u32, Vec<ProcessInfo>>,
    /// The inodes of AF_XDP sockets of processes in this network namespace.
    xdp: BTreeSet<u32>,
    is_complete: bool,
}

/// A process, from [`Processes`].
///
/// ```
/// # fn f(process: &xsk::interface::ProcessInfo) {
/// println!("kill {} # {}", process.id, process.command);
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProcessInfo {
    /// Its number, in the PID namespace whose `/proc` it is.
    pub id: u32,
    /// The name of its command, which the kernel cuts after 15 bytes. Any process can choose it.
    pub command: String,
}

impl Processes {
    /// Looks at all processes, once: later look-ups report the state of this moment.
    #[must_use]
    pub fn read() -> Self {
        let (mut sockets, mut links, mut xdp) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        // The name is read once for each process, which has its files one after the other.
        let mut last: Option<ProcessInfo> = None;
        let is_complete = open_files(|id, file, path| {
            let process = match last.take().filter(|process| process.id == id) {
                Some(process) => process,
                None => ProcessInfo { id, command: command(id).unwrap_or_default() },
            };
            let (map, key) = match file {
                OpenFile::Socket(inode) => {
                    if is_xdp_socket(path) && shares_netns(id) == Some(true) {
                        xdp.insert(inode);
                    }
                    (&mut sockets, inode)
                }
                OpenFile::Link(link) => (&mut links, link),
            };
            let users: &mut Vec<ProcessInfo> = map.entry(key).or_default();
            if users.last() != Some(&process) {
                users.push(process.clone());
            }
            last = Some(process);
            true
        });
        Self { sockets, links, xdp, is_complete }
    }

    /// Returns the processes that have the socket with this inode open
    /// ([`XdpSocketInfo::inode`](super::XdpSocketInfo::inode)).
    #[must_use]
    pub fn with_socket(&self, inode: u32) -> &[ProcessInfo] {
        self.sockets.get(&inode).map(Vec::as_slice).unwrap_or_default()
    }

    /// Returns the inodes of the AF_XDP sockets that processes in the calling thread's network
    /// namespace had open when this was read. Where the kernel lists sockets,
    /// [`XdpSocketInfo::list`](super::XdpSocketInfo::list) has more of them, and of each its
    /// interface.
    #[doc(alias = "system.sockprotoname")]
    pub fn xdp_sockets(&self) -> impl Iterator<Item = u32> + '_ {
        self.xdp.iter().copied()
    }

    /// Returns the processes that have a descriptor of the BPF link with this id.
    #[must_use]
    pub fn with_link(&self, id: u32) -> &[ProcessInfo] {
        self.links.get(&id).map(Vec::as_slice).unwrap_or_default()
    }

    /// Returns whether all processes could be looked at. Those of other PID namespaces that this one
    /// does not contain are never seen.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }
}

impl fmt::Display for ProcessInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {}", self.id)?;
        if self.command.is_empty() { Ok(()) } else { write!(f, " ({})", self.command) }
    }
}
