//! `linux/unix_diag.h` and `linux/sock_diag.h`: which Unix sockets there are.
//!
//! Ask with [`SOCK_DIAG_BY_FAMILY`] and [`unix_diag_req`] on a socket of `NETLINK_SOCK_DIAG`; the
//! replies are a [`unix_diag_msg`] with attributes each.

use crate::layout::{constants, structs};

constants! {
    u16 {
        /// Message type: report the sockets of a family.
        SOCK_DIAG_BY_FAMILY = 20;

        /// Attribute, bytes: the name that the socket is bound to; an abstract one begins with a
        /// zero byte.
        UNIX_DIAG_NAME = 0;
        /// Attribute, `u8`: which directions were shut down.
        UNIX_DIAG_SHUTDOWN = 6;
        /// Attribute, `u32`: the user that the socket belongs to (5.3).
        UNIX_DIAG_UID = 7;
    }

    u32 {
        /// Report [`UNIX_DIAG_NAME`].
        UDIAG_SHOW_NAME = 0x01;
        /// Report [`UNIX_DIAG_UID`] (5.3).
        UDIAG_SHOW_UID = 0x40;
    }
}

structs! {
    /// A request for Unix sockets.
    pub struct unix_diag_req(24, Same) {
        /// `AF_UNIX`, 1.
        0: sdiag_family: u8,
        /// Zero.
        1: sdiag_protocol: u8,
        /// Zero.
        2: pad: u16,
        /// States to report, a bit each; all bits for all sockets.
        4: udiag_states: u32,
        /// For one socket instead of a dump: its inode.
        8: udiag_ino: u32,
        /// Attributes to report: `UDIAG_SHOW_*`.
        12: udiag_show: u32,
        /// For one socket: its cookie; all bits if it is not known.
        16: udiag_cookie: [u32; 2],
    }

    /// Head of a reply: one Unix socket.
    pub struct unix_diag_msg(16, Same) {
        /// `AF_UNIX`, 1.
        0: udiag_family: u8,
        /// `SOCK_STREAM` (1), `SOCK_DGRAM` (2) or `SOCK_SEQPACKET` (5).
        1: udiag_type: u8,
        /// Its state.
        2: udiag_state: u8,
        /// Zero.
        3: pad: u8,
        /// Its inode.
        4: udiag_ino: u32,
        /// Its cookie.
        8: udiag_cookie: [u32; 2],
    }
}
