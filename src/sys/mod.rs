//! Every system call, as a safe function over typed descriptors. The only unsafe calls into the kernel.
//!
//! Nothing here knows what a frame, a ring's owner or a program's purpose is.

#[allow(unsafe_code, reason = "the system call shim")]
mod syscall;

pub(crate) mod bpf;
pub(crate) mod ethtool;
pub(crate) mod memory;
pub(crate) mod netlink;
pub(crate) mod netns;
pub(crate) mod sockopt;
pub(crate) mod xsk;
