//! Decides during a command when to report and when to end, and has the interfaces looked at.

mod end;
mod links;
mod one_queue;

use crate::command_line::PortArgs;
use crate::failure::Result;
use crate::process::rights;
use crate::process::signals::Stop;
use crate::report::words::Event;
use crate::run::counts::{Counts, Report};
use crate::run::ended::Ended;
use crate::run::lines::{More, Way};
use crate::run::side::Side;
use crate::run::table::Table;
use crate::run::tx_times::TxTimes;
use crate::run::watch;
use rustix::time::{ClockId, clock_gettime};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// Turns of a loop between two looks at clock and signals: a busy turn takes some microseconds, an
/// idle one some nanoseconds.
pub(crate) const TURNS: u32 = 256;

/// A run of a command on one interface, or between two.
#[derive(Debug)]
pub(crate) struct Session<'a> {
    /// What the loop counts, if there are no parts.
    pub(crate) counts: Counts,
    /// What the loop counts for each of several sockets or queues, or for each direction between
    /// two interfaces: what came on the interface of that number, and was sent on the other.
    pub(crate) parts: Vec<Counts>,
    /// Packets that were given to the kernel, and neither sent nor dropped.
    pub(crate) pending: u64,
    /// When packets were sent, if that was collected.
    pub(crate) tx_times: Option<TxTimes>,
    /// What else the summary has.
    pub(crate) more: Vec<More>,
    command: &'static str,
    args: &'a PortArgs,
    stop: &'a Stop,
    /// Packets that are left to do by a loop on one queue.
    left: u64,
    /// The interfaces: one or two.
    sides: Vec<Side>,
    table: Table,
    start: Instant,
    /// When the last report was made, and its numbers.
    last: (Instant, Report, Vec<Way>),
    turns: u32,
    /// When the next check is due, by the coarse clock.
    next_check: Duration,
    /// When it was looked at last, by the coarse clock.
    looked: Duration,
    /// Why the loop is to end.
    ended: Option<Ended>,
}

impl<'a> Session<'a> {
    /// Begins a run, whose sockets and programs are set up; gives up rights that are to be given
    /// up.
    pub(crate) fn new(
        args: &'a PortArgs,
        stop: &'a Stop,
        command: &'static str,
        sides: Vec<Side>,
    ) -> Result<Self> {
        // Everything is set up, and nothing has come from outside yet.
        rights::give_up()?;
        let labels = sides.iter().map(|side| side.label().clone()).collect();
        let table = Table::new(args, command, labels)?;
        let parts = match &sides[..] {
            [side] if side.handles().len() == 1 && args.queue.single().is_some() => 0,
            [side] => side.handles().len(),
            sides => sides.len(),
        };
        let start = Instant::now();
        Ok(Self {
            counts: Counts::default(),
            parts: vec![Counts::default(); parts],
            pending: 0,
            tx_times: None,
            more: Vec::new(),
            command,
            args,
            stop,
            left: args.count.unwrap_or(u64::MAX),
            sides,
            table,
            start,
            last: (start, Report::default(), Vec::new()),
            turns: 1,
            next_check: Duration::ZERO,
            looked: Duration::ZERO,
            ended: None,
        })
    }

    /// Returns whether the loop goes on; to be called once in each turn of it.
    #[inline]
    pub(crate) fn goes_on(&mut self) -> Result<bool> {
        self.turns -= 1;
        if self.turns > 0 {
            return Ok(true);
        }
        self.check()
    }

    #[cold]
    fn check(&mut self) -> Result<bool> {
        self.turns = TURNS;
        let PortArgs { count, duration, interval, .. } = *self.args;
        if let Some(number) = self.stop.signal() {
            let early = count.is_some() || duration.is_some();
            return Ok(self.end_with(Ended::Signal { number, early }));
        }
        let coarse = coarse_now().unwrap_or(self.next_check);
        self.looked = coarse;
        if coarse < self.next_check {
            return Ok(true);
        }
        self.look()?;
        if self.ended.is_some() {
            return Ok(false);
        }
        let now = Instant::now();
        let run = now.duration_since(self.start);
        let since = now.duration_since(self.last.0);
        if duration.is_some_and(|duration| run >= duration) {
            return Ok(self.end_with(Ended::Time { early: count.is_some() }));
        }
        let mut left = watch::INTERVAL;
        if let Some(duration) = duration {
            left = left.min(duration - run);
        }
        if since >= interval {
            self.report(now)?;
        } else {
            left = left.min(interval - since);
        }
        self.next_check = coarse + left;
        Ok(true)
    }

    /// Keeps why the loop is to end, if nothing ended it before; returns `false`.
    fn end_with(&mut self, ended: Ended) -> bool {
        self.ended.get_or_insert(ended);
        false
    }

