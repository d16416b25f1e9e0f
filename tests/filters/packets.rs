//! Packets for filters.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Returns a UDP packet over IPv4.
pub(crate) fn udp4(source: Ipv4Addr, destination: Ipv4Addr, ports: [u16; 2]) -> Vec<u8> {
    let mut packet = vec![2; 12];
    packet.extend([8, 0, 0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0]);
    packet.extend(source.octets());
    packet.extend(destination.octets());
    packet.extend(ports[0].to_be_bytes());
    packet.extend(ports[1].to_be_bytes());
    packet.resize(60, 0);
    packet
}

/// Returns a UDP packet over IPv6.
pub(crate) fn udp6(source: Ipv6Addr, destination: Ipv6Addr, ports: [u16; 2]) -> Vec<u8> {
    let mut packet = vec![2; 12];
    packet.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 8, 17, 64]);
    packet.extend(source.octets());
    packet.extend(destination.octets());
    packet.extend(ports[0].to_be_bytes());
    packet.extend(ports[1].to_be_bytes());
    packet.resize(80, 0);
    packet
}
