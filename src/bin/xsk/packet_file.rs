//! Reads the packets of a capture: a file in the format pcap (draft-ietf-opsawg-pcap) or pcapng
//! (draft-ietf-opsawg-pcapng).
//!
//! The reader is total: for any bytes it returns packets, an end, or an error.

use std::fmt;
use std::io::{self, Read};

/// The longest packet, as in libpcap (`MAXIMUM_SNAPLEN`) but for USB: with a larger number the file is
/// broken.
const MOST_BYTES: u32 = 262_144;
/// The longest block of a pcapng file, as in libpcap.
const MOST_BLOCK: u32 = 16 * 1024 * 1024;
/// The link type of Ethernet (`LINKTYPE_ETHERNET`).
const ETHERNET: u16 = 1;

/// The blocks of pcapng that are read.
const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const OLD_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const PACKET: u32 = 6;
/// The number that shows the order of bytes of a section.
const BYTE_ORDER: u32 = 0x1a2b_3c4d;

/// A packet of a capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Next<'a> {
    /// What the capture has of it.
    pub(crate) bytes: &'a [u8],
    /// How long it was.
    pub(crate) length: u32,
    /// When it came, in nanoseconds since 1970, if the capture has its time.
    pub(crate) time: Option<u64>,
}

/// Where a packet is in the buffer, and what is known of it.
#[derive(Debug, Clone, Copy)]
struct Found {
    start: usize,
    end: usize,
    length: u32,
    time: Option<u64>,
}

/// Why a capture cannot be read on.
#[derive(Debug)]
pub(crate) enum CaptureError {
    Io(io::Error),
    /// It is empty, or something else.
    NoCapture(&'static str),
    /// It ends after so many packets, inside of another one.
    EndsEarly(u64),
    /// It is broken after so many packets.
    Broken(u64, &'static str),
    /// Its packets are none of Ethernet.
    LinkType(u16),
}

impl fmt::Display for CaptureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::NoCapture(why) => f.write_str(why),
            Self::EndsEarly(packets) => {
                write!(f, "it ends in the middle of what follows packet {packets}")
            }
            Self::Broken(packets, what) => write!(f, "{what} after packet {packets}"),
            Self::LinkType(number) => write!(
                f,
                "its packets are of link type {number}{}, and only those of Ethernet (1) are read",
                link_type(*number).map_or_else(String::new, |name| format!(" ({name})"))
            ),
        }
    }
}

impl From<io::Error> for CaptureError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Returns the name of a link type that is common (<https://www.tcpdump.org/linktypes.html>).
fn link_type(number: u16) -> Option<&'static str> {
    Some(match number {
        0 => "BSD loopback",
        9 | 50 => "PPP",
        12 | 101 => "raw IP",
        105 => "802.11",
        108 => "OpenBSD loopback",
        113 => "Linux cooked capture",
        127 => "802.11 with radiotap",
        147..=162 => "reserved for users",
        189 | 220 => "USB",
        228 => "raw IPv4",
        229 => "raw IPv6",
        276 => "Linux cooked capture v2",
        _ => return None,
    })
}

/// Returns what a file is that is no capture, by its first bytes.
fn other_file(magic: [u8; 4]) -> &'static str {
    match magic {
        [0x1f, 0x8b, ..] => {
            "it is compressed by gzip: unpack it (`gunzip`), or read `-` behind `gunzip -c FILE |`"
        }
        [0x28, 0xb5, 0x2f, 0xfd] => {
            "it is compressed by zstd: unpack it (`unzstd`), or read `-` behind `zstdcat FILE |`"
        }
        [0xfd, b'7', b'z', b'X'] => {
            "it is compressed by xz: unpack it (`unxz`), or read `-` behind `xzcat FILE |`"
        }
        _ => "it is no pcap or pcapng file",
    }
}

/// The order of the bytes of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Little,
    Big,
}

impl Order {
    fn u16(self, bytes: &[u8], at: usize) -> Option<u16> {
        let bytes = *bytes.get(at..)?.first_chunk()?;
        Some(match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        })
    }

    fn u32(self, bytes: &[u8], at: usize) -> Option<u32> {
        let bytes = *bytes.get(at..)?.first_chunk()?;
        Some(match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        })
    }
}

