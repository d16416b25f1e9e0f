//! The blocks of a pcapng file. Those that come once are written by `pcap-file`; that of a packet,
//! which takes most of the time, by hand, and the statistics too: `pcap-file` 2 writes the two halves
//! of their times in the wrong order.

use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption as Of,
};
use pcap_file::pcapng::blocks::section_header::{SectionHeaderBlock, SectionHeaderOption};
use pcap_file::{DataLink, Endianness};
use std::io;

/// Type of a packet's block, and of that of statistics.
const PACKET: u32 = 6;
const STATISTICS: u32 = 5;
/// The fields of a packet's block, with its type and both lengths.
const PACKET_FIELDS: usize = 32;
/// Options of a packet's block.
const HASH: u16 = 3;
const QUEUE: u16 = 6;
/// What `epb_hash` calls the hash that network cards compute.
const TOEPLITZ: u8 = 5;
/// The most bytes that a block has beside those of the packet: padding, a VLAN tag, and the
/// options queue and hash with their end.
pub(crate) const MOST_OVERHEAD: usize = PACKET_FIELDS + 3 + 4 + 8 + 12 + 4;

/// The most bytes of the block of statistics.
pub(crate) const MOST_STATISTICS: u64 = 112;

/// What is captured, for the head of a file.
#[derive(Debug, Clone)]
pub(crate) struct Description {
    pub(crate) interface: String,
    pub(crate) filter: Option<String>,
    pub(crate) snaplen: u32,
    /// In bits per second.
    pub(crate) speed: Option<u64>,
    /// Whether packets begin with an Ethernet header, or else with that of IP.
    pub(crate) ethernet: bool,
    /// How packets were captured.
    pub(crate) comment: String,
}

/// What is known of a packet beside its bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Known {
    /// In nanoseconds since 1970.
    pub(crate) time: u64,
    /// How long it was.
    pub(crate) length: u32,
    /// The queue, if it is worth an option.
    pub(crate) queue: Option<u32>,
    /// The hash that the card computed, by Toeplitz.
    pub(crate) hash: Option<u32>,
}

/// What was counted since the start; what is not known is left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Statistics {
    /// When the capture began, and when this was counted, in nanoseconds since 1970.
    pub(crate) start: u64,
    pub(crate) end: u64,
    /// Packets that the program saw.
    pub(crate) received: u64,
    /// Whether those that are written come beside those that are counted as received.
    pub(crate) beside: bool,
    /// Packets that were dropped because a ring was full or no chunk was there.
    pub(crate) dropped: u64,
    /// Packets of which FILTER is true.
    pub(crate) accepted: Option<u64>,
    /// Packets of which the ring buffer had no room for a copy.
    pub(crate) ring_lost: Option<u64>,
    /// Packets that were written.
    pub(crate) written: u64,
}

/// Returns the head of a file: section header and interface description.
pub(crate) fn head(description: &Description) -> io::Result<Vec<u8>> {
    let uname = rustix::system::uname();
    let os = format!("{} {}", uname.sysname().to_string_lossy(), uname.release().to_string_lossy());
    let section = SectionHeaderBlock {
        endianness: Endianness::Little,
        major_version: 1,
        minor_version: 0,
        section_length: -1,
        options: vec![
            SectionHeaderOption::Hardware(uname.machine().to_string_lossy().into_owned().into()),
            SectionHeaderOption::OS(os.into()),
            SectionHeaderOption::UserApplication(
                concat!("xsk ", env!("CARGO_PKG_VERSION"), " capture").into(),
            ),
        ],
    };
    let link = if description.ethernet { DataLink::ETHERNET } else { DataLink::RAW };
    let mut interface = InterfaceDescriptionBlock::new(link, description.snaplen);
    let options = &mut interface.options;
    options.push(Of::IfName(description.interface.clone().into()));
    options.push(Of::IfDescription(description.comment.clone().into()));
    if let Some(speed) = description.speed {
        options.push(Of::IfSpeed(speed));
    }
    options.push(Of::IfTsResol(9));
    if let Some(filter) = &description.filter {
        // The first byte says that it is a filter in words.
        options.push(Of::IfFilter([&[0], filter.as_bytes()].concat().into()));
    }
    let failed = io::Error::other;
    let mut writer = PcapNgWriter::with_section_header(Vec::new(), section).map_err(failed)?;
    writer.write_pcapng_block(interface).map_err(failed)?;
    Ok(writer.into_inner())
}

/// Adds the block of a packet, whose kept bytes are those of `parts` one after the other.
#[inline]
pub(crate) fn packet<'a>(
    buffer: &mut Vec<u8>,
    known: &Known,
    kept: usize,
    parts: impl IntoIterator<Item = &'a [u8]>,
) {
    let start = buffer.len();
    let mut fields = [0; 28];
    let mut set = |at: usize, value: u32| {
        fields[at..at + 4].copy_from_slice(&value.to_le_bytes());
    };
    set(0, PACKET);
    // Its length comes here; the interface is that of number 0.
    set(12, (known.time >> 32) as u32);
    set(16, known.time as u32);
    set(20, kept as u32);
    set(24, known.length);
    buffer.extend_from_slice(&fields);
    for part in parts {
        buffer.extend_from_slice(part);
    }
    pad(buffer, kept);
    if known.queue.is_some() || known.hash.is_some() {
        options(buffer, known);
    }
    end(buffer, start);
}

