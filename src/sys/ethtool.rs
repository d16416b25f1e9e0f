//! The channel counts of a network card, by `ioctl(SIOCETHTOOL)`.
#![allow(
    unsafe_code,
    reason = "a system call with a buffer that points to a buffer"
)]

use super::syscall::{fd_arg, nr, syscall};
use rustix::io::Errno;
use std::os::fd::BorrowedFd;
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes};

/// `SIOCETHTOOL` (linux/sockios.h).
const SIOCETHTOOL: usize = 0x8946;
/// `ETHTOOL_GCHANNELS` (linux/ethtool.h).
const ETHTOOL_GCHANNELS: u32 = 0x3c;

/// `struct ethtool_channels` (linux/ethtool.h).
#[allow(non_camel_case_types, reason = "the kernel's name")]
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub(crate) struct ethtool_channels {
    pub(crate) cmd: u32,
    pub(crate) max_rx: u32,
    pub(crate) max_tx: u32,
    pub(crate) max_other: u32,
    pub(crate) max_combined: u32,
    pub(crate) rx_count: u32,
    pub(crate) tx_count: u32,
    pub(crate) other_count: u32,
    pub(crate) combined_count: u32,
}
static_assertions::const_assert_eq!(size_of::<ethtool_channels>(), 36);

/// `struct ifreq` (linux/if.h) as SIOCETHTOOL reads it: a name and an address.
#[derive(IntoBytes, Immutable)]
#[repr(C)]
struct EthtoolRequest {
    name: [u8; 16],
    data: usize,
    rest: [u8; 16],
}
static_assertions::const_assert_eq!(size_of::<EthtoolRequest>(), 40);

/// `ioctl(socket, SIOCETHTOOL, {name, ETHTOOL_GCHANNELS})`, in the network namespace of `socket`.
///
/// # Errors
/// `EOPNOTSUPP` for a driver without channels, `ENODEV` for an unknown name, `EINVAL` for a name of more than 15 bytes.
pub(crate) fn channels(socket: BorrowedFd<'_>, name: &[u8]) -> Result<ethtool_channels, Errno> {
    let mut channels = ethtool_channels {
        cmd: ETHTOOL_GCHANNELS,
        ..ethtool_channels::new_zeroed()
    };
    let mut request = EthtoolRequest {
        name: [0; 16],
        data: (&raw mut channels).expose_provenance(),
        rest: [0; 16],
    };
    let room = request
        .name
        .len()
        .checked_sub(1)
        .and_then(|last| request.name.get_mut(..last));
    room.and_then(|room| room.get_mut(..name.len()))
        .ok_or(Errno::INVAL)?
        .copy_from_slice(name);
    let args = [
        fd_arg(socket),
        SIOCETHTOOL,
        (&raw mut request).expose_provenance(),
        0,
        0,
    ];
    // SAFETY: SIOCETHTOOL reads, and at most writes back, the 40 bytes of a `struct ifreq` at `request`; for
    // ETHTOOL_GCHANNELS it writes one `ethtool_channels` at `data`. Both are locals that nothing else
    // refers to, whose provenance is exposed, and which hold any bytes.
    unsafe { syscall(nr::IOCTL, args) }?;
    Ok(channels)
}
