//! `linux/netlink.h`: sockets, message headers, attributes, acknowledgements.
//!
//! A message is an [`nlmsghdr`], the header of its family, then attributes; each
//! begins on a multiple of [`NLMSG_ALIGNTO`]. Lengths in headers count the header and leave out
//! the padding at the end.

use crate::layout::{constants, structs};

constants! {
    u16 {
        /// Address family of netlink sockets; from `linux/socket.h`.
        AF_NETLINK = 16;

        /// [`nlmsghdr::nlmsg_type`]: nothing, skip it.
        NLMSG_NOOP = 1;
        /// [`nlmsghdr::nlmsg_type`]: an [`nlmsgerr`] follows; error 0 is an acknowledgement.
        NLMSG_ERROR = 2;
        /// [`nlmsghdr::nlmsg_type`]: end of a dump; an `i32` error follows.
        NLMSG_DONE = 3;
        /// [`nlmsghdr::nlmsg_type`]: data was lost.
        NLMSG_OVERRUN = 4;
        /// [`nlmsghdr::nlmsg_type`]: the first type that belongs to a family.
        NLMSG_MIN_TYPE = 0x10;

        /// [`nlmsghdr::nlmsg_flags`]: a request.
        NLM_F_REQUEST = 0x01;
        /// [`nlmsghdr::nlmsg_flags`]: one of many messages, until [`NLMSG_DONE`].
        NLM_F_MULTI = 0x02;
        /// [`nlmsghdr::nlmsg_flags`]: acknowledge success too.
        NLM_F_ACK = 0x04;
        /// [`nlmsghdr::nlmsg_flags`]: notify the sender as well.
        NLM_F_ECHO = 0x08;
        /// [`nlmsghdr::nlmsg_flags`]: the dump changed while it ran; start again.
        NLM_F_DUMP_INTR = 0x10;
        /// [`nlmsghdr::nlmsg_flags`]: the dump was filtered as asked.
        NLM_F_DUMP_FILTERED = 0x20;

        /// Get: the whole table.
        NLM_F_ROOT = 0x100;
        /// Get: all that match.
        NLM_F_MATCH = 0x200;
        /// Get: as of one moment.
        NLM_F_ATOMIC = 0x400;
        /// Get: everything.
        NLM_F_DUMP = NLM_F_ROOT | NLM_F_MATCH;

        /// New: replace what exists.
        NLM_F_REPLACE = 0x100;
        /// New: refuse if it exists.
        NLM_F_EXCL = 0x200;
        /// New: create it if it does not exist.
        NLM_F_CREATE = 0x400;
        /// New: add at the end.
        NLM_F_APPEND = 0x800;

        /// Acknowledgement: the request is not echoed beyond its header.
        NLM_F_CAPPED = 0x100;
        /// Acknowledgement: `NLMSGERR_ATTR_*` attributes follow.
        NLM_F_ACK_TLVS = 0x200;

        /// Attribute of an acknowledgement: text, ended by a zero.
        NLMSGERR_ATTR_MSG = 1;
        /// Attribute of an acknowledgement: `u32`, offset of the bad attribute in the request.
        NLMSGERR_ATTR_OFFS = 2;
        /// Attribute of an acknowledgement: bytes that identify what was created.
        NLMSGERR_ATTR_COOKIE = 3;
        /// Attribute of an acknowledgement: nest, what the attribute should have been (5.10).
        NLMSGERR_ATTR_POLICY = 4;
        /// Attribute of an acknowledgement: `u32`, type of the missing attribute (6.1).
        NLMSGERR_ATTR_MISS_TYPE = 5;
        /// Attribute of an acknowledgement: `u32`, offset of the nest that lacks it (6.1).
        NLMSGERR_ATTR_MISS_NEST = 6;

        /// [`nlattr::nla_type`]: attributes are inside.
        NLA_F_NESTED = 1 << 15;
        /// [`nlattr::nla_type`]: the value is big-endian.
        NLA_F_NET_BYTEORDER = 1 << 14;
        /// [`nlattr::nla_type`]: the bits of the type itself.
        NLA_TYPE_MASK = 0x3fff;
    }

    i32 {
        /// `socket` protocol: network devices, addresses, routes.
        NETLINK_ROUTE = 0;
        /// `socket` protocol: generic netlink.
        NETLINK_GENERIC = 16;

        /// Level of the netlink socket options; from `linux/socket.h`.
        SOL_NETLINK = 270;
        /// Socket option, `i32`: join a group.
        NETLINK_ADD_MEMBERSHIP = 1;
        /// Socket option, `i32`: leave a group.
        NETLINK_DROP_MEMBERSHIP = 2;
        /// Socket option, `i32`: report the group of each message in ancillary data.
        NETLINK_PKTINFO = 3;
        /// Socket option, `i32`: report lost multicasts to their sender.
        NETLINK_BROADCAST_ERROR = 4;
        /// Socket option, `i32`: do not report lost messages.
        NETLINK_NO_ENOBUFS = 5;
        /// Socket option, `i32`: listen to all network namespaces.
        NETLINK_LISTEN_ALL_NSID = 8;
        /// Socket option: the groups joined, as bits.
        NETLINK_LIST_MEMBERSHIPS = 9;
        /// Socket option, `i32`: do not echo the request in acknowledgements.
        NETLINK_CAP_ACK = 10;
        /// Socket option, `i32`: put `NLMSGERR_ATTR_*` into acknowledgements.
        NETLINK_EXT_ACK = 11;
        /// Socket option, `i32`: check requests for dumps strictly (4.20).
        NETLINK_GET_STRICT_CHK = 12;
    }

    usize {
        /// Messages begin on multiples of this.
        NLMSG_ALIGNTO = 4;
        /// Attributes begin on multiples of this.
        NLA_ALIGNTO = 4;
        /// Length of an [`nlmsghdr`], aligned.
        NLMSG_HDRLEN = 16;
        /// Length of an [`nlattr`], aligned.
        NLA_HDRLEN = 4;
    }
}

structs! {
    /// Address of a netlink socket.
    pub struct sockaddr_nl(12, Same) {
        /// [`AF_NETLINK`].
        0: nl_family: u16,
        /// Zero.
        2: nl_pad: u16,
        /// Port; zero is the kernel, or at `bind` a port of the kernel's choice.
        4: nl_pid: u32,
        /// Groups 1 to 32 as bits.
        8: nl_groups: u32,
    }

    /// Head of every message.
    pub struct nlmsghdr(16, Same) {
        /// Length with this head.
        0: nlmsg_len: u32,
        /// `NLMSG_*`, `RTM_*` or the id of a generic family.
        4: nlmsg_type: u16,
        /// `NLM_F_*`.
        6: nlmsg_flags: u16,
        /// Number that replies repeat.
        8: nlmsg_seq: u32,
        /// Port of the sender.
        12: nlmsg_pid: u32,
    }

    /// Body of an [`NLMSG_ERROR`] message.
    pub struct nlmsgerr(20, Same) {
        /// Zero or a negative errno.
        0: error: i32,
        /// Head of the request; its body follows unless [`NLM_F_CAPPED`] is set.
        4: msg: nlmsghdr,
    }

    /// Head of an attribute.
    pub struct nlattr(4, Same) {
        /// Length with this head.
        0: nla_len: u16,
        /// Type, and [`NLA_F_NESTED`] or [`NLA_F_NET_BYTEORDER`].
        2: nla_type: u16,
    }
}
