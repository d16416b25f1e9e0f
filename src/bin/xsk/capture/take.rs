//! Captures the packets of sockets: the kernel does not get them.

use crate::capture::buffers::{FLUSH, Sink};
use crate::capture::clock::Clock;
use crate::capture::format::Known;
use crate::command_line::PortArgs;
use crate::failure::Result;
use crate::run::pace::{Pace, Work};
use crate::run::port;
use crate::run::sockets::{RxRing, bytes_of};
use std::time::Duration;
use xsk::{Fill, Frame, SocketHandle, Umem};

/// How long to pause while nothing can be written.
const FULL: Duration = Duration::from_micros(200);

/// How long to pause when the ring is empty after many packets, and how many these are: what comes
/// meanwhile waits in the ring, and the kernel need not wake this thread for each of them.
const BUSY_PAUSE: Duration = Duration::from_micros(50);
const BUSY: u32 = 256;

/// What captures on one queue.
pub(crate) struct Capturer<'a, R> {
    pub(crate) args: &'a PortArgs,
    pub(crate) rx: R,
    pub(crate) fill: Fill,
    pub(crate) handle: SocketHandle,
    pub(crate) umem: Umem,
    pub(crate) sink: Sink,
    pub(crate) clock: Clock,
    pub(crate) snaplen: u32,
    /// The queue's number, if it is to be in the file.
    pub(crate) queue: Option<u32>,
    /// The most bytes that a packet may have.
    pub(crate) longest: u32,
}

impl<R: RxRing> Work for Capturer<'_, R> {
    fn run(&mut self, pace: &mut impl Pace) -> Result<()> {
        let Self { args, rx, fill, handle, umem, sink, clock, snaplen, queue, longest } = self;
        let most_bytes = (*snaplen).min(*longest);
        let mut at_once = 0;
        while pace.goes_on()? {
            let room = sink.room(most_bytes)?;
            if room == 0 {
                // What comes meanwhile waits in the ring.
                pace.nap(FULL);
                continue;
            }
            let claimed = pace.claim();
            let (mut bytes, mut now) = (0, 0);
            let count = rx.recycle_each(claimed.min(room), fill, |frames| {
                if now == 0 {
                    now = clock.now();
                }
                bytes += bytes_of(frames);
                add(sink, umem, frames, now, *snaplen, *queue);
            })?;
            pace.counts().received(count, bytes);
            pace.done(claimed, count);
            if count > 0 {
                at_once += count;
                sink.flush_old(now);
                continue;
            }
            if sink.has_packets() {
                sink.flush_old(clock.now());
            }
            pace.kicked(port::look(args, fill, handle))?;
            let busy = std::mem::take(&mut at_once) >= BUSY;
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

/// Adds a packet to the file.
#[inline]
fn add(
    sink: &mut Sink,
    umem: &Umem,
    frames: &[Frame],
    time: u64,
    snaplen: u32,
    queue: Option<u32>,
) {
    let mut known = Known { time, queue, ..Known::default() };
    if let [frame] = frames {
        let bytes = umem.bytes(frame);
        known.length = bytes.len() as u32;
        let kept = bytes.len().min(snaplen as usize);
        sink.add(&known, kept, [&bytes[..kept]]);
        return;
    }
    known.length = frames.iter().map(Frame::len).sum();
    let kept = known.length.min(snaplen) as usize;
    let mut left = kept;
    let parts = frames.iter().map(|frame| {
        let bytes = umem.bytes(frame);
        let part = &bytes[..bytes.len().min(left)];
        left -= part.len();
        part
    });
    sink.add(&known, kept, parts);
}
