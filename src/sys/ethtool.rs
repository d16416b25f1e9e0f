//! Channels, rings, features and the driver of a network card, by `ioctl(SIOCETHTOOL)`.
//!
//! [`flow`] has flow rules and hash fields, [`rss`] the tables of the receive hash.
//!
//! All functions make one call in the network namespace of `socket`, for the interface of that
//! name. Each fails with `EOPNOTSUPP` for a driver without such a function, `ENODEV` for an unknown
//! name, `EINVAL` for a name of more than 15 bytes, and those that change something with `EPERM`
//! without `CAP_NET_ADMIN`.
//!
//! # Safety
//! Promises: the kernel reads and writes local buffers only. Needs: nothing of the caller.
#![allow(unsafe_code, reason = "a system call with a buffer that points to a buffer")]

pub(crate) mod flow;
pub(crate) mod rss;
mod tailed;
#[cfg(test)]
pub(crate) mod tests;

use super::syscall::{fd_arg, nr, syscall};
use crate::num::usize32;
use rustix::io::Errno;
use std::os::fd::BorrowedFd;
use xsk_uapi::ethtool::{
    ETHTOOL_GCHANNELS, ETHTOOL_GDRVINFO, ETHTOOL_GFLAGS, ETHTOOL_GGRO, ETHTOOL_GGSO,
    ETHTOOL_GRINGPARAM, ETHTOOL_GTSO, ETHTOOL_GTXCSUM, ETHTOOL_SCHANNELS, ETHTOOL_SFLAGS,
    ETHTOOL_SRINGPARAM, SIOCETHTOOL, ethtool_channels, ethtool_drvinfo, ethtool_ringparam,
    ethtool_value, ifreq_data,
};
use zerocopy::IntoBytes;

/// An interface by its name, and the socket that determines its namespace.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Device<'a> {
    pub(crate) socket: BorrowedFd<'a>,
    pub(crate) name: &'a [u8],
}

/// `ioctl(socket, SIOCETHTOOL, {name, ETHTOOL_GCHANNELS})`.
pub(crate) fn channels(device: Device<'_>) -> Result<ethtool_channels, Errno> {
    let mut channels = ethtool_channels { cmd: ETHTOOL_GCHANNELS, ..Default::default() };
    // SAFETY: ETHTOOL_GCHANNELS reads and writes one `ethtool_channels`.
    unsafe { ask(device, channels.as_mut_bytes()) }?;
    Ok(channels)
}

/// `ioctl(socket, SIOCETHTOOL, {name, ETHTOOL_SCHANNELS})`.
pub(crate) fn set_channels(device: Device<'_>, mut new: ethtool_channels) -> Result<(), Errno> {
    new.cmd = ETHTOOL_SCHANNELS;
    // SAFETY: ETHTOOL_SCHANNELS reads one `ethtool_channels`.
    unsafe { ask(device, new.as_mut_bytes()) }
}

/// `ioctl(socket, SIOCETHTOOL, {name, ETHTOOL_GRINGPARAM})`.
pub(crate) fn ring_sizes(device: Device<'_>) -> Result<ethtool_ringparam, Errno> {
    let mut sizes = ethtool_ringparam { cmd: ETHTOOL_GRINGPARAM, ..Default::default() };
    // SAFETY: ETHTOOL_GRINGPARAM reads and writes one `ethtool_ringparam`.
    unsafe { ask(device, sizes.as_mut_bytes()) }?;
    Ok(sizes)
}

/// `ioctl(socket, SIOCETHTOOL, {name, ETHTOOL_SRINGPARAM})`.
pub(crate) fn set_ring_sizes(device: Device<'_>, mut new: ethtool_ringparam) -> Result<(), Errno> {
    new.cmd = ETHTOOL_SRINGPARAM;
    // SAFETY: ETHTOOL_SRINGPARAM reads one `ethtool_ringparam`.
    unsafe { ask(device, new.as_mut_bytes()) }
}

