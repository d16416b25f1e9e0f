//! Interfaces that consist of others.

use super::{Interface, InterfaceInfo};
use crate::error::Result;
use crate::netlink::message::Request;
use std::sync::Arc;
use xsk_uapi::if_link::IFLA_MASTER;
use xsk_uapi::netlink::NLM_F_DUMP;
use xsk_uapi::rtnetlink::{RTM_GETLINK, ifinfomsg};

impl Interface {
    /// Returns the interfaces that belong to it: the members of a bond or team, the ports of a
    /// bridge (`IFLA_MASTER`). Empty for an interface of another kind.
    ///
    /// ```
    /// use xsk::Interface;
    /// # fn main() -> xsk::Result<()> {
    /// assert_eq!(Interface::by_name("lo")?.members()?, []);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Interface`](crate::Error::Interface); with `ENODEV` if it is gone.
    #[doc(alias = "IFLA_MASTER")]
    pub fn members(&self) -> Result<Vec<Self>> {
        const OPERATION: &str = "list the members of";
        // An index that was given to nothing has no members, either.
        self.info()?;
        let mut request = Request::new(RTM_GETLINK, NLM_F_DUMP, &ifinfomsg::default());
        request.u32(IFLA_MASTER, self.index);
        let mut members = Vec::new();
        for reply in self.ask(OPERATION, &request)? {
            let info = InterfaceInfo::read(&reply.message())
                .map_err(|malformed| self.error(OPERATION, malformed.into()))?;
            // The kernel need not obey the attribute.
            let info = info.filter(|info| info.master == Some(self.index));
            members.extend(info.map(|info| Self::new(info, Arc::clone(&self.sockets))));
        }
        Ok(members)
    }

    /// Returns the names of the members if it is a bond, else `None`. A bond hands native programs
    /// to its members (5.15), and what they redirect never comes to a socket of the bond.
    pub(crate) fn members_of_bond(&self) -> Result<Option<Vec<String>>> {
        if self.info()?.kind.as_deref() != Some("bond") {
            return Ok(None);
        }
        Ok(Some(self.members()?.into_iter().map(|member| member.name).collect()))
    }
}
