//! A packet's headers: the bytes that all packets have, and those that change from one to the next.
//!
//! The sums over what stays are made once; a checksum is such a sum with what changes added (RFC
//! 1624, where what is replaced was 0).

use crate::generate::mark::{self, Mark};

/// What packets carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Udp,
    TcpSyn,
    Icmp,
}

impl Protocol {
    /// Returns the one that options name.
    pub(crate) fn new(tcp_syn: bool, icmp: bool) -> Self {
        match (tcp_syn, icmp) {
            (true, _) => Self::TcpSyn,
            (_, true) => Self::Icmp,
            _ => Self::Udp,
        }
    }

    /// Returns its number in IP.
    fn number(self, v6: bool) -> u8 {
        match self {
            Self::Udp => 17,
            Self::TcpSyn => 6,
            Self::Icmp if v6 => 58,
            Self::Icmp => 1,
        }
    }

    /// Returns where in its header the checksum is.
    fn checksum(self) -> usize {
        match self {
            Self::Udp => 6,
            Self::TcpSyn => 16,
            Self::Icmp => 2,
        }
    }
}

/// What all packets have in common.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Common {
    pub(crate) to: [u8; 6],
    pub(crate) from: [u8; 6],
    pub(crate) vlan: Option<u16>,
    pub(crate) v6: bool,
    pub(crate) protocol: Protocol,
    /// Whether packets have a mark.
    pub(crate) marked: bool,
}

/// What changes from one packet to the next.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields {
    pub(crate) source: u128,
    pub(crate) destination: u128,
    pub(crate) source_port: u16,
    pub(crate) destination_port: u16,
    pub(crate) mark: Mark,
}

/// The headers.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    common: Common,
    /// All headers and the mark, with zeros in what changes.
    bytes: Vec<u8>,
    /// Where the IP header is, the one behind it, and the mark.
    ip: usize,
    transport: usize,
    mark: usize,
    /// The sums of the words of the IPv4 header, and of what the other checksum is over.
    ip_sum: u64,
    transport_sum: u64,
}

impl Layout {
    pub(crate) fn new(common: Common) -> Self {
        let Common { to, from, vlan, v6, protocol, marked } = common;
        let mut bytes = [to, from].concat();
        if let Some(id) = vlan {
            bytes.extend([0x81, 0]);
            bytes.extend(id.to_be_bytes());
        }
        bytes.extend(if v6 { [0x86, 0xdd] } else { [8, 0] });
        let ip = bytes.len();
        let number = protocol.number(v6);
        if v6 {
            bytes.extend([0x60, 0, 0, 0, 0, 0, number, 64]);
            bytes.extend([0; 32]);
        } else {
            // May not be fragmented, so that it needs no identification (RFC 6864).
            bytes.extend([0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, number, 0, 0]);
            bytes.extend([0; 8]);
        }
        let transport = bytes.len();
        match (protocol, v6) {
            (Protocol::Udp, _) => bytes.extend([0; 8]),
            // Offset 5, SYN, a window of 64240.
            (Protocol::TcpSyn, _) => {
                bytes.extend([0; 12]);
                bytes.extend([0x50, 2, 0xfa, 0xf0, 0, 0, 0, 0]);
            }
            (Protocol::Icmp, true) => bytes.extend([128, 0, 0, 0, 0, 0, 0, 0]),
            (Protocol::Icmp, false) => bytes.extend([8, 0, 0, 0, 0, 0, 0, 0]),
        }
        let mark = bytes.len();
        if marked {
            bytes.extend([0; mark::LEN]);
        }
        let ip_sum = sum(&bytes[ip..transport]);
        let pseudo = if protocol == Protocol::Icmp && !v6 { 0 } else { u64::from(number) };
        let transport_sum = sum(&bytes[transport..]) + pseudo;
        Self { common, bytes, ip, transport, mark, ip_sum, transport_sum }
    }

    /// Returns the bytes that a packet has at least.
    pub(crate) fn least(&self) -> u32 {
        self.bytes.len() as u32
    }

    /// Returns the headers with zeros in what changes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Writes what changes into a packet of [`least`](Self::least) bytes or more, which begins with
    /// [`bytes`](Self::bytes) or is an earlier packet; it is `len` bytes long, and zeros follow in
    /// the rest.
    #[inline]
    pub(crate) fn write(&self, packet: &mut [u8], len: u32, fields: &Fields) {
        let Self { common, ip, transport, mark, .. } = self;
        let ip_len = len - *ip as u32;
        let transport_len = len - *transport as u32;
        let (head, rest) = packet.split_at_mut(*transport);
        let header = &mut head[*ip..];
        let addresses = self.write_ip(header, ip_len, transport_len, fields);

        let at_mark = *mark - *transport;
        let marks = if common.marked { rest[at_mark..].first_chunk_mut() } else { None };
        let marked = marks.map_or(0, |bytes| fields.mark.write(bytes));
        let ports = u64::from(fields.source_port) << 16 | u64::from(fields.destination_port);
        let pseudo = addresses + u64::from(transport_len);
        let all = self.transport_sum + marked;
        let of_all = match common.protocol {
            Protocol::Udp => {
                rest[..4].copy_from_slice(&(ports as u32).to_be_bytes());
                rest[4..6].copy_from_slice(&(transport_len as u16).to_be_bytes());
                all + pseudo + ports + u64::from(transport_len)
            }
            Protocol::TcpSyn => {
                let sequence = fields.mark.sequence;
                rest[..4].copy_from_slice(&(ports as u32).to_be_bytes());
                rest[4..8].copy_from_slice(&sequence.to_be_bytes());
                all + pseudo + ports + u64::from(sequence)
            }
            Protocol::Icmp => {
                let sequence = fields.mark.sequence as u16;
                rest[4..6].copy_from_slice(&fields.source_port.to_be_bytes());
                rest[6..8].copy_from_slice(&sequence.to_be_bytes());
                let own = u64::from(fields.source_port) + u64::from(sequence);
                all + own + if common.v6 { pseudo } else { 0 }
            }
        };
        let checksum = match !folded(of_all) {
            // None, in UDP.
            0 if common.protocol == Protocol::Udp => u16::MAX,
            checksum => checksum,
        };
        let at = common.protocol.checksum();
        rest[at..at + 2].copy_from_slice(&checksum.to_be_bytes());
    }

