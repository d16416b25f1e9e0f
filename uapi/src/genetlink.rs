//! `linux/genetlink.h`: generic netlink and its family of families.
//!
//! Ask [`GENL_ID_CTRL`] with [`CTRL_CMD_GETFAMILY`] and a name for the id of a family;
//! that id is then the type of the messages to it.

use crate::layout::{constants, structs};

constants! {
    u16 {
        /// Message type of the controller (2.6.15).
        GENL_ID_CTRL = 0x10;

        /// Controller attribute, `u16`: id of a family (2.6.15).
        CTRL_ATTR_FAMILY_ID = 1;
        /// Controller attribute, string: name of a family (2.6.15).
        CTRL_ATTR_FAMILY_NAME = 2;
        /// Controller attribute, `u32`: version of a family (2.6.18).
        CTRL_ATTR_VERSION = 3;
        /// Controller attribute, `u32`: length of the header after [`genlmsghdr`] (2.6.18).
        CTRL_ATTR_HDRSIZE = 4;
        /// Controller attribute, `u32`: highest attribute (2.6.18).
        CTRL_ATTR_MAXATTR = 5;
        /// Controller attribute, nest: commands (2.6.18).
        CTRL_ATTR_OPS = 6;
        /// Controller attribute, nest of numbered nests: multicast groups (2.6.23).
        CTRL_ATTR_MCAST_GROUPS = 7;
        /// Controller attribute, nest: what attributes have to be (5.7).
        CTRL_ATTR_POLICY = 8;

        /// In a multicast group, string: its name (2.6.23).
        CTRL_ATTR_MCAST_GRP_NAME = 1;
        /// In a multicast group, `u32`: its id, for `NETLINK_ADD_MEMBERSHIP` (2.6.23).
        CTRL_ATTR_MCAST_GRP_ID = 2;

        /// In a command, `u32`: its number (2.6.18).
        CTRL_ATTR_OP_ID = 1;
        /// In a command, `u32`: its flags (2.6.18).
        CTRL_ATTR_OP_FLAGS = 2;
    }

    u8 {
        /// Controller command: a family came (2.6.15).
        CTRL_CMD_NEWFAMILY = 1;
        /// Controller command: a family went (2.6.15).
        CTRL_CMD_DELFAMILY = 2;
        /// Controller command: tell of one family, or of all (2.6.15).
        CTRL_CMD_GETFAMILY = 3;
        /// Controller command: a multicast group came (2.6.23).
        CTRL_CMD_NEWMCAST_GRP = 7;
        /// Controller command: a multicast group went (2.6.23).
        CTRL_CMD_DELMCAST_GRP = 8;
        /// Controller command: tell what attributes have to be (5.7).
        CTRL_CMD_GETPOLICY = 10;
    }

    usize {
        /// Longest name of a family, with its final zero (2.6.15).
        GENL_NAMSIZ = 16;
    }
}

structs! {
    /// Head of a generic message, after `nlmsghdr` (2.6.15).
    pub struct genlmsghdr(4, Same) {
        /// Command of the family.
        0: cmd: u8,
        /// Version of the family.
        1: version: u8,
        /// Zero.
        2: reserved: u16,
    }
}
