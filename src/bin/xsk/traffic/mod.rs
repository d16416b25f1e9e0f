//! The commands that move packets as the kernel's xdpsock does (`rxdrop`, `txonly` and `l2fwd`), and
//! `bridge`.

pub(crate) mod between;
pub(crate) mod bridge;
pub(crate) mod l2fwd;
pub(crate) mod l2fwd_sockets;
pub(crate) mod rxdrop;
pub(crate) mod txonly;
