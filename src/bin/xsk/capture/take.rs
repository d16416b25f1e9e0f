//! Captures the packets of sockets: the kernel does not get them.

use crate::capture::buffers::{FLUSH, Sink};
use crate::capture::clock::{CardClock, Clock};
use crate::capture::format::Known;
use crate::capture::source::Source;
use crate::command_line::PortArgs;
use crate::failure::Result;
use crate::run::pace::{Pace, Work};
use crate::run::port;
use crate::run::sockets::{RxRing, bytes_of};
use std::time::Duration;
use xsk::packet::{RxMetadata, VlanTag};
use xsk::{Fill, Frame, SocketHandle, Umem};

/// How long to pause while nothing can be written.
const FULL: Duration = Duration::from_micros(200);

/// How long to pause when the ring is empty and packets came within [`BUSY`] nanoseconds: the kernel
/// need not wake this thread for each of them, which takes longer than all else.
const BUSY_PAUSE: Duration = Duration::from_micros(200);
const BUSY: u64 = 1_000_000;

/// What captures on one queue.
pub(crate) struct Capturer<'a, R> {
    pub(crate) args: &'a PortArgs,
    pub(crate) rx: Source<R>,
    pub(crate) fill: Fill,
    pub(crate) handle: SocketHandle,
    pub(crate) umem: Umem,
    pub(crate) sink: Sink,
    pub(crate) clock: Clock,
    pub(crate) card: CardClock,
    pub(crate) kept: Kept,
    /// The most bytes that a packet may have.
    pub(crate) longest: u32,
}

/// What is kept of each packet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kept {
    /// Bytes at the most.
    pub(crate) snaplen: u32,
    /// The queue's number, if it is to be in the file.
    pub(crate) queue: Option<u32>,
    /// Whether the hash is to be in the file.
    pub(crate) hash: bool,
}

impl<R: RxRing> Work for Capturer<'_, R> {
    fn run(&mut self, pace: &mut impl Pace) -> Result<()> {
        let Self { args, rx, fill, handle, umem, sink, clock, card, kept, longest } = self;
        let most_bytes = kept.snaplen.min(*longest);
        // The time of the last packet, that of the last batch, and whether it came soon after another.
        let (mut last, mut seen, mut busy) = (0, 0, false);
        while pace.goes_on()? {
            let room = sink.room(most_bytes)?;
            if room == 0 {
                // What comes meanwhile waits in the ring.
                pace.nap(FULL);
                continue;
            }
            let claimed = pace.claim();
            let (mut bytes, mut now) = (0, 0);
            let count = rx.each(claimed.min(room), fill, |frames, metadata| {
                if now == 0 {
                    now = clock.now();
                }
                bytes += bytes_of(frames);
                last = add(sink, umem, frames, (now, last, card), *kept, metadata);
            })?;
            pace.counts().received(count, bytes);
            pace.done(claimed, count);
            if count > 0 {
                busy = now - seen < BUSY;
                seen = now;
                sink.flush_old(now);
                continue;
            }
            if sink.has_packets() || busy {
                let now = clock.now();
                sink.flush_old(now);
                busy &= now - seen < BUSY;
            }
            pace.kicked(port::look(args, fill, handle))?;
            if args.poll && busy {
                pace.nap(BUSY_PAUSE);
            } else if args.poll {
                let most = if sink.has_packets() { FLUSH } else { u64::MAX };
                pace.sleep(handle, Duration::from_nanos(most))?;
            }
        }
        sink.flush();
        Ok(())
    }

    fn pending(&self) -> u64 {
        0
    }
}

/// Adds a packet to the file, which comes at the time `now` and not before the one at `last`; returns
/// its time.
#[inline]
fn add(
    sink: &mut Sink,
    umem: &Umem,
    frames: &[Frame],
    (now, last, card): (u64, u64, &CardClock),
    kept: Kept,
    metadata: Option<RxMetadata>,
) -> u64 {
    let Kept { snaplen, queue, hash } = kept;
    let time = metadata.and_then(|metadata| metadata.timestamp.known());
    let time = time.map_or(now, |time| card.time(time, now)).max(last);
    let mut known = Known { time, queue, ..Known::default() };
    if let Some(metadata) = metadata {
        known.hash = metadata.hash.known().filter(|_| hash).map(|hash| hash.value);
        if let ([frame], Some(tag)) = (frames, metadata.vlan.known()) {
            add_tagged(sink, umem.bytes(frame), tag, known, snaplen);
            return time;
        }
    }
    if let [frame] = frames {
        let bytes = umem.bytes(frame);
        known.length = bytes.len() as u32;
        let kept = bytes.len().min(snaplen as usize);
        sink.add(&known, kept, [&bytes[..kept]]);
        return time;
    }
    known.length = frames.iter().map(Frame::len).sum();
    let kept = known.length.min(snaplen) as usize;
    add_parts(sink, &known, kept, frames.iter().map(|frame| umem.bytes(frame)));
    time
}

/// Adds a packet with the VLAN tag that the card took out of it.
#[cold]
fn add_tagged(sink: &mut Sink, bytes: &[u8], tag: VlanTag, mut known: Known, snaplen: u32) {
    let (addresses, rest) = bytes.split_at(bytes.len().min(12));
    let ([a, b], [c, d]) = (tag.protocol.to_be_bytes(), tag.tci.to_be_bytes());
    known.length = bytes.len() as u32 + 4;
    let kept = known.length.min(snaplen) as usize;
    add_parts(sink, &known, kept, [addresses, &[a, b, c, d], rest].into_iter());
}

/// Adds a packet of which the first `kept` bytes of all parts together are kept.
fn add_parts<'a>(
    sink: &mut Sink,
    known: &Known,
    kept: usize,
    parts: impl Iterator<Item = &'a [u8]>,
) {
    let mut left = kept;
    let parts = parts.map(|bytes| {
        let part = &bytes[..bytes.len().min(left)];
        left -= part.len();
        part
    });
    sink.add(known, kept, parts);
}
