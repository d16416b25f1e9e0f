//! Which AF_XDP sockets are bound to an interface.

use super::Interface;
use crate::error::{Error, QueueHolder, Result};
use crate::netlink::message::{Malformed, Message, Request};
use crate::netlink::{Netlink, Refusal};
use crate::sys::netlink::Family;
use crate::sys::proc::process_with_socket;
use rustix::io::Errno;
use xsk_uapi::if_xdp::AF_XDP;
use xsk_uapi::netlink::NLM_F_DUMP;
use xsk_uapi::unix_diag::SOCK_DIAG_BY_FAMILY;
use xsk_uapi::xdp_diag::{
    XDP_DIAG_INFO, XDP_DIAG_RX_RING, XDP_DIAG_STATS, XDP_DIAG_TX_RING, XDP_DIAG_UID, XDP_DIAG_UMEM,
    XDP_DIAG_UMEM_COMPLETION_RING, XDP_DIAG_UMEM_FILL_RING, XDP_DU_F_ZEROCOPY, XDP_SHOW_INFO,
    XDP_SHOW_RING_CFG, XDP_SHOW_STATS, XDP_SHOW_UMEM, xdp_diag_info, xdp_diag_msg, xdp_diag_req,
    xdp_diag_stats, xdp_diag_umem,
};

/// All that the kernel reports about a socket.
const EVERYTHING: u32 = XDP_SHOW_INFO | XDP_SHOW_RING_CFG | XDP_SHOW_UMEM | XDP_SHOW_STATS;

/// An AF_XDP socket of this or another process (`NETLINK_SOCK_DIAG`, linux/xdp_diag.h, 5.1).
///
/// ```
/// use xsk::Interface;
/// # fn main() -> xsk::Result<()> {
/// match Interface::by_name("lo")?.xdp_sockets()? {
///     Some(sockets) => sockets.iter().for_each(|socket| {
///         println!("queue {}: inode {}, user {:?}", socket.queue, socket.inode, socket.uid);
///     }),
///     None => println!("this kernel has no CONFIG_XDP_SOCKETS_DIAG"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct XdpSocketInfo {
    /// The index of its interface; 0 if it is not bound.
    pub interface_index: u32,
    /// The number of its queue.
    pub queue: u32,
    /// The number of its inode; 0 if no process has it open any more.
    pub inode: u32,
    /// A number that no other socket has until the next boot.
    pub cookie: u64,
    /// The user who made it.
    pub uid: Option<u32>,
    /// Its packet memory.
    pub umem: Option<XdpUmemInfo>,
    /// The number of entries of its RX ring; `None` if it has none. So for the other rings.
    pub rx_ring: Option<u32>,
    /// The number of entries of its TX ring.
    pub tx_ring: Option<u32>,
    /// The number of entries of the fill ring of its queue.
    pub fill_ring: Option<u32>,
    /// The number of entries of the completion ring of its queue.
    pub completion_ring: Option<u32>,
    /// Its counters (5.9).
    pub counters: Option<XdpSocketCounters>,
}

/// The packet memory of an AF_XDP socket.
///
/// ```
/// # use xsk::interface::XdpSocketInfo;
/// # fn f(one: &XdpSocketInfo, other: &XdpSocketInfo) -> bool {
/// let share_memory = one.umem.map(|umem| umem.id) == other.umem.map(|umem| umem.id);
/// # share_memory
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct XdpUmemInfo {
    /// Its number: sockets that share it report the same one.
    pub id: u32,
    /// Its length in bytes.
    pub bytes: u64,
    /// The length of a chunk in bytes.
    pub chunk_size: u32,
    /// The bytes that are kept free at the beginning of each chunk.
    pub headroom: u32,
    /// Whether a socket uses it in zero-copy mode.
    pub zero_copy: bool,
    /// How many hold it: sockets, and the rings of a queue.
    pub references: u32,
}

/// The counters of an AF_XDP socket (5.9), as
/// [`SocketHandle::statistics`](crate::SocketHandle::statistics) returns those of one's own.
///
/// ```
/// # fn f(counters: xsk::interface::XdpSocketCounters) -> bool {
/// let is_slow = counters.rx_ring_full > 0;
/// # is_slow
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct XdpSocketCounters {
    /// Packets dropped for other reasons than the next ones.
    pub rx_dropped: u64,
    /// Packets dropped because the RX ring was full.
    pub rx_ring_full: u64,
    /// Entries of the fill ring that were not valid.
    pub rx_invalid_descs: u64,
    /// How often the kernel found the fill ring empty.
    pub fill_ring_empty: u64,
    /// Entries of the TX ring that were not valid.
    pub tx_invalid_descs: u64,
    /// How often the kernel found the TX ring empty.
    pub tx_ring_empty: u64,
}

impl XdpSocketInfo {
    /// Reads a reply.
    pub(crate) fn read(message: &Message<'_>) -> Result<Self, Malformed> {
        let (head, attributes) = message.split::<xdp_diag_msg>()?;
        let [low, high] = head.xdiag_cookie.map(u64::from);
        let mut socket =
            Self { inode: head.xdiag_ino, cookie: high << 32 | low, ..Self::default() };
        for attribute in attributes {
            let attribute = attribute?;
            match attribute.kind {
                XDP_DIAG_INFO => {
                    let xdp_diag_info { ifindex, queue_id } = attribute.value()?;
                    (socket.interface_index, socket.queue) = (ifindex, queue_id);
                }
                XDP_DIAG_UID => socket.uid = Some(attribute.value()?),
                XDP_DIAG_RX_RING => socket.rx_ring = Some(attribute.value()?),
                XDP_DIAG_TX_RING => socket.tx_ring = Some(attribute.value()?),
                XDP_DIAG_UMEM_FILL_RING => socket.fill_ring = Some(attribute.value()?),
                XDP_DIAG_UMEM_COMPLETION_RING => socket.completion_ring = Some(attribute.value()?),
                XDP_DIAG_UMEM => socket.umem = Some(XdpUmemInfo::of(&attribute.value()?)),
                XDP_DIAG_STATS => {
                    socket.counters = Some(XdpSocketCounters::of(&attribute.value()?))
                }
                _ => {}
            }
        }
        Ok(socket)
    }
}

