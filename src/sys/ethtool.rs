//! The channel counts of a network card, by `ioctl(SIOCETHTOOL)`.
//!
//! # Safety
//! Promises: the kernel reads and writes two local structs only. Needs: nothing of the caller.
#![allow(unsafe_code, reason = "a system call with a buffer that points to a buffer")]

use super::syscall::{fd_arg, nr, syscall};
use crate::num::usize32;
use rustix::io::Errno;
use std::os::fd::BorrowedFd;
use xsk_uapi::ethtool::{ETHTOOL_GCHANNELS, SIOCETHTOOL, ethtool_channels, ifreq_data};

/// `ioctl(socket, SIOCETHTOOL, {name, ETHTOOL_GCHANNELS})`, in the network namespace of `socket`.
///
/// # Errors
/// `EOPNOTSUPP` for a driver without channels, `ENODEV` for an unknown name, `EINVAL` for a name of
/// more than 15 bytes.
pub(crate) fn channels(socket: BorrowedFd<'_>, name: &[u8]) -> Result<ethtool_channels, Errno> {
    let mut channels = ethtool_channels { cmd: ETHTOOL_GCHANNELS, ..ethtool_channels::default() };
    let mut request = ifreq_data::default();
    // The last byte stays zero.
    let (_, room) = request.ifr_name.split_last_mut().ok_or(Errno::INVAL)?;
    room.get_mut(..name.len()).ok_or(Errno::INVAL)?.copy_from_slice(name);
    request.ifr_data = (&raw mut channels).expose_provenance();
    let args = [fd_arg(socket), usize32(SIOCETHTOOL), (&raw mut request).expose_provenance(), 0, 0];
    // SAFETY: SIOCETHTOOL reads, and at most writes back, one `struct ifreq` at `request`; for
    // ETHTOOL_GCHANNELS it reads and writes one `ethtool_channels` at `ifr_data`. Both are locals
    // that nothing else refers to, whose provenance is exposed, and which hold any bytes.
    unsafe { syscall(nr::IOCTL, args) }?;
    Ok(channels)
}