    /// Writes what changes in an IP header; returns the sum of the addresses.
    #[inline]
    fn write_ip(&self, header: &mut [u8], ip_len: u32, payload: u32, fields: &Fields) -> u64 {
        let Fields { source, destination, .. } = *fields;
        if self.common.v6 {
            header[4..6].copy_from_slice(&(payload as u16).to_be_bytes());
            header[8..24].copy_from_slice(&source.to_be_bytes());
            header[24..40].copy_from_slice(&destination.to_be_bytes());
            let halves = |address: u128| {
                let (high, low) = ((address >> 64) as u64, address as u64);
                let quarters = |half: u64| (half >> 32) + (half & 0xffff_ffff);
                quarters(high) + quarters(low)
            };
            return halves(source) + halves(destination);
        }
        let (source, destination) = (source as u32, destination as u32);
        let addresses = u64::from(source) + u64::from(destination);
        header[2..4].copy_from_slice(&(ip_len as u16).to_be_bytes());
        let checksum = !folded(self.ip_sum + addresses + u64::from(ip_len));
        header[10..12].copy_from_slice(&checksum.to_be_bytes());
        header[12..16].copy_from_slice(&source.to_be_bytes());
        header[16..20].copy_from_slice(&destination.to_be_bytes());
        addresses
    }
}

/// Returns the sum of the words of an even number of bytes.
fn sum(bytes: &[u8]) -> u64 {
    let words = bytes.chunks(2).map(|word| u16::from_be_bytes([word[0], word[1]]));
    words.map(u64::from).sum()
}

/// Returns a sum of words, or a number of the same rest by 65535, in ones' complement arithmetic.
#[inline]
fn folded(sum: u64) -> u16 {
    let sum = (sum >> 32) + (sum & 0xffff_ffff);
    let sum = (sum >> 32) + (sum & 0xffff_ffff);
    let sum = (sum >> 16) + (sum & 0xffff);
    let sum = (sum >> 16) + (sum & 0xffff);
    ((sum >> 16) + (sum & 0xffff)) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns whether all checksums of a packet add up, computed over all its bytes.
    fn adds_up(packet: &[u8], ip: usize, v6: bool, protocol: Protocol) -> bool {
        let transport = ip + if v6 { 40 } else { 20 };
        let mut payload = packet[transport..].to_vec();
        if payload.len() % 2 == 1 {
            payload.push(0);
        }
        let addresses = if v6 { &packet[ip + 8..ip + 40] } else { &packet[ip + 12..ip + 20] };
        let pseudo =
            sum(addresses) + u64::from(protocol.number(v6)) + (packet.len() - transport) as u64;
        let with_pseudo = v6 || protocol != Protocol::Icmp;
        let all = sum(&payload) + if with_pseudo { pseudo } else { 0 };
        folded(all) == 0xffff && (v6 || folded(sum(&packet[ip..transport])) == 0xffff)
    }

    #[test]
    fn checksums_add_up_whatever_changes() {
        let mut state = 1_u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state >> 8
        };
        for protocol in [Protocol::Udp, Protocol::TcpSyn, Protocol::Icmp] {
            for (v6, vlan) in [(false, None), (true, None), (false, Some(7)), (true, Some(4094))] {
                for marked in [true, false] {
                    let common = Common { to: [2; 6], from: [4; 6], vlan, v6, protocol, marked };
                    let layout = Layout::new(common);
                    let mut chunk = vec![0; 2048];
                    chunk[..layout.bytes().len()].copy_from_slice(layout.bytes());
                    for _ in 0..300 {
                        let len = layout.least() + random() as u32 % 1400;
                        let wide = |high: u64, low: u64| u128::from(high) << 64 | u128::from(low);
                        let v4 = |number: u128| if v6 { number } else { number & 0xffff_ffff };
                        let fields = Fields {
                            source: v4(wide(random() << 9, random() << 9)),
                            destination: v4(wide(random(), random())),
                            source_port: random() as u16,
                            destination_port: random() as u16,
                            mark: Mark {
                                stream: random() as u16,
                                flow: random() as u32 % mark::FLOWS,
                                sequence: random() as u32,
                                time: mark::time_of(random()),
                            },
                        };
                        layout.write(&mut chunk, len, &fields);
                        let packet = &chunk[..len as usize];
                        let ip = if vlan.is_some() { 18 } else { 14 };
                        assert!(adds_up(packet, ip, v6, protocol), "{common:?} {fields:?}");
                        let found = Mark::of_packet(packet);
                        assert_eq!(found, marked.then_some(fields.mark), "{common:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn all_ones_are_minus_zero() {
        for (sum, word) in [(0, 0), (0xffff, 0xffff), (0x1_0000, 1), (u64::MAX, 0xffff)] {
            assert_eq!(folded(sum), word, "{sum:x}");
        }
    }
}
