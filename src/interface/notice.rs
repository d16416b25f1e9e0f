//! Reads the kernel's notifications about an interface.

use super::device_event::DeviceEvent;
use super::features::{command, family_id};
use super::info::InterfaceInfo;
use crate::netlink::Netlink;
use crate::netlink::message::{Malformed, Message, Request};
use xsk_uapi::ethtool::{
    ETHTOOL_A_CHANNELS_HEADER, ETHTOOL_A_HEADER_DEV_INDEX, ETHTOOL_GENL_NAME,
    ETHTOOL_MCGRP_MONITOR_NAME, ETHTOOL_MSG_CHANNELS_GET, ETHTOOL_MSG_CHANNELS_NTF,
};
use xsk_uapi::genetlink::{
    CTRL_ATTR_FAMILY_NAME, CTRL_ATTR_MCAST_GROUPS, CTRL_ATTR_MCAST_GRP_ID,
    CTRL_ATTR_MCAST_GRP_NAME, CTRL_ATTR_OP_ID, CTRL_ATTR_OPS, CTRL_CMD_GETFAMILY, GENL_ID_CTRL,
    genlmsghdr,
};
use xsk_uapi::if_link::IFLA_NEW_NETNSID;
use xsk_uapi::rtnetlink::{AF_UNSPEC, RTM_DELLINK, RTM_NEWLINK, ifinfomsg};

/// What a notification says about the interface.
pub(super) enum Notice {
    State(Box<InterfaceInfo>),
    End(DeviceEvent),
    Nothing,
}

/// Reads what a message says about the interface `index`.
pub(super) fn notice(message: &Message<'_>, index: u32) -> Result<Notice, Malformed> {
    if !matches!(message.kind, RTM_NEWLINK | RTM_DELLINK) {
        return Ok(Notice::Nothing);
    }
    let (header, attributes) = message.split::<ifinfomsg>()?;
    // Those of other families are about its place in a bridge.
    if u32::try_from(header.ifi_index) != Ok(index) || header.ifi_family != AF_UNSPEC {
        return Ok(Notice::Nothing);
    }
    if message.kind == RTM_DELLINK {
        for attribute in attributes {
            if attribute?.kind == IFLA_NEW_NETNSID {
                return Ok(Notice::End(DeviceEvent::Moved));
            }
        }
        return Ok(Notice::End(DeviceEvent::Removed));
    }
    // A message that is not about the whole state, but about an event of a wireless card, say, has
    // no numbers of queues.
    let info = InterfaceInfo::read(message)?.filter(|info| info.tx_queues > 0);
    Ok(info.map_or(Notice::Nothing, |info| Notice::State(Box::new(info))))
}

/// Returns whether a message of the family `ethtool` is that the numbers of queues of the interface
/// `index` were changed.
pub(super) fn is_of_channels(message: &Message<'_>, index: u32) -> Result<bool, Malformed> {
    let (header, attributes) = message.split::<genlmsghdr>()?;
    if header.cmd != ETHTOOL_MSG_CHANNELS_NTF {
        return Ok(false);
    }
    for attribute in attributes {
        let attribute = attribute?;
        if attribute.kind != ETHTOOL_A_CHANNELS_HEADER {
            continue;
        }
        for part in attribute.nested() {
            let part = part?;
            if part.kind == ETHTOOL_A_HEADER_DEV_INDEX {
                return Ok(part.value::<u32>()? == index);
            }
        }
    }
    Ok(false)
}

