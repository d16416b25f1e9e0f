//! The mode of a team, as `teamd` sets it.

use super::{Namespace, ip};
use crate::error::Result;
use crate::interface::{Interface, family_id};
use crate::netlink::message::{Malformed, Request};
use crate::netlink::{Netlink, Refusal};
use crate::sys::netlink::Family;
use rustix::io::Errno;
use xsk_uapi::genetlink::{CTRL_ATTR_FAMILY_NAME, CTRL_CMD_GETFAMILY, GENL_ID_CTRL, genlmsghdr};

// linux/if_team.h
const TEAM_GENL_NAME: &str = "team";
const TEAM_CMD_OPTIONS_SET: u8 = 1;
const TEAM_ATTR_TEAM_IFINDEX: u16 = 1;
const TEAM_ATTR_LIST_OPTION: u16 = 2;
const TEAM_ATTR_ITEM_OPTION: u16 = 1;
const TEAM_ATTR_OPTION_NAME: u16 = 1;
const TEAM_ATTR_OPTION_TYPE: u16 = 3;
const TEAM_ATTR_OPTION_DATA: u16 = 4;
/// `NLA_STRING` (net/netlink.h of the kernel): the type of the option's value.
const NLA_STRING: u8 = 5;

impl Namespace {
    /// Gives a team of this namespace a mode, such as `broadcast`: without one it sends nothing. It
    /// may have no members yet.
    ///
    /// # Errors
    /// [`Error::Interface`](crate::Error::Interface) with the kernel's reason: `EINVAL` if the
    /// module of the mode (`team_mode_broadcast`) is not loaded and cannot be.
    #[doc(alias = "TEAM_CMD_OPTIONS_SET")]
    pub fn set_team_mode(&self, team: &Interface, mode: &str) -> Result<()> {
        let set = || -> Result<(), Refusal> {
            let generic = Netlink::open(Family::Generic)?;
            let header = |cmd| genlmsghdr { cmd, version: 1, reserved: 0 };
            let mut request = Request::new(GENL_ID_CTRL, 0, &header(CTRL_CMD_GETFAMILY));
            request.string(CTRL_ATTR_FAMILY_NAME, TEAM_GENL_NAME);
            let replies = generic.ask(&request)?;
            let family = family_id(&replies.first().ok_or(Malformed)?.message())?;
            let mut request =
                Request::new(family.ok_or(Malformed)?, 0, &header(TEAM_CMD_OPTIONS_SET));
            request.u32(TEAM_ATTR_TEAM_IFINDEX, team.index());
            request.nest(TEAM_ATTR_LIST_OPTION, |list| {
                list.nest(TEAM_ATTR_ITEM_OPTION, |option| {
                    option.string(TEAM_ATTR_OPTION_NAME, "mode");
                    option.attribute(TEAM_ATTR_OPTION_TYPE, &[NLA_STRING]);
                    option.string(TEAM_ATTR_OPTION_DATA, mode);
                });
            });
            match generic.ask(&request) {
                // It is set: what has failed is to notify sockets of it, since none listens.
                Err(Refusal { errno: Errno::SRCH, .. }) => Ok(()),
                result => result.map(drop),
            }
        };
        self.run(set)?.map_err(|refusal| ip::error(team.name(), "set the mode of team", refusal))
    }
}