/// Adds the options of a packet.
fn options(buffer: &mut Vec<u8>, known: &Known) {
    if let Some(queue) = known.queue {
        option(buffer, QUEUE, &queue.to_le_bytes());
    }
    if let Some(hash) = known.hash {
        let [a, b, c, d] = hash.to_be_bytes();
        option(buffer, HASH, &[TOEPLITZ, a, b, c, d]);
    }
    option(buffer, 0, &[]);
}

/// Returns the block of statistics.
pub(crate) fn statistics(counted: &Statistics) -> Vec<u8> {
    let mut block = Vec::with_capacity(128);
    block.extend_from_slice(&STATISTICS.to_le_bytes());
    block.extend_from_slice(&[0; 8]);
    let time = |time: u64| {
        let [high, low] = [(time >> 32) as u32, time as u32].map(u32::to_le_bytes);
        [high, low].concat()
    };
    block.extend_from_slice(&time(counted.end));
    option(&mut block, 2, &time(counted.start));
    option(&mut block, 3, &time(counted.end));
    for (code, count) in [
        (4, Some(counted.received)),
        (5, Some(counted.dropped)),
        (6, counted.accepted),
        (7, counted.ring_lost),
        (8, Some(counted.written)),
    ] {
        if let Some(count) = count {
            option(&mut block, code, &count.to_le_bytes());
        }
    }
    option(&mut block, 0, &[]);
    end(&mut block, 0);
    block
}

fn option(buffer: &mut Vec<u8>, code: u16, value: &[u8]) {
    buffer.extend_from_slice(&code.to_le_bytes());
    buffer.extend_from_slice(&(value.len() as u16).to_le_bytes());
    buffer.extend_from_slice(value);
    pad(buffer, value.len());
}

/// Adds what is missing to a multiple of four bytes.
#[inline]
fn pad(buffer: &mut Vec<u8>, len: usize) {
    buffer.extend_from_slice(&[0; 3][..len.next_multiple_of(4) - len]);
}

/// Ends a block that begins at `start`: its length comes at both ends.
#[inline]
fn end(buffer: &mut Vec<u8>, start: usize) {
    let len = ((buffer.len() - start + 4) as u32).to_le_bytes();
    buffer[start + 4..start + 8].copy_from_slice(&len);
    buffer.extend_from_slice(&len);
}

/// Returns how many of these blocks are whole within the first `most` bytes, one at least if
/// `one` says so, and their bytes.
pub(crate) fn whole_blocks(blocks: &[u8], most: u64, one: bool) -> (u64, usize) {
    let (mut count, mut end) = (0, 0);
    while let Some(len) = blocks.get(end + 4..end + 8).and_then(|len| len.first_chunk()) {
        let next = end + u32::from_le_bytes(*len) as usize;
        if next == end || next > blocks.len() || (next as u64 > most && !(one && count == 0)) {
            break;
        }
        (count, end) = (count + 1, next);
    }
    (count, end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_padded_and_have_their_length_at_both_ends() {
        let mut buffer = Vec::new();
        for kept in 0..9 {
            let start = buffer.len();
            let bytes = vec![7; kept];
            let known = Known {
                queue: (kept % 2 == 0).then_some(3),
                hash: (kept % 3 == 0).then_some(0x1234_abcd),
                ..Known::default()
            };
            packet(&mut buffer, &known, kept, [&bytes[..kept / 2], &bytes[kept / 2..]]);
            let block = &buffer[start..];
            assert!(block.len() % 4 == 0 && block.len() <= kept + MOST_OVERHEAD, "{kept}");
            let len = (block.len() as u32).to_le_bytes();
            assert_eq!((&block[4..8], &block[block.len() - 4..]), (&len[..], &len[..]));
            assert_eq!(block[28..28 + kept], bytes);
        }
        assert_eq!(whole_blocks(&buffer, u64::MAX, false), (9, buffer.len()));
        assert_eq!(whole_blocks(&buffer, buffer.len() as u64 - 1, false).0, 8);
        assert_eq!(whole_blocks(&buffer, 0, false), (0, 0));
        assert_eq!(whole_blocks(&buffer, 0, true).0, 1);
        let has = |text: &[u8]| buffer.windows(text.len()).any(|bytes| bytes == text);
        assert!(has(&[3, 0, 5, 0, TOEPLITZ, 0x12, 0x34, 0xab, 0xcd, 0, 0, 0]));
        assert!(has(&[6, 0, 4, 0, 3, 0, 0, 0]));
    }
}