/// Asks for the ids of the family `ethtool` and of its group of notifications; `None` where those
/// have no numbers of queues: before 5.7, or where the kernel was built without
/// `CONFIG_ETHTOOL_NETLINK`.
pub(super) fn monitor_group(generic: &Netlink) -> Option<(u16, u32)> {
    let mut request = Request::new(GENL_ID_CTRL, 0, &command(CTRL_CMD_GETFAMILY));
    request.string(CTRL_ATTR_FAMILY_NAME, ETHTOOL_GENL_NAME);
    let replies = generic.ask(&request).ok()?;
    let message = replies.first()?.message();
    if !has_command(&message, ETHTOOL_MSG_CHANNELS_GET).ok()? {
        return None;
    }
    Some((family_id(&message).ok()??, group_id(&message, ETHTOOL_MCGRP_MONITOR_NAME).ok()??))
}

/// Reads from `CTRL_CMD_NEWFAMILY` whether a family has a command. Those that read something have
/// been in this list since the first kernel that has them.
fn has_command(message: &Message<'_>, command: u8) -> Result<bool, Malformed> {
    for attribute in message.split::<genlmsghdr>()?.1 {
        let attribute = attribute?;
        if attribute.kind != CTRL_ATTR_OPS {
            continue;
        }
        for operation in attribute.nested() {
            for part in operation?.nested() {
                let part = part?;
                if part.kind == CTRL_ATTR_OP_ID && part.value::<u32>()? == u32::from(command) {
                    return Ok(true);
                }
            }
        }
    }
    Ok(false)
}

/// Reads the id of the multicast group `name` from `CTRL_CMD_NEWFAMILY`.
fn group_id(message: &Message<'_>, name: &str) -> Result<Option<u32>, Malformed> {
    for attribute in message.split::<genlmsghdr>()?.1 {
        let attribute = attribute?;
        if attribute.kind != CTRL_ATTR_MCAST_GROUPS {
            continue;
        }
        for group in attribute.nested() {
            let (mut id, mut is_it) = (None, false);
            for part in group?.nested() {
                let part = part?;
                match part.kind {
                    CTRL_ATTR_MCAST_GRP_NAME => is_it = part.bytes_to_zero() == name.as_bytes(),
                    CTRL_ATTR_MCAST_GRP_ID => id = Some(part.value()?),
                    _ => {}
                }
            }
            if is_it && id.is_some() {
                return Ok(id);
            }
        }
    }
    Ok(None)
}

/// Reads `message` as a notification about the interface `index`: for the fuzz target.
#[cfg(any(test, feature = "test-util"))]
pub(crate) fn read_notification(message: &Message<'_>, index: u32) {
    let _ = notice(message, index);
    let _ = is_of_channels(message, index);
    let _ = group_id(message, ETHTOOL_MCGRP_MONITOR_NAME);
    let _ = has_command(message, ETHTOOL_MSG_CHANNELS_GET);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::message::messages;
    use crate::sys::netlink::Family;

    /// Returns what a kernel reports of the family `ethtool`, whose commands these are.
    fn family(commands: &[u8]) -> Vec<u8> {
        let mut reply = Request::new(GENL_ID_CTRL, 0, &command(CTRL_CMD_GETFAMILY));
        reply.nest(CTRL_ATTR_OPS, |all| {
            for (number, command) in (1..).zip(commands) {
                all.nest(number, |one| {
                    one.u32(CTRL_ATTR_OP_ID, (*command).into());
                });
            }
        });
        reply.finish(1).unwrap()
    }

    #[test]
    fn notifications_without_numbers_of_queues_are_known() {
        let has = |bytes: &[u8]| {
            let message = messages(bytes).next().unwrap().unwrap();
            has_command(&message, ETHTOOL_MSG_CHANNELS_GET)
        };
        // The commands of 5.6, and of 5.7.
        let old: Vec<u8> = (1..=10).collect();
        let new: Vec<u8> = (1..=ETHTOOL_MSG_CHANNELS_GET).collect();
        assert_eq!(has(&family(&old)), Ok(false));
        assert_eq!(has(&family(&new)), Ok(true));
        // As every kernel that runs this test.
        let generic = Netlink::open(Family::Generic).unwrap();
        assert!(monitor_group(&generic).is_some());
    }
}
