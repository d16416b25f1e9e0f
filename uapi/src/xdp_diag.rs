//! `linux/xdp_diag.h`: which AF_XDP sockets there are (5.1).
//!
//! Ask with [`SOCK_DIAG_BY_FAMILY`](crate::unix_diag::SOCK_DIAG_BY_FAMILY) and [`xdp_diag_req`], as
//! a dump, on a socket of `NETLINK_SOCK_DIAG`; the replies are an [`xdp_diag_msg`] with attributes
//! each. The kernel needs `CONFIG_XDP_SOCKETS_DIAG`.

use crate::layout::{constants, structs};

constants! {
    u16 {
        /// Attribute, [`xdp_diag_info`]: the queue (5.1).
        XDP_DIAG_INFO = 1;
        /// Attribute, `u32`: the user that the socket belongs to (5.1).
        XDP_DIAG_UID = 2;
        /// Attribute, [`xdp_diag_ring`]: the RX ring (5.1).
        XDP_DIAG_RX_RING = 3;
        /// Attribute, [`xdp_diag_ring`]: the TX ring (5.1).
        XDP_DIAG_TX_RING = 4;
        /// Attribute, [`xdp_diag_umem`]: the packet memory (5.1).
        XDP_DIAG_UMEM = 5;
        /// Attribute, [`xdp_diag_ring`]: the fill ring (5.1).
        XDP_DIAG_UMEM_FILL_RING = 6;
        /// Attribute, [`xdp_diag_ring`]: the completion ring (5.1).
        XDP_DIAG_UMEM_COMPLETION_RING = 7;
        /// Attribute, `u32`s: memory of the socket (5.1).
        XDP_DIAG_MEMINFO = 8;
        /// Attribute, [`xdp_diag_stats`]: counters (5.9).
        XDP_DIAG_STATS = 9;
    }

    u32 {
        /// Report [`XDP_DIAG_INFO`] and [`XDP_DIAG_UID`] (5.1).
        XDP_SHOW_INFO = 1 << 0;
        /// Report the RX and the TX ring (5.1).
        XDP_SHOW_RING_CFG = 1 << 1;
        /// Report [`XDP_DIAG_UMEM`], and the fill and the completion ring (5.1).
        XDP_SHOW_UMEM = 1 << 2;
        /// Report [`XDP_DIAG_MEMINFO`] (5.1).
        XDP_SHOW_MEMINFO = 1 << 3;
        /// Report [`XDP_DIAG_STATS`] (5.9).
        XDP_SHOW_STATS = 1 << 4;

        /// [`xdp_diag_umem::flags`]: zero-copy (5.1).
        XDP_DU_F_ZEROCOPY = 1 << 0;
    }
}

structs! {
    /// A request for AF_XDP sockets (5.1).
    pub struct xdp_diag_req(20, Same) {
        /// `AF_XDP`, 44.
        0: sdiag_family: u8,
        /// Zero.
        1: sdiag_protocol: u8,
        /// Zero.
        2: pad: u16,
        /// Not used.
        4: xdiag_ino: u32,
        /// Attributes to report: `XDP_SHOW_*`.
        8: xdiag_show: u32,
        /// Not used.
        12: xdiag_cookie: [u32; 2],
    }

    /// Head of a reply: one AF_XDP socket (5.1).
    pub struct xdp_diag_msg(16, Same) {
        /// `AF_XDP`, 44.
        0: xdiag_family: u8,
        /// `SOCK_RAW`, 3.
        1: xdiag_type: u8,
        /// Zero.
        2: pad: u16,
        /// Its inode.
        4: xdiag_ino: u32,
        /// Its cookie, the lower half first.
        8: xdiag_cookie: [u32; 2],
    }

    /// The queue of a socket (5.1).
    pub struct xdp_diag_info(8, Same) {
        /// The device; zero if it is not bound.
        0: ifindex: u32,
        /// The queue.
        4: queue_id: u32,
    }

    /// A ring (5.1).
    pub struct xdp_diag_ring(4, Same) {
        /// Its number of entries.
        0: entries: u32,
    }

    /// The packet memory of a socket (5.1).
    pub struct xdp_diag_umem(40, Same) {
        /// Its length in bytes.
        0: size: u64,
        /// Its number.
        8: id: u32,
        /// Its number of pages.
        12: num_pages: u32,
        /// Bytes of a chunk.
        16: chunk_size: u32,
        /// Bytes that the user keeps free at the beginning of each.
        20: headroom: u32,
        /// The device of its pool; zero if it is not bound.
        24: ifindex: u32,
        /// The queue of its pool.
        28: queue_id: u32,
        /// `XDP_DU_F_*`.
        32: flags: u32,
        /// How many use it.
        36: refs: u32,
    }

    /// Counters of a socket (5.9).
    pub struct xdp_diag_stats(48, Same) {
        /// Packets dropped for other reasons than those below.
        0: n_rx_dropped: u64,
        /// Entries of the fill ring that were not valid.
        8: n_rx_invalid: u64,
        /// Packets dropped because the RX ring was full.
        16: n_rx_full: u64,
        /// How often the fill ring was empty.
        24: n_fill_ring_empty: u64,
        /// Entries of the TX ring that were not valid.
        32: n_tx_invalid: u64,
        /// How often the TX ring was empty.
        40: n_tx_ring_empty: u64,
    }
}
