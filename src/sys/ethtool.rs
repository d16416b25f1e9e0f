//! The channel counts and the driver of a network card, by `ioctl(SIOCETHTOOL)`.
//!
//! # Safety
//! Promises: the kernel reads and writes two local structs only. Needs: nothing of the caller.
#![allow(unsafe_code, reason = "a system call with a buffer that points to a buffer")]

use super::syscall::{fd_arg, nr, syscall};
use crate::num::usize32;
use rustix::io::Errno;
use std::os::fd::BorrowedFd;
use xsk_uapi::ethtool::{
    ETHTOOL_GCHANNELS, ETHTOOL_GDRVINFO, SIOCETHTOOL, ethtool_channels, ethtool_drvinfo, ifreq_data,
};
use zerocopy::{FromBytes, IntoBytes};

/// `ioctl(socket, SIOCETHTOOL, {name, ETHTOOL_GCHANNELS})`, in the network namespace of `socket`.
///
/// # Errors
/// `EOPNOTSUPP` for a driver without channels, `ENODEV` for an unknown name, `EINVAL` for a name of
/// more than 15 bytes.
pub(crate) fn channels(socket: BorrowedFd<'_>, name: &[u8]) -> Result<ethtool_channels, Errno> {
    let mut channels = ethtool_channels { cmd: ETHTOOL_GCHANNELS, ..ethtool_channels::default() };
    // SAFETY: ETHTOOL_GCHANNELS reads and writes one `ethtool_channels`.
    unsafe { ask(socket, name, &mut channels) }?;
    Ok(channels)
}

/// `ioctl(socket, SIOCETHTOOL, {name, ETHTOOL_GDRVINFO})`, in the network namespace of `socket`.
///
/// # Errors
/// As [`channels`].
pub(crate) fn driver(socket: BorrowedFd<'_>, name: &[u8]) -> Result<ethtool_drvinfo, Errno> {
    let mut driver = ethtool_drvinfo { cmd: ETHTOOL_GDRVINFO, ..ethtool_drvinfo::default() };
    // SAFETY: ETHTOOL_GDRVINFO reads and writes one `ethtool_drvinfo`.
    unsafe { ask(socket, name, &mut driver) }?;
    Ok(driver)
}

/// Has the kernel do the command that `argument` begins with.
///
/// # Safety
/// The command reads and writes at most one `T`, which holds any bytes.
unsafe fn ask<T: FromBytes + IntoBytes>(
    socket: BorrowedFd<'_>,
    name: &[u8],
    argument: &mut T,
) -> Result<(), Errno> {
    let mut request = ifreq_data::default();
    // The last byte stays zero.
    let (_, room) = request.ifr_name.split_last_mut().ok_or(Errno::INVAL)?;
    room.get_mut(..name.len()).ok_or(Errno::INVAL)?.copy_from_slice(name);
    request.ifr_data = (&raw mut *argument).expose_provenance();
    let args = [fd_arg(socket), usize32(SIOCETHTOOL), (&raw mut request).expose_provenance(), 0, 0];
    // SAFETY: SIOCETHTOOL reads, and at most writes back, one `struct ifreq` at `request`; the
    // command reads and writes at most one `T` at `ifr_data` (contract of this function). The one is a
    // local, the other is borrowed exclusively; their provenance is exposed, and they hold any bytes.
    unsafe { syscall(nr::IOCTL, args) }?;
    Ok(())
}