/// What an interface of a pcapng section is: its link type, and how much is kept of a packet.
#[derive(Debug, Clone, Copy)]
struct Interface {
    link_type: u16,
    snaplen: u32,
    clock: Clock,
}

/// What the times of an interface's packets are.
#[derive(Debug, Clone, Copy)]
struct Clock {
    /// A second has 2 to this power parts if that is so, and 10 to it otherwise.
    of_two: bool,
    /// At most 127.
    power: u8,
    /// Seconds that are added.
    offset: i64,
}

impl Clock {
    const MICROS: Self = Self { of_two: false, power: 6, offset: 0 };

    /// Returns a time in nanoseconds, if it is one.
    fn nanoseconds(self, count: u64) -> Option<u64> {
        // Below 2^94.
        let count = u128::from(count) * 1_000_000_000;
        let time = match self.of_two {
            true => count >> self.power,
            // With more parts than any number has, it is none of them.
            false => 10_u128.checked_pow(self.power.into()).map_or(0, |parts| count / parts),
        };
        let offset = i128::from(self.offset) * 1_000_000_000;
        u64::try_from(i128::try_from(time).ok()?.checked_add(offset)?).ok()
    }
}

#[derive(Debug)]
enum Format {
    Pcap { nanoseconds: bool },
    PcapNg { interfaces: Vec<Interface> },
}

/// A capture that is being read.
#[derive(Debug)]
pub(crate) struct Capture<R> {
    file: R,
    format: Format,
    order: Order,
    /// The packets so far.
    packets: u64,
    /// The packet, or the block that it is in.
    buffer: Vec<u8>,
}

impl<R: Read> Capture<R> {
    /// Reads what comes before the first packet.
    pub(crate) fn open(mut file: R) -> Result<Self, CaptureError> {
        let mut magic = [0; 4];
        match fill(&mut file, &mut magic)? {
            0 => return Err(CaptureError::NoCapture("it is empty")),
            4 => {}
            _ => return Err(CaptureError::NoCapture("it is no pcap or pcapng file")),
        }
        let order = match u32::from_le_bytes(magic) {
            // With microseconds, and with nanoseconds.
            0xa1b2_c3d4 | 0xa1b2_3c4d => Order::Little,
            0xd4c3_b2a1 | 0x4d3c_b2a1 => Order::Big,
            SECTION => {
                let format = Format::PcapNg { interfaces: Vec::new() };
                let order = Order::Little;
                let mut capture = Self { file, format, order, packets: 0, buffer: Vec::new() };
                capture.section()?;
                return Ok(capture);
            }
            _ => return Err(CaptureError::NoCapture(other_file(magic))),
        };
        let nanoseconds = matches!(u32::from_le_bytes(magic), 0xa1b2_3c4d | 0x4d3c_b2a1);
        let format = Format::Pcap { nanoseconds };
        let mut capture = Self { file, format, order, packets: 0, buffer: Vec::new() };
        capture.exact(20)?;
        // The upper bits say whether packets have an FCS.
        let link_type =
            capture.order.u16(&capture.buffer, if order == Order::Little { 16 } else { 18 });
        require_ethernet(link_type.unwrap_or_default())?;
        Ok(capture)
    }

    /// Returns what it is read from.
    pub(crate) fn input(&self) -> &R {
        &self.file
    }

    /// Returns what it is read from, from which nothing is to be taken.
    pub(crate) fn input_mut(&mut self) -> &mut R {
        &mut self.file
    }

    /// Returns how many bytes belong to what comes next, by its first ones, if these are enough: to a
    /// record of a pcap file, or a block of a pcapng file.
    pub(crate) fn next_size(&self, first: &[u8]) -> Option<usize> {
        match self.format {
            Format::Pcap { .. } => {
                // With another length the file is broken.
                let kept = self.order.u32(first, 8)?.min(MOST_BYTES);
                Some(16_usize.saturating_add(kept as usize))
            }
            Format::PcapNg { .. } => {
                let order = match first.get(8..).and_then(|mark| mark.first_chunk()) {
                    _ if self.order.u32(first, 0)? != SECTION => self.order,
                    Some(mark) if u32::from_be_bytes(*mark) == BYTE_ORDER => Order::Big,
                    Some(_) => Order::Little,
                    None => return None,
                };
                Some(order.u32(first, 4)?.min(MOST_BLOCK) as usize)
            }
        }
    }