/// `ioctl(socket, SIOCETHTOOL, {name, ETHTOOL_GFLAGS})`.
pub(crate) fn flags(device: Device<'_>) -> Result<u32, Errno> {
    value(device, Value::Flags)
}

/// A number that a driver or the kernel has for a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value {
    /// The features of `ETH_FLAG_*`.
    Flags,
    /// Whether checksums are left to the device.
    TxChecksum,
    /// Whether TCP segmentation is left to the device.
    TcpSegmentation,
    /// Whether segmentation is done as late as possible.
    GenericSegmentation,
    /// Whether received packets are joined before the network stack gets them.
    GenericReceive,
}

/// `ioctl(socket, SIOCETHTOOL, {name, ETHTOOL_GFLAGS})`, or another command that reads one number.
pub(crate) fn value(device: Device<'_>, wanted: Value) -> Result<u32, Errno> {
    let cmd = match wanted {
        Value::Flags => ETHTOOL_GFLAGS,
        Value::TxChecksum => ETHTOOL_GTXCSUM,
        Value::TcpSegmentation => ETHTOOL_GTSO,
        Value::GenericSegmentation => ETHTOOL_GGSO,
        Value::GenericReceive => ETHTOOL_GGRO,
    };
    let mut value = ethtool_value { cmd, ..Default::default() };
    // SAFETY: ETHTOOL_GFLAGS, ETHTOOL_GTXCSUM, ETHTOOL_GTSO, ETHTOOL_GGSO and ETHTOOL_GGRO each
    // read and write one `ethtool_value`.
    unsafe { ask(device, value.as_mut_bytes()) }?;
    Ok(value.data)
}

/// `ioctl(socket, SIOCETHTOOL, {name, ETHTOOL_SFLAGS})`.
///
/// # Errors
/// `EOPNOTSUPP` or `EINVAL` for a feature that cannot be changed.
pub(crate) fn set_flags(device: Device<'_>, data: u32) -> Result<(), Errno> {
    let mut flags = ethtool_value { cmd: ETHTOOL_SFLAGS, data };
    // SAFETY: ETHTOOL_SFLAGS reads one `ethtool_value`.
    unsafe { ask(device, flags.as_mut_bytes()) }
}

/// `ioctl(socket, SIOCETHTOOL, {name, ETHTOOL_GDRVINFO})`.
pub(crate) fn driver(device: Device<'_>) -> Result<ethtool_drvinfo, Errno> {
    let mut driver = ethtool_drvinfo { cmd: ETHTOOL_GDRVINFO, ..Default::default() };
    // SAFETY: ETHTOOL_GDRVINFO reads and writes one `ethtool_drvinfo`.
    unsafe { ask(device, driver.as_mut_bytes()) }?;
    Ok(driver)
}

/// Has the kernel do the command that `argument` begins with.
///
/// # Safety
/// The command reads and writes at most the bytes of `argument`.
unsafe fn ask(device: Device<'_>, argument: &mut [u8]) -> Result<(), Errno> {
    #[cfg(test)]
    if let Some(reply) = tests::reply(argument) {
        return reply;
    }
    let Device { socket, name } = device;
    let mut request = ifreq_data::default();
    // The last byte stays zero.
    let (_, room) = request.ifr_name.split_last_mut().ok_or(Errno::INVAL)?;
    room.get_mut(..name.len()).ok_or(Errno::INVAL)?.copy_from_slice(name);
    request.ifr_data = argument.as_mut_ptr().expose_provenance();
    let args = [fd_arg(socket), usize32(SIOCETHTOOL), (&raw mut request).expose_provenance(), 0, 0];
    // SAFETY: SIOCETHTOOL reads and writes at most one `struct ifreq`, a local, and the bytes of
    // `argument` at `ifr_data` (contract of this function), borrowed exclusively; both hold any
    // bytes, and their provenance is exposed. The kernel copies without regard to alignment.
    unsafe { syscall(nr::IOCTL, args) }?;
    Ok(())
}
