//! Who uses each queue of an interface.

use super::Interface;
use super::features::{command, netdev_family};
use crate::error::Result;
use crate::netlink::message::{Malformed, Message, Request};
use crate::netlink::{Refusal, Reply};
use crate::sys::release::is_before;
use rustix::io::Errno;
use std::collections::BTreeMap;
use xsk_uapi::genetlink::genlmsghdr;
use xsk_uapi::netdev::{
    NETDEV_A_QUEUE_ID, NETDEV_A_QUEUE_IFINDEX, NETDEV_A_QUEUE_NAPI_ID, NETDEV_A_QUEUE_TYPE,
    NETDEV_A_QUEUE_XSK, NETDEV_CMD_QUEUE_GET, NETDEV_QUEUE_TYPE_RX, NETDEV_QUEUE_TYPE_TX,
};
use xsk_uapi::netlink::NLM_F_DUMP;

/// The state of a queue at one moment (`NETDEV_CMD_QUEUE_GET`, linux/netdev.h, 6.8).
///
/// ```
/// use xsk::Interface;
/// # fn main() -> xsk::Result<()> {
/// for state in Interface::by_name("lo")?.queue_states()?.into_iter().flatten() {
///     match state.has_socket() {
///         Some(true) => println!("queue {}: an AF_XDP socket is bound to it", state.queue),
///         Some(false) => println!("queue {} is free", state.queue),
///         None => println!("queue {}: this kernel does not report it", state.queue),
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct QueueState {
    /// Its number.
    pub queue: u32,
    /// Its RX side; `None` if it has none.
    pub rx: Option<QueueSide>,
    /// Its TX side; `None` if it has none.
    pub tx: Option<QueueSide>,
}

/// One side of a queue: RX or TX.
///
/// ```
/// use xsk::interface::QueueSide;
/// # fn main() -> xsk::Result<()> {
/// let napi_of = |side: QueueSide| side.napi;
/// let states = xsk::Interface::by_name("lo")?.queue_states()?.unwrap_or_default();
/// let served_by: Vec<_> = states.iter().filter_map(|state| state.rx.and_then(napi_of)).collect();
/// println!("NAPI instances: {served_by:?}");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct QueueSide {
    /// The id of the NAPI instance that serves it; `None` if the driver does not report it.
    pub napi: Option<u32>,
    /// Whether an AF_XDP socket is bound to it, in copy mode too (6.15); `None` if the kernel does
    /// not report it.
    pub has_socket: Option<bool>,
}

impl QueueState {
    /// Returns whether an AF_XDP socket is bound to it (6.15); `None` if the kernel does not report
    /// it.
    #[must_use]
    pub fn has_socket(&self) -> Option<bool> {
        let mut sides = [self.rx, self.tx].into_iter().flatten();
        let first = sides.next()?.has_socket;
        sides.fold(first, |known, side| match (known, side.has_socket) {
            (Some(true), _) | (_, Some(true)) => Some(true),
            (Some(false), Some(false)) => Some(false),
            _ => None,
        })
    }
}

impl Interface {
    /// Returns the state of each queue in use, by their numbers (6.8).
    ///
    /// `None` where the kernel does not report it. An interface that is down has no queue in use.
    ///
    /// # Errors
    /// [`Error::Interface`](crate::Error::Interface); with `ENODEV` if it is gone.
    #[doc(alias = "NETDEV_CMD_QUEUE_GET")]
    pub fn queue_states(&self) -> Result<Option<Vec<QueueState>>> {
        let failed = |refusal| self.error("ask for the queues of", refusal);
        let Some(family) = netdev_family(&self.sockets.generic).map_err(failed)? else {
            return Ok(None);
        };
        let mut request = Request::new(family, NLM_F_DUMP, &command(NETDEV_CMD_QUEUE_GET));
        request.u32(NETDEV_A_QUEUE_IFINDEX, self.index);
        match self.sockets.generic.ask(&request) {
            Ok(replies) => {
                let states = read(&replies, is_before(6, 15));
                states.map(Some).map_err(|malformed| failed(malformed.into()))
            }
            // The family is older than the command.
            Err(Refusal { errno: Errno::OPNOTSUPP, .. }) => Ok(None),
            Err(refusal) => Err(failed(refusal)),
        }
    }

    /// Returns the state of one queue (6.8); `None` where the kernel does not report it, and if
    /// there is no such queue in use.
    ///
    /// # Errors
    /// As [`queue_states`](Self::queue_states).
    pub fn queue_state(&self, queue: u32) -> Result<Option<QueueState>> {
        let states = self.queue_states()?.unwrap_or_default();
        Ok(states.into_iter().find(|state| state.queue == queue))
    }
}

/// Reads a dump. A kernel that is `too_old` to report sockets reports none of them.
fn read(replies: &[Reply], too_old: bool) -> Result<Vec<QueueState>, Malformed> {
    let mut states = BTreeMap::<u32, QueueState>::new();
    for reply in replies {
        let (queue, kind, side) = queue_side(&reply.message(), too_old)?;
        let state = states.entry(queue).or_default();
        state.queue = queue;
        match kind {
            NETDEV_QUEUE_TYPE_RX => state.rx = Some(side),
            NETDEV_QUEUE_TYPE_TX => state.tx = Some(side),
            _ => {}
        }
    }
    Ok(states.into_values().collect())
}

/// Reads the reply about one side of one queue.
pub(crate) fn queue_side(
    message: &Message<'_>,
    too_old: bool,
) -> Result<(u32, u32, QueueSide), Malformed> {
    let (mut queue, mut kind) = (None, None);
    let mut side = QueueSide { napi: None, has_socket: (!too_old).then_some(false) };
    for attribute in message.split::<genlmsghdr>()?.1 {
        let attribute = attribute?;
        match attribute.kind {
            NETDEV_A_QUEUE_ID => queue = Some(attribute.value()?),
            NETDEV_A_QUEUE_TYPE => kind = Some(attribute.value()?),
            NETDEV_A_QUEUE_NAPI_ID => side.napi = Some(attribute.value()?),
            NETDEV_A_QUEUE_XSK => side.has_socket = Some(true),
            _ => {}
        }
    }
    Ok((queue.ok_or(Malformed)?, kind.ok_or(Malformed)?, side))
}