    /// Returns the next packet; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Next<'_>>, CaptureError> {
        let found = match self.format {
            Format::Pcap { nanoseconds } => self.record(nanoseconds)?,
            Format::PcapNg { .. } => self.block()?,
        };
        let Some(Found { start, end, length, time }) = found else { return Ok(None) };
        let broken = CaptureError::Broken(self.packets, "a packet is longer than its block");
        let bytes = self.buffer.get(start..end).ok_or(broken)?;
        self.packets += 1;
        Ok(Some(Next { bytes, length, time }))
    }

    /// Reads a record of a pcap file, whose times have nanoseconds or microseconds; returns where the
    /// packet is.
    fn record(&mut self, nanoseconds: bool) -> Result<Option<Found>, CaptureError> {
        let mut header = [0; 16];
        match fill(&mut self.file, &mut header)? {
            0 => return Ok(None),
            16 => {}
            _ => return Err(CaptureError::EndsEarly(self.packets)),
        }
        let number = |at| self.order.u32(&header, at).unwrap_or_default();
        let (kept, length) = (number(8), number(12));
        let part = u64::from(number(4)) * if nanoseconds { 1 } else { 1000 };
        let time = u64::from(number(0)) * 1_000_000_000 + part;
        if kept > MOST_BYTES {
            return Err(CaptureError::Broken(self.packets, "a packet is impossibly long"));
        }
        self.exact(kept as usize)?;
        Ok(Some(Found { start: 0, end: kept as usize, length, time: Some(time) }))
    }

    /// Reads blocks of a pcapng file up to the next packet; returns where it is.
    fn block(&mut self) -> Result<Option<Found>, CaptureError> {
        loop {
            let mut kind = [0; 4];
            match fill(&mut self.file, &mut kind)? {
                0 => return Ok(None),
                4 => {}
                _ => return Err(CaptureError::EndsEarly(self.packets)),
            }
            // The same in either order.
            if u32::from_le_bytes(kind) == SECTION {
                self.section()?;
                continue;
            }
            let kind = self.order.u32(&kind, 0).unwrap_or_default();
            self.exact(4)?;
            let length = self.number(0)?;
            self.body(length, 8)?;
            match kind {
                INTERFACE => {
                    let link_type = self.order.u16(&self.buffer, 0);
                    let interface = Interface {
                        link_type: link_type.ok_or_else(|| self.short())?,
                        snaplen: self.number(4)?,
                        clock: self.clock(),
                    };
                    if let Format::PcapNg { interfaces } = &mut self.format {
                        interfaces.push(interface);
                    }
                }
                PACKET => return self.packet(self.number(0)?, 12, 20),
                OLD_PACKET => {
                    let interface = self.order.u16(&self.buffer, 0);
                    let interface = interface.ok_or_else(|| self.short())?;
                    return self.packet(interface.into(), 12, 20);
                }
                SIMPLE_PACKET => {
                    let length = self.number(0)?;
                    let snaplen = self.interface(0)?.snaplen;
                    let kept = if snaplen == 0 { length } else { length.min(snaplen) };
                    // A block has at least what it says.
                    let end = 4_usize.saturating_add(kept as usize);
                    return Ok(Some(Found { start: 4, end, length, time: None }));
                }
                _ => {}
            }
        }
    }

    /// Returns the clock of an interface, by the options in its block.
    fn clock(&self) -> Clock {
        const RESOLUTION: u16 = 9;
        const OFFSET: u16 = 14;
        let mut clock = Clock::MICROS;
        let mut at = 8;
        while let Some((kind, length)) =
            self.order.u16(&self.buffer, at).zip(self.order.u16(&self.buffer, at + 2))
        {
            let length = usize::from(length);
            let Some(value) = self.buffer.get(at + 4..at + 4 + length) else { break };
            match (kind, value) {
                (0, _) => break,
                (RESOLUTION, [power]) => {
                    (clock.of_two, clock.power) = (power & 0x80 != 0, power & 0x7f);
                }
                (OFFSET, [..]) if length == 8 => {
                    let half = |at| u64::from(self.order.u32(value, at).unwrap_or_default());
                    let (first, second) = (half(0), half(4));
                    clock.offset = match self.order {
                        Order::Little => second << 32 | first,
                        Order::Big => first << 32 | second,
                    } as i64;
                }
                _ => {}
            }
            at += 4 + length.next_multiple_of(4);
        }
        clock
    }

    /// Returns where a packet is whose two lengths are at `lengths`, behind its time.
    fn packet(
        &self,
        interface: u32,
        lengths: usize,
        start: usize,
    ) -> Result<Option<Found>, CaptureError> {
        let clock = self.interface(interface)?.clock;
        let (high, low) = (self.number(lengths - 8)?, self.number(lengths - 4)?);
        let time = clock.nanoseconds(u64::from(high) << 32 | u64::from(low));
        let (kept, length) = (self.number(lengths)?, self.number(lengths + 4)?);
        let end = start.saturating_add(kept as usize);
        Ok(Some(Found { start, end, length, time }))
    }

    /// Returns the interface of a packet, which must be one of Ethernet.
    fn interface(&self, number: u32) -> Result<Interface, CaptureError> {
        let Format::PcapNg { interfaces } = &self.format else {
            return Err(self.short());
        };
        let unknown = CaptureError::Broken(self.packets, "a packet of an unknown interface comes");
        let interface = *interfaces.get(number as usize).ok_or(unknown)?;
        require_ethernet(interface.link_type)?;
        Ok(interface)
    }

    /// Reads the head of a section behind its type.
    fn section(&mut self) -> Result<(), CaptureError> {
        self.exact(8)?;
        self.order = match self.buffer.get(4..8).and_then(|magic| magic.first_chunk()) {
            Some(magic) if u32::from_le_bytes(*magic) == BYTE_ORDER => Order::Little,
            Some(magic) if u32::from_be_bytes(*magic) == BYTE_ORDER => Order::Big,
            _ => {
                return Err(CaptureError::Broken(self.packets, "a section without its mark comes"));
            }
        };
        let length = self.number(0)?;
        self.body(length, 12)?;
        if let Format::PcapNg { interfaces } = &mut self.format {
            interfaces.clear();
        }
        Ok(())
    }

    /// Reads the rest of a block of this length, of which so many bytes were read; leaves its body in
    /// the buffer.
    fn body(&mut self, length: u32, read: u32) -> Result<(), CaptureError> {
        if length > MOST_BLOCK || length % 4 != 0 {
            return Err(CaptureError::Broken(
                self.packets,
                "a block of an impossible length comes",
            ));
        }
        // The length comes again at the end.
        let rest =
            length.checked_sub(read).filter(|rest| *rest >= 4).ok_or_else(|| self.short())?;
        self.exact(rest as usize)?;
        let body = self.buffer.len() - 4;
        if self.order.u32(&self.buffer, body) != Some(length) {
            return Err(CaptureError::Broken(self.packets, "a block with two lengths comes"));
        }
        self.buffer.truncate(body);
        Ok(())
    }

    /// Returns a number of the buffer.
    fn number(&self, at: usize) -> Result<u32, CaptureError> {
        self.order.u32(&self.buffer, at).ok_or_else(|| self.short())
    }

    fn short(&self) -> CaptureError {
        CaptureError::Broken(self.packets, "a block that is too short comes")
    }

    /// Reads so many bytes into the buffer.
    fn exact(&mut self, count: usize) -> Result<(), CaptureError> {
        self.buffer.clear();
        let read = (&mut self.file).take(count as u64).read_to_end(&mut self.buffer)?;
        if read < count { Err(CaptureError::EndsEarly(self.packets)) } else { Ok(()) }
    }
}

fn require_ethernet(link_type: u16) -> Result<(), CaptureError> {
    if link_type == ETHERNET { Ok(()) } else { Err(CaptureError::LinkType(link_type)) }
}

/// Reads as many bytes as there is room for, or fewer at the end; returns how many.
fn fill(file: &mut impl Read, bytes: &mut [u8]) -> io::Result<usize> {
    let mut read = 0;
    while read < bytes.len() {
        match file.read(&mut bytes[read..]) {
            Ok(0) => break,
            Ok(count) => read += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

#[cfg(test)]
mod tests;