    /// Returns what the loop has counted.
    pub(crate) fn counted(&self) -> Counts {
        self.parts.iter().fold(self.counts, |sum, part| sum.plus(part))
    }

    /// Checks the sockets, and what was seen of the interfaces since the last time.
    fn look(&mut self) -> Result<()> {
        let all = self.counted();
        let between = self.sides.len() > 1;
        for (number, side) in self.sides.iter_mut().enumerate() {
            let received = if between { self.parts[number] } else { all }.rx_packets;
            if let Some(ended) = side.look(&self.table, received)? {
                self.ended.get_or_insert(ended);
            }
            self.table.relabel(number, side.label());
        }
        Ok(())
    }

    fn report(&mut self, now: Instant) -> Result<()> {
        let (report, sides) = self.counters()?;
        let ways = self.ways(&sides);
        let (last, before, ways_before) =
            std::mem::replace(&mut self.last, (now, report, ways.clone()));
        let time = now.duration_since(last);
        self.table.interval((&before, &ways_before), (&report, &ways), time)?;
        self.note_losses(&sides);
        Ok(())
    }

    /// Adds to the summary what came to queues that are left out; `waiting` returns how many packets
    /// are in the rings of an interface, and not counted.
    pub(crate) fn note_to_left_out(&mut self, mut waiting: impl FnMut(usize) -> u64) {
        let (mut objects, mut lines) = (Vec::new(), Vec::new());
        for (number, (side, counts)) in self.sides.iter().zip(&self.parts).enumerate() {
            let Some((left_out, packets)) = side.to_left_out(counts.rx_packets) else { continue };
            let packets = packets.saturating_sub(waiting(number));
            let (object, line) = left_out.summed(side.name(), packets);
            objects.push(object);
            lines.extend(line);
        }
        if !objects.is_empty() {
            self.more.push(More { key: "left_out", json: objects.into(), lines });
        }
    }

    /// Returns all counters at this moment, and those of the kernel for each interface.
    fn counters(&self) -> Result<(Report, Vec<Report>)> {
        let sides = self.sides.iter().map(Side::report).collect::<Result<Vec<_>>>()?;
        Ok((Report::sum(self.counted(), &sides), sides))
    }

    /// Returns what went each way between two interfaces.
    fn ways(&self, reports: &[Report]) -> Vec<Way> {
        match (&self.sides[..], reports, &self.parts[..]) {
            ([a, b], [on_a, on_b], [from_a, from_b]) => {
                let dropped = [on_a.tx_dropped, on_b.tx_dropped];
                Way::both([a.name(), b.name()], [*from_a, *from_b], dropped)
            }
            _ => Vec::new(),
        }
    }

    /// Writes a line for each new cause of losses, with the cure.
    fn note_losses(&mut self, reports: &[Report]) {
        let named = self.sides.len() > 1;
        for (side, report) in self.sides.iter_mut().zip(reports) {
            side.note_losses(report, &self.table, named);
        }
    }

    /// Sleeps for a moment in which nothing can be done; what is due is done after it.
    pub(crate) fn nap(&mut self, time: Duration) {
        self.turns = 1;
        std::thread::sleep(time);
    }

    /// Sleeps until one of the sockets has received packets, `most` is over, or a check is due.
    pub(crate) fn sleep(&mut self, sockets: &[&dyn AsFd], most: Duration) -> Result<()> {
        // A report may be due after any sleep, however short.
        self.turns = 1;
        xsk::wait(sockets, Some(most.min(self.due())))?;
        Ok(())
    }

    /// Returns how long it is until a check is due, or a little longer.
    pub(crate) fn due(&self) -> Duration {
        // The clock was read at the beginning of the turn, or, in a busy time, [`TURNS`] turns
        // before at the most.
        self.next_check.saturating_sub(self.looked).max(Duration::from_millis(1))
    }

    /// Writes a line that is no event.
    pub(crate) fn note(&self, text: &str) {
        self.table.note(text);
    }

    /// Writes an event on the first interface.
    pub(crate) fn event(&self, event: Event, text: &str) {
        self.table.event(self.sides[0].label(), event, text);
    }

    /// Writes a line for each interface, and a note for each that is down.
    pub(crate) fn begin(&mut self) -> Result<()> {
        for side in &self.sides {
            self.table.title(side.title())?;
        }
        for side in &mut self.sides {
            if let Some(ended) = side.begin(&self.table)? {
                self.ended.get_or_insert(ended);
            }
        }
        Ok(())
    }
}

/// Returns the time of the coarse clock, which is read without a system call, whatever the
/// machine's clock is.
fn coarse_now() -> Option<Duration> {
    Duration::try_from(clock_gettime(ClockId::MonotonicCoarse)).ok()
}
