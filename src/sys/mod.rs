//! Every system call, as a safe function over typed descriptors.
//!
//! Nothing here knows what a frame, a ring's owner or a program's purpose is.
//!
//! # Safety
//! Promises: no call reads or writes memory of this process but what its arguments borrow, and the
//! descriptors and mappings that it returns have one owner. So every function that other modules
//! see is safe.
//!
//! Needs: the kernel keeps to its ABI, whose structs are those of `xsk_uapi`.

#[allow(unsafe_code, reason = "the system call shim")]
mod syscall;

pub(crate) mod bpf;
pub(crate) mod busy_poll;
pub(crate) mod cpu;
pub(crate) mod ethtool;
pub(crate) mod fork;
pub(crate) mod memory;
pub(crate) mod netlink;
pub(crate) mod netns;
pub(crate) mod packet_socket;
pub(crate) mod proc;
pub(crate) mod rcu;
pub(crate) mod release;
pub(crate) mod sockopt;
pub(crate) mod sysfs;
pub(crate) mod xsk;
