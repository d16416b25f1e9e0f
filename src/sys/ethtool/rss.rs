//! The table, the key and the function of the receive hash.
//!
//! # Safety
//! As the module above. The kernel writes arrays whose lengths it was given.
#![allow(unsafe_code, reason = "a system call with a buffer that points to a buffer")]

use super::tailed::Tailed;
use super::{Device, ask};
use crate::num::{u32_of_count, usize32};
use rustix::io::Errno;
use xsk_uapi::ethtool::{ETH_RXFH_INDIR_NO_CHANGE, ETHTOOL_GRSSH, ETHTOOL_SRSSH, ethtool_rxfh};
use zerocopy::IntoBytes;

/// `ioctl(socket, SIOCETHTOOL, {name, ETHTOOL_GRSSH})`, for a context: the header, the table and
/// the key.
pub(crate) fn get(
    device: Device<'_>,
    rss_context: u32,
) -> Result<(ethtool_rxfh, Vec<u32>, Vec<u8>), Errno> {
    let mut sizes = ethtool_rxfh { cmd: ETHTOOL_GRSSH, rss_context, ..Default::default() };
    // SAFETY: ETHTOOL_GRSSH reads and writes one `ethtool_rxfh`, and nothing behind it if the
    // request has both sizes as zero.
    unsafe { ask(device, sizes.as_mut_bytes()) }?;
    let ethtool_rxfh { indir_size, key_size, .. } = sizes;
    let request = ethtool_rxfh {
        cmd: ETHTOOL_GRSSH,
        rss_context,
        indir_size,
        key_size,
        ..Default::default()
    };
    let (table, key) = (vec![0; usize32(indir_size)], vec![0; usize32(key_size)]);
    let mut buffer = Tailed::new(request.as_bytes(), &table, &key);
    // SAFETY: behind the `ethtool_rxfh`, ETHTOOL_GRSSH writes `indir_size` words and `key_size`
    // bytes, which is what is behind it in the buffer; it fails if these are not the device's sizes.
    unsafe { ask(device, buffer.as_mut_bytes()) }?;
    Ok((buffer.header(), buffer.words(indir_size), buffer.bytes_after(indir_size)))
}

/// `ioctl(socket, SIOCETHTOOL, {name, ETHTOOL_SRSSH})`: returns the number of the context.
///
/// An empty `key` leaves the key as it is, and no table the table. An empty table stands for the
/// default one; it deletes a context other than 0.
///
/// # Errors
/// `EINVAL` also for a key together with an empty table: before 6.11 the kernel looks for the key
/// behind a table of the device's size (`ethtool_set_rxfh`, net/ethtool/ioctl.c).
pub(crate) fn set(
    device: Device<'_>,
    mut request: ethtool_rxfh,
    table: Option<&[u32]>,
    key: &[u8],
) -> Result<u32, Errno> {
    if table.is_some_and(<[u32]>::is_empty) && !key.is_empty() {
        return Err(Errno::INVAL);
    }
    request.cmd = ETHTOOL_SRSSH;
    request.indir_size = table.map_or(ETH_RXFH_INDIR_NO_CHANGE, |table| u32_of_count(table.len()));
    request.key_size = u32_of_count(key.len());
    let mut buffer = Tailed::new(request.as_bytes(), table.unwrap_or_default(), key);
    // SAFETY: ETHTOOL_SRSSH reads one `ethtool_rxfh`, behind it `indir_size` words, unless that is
    // ETH_RXFH_INDIR_NO_CHANGE, and `key_size` bytes: what is in the buffer. (Older kernels look
    // for them elsewhere if `indir_size` is 0, but then there are none.) It writes `rss_context`.
    unsafe { ask(device, buffer.as_mut_bytes()) }?;
    Ok(buffer.header::<ethtool_rxfh>().rss_context)
}
