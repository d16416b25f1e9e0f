//! `linux/if_arp.h`: kinds of link layer.

use crate::layout::constants;

constants! {
    u16 {
        /// Ethernet, and what has its header: veth, tap, bridge, bond, VLAN, wireless cards.
        ARPHRD_ETHER = 1;
        /// PPP.
        ARPHRD_PPP = 512;
        /// IP in IP tunnel.
        ARPHRD_TUNNEL = 768;
        /// Loopback device; its packets have an Ethernet header.
        ARPHRD_LOOPBACK = 772;
        /// GRE over IP, without an Ethernet header.
        ARPHRD_IPGRE = 778;
        /// No link layer: tun, `WireGuard`.
        ARPHRD_NONE = 0xfffe;
    }
}
