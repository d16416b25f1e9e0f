//! What is sent next, and when.

use crate::command_line::PortArgs;
use crate::failure::{Failure, Result};
use crate::generate::flows::{Flows, Sizes};
use crate::generate::layout::{Fields, Layout};
use crate::generate::mark::{Mark, time_of};
use crate::generate::replay::{Replay, Step};
use crate::generate::schedule::Schedule;
use crate::run::clock;
use crate::run::counts::Lengths;
use crate::run::sockets::Supply;
use std::time::Duration;
use xsk::{Frame, FramePool, Umem};

/// How long to wait until a pipe is looked at again, in nanoseconds.
const PIPE: u64 = 1_000_000;

/// The flows of a queue.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) layout: Layout,
    pub(crate) flows: Flows,
    pub(crate) sizes: Sizes,
    /// The number of the stream.
    pub(crate) number: u16,
}

/// Where packets come from.
#[derive(Debug)]
pub(crate) enum Source {
    Flows(Box<Stream>),
    Capture(Box<Replay>),
}

/// What a queue sends.
#[derive(Debug)]
pub(crate) struct Feed {
    pub(crate) source: Source,
    pub(crate) schedule: Schedule,
    umem: Umem,
    /// Whether packets have several frames.
    frags: bool,
    /// Those of packets whose chunks have not come back.
    pub(crate) lengths: Lengths,
    /// When the batch was begun, by `CLOCK_MONOTONIC` in nanoseconds.
    now: u64,
    /// For how long packets of a capture are waited for.
    length: Option<Duration>,
    /// Whether the packet of the capture was sent, and the one after it is not known.
    stale: bool,
    /// What follows, and why it cannot.
    next: Step,
    failure: Option<Failure>,
}

impl Feed {
    /// Takes what is sent from chunks of `pool`.
    pub(crate) fn new(
        source: Source,
        schedule: Schedule,
        umem: Umem,
        pool: &mut FramePool,
        port: &PortArgs,
    ) -> Self {
        if let Source::Flows(stream) = &source {
            let headers = stream.layout.bytes();
            umem.for_each_free_chunk(pool, |chunk| chunk[..headers.len()].copy_from_slice(headers));
        }
        let lengths = Lengths::with_room(pool.len());
        Self {
            source,
            schedule,
            umem,
            frags: port.frags,
            lengths,
            now: 0,
            length: port.duration,
            stale: false,
            next: Step::Packet,
            failure: None,
        }
    }

    /// Begins a batch.
    #[inline]
    pub(crate) fn begin(&mut self) {
        self.now = clock::now();
        if let (Source::Capture(replay), Some(length)) = (&mut self.source, self.length.take()) {
            replay.wait_no_longer(length);
        }
        // What is waited for is not late.
        if !self.stale {
            self.schedule.catch_up(self.now);
        }
    }

    /// Returns how long it is until a packet is due, in nanoseconds after the batch began.
    pub(crate) fn wait(&self) -> u64 {
        match self.next {
            // A pipe is looked at again.
            Step::Packet if self.stale => PIPE,
            Step::Packet => self.schedule.wait(self.now),
            _ => u64::MAX,
        }
    }

    /// Returns whether nothing follows.
    #[inline]
    pub(crate) fn is_over(&self) -> bool {
        self.next == Step::End
    }

    /// Returns whether all was sent that was to be sent.
    pub(crate) fn is_complete(&self) -> bool {
        self.is_over() && self.failure.is_none()
    }

    /// Notes that nothing more is sent.
    pub(crate) fn end(&mut self) {
        self.schedule.stop(clock::now());
    }

    /// Returns why nothing follows that should.
    pub(crate) fn take_outcome(&mut self) -> Result<()> {
        self.failure.take().map_or(Ok(()), Err)
    }

    /// Goes on to the next packet of the capture, if it is there.
    #[inline]
    fn advance(&mut self) {
        let Source::Capture(replay) = &mut self.source else { return };
        if !replay.is_ready() {
            return;
        }
        self.stale = false;
        self.next = match replay.advance() {
            Ok(step) => step,
            Err(failure) => {
                self.failure = Some(failure);
                Step::End
            }
        };
        if self.next == Step::Packet {
            self.schedule.at(replay.time());
        }
    }
}

impl Supply for Feed {
    #[inline]
    fn next_len(&mut self) -> Option<u32> {
        if self.stale {
            self.advance();
        }
        if self.stale || self.next != Step::Packet || !self.schedule.is_due(self.now) {
            return None;
        }
        Some(match &self.source {
            Source::Flows(stream) => stream.sizes.size(),
            Source::Capture(replay) => replay.packet().len() as u32,
        })
    }

    #[inline]
    fn write(&mut self, frames: &mut [Frame]) {
        let len = match &mut self.source {
            Source::Flows(stream) => stream.write(&self.umem, self.frags, frames, self.now),
            Source::Capture(replay) => {
                let packet = replay.packet();
                // The frames are as long as it is.
                let written = self.umem.write_packet(frames, packet);
                debug_assert!(written.is_ok(), "{written:?}");
                packet.len() as u32
            }
        };
        self.lengths.push(frames);
        self.schedule.sent(len);
        self.stale = matches!(self.source, Source::Capture(_));
    }
}

impl Stream {
    /// Writes a packet, and goes on to the next one; returns its length.
    #[inline]
    fn write(&mut self, umem: &Umem, frags: bool, frames: &mut [Frame], now: u64) -> u32 {
        let len = self.sizes.size();
        let [source_port, destination_port, source, destination] = self.flows.values();
        let fields = Fields {
            source,
            destination,
            source_port: source_port as u16,
            destination_port: destination_port as u16,
            mark: Mark {
                stream: self.number,
                flow: self.flows.flow(),
                sequence: self.flows.sequence(),
                time: time_of(now),
            },
        };
        let headers = self.layout.bytes();
        if let [first, others @ ..] = frames {
            let packet = umem.bytes_mut(first);
            if frags {
                // The chunk may have been a later one of a packet.
                packet[..headers.len()].copy_from_slice(headers);
            }
            self.layout.write(packet, len, &fields);
            for other in others {
                let bytes = umem.bytes_mut(other);
                let most = bytes.len().min(headers.len());
                bytes[..most].fill(0);
            }
        }
        let new_turn = self.flows.advance();
        self.sizes.advance(new_turn);
        len
    }
}
