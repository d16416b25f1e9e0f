//! The requests of the family `netdev` about queues and NAPI instances.

use super::features::{command, netdev_family};
use super::napi::Napi;
use super::napi_settings::{NapiSettings, NapiThreading};
use crate::netlink::message::{Attribute, Malformed, Message, Request};
use crate::netlink::{Netlink, Refusal};
use rustix::io::Errno;
use std::time::Duration;
use xsk_uapi::genetlink::genlmsghdr;
use xsk_uapi::netdev::{
    NETDEV_A_NAPI_DEFER_HARD_IRQS, NETDEV_A_NAPI_GRO_FLUSH_TIMEOUT, NETDEV_A_NAPI_ID,
    NETDEV_A_NAPI_IFINDEX, NETDEV_A_NAPI_IRQ, NETDEV_A_NAPI_IRQ_SUSPEND_TIMEOUT, NETDEV_A_NAPI_PID,
    NETDEV_A_NAPI_THREADED, NETDEV_A_QUEUE_ID, NETDEV_A_QUEUE_IFINDEX, NETDEV_A_QUEUE_NAPI_ID,
    NETDEV_A_QUEUE_TYPE, NETDEV_CMD_NAPI_GET, NETDEV_CMD_NAPI_SET, NETDEV_CMD_QUEUE_GET,
    NETDEV_QUEUE_TYPE_RX,
};
use xsk_uapi::netlink::NLM_F_DUMP;

/// Asks for the id of the NAPI instance that serves the RX queue (6.8). `None` if the driver names
/// none, or the kernel has no such request.
///
/// A queue that the interface does not have is `EINVAL`; of an interface that is down the kernel
/// has none (`ENOENT`).
pub(super) fn of_queue(generic: &Netlink, index: u32, queue: u32) -> Result<Option<u32>, Refusal> {
    let Some(family) = netdev_family(generic)? else {
        return Ok(None);
    };
    let mut request = Request::new(family, 0, &command(NETDEV_CMD_QUEUE_GET));
    request
        .u32(NETDEV_A_QUEUE_ID, queue)
        .u32(NETDEV_A_QUEUE_IFINDEX, index)
        .u32(NETDEV_A_QUEUE_TYPE, NETDEV_QUEUE_TYPE_RX);
    let replies = match generic.ask(&request) {
        Err(Refusal { errno: Errno::OPNOTSUPP | Errno::NOENT, .. }) => return Ok(None),
        replies => replies?,
    };
    let mut found = None;
    for reply in &replies {
        for attribute in reply.message().split::<genlmsghdr>()?.1 {
            let attribute = attribute?;
            if attribute.kind == NETDEV_A_QUEUE_NAPI_ID {
                found = Some(attribute.value()?);
            }
        }
    }
    Ok(found)
}

/// Asks for the NAPI instance with this id (6.8). `None` if there is none, and where the kernel has
/// no such request.
pub(super) fn get(generic: &Netlink, id: u32) -> Result<Option<Napi>, Refusal> {
    let Some(family) = netdev_family(generic)? else {
        return Ok(None);
    };
    let mut request = Request::new(family, 0, &command(NETDEV_CMD_NAPI_GET));
    request.u32(NETDEV_A_NAPI_ID, id);
    match generic.ask(&request) {
        // Before 6.13 EINVAL.
        Err(Refusal { errno: Errno::OPNOTSUPP | Errno::NOENT | Errno::INVAL, .. }) => Ok(None),
        replies => Ok(Some(read(&replies?.first().ok_or(Malformed)?.message())?)),
    }
}

/// Asks for all NAPI instances of an interface (6.8), by rising ids. `None` where the kernel has no
/// such request.
pub(super) fn all(generic: &Netlink, index: u32) -> Result<Option<Vec<Napi>>, Refusal> {
    let Some(family) = netdev_family(generic)? else {
        return Ok(None);
    };
    let mut request = Request::new(family, NLM_F_DUMP, &command(NETDEV_CMD_NAPI_GET));
    request.u32(NETDEV_A_NAPI_IFINDEX, index);
    let replies = match generic.ask(&request) {
        Err(Refusal { errno: Errno::OPNOTSUPP, .. }) => return Ok(None),
        replies => replies?,
    };
    let found = replies.iter().map(|reply| read(&reply.message())).collect::<Result<Vec<_>, _>>();
    let mut found = found?;
    found.sort_by_key(Napi::id);
    Ok(Some(found))
}

