//! `linux/if_packet.h`: packet sockets, by which a device receives more than its own packets.

use crate::layout::{constants, structs};

constants! {
    i32 {
        /// Level of the socket options; from `linux/socket.h`.
        SOL_PACKET = 263;
        /// Socket option, [`packet_mreq`]: receive more; undone when the socket is closed.
        PACKET_ADD_MEMBERSHIP = 1;
        /// Socket option, [`packet_mreq`]: undo it.
        PACKET_DROP_MEMBERSHIP = 2;
    }

    u16 {
        /// [`packet_mreq::mr_type`]: the packets to one multicast address.
        PACKET_MR_MULTICAST = 0;
        /// [`packet_mreq::mr_type`]: all packets.
        PACKET_MR_PROMISC = 1;
        /// [`packet_mreq::mr_type`]: the packets to all multicast addresses.
        PACKET_MR_ALLMULTI = 2;
        /// [`packet_mreq::mr_type`]: the packets to another unicast address.
        PACKET_MR_UNICAST = 3;
    }
}

structs! {
    /// What a device is to receive.
    pub struct packet_mreq(16, Same) {
        /// The device.
        0: mr_ifindex: i32,
        /// `PACKET_MR_*`.
        4: mr_type: u16,
        /// Bytes of the address.
        6: mr_alen: u16,
        /// The address.
        8: mr_address: [u8; 8],
    }
}
