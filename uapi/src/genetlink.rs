//! `linux/genetlink.h`: generic netlink and its controller.
//!
//! Ask [`GENL_ID_CTRL`] with [`CTRL_CMD_GETFAMILY`] and a name for the id of a family;
//! that id is then the type of the messages to it.

use crate::layout::{constants, structs};

constants! {
    u16 {
        /// Message type of the controller.
        GENL_ID_CTRL = 0x10;

        /// Controller attribute, `u16`: id of a family.
        CTRL_ATTR_FAMILY_ID = 1;
        /// Controller attribute, string: name of a family.
        CTRL_ATTR_FAMILY_NAME = 2;
        /// Controller attribute, `u32`: version of a family.
        CTRL_ATTR_VERSION = 3;
        /// Controller attribute, `u32`: length of the header after [`genlmsghdr`].
        CTRL_ATTR_HDRSIZE = 4;
        /// Controller attribute, `u32`: highest attribute.
        CTRL_ATTR_MAXATTR = 5;
        /// Controller attribute, nest: commands.
        CTRL_ATTR_OPS = 6;
        /// Controller attribute, nest of numbered nests: multicast groups.
        CTRL_ATTR_MCAST_GROUPS = 7;
        /// Controller attribute, nest: rules for attributes (5.7).
        CTRL_ATTR_POLICY = 8;

        /// In a multicast group, string: its name.
        CTRL_ATTR_MCAST_GRP_NAME = 1;
        /// In a multicast group, `u32`: its id, for `NETLINK_ADD_MEMBERSHIP`.
        CTRL_ATTR_MCAST_GRP_ID = 2;

        /// In a command, `u32`: its number.
        CTRL_ATTR_OP_ID = 1;
        /// In a command, `u32`: its flags.
        CTRL_ATTR_OP_FLAGS = 2;
    }

    u8 {
        /// Controller command: a family was added.
        CTRL_CMD_NEWFAMILY = 1;
        /// Controller command: a family was removed.
        CTRL_CMD_DELFAMILY = 2;
        /// Controller command: report one family, or all.
        CTRL_CMD_GETFAMILY = 3;
        /// Controller command: a multicast group was added.
        CTRL_CMD_NEWMCAST_GRP = 7;
        /// Controller command: a multicast group was removed.
        CTRL_CMD_DELMCAST_GRP = 8;
        /// Controller command: report the rules for attributes (5.7).
        CTRL_CMD_GETPOLICY = 10;
    }

    usize {
        /// Longest name of a family, with its final zero.
        GENL_NAMSIZ = 16;
    }
}

structs! {
    /// Head of a generic message, after `nlmsghdr`.
    pub struct genlmsghdr(4, Same) {
        /// Command of the family.
        0: cmd: u8,
        /// Version of the family.
        1: version: u8,
        /// Zero.
        2: reserved: u16,
    }
}