/// Changes a NAPI instance (6.13). Returns whether the kernel has such a request.
pub(super) fn set(generic: &Netlink, id: u32, settings: &NapiSettings) -> Result<bool, Refusal> {
    let Some(family) = netdev_family(generic)? else {
        return Ok(false);
    };
    let mut request = Request::new(family, 0, &command(NETDEV_CMD_NAPI_SET));
    request.u32(NETDEV_A_NAPI_ID, id);
    request.u32(NETDEV_A_NAPI_DEFER_HARD_IRQS, settings.defer_hard_irqs);
    let timeout = nanoseconds(settings.gro_flush_timeout)?;
    request.attribute(NETDEV_A_NAPI_GRO_FLUSH_TIMEOUT, &timeout.to_ne_bytes());
    if let Some(timeout) = settings.irq_suspend_timeout {
        let timeout = nanoseconds(timeout)?;
        request.attribute(NETDEV_A_NAPI_IRQ_SUSPEND_TIMEOUT, &timeout.to_ne_bytes());
    }
    if let Some(threaded) = settings.threaded {
        request.u32(NETDEV_A_NAPI_THREADED, threaded.value());
    }
    match generic.ask(&request) {
        // `genl_family_rcv_msg` (net/netlink/genetlink.c) knows no such command. A driver that
        // cannot run the instance in a thread says so by the same number.
        Err(Refusal { errno: Errno::OPNOTSUPP, text: None }) if settings.threaded.is_none() => {
            Ok(false)
        }
        result => result.map(|_| true),
    }
}

/// Returns a time as the kernel takes it.
pub(super) fn nanoseconds(time: Duration) -> Result<u64, Errno> {
    u64::try_from(time.as_nanos()).map_err(|_| Errno::RANGE)
}

/// Reads a description of a NAPI instance.
fn read(message: &Message<'_>) -> Result<Napi, Malformed> {
    let (mut id, mut irq, mut thread) = (None, None, None);
    let (mut defer, mut flush, mut suspend, mut threaded) = (None, None, None, None);
    for attribute in message.split::<genlmsghdr>()?.1 {
        let attribute = attribute?;
        match attribute.kind {
            NETDEV_A_NAPI_ID => id = Some(attribute.value()?),
            NETDEV_A_NAPI_IRQ => irq = Some(attribute.value()?),
            NETDEV_A_NAPI_PID => thread = Some(attribute.value()?),
            NETDEV_A_NAPI_DEFER_HARD_IRQS => defer = Some(attribute.value()?),
            NETDEV_A_NAPI_GRO_FLUSH_TIMEOUT => flush = Some(number(&attribute)?),
            NETDEV_A_NAPI_IRQ_SUSPEND_TIMEOUT => suspend = Some(number(&attribute)?),
            NETDEV_A_NAPI_THREADED => threaded = Some(number(&attribute)?),
            _ => {}
        }
    }
    let settings = defer.zip(flush).map(|(defer, flush)| NapiSettings {
        defer_hard_irqs: defer,
        gro_flush_timeout: Duration::from_nanos(flush),
        irq_suspend_timeout: suspend.map(Duration::from_nanos),
        threaded: threaded.map(|value| NapiThreading::of(u32::try_from(value).unwrap_or(u32::MAX))),
    });
    Ok(Napi::new(id.ok_or(Malformed)?, irq, thread, settings))
}

/// Reads an unsigned number of 4 or of 8 bytes (`NLA_UINT`).
fn number(attribute: &Attribute<'_>) -> Result<u64, Malformed> {
    match attribute.payload.len() {
        4 => attribute.value::<u32>().map(u64::from),
        _ => attribute.value(),
    }
}