impl XdpUmemInfo {
    fn of(umem: &xdp_diag_umem) -> Self {
        Self {
            id: umem.id,
            bytes: umem.size,
            chunk_size: umem.chunk_size,
            headroom: umem.headroom,
            zero_copy: umem.flags & XDP_DU_F_ZEROCOPY != 0,
            references: umem.refs,
        }
    }
}

impl XdpSocketCounters {
    fn of(stats: &xdp_diag_stats) -> Self {
        Self {
            rx_dropped: stats.n_rx_dropped,
            rx_ring_full: stats.n_rx_full,
            rx_invalid_descs: stats.n_rx_invalid,
            fill_ring_empty: stats.n_fill_ring_empty,
            tx_invalid_descs: stats.n_tx_invalid,
            tx_ring_empty: stats.n_tx_ring_empty,
        }
    }
}

impl Interface {
    /// Returns the AF_XDP sockets that are bound to it, of all processes, by their queues (5.1).
    ///
    /// `None` where the kernel does not list them: it is built without `CONFIG_XDP_SOCKETS_DIAG`,
    /// its module cannot be loaded, or a security module does not allow it. The kernel's list ends
    /// before a socket whose interface has gone and that is not closed yet: older sockets are
    /// missing then.
    ///
    /// # Errors
    /// [`Error::Interface`]: with `EXDEV` if the calling thread is in
    /// another network namespace and may not enter that of the interface.
    #[doc(alias = "XDP_DIAG")]
    pub fn xdp_sockets(&self) -> Result<Option<Vec<XdpSocketInfo>>> {
        self.list_sockets(EVERYTHING)
    }

    /// Returns the socket that has a queue, as far as the kernel and `/proc` show it.
    pub(crate) fn holder_of(&self, queue: u32) -> Option<QueueHolder> {
        // Only what needs nothing of the packet memory, which may be just going: kernels before 6.6
        // read it then (fixed by 3e019d8a05a3).
        let sockets = self.list_sockets(XDP_SHOW_INFO).ok()??;
        let socket = sockets.into_iter().find(|socket| socket.queue == queue)?;
        let pid = process_with_socket(socket.inode);
        Some(QueueHolder::new(socket.inode, socket.uid, pid))
    }

    fn list_sockets(&self, show: u32) -> Result<Option<Vec<XdpSocketInfo>>> {
        const OPERATION: &str = "list the AF_XDP sockets of";
        let Some(diag) = self.inside(OPERATION, open)? else { return Ok(None) };
        let mut sockets = match ask(&diag, show).map_err(|errno| self.error(OPERATION, errno))? {
            Some(sockets) => sockets,
            None => return Ok(None),
        };
        sockets.retain(|socket| socket.interface_index == self.index);
        Ok(Some(sockets))
    }
}

impl XdpSocketInfo {
    /// Returns the AF_XDP sockets of the calling thread's network namespace, of all processes, by
    /// their interfaces and queues (5.1). Those that are not bound are the first ones: the index of
    /// their interface is 0. With `None` as for [`Interface::xdp_sockets`].
    ///
    /// ```
    /// use xsk::interface::XdpSocketInfo;
    /// # fn main() -> xsk::Result<()> {
    /// if let Some(sockets) = XdpSocketInfo::list()? {
    ///     let unbound = sockets.iter().filter(|socket| socket.interface_index == 0).count();
    ///     println!("{} sockets, {unbound} of them not bound", sockets.len());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Netlink`] if a netlink socket fails.
    pub fn list() -> Result<Option<Vec<Self>>> {
        let failed = |errno| Error::Netlink { operation: "list the AF_XDP sockets", errno };
        let Some(diag) = open().map_err(failed)? else { return Ok(None) };
        ask(&diag, EVERYTHING).map_err(|refusal| failed(refusal.errno))
    }
}

/// Opens a socket to ask for sockets of the calling thread's namespace; `None` if the kernel is built
/// without `CONFIG_SOCK_DIAG`.
fn open() -> Result<Option<Netlink>, Errno> {
    match Netlink::open(Family::SockDiag) {
        Err(Errno::PROTONOSUPPORT) => Ok(None),
        opened => opened.map(Some),
    }
}

/// Lists the sockets of the namespace of `diag`; `None` where the kernel does not.
fn ask(diag: &Netlink, show: u32) -> Result<Option<Vec<XdpSocketInfo>>, Refusal> {
    let request = xdp_diag_req {
        sdiag_family: u8::try_from(AF_XDP).unwrap_or_default(),
        xdiag_show: show,
        ..xdp_diag_req::default()
    };
    let replies = match diag.ask(&Request::new(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &request)) {
        Ok(replies) => replies,
        Err(Refusal { errno: Errno::NOENT | Errno::INVAL | Errno::OPNOTSUPP, .. })
        | Err(Refusal { errno: Errno::PERM | Errno::ACCESS, .. }) => return Ok(None),
        Err(refusal) => return Err(refusal),
    };
    let read = replies.iter().map(|reply| XdpSocketInfo::read(&reply.message()));
    let mut sockets = read.collect::<Result<Vec<_>, Malformed>>()?;
    sockets.sort_by_key(|socket| (socket.interface_index, socket.queue, socket.cookie));
    Ok(Some(sockets))
}
