//! Flow rules, and the fields that the receive hash is made of.
//!
//! # Safety
//! As the module above. [`locations`] lets the kernel write an array whose length it was given.
#![allow(unsafe_code, reason = "a system call with a buffer that points to a buffer")]

use super::tailed::Tailed;
use super::{Device, ask};
use crate::num::usize32;
use rustix::io::Errno;
use std::mem::offset_of;
use xsk_uapi::ethtool::{
    ETHTOOL_GRXCLSRLALL, ETHTOOL_GRXCLSRLCNT, ETHTOOL_GRXCLSRULE, ETHTOOL_GRXFH, ETHTOOL_GRXRINGS,
    ETHTOOL_SRXCLSRLDEL, ETHTOOL_SRXCLSRLINS, ETHTOOL_SRXFH, ethtool_rx_flow_spec, ethtool_rxnfc,
};
use zerocopy::IntoBytes;

/// `ioctl(socket, SIOCETHTOOL, {name, ETHTOOL_GRXRINGS})`: the RX queues that a hash can choose.
pub(crate) fn rx_rings(device: Device<'_>) -> Result<u64, Errno> {
    let request = ethtool_rxnfc { cmd: ETHTOOL_GRXRINGS, ..Default::default() };
    Ok(exchange(device, request)?.data)
}

/// `ioctl(socket, SIOCETHTOOL, {name, ETHTOOL_GRXCLSRLCNT})`: the number of rules, and the driver's
/// flags.
pub(crate) fn count(device: Device<'_>) -> Result<(u32, u64), Errno> {
    let request = ethtool_rxnfc { cmd: ETHTOOL_GRXCLSRLCNT, ..Default::default() };
    let reply = exchange(device, request)?;
    Ok((reply.rule_cnt, reply.data))
}

/// `ioctl(socket, SIOCETHTOOL, {name, ETHTOOL_GRXCLSRLALL})`: the size of the table, and the
/// locations of its rules, of which there are at most `room`.
///
/// # Errors
/// `EMSGSIZE` if there are more.
pub(crate) fn locations(device: Device<'_>, room: u32) -> Result<(u64, Vec<u32>), Errno> {
    let request = ethtool_rxnfc { cmd: ETHTOOL_GRXCLSRLALL, rule_cnt: room, ..Default::default() };
    let (header, _) = request.as_bytes().split_at(offset_of!(ethtool_rxnfc, rule_locs));
    // The kernel writes back the whole struct, padding behind `rule_cnt` included: on 64-bit
    // machines this is where the first location is.
    let padding = size_of::<ethtool_rxnfc>().saturating_sub(header.len());
    let mut buffer = Tailed::new(header, &vec![0; usize32(room)], &vec![0; padding]);
    // SAFETY: ETHTOOL_GRXCLSRLALL reads and writes one `ethtool_rxnfc`, which the buffer has room
    // for, and then writes as many words at `rule_locs` as there are rules: a driver fails if there
    // are more than the `rule_cnt` of the request, which is how many words are behind the header.
    unsafe { ask(device, buffer.as_mut_bytes()) }?;
    let reply: ethtool_rxnfc = buffer.header();
    Ok((reply.data, buffer.words(reply.rule_cnt.min(room))))
}

/// `ioctl(socket, SIOCETHTOOL, {name, ETHTOOL_GRXCLSRULE})`: the rule at a location, and its
/// context of the receive hash if it has `FLOW_RSS`.
///
/// # Errors
/// `EINVAL` or `ENOENT` if there is none.
pub(crate) fn rule(
    device: Device<'_>,
    location: u32,
) -> Result<(ethtool_rx_flow_spec, u32), Errno> {
    let fs = ethtool_rx_flow_spec { location, ..Default::default() };
    let request = ethtool_rxnfc { cmd: ETHTOOL_GRXCLSRULE, fs, ..Default::default() };
    let reply = exchange(device, request)?;
    Ok((reply.fs, reply.rule_cnt))
}

/// `ioctl(socket, SIOCETHTOOL, {name, ETHTOOL_SRXCLSRLINS})`: returns the rule's location.
pub(crate) fn insert(
    device: Device<'_>,
    fs: ethtool_rx_flow_spec,
    context: u32,
) -> Result<u32, Errno> {
    let request =
        ethtool_rxnfc { cmd: ETHTOOL_SRXCLSRLINS, fs, rule_cnt: context, ..Default::default() };
    Ok(exchange(device, request)?.fs.location)
}

/// `ioctl(socket, SIOCETHTOOL, {name, ETHTOOL_SRXCLSRLDEL})`.
///
/// # Errors
/// `EINVAL` or `ENOENT` if there is no rule at this location.
pub(crate) fn delete(device: Device<'_>, location: u32) -> Result<(), Errno> {
    let fs = ethtool_rx_flow_spec { location, ..Default::default() };
    exchange(device, ethtool_rxnfc { cmd: ETHTOOL_SRXCLSRLDEL, fs, ..Default::default() })?;
    Ok(())
}

/// `ioctl(socket, SIOCETHTOOL, {name, ETHTOOL_GRXFH})`: the fields of a kind of flow, `RXH_*`.
pub(crate) fn hash_fields(device: Device<'_>, flow_type: u32) -> Result<u64, Errno> {
    let request = ethtool_rxnfc { cmd: ETHTOOL_GRXFH, flow_type, ..Default::default() };
    Ok(exchange(device, request)?.data)
}

/// `ioctl(socket, SIOCETHTOOL, {name, ETHTOOL_SRXFH})`.
pub(crate) fn set_hash_fields(device: Device<'_>, flow_type: u32, data: u64) -> Result<(), Errno> {
    exchange(device, ethtool_rxnfc { cmd: ETHTOOL_SRXFH, flow_type, data, ..Default::default() })?;
    Ok(())
}

/// Makes a call with one of the commands above, but not `ETHTOOL_GRXCLSRLALL`.
fn exchange(device: Device<'_>, mut request: ethtool_rxnfc) -> Result<ethtool_rxnfc, Errno> {
    // ETHTOOL_GRXCLSRLALL writes behind the struct.
    if request.cmd == ETHTOOL_GRXCLSRLALL {
        return Err(Errno::INVAL);
    }
    // SAFETY: with every command of `ethtool_rxnfc` but the one refused above, the kernel reads and
    // writes one such struct.
    unsafe { ask(device, request.as_mut_bytes()) }?;
    Ok(request)
}
