//! Captures copies of packets, which a program writes into a ring buffer: the kernel gets all of them.

use crate::capture::buffers::Sink;
use crate::capture::clock::Clock;
use crate::capture::format::{Known, Statistics};
use crate::failure::Result;
use crate::report::words::Event;
use crate::run::pace::Pace;
use crate::run::session::Session;
use std::sync::Arc;
use std::time::{Duration, Instant};
use xsk::bpf::{TapProgram, TapReader};

/// How long to pause while there is no copy, and when there was none for some time: the ring holds
/// what comes meanwhile.
const PAUSE: Duration = Duration::from_millis(1);
/// The pause if the ring has so many bytes at the least: each costs as much as some hundred copies.
const PAUSE_OF_LARGE: Duration = Duration::from_millis(2);
const LARGE: u32 = 1 << 24;
const LONG_PAUSE: Duration = Duration::from_millis(10);
const IDLE: Duration = Duration::from_millis(100);
/// How often the losses are read.
const LOOK: Duration = Duration::from_millis(100);
/// How long the end waits while no buffer becomes free.
const STILL: Duration = Duration::from_millis(500);

/// What a look into the ring has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Came {
    Copies,
    /// Some, of which the last one came after the end.
    All,
    Nothing,
    /// No buffer is free: there may be some.
    NoRoom,
}

/// What reads the copies.
pub(crate) struct Copier {
    pub(crate) tap: Arc<TapProgram>,
    pub(crate) reader: TapReader,
    pub(crate) sink: Sink,
    pub(crate) clock: Clock,
    pub(crate) snaplen: u32,
    /// Whether the queues are to be in the file.
    pub(crate) queues: bool,
    pub(crate) spin: bool,
    /// Bytes of the ring.
    pub(crate) ring_bytes: u32,
}

impl Copier {
    /// Writes copies until the session ends.
    pub(crate) fn run(&mut self, session: &mut Session<'_>) -> Result<()> {
        let (mut active, mut looked) = (Instant::now(), Instant::now());
        let pause = if self.ring_bytes >= LARGE { PAUSE_OF_LARGE } else { PAUSE };
        while Pace::goes_on(session)? {
            let came = self.read(session, None)?;
            let now = Instant::now();
            if now - looked >= LOOK {
                looked = now;
                self.note_losses(session);
            }
            if came == Came::Copies {
                active = now;
                self.sink.flush_old(self.clock.now());
                continue;
            }
            if self.sink.has_packets() {
                self.sink.flush_old(self.clock.now());
            }
            if !self.spin {
                session.nap(if now - active > IDLE { LONG_PAUSE } else { pause });
            }
        }
        // What came before the end is in the ring; what comes meanwhile is left there.
        let (end, mut moved) = (self.clock.now(), Instant::now());
        loop {
            match self.read(session, Some(end))? {
                Came::Copies => moved = Instant::now(),
                Came::NoRoom if moved.elapsed() < STILL => std::thread::sleep(PAUSE),
                _ => break,
            }
        }
        self.note_losses(session);
        self.sink.flush();
        Ok(())
    }

    /// Writes some copies of packets, and says whether the last one came after the time `end`.
    fn read(&mut self, session: &mut Session<'_>, end: Option<u64>) -> Result<Came> {
        let room = self.sink.room(self.snaplen)?;
        if room == 0 {
            return Ok(Came::NoRoom);
        }
        let claimed = Pace::claim(session);
        let most = room.min(claimed);
        let Self { reader, sink, clock, queues, .. } = self;
        let (mut count, mut bytes, mut last) = (0, 0, 0);
        reader.read_each(most as usize, |copy| {
            let time = clock.of(copy.time);
            let queue = queues.then_some(copy.queue);
            let known = Known { time, length: copy.length, queue, ..Known::default() };
            sink.add(&known, copy.bytes.len(), [copy.bytes]);
            count += 1;
            bytes += u64::from(copy.length);
            last = time;
        })?;
        session.counts.received(count, bytes);
        Pace::done(session, claimed, count);
        Ok(match count {
            0 => Came::Nothing,
            _ if end.is_some_and(|end| last > end) => Came::All,
            _ => Came::Copies,
        })
    }

    /// Notes how many copies found no room.
    fn note_losses(&self, session: &mut Session<'_>) {
        let Ok(counts) = self.tap.counts() else { return };
        if counts.lost > 0 && session.counts.rx_lost == 0 {
            let text = format!(
                "{} copies found no room in the ring buffer: a larger one (--tee-ring), a FILTER, or \
                 fewer bytes of each packet (-s)",
                counts.lost
            );
            session.event(Event::TeeRingFull, &text);
        }
        session.counts.rx_lost = counts.lost;
    }
}

/// Returns what a tap has counted.
pub(crate) fn counted(tap: &TapProgram, clock: Clock, start: u64) -> Statistics {
    let counts = tap.counts().ok();
    let mut counted = Statistics { start, end: clock.now(), ..Statistics::default() };
    match counts {
        Some(counts) => {
            counted.received = counts.matched.packets + counts.others.packets;
            counted.accepted = Some(counts.matched.packets);
            counted.ring_lost = Some(counts.lost);
        }
        // Without rights (--user) the counters cannot be read before 5.19.
        None => counted.beside = true,
    }
    counted
}
