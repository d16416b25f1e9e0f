//! Decides during a command when to report and when to end, and checks interface and program.

use crate::args::PortArgs;
use crate::counts::{Counts, Report};
use crate::ended::Ended;
use crate::failure::{Failure, Result, quoted};
use crate::link::Link;
use crate::losses::{Loss, Place};
use crate::port::{ActiveProgram, take_off};
use crate::signals::Stop;
use crate::table::{Summary, Table};
use crate::watch::{self, Watch};
use rustix::time::{ClockId, clock_gettime};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};
use xsk::interface::InterfaceInfo;
use xsk::{AttachMethod, Attachment, Error, Interface, Kick, SocketHandle, XdpMode};

/// Turns of a loop between two looks at clock and signals: a busy turn takes some microseconds, an
/// idle one some nanoseconds.
pub(crate) const TURNS: u32 = 256;
/// How long a driver whose interface is up may refuse to be woken.
const REFUSED: Duration = Duration::from_secs(5);
/// How long packets are waited for at the end, after a signal or when the time is over; how long
/// then while none goes; and how long while none goes where a count is to be reached.
const DRAIN: Duration = Duration::from_millis(500);
const STILL: Duration = Duration::from_millis(200);
const STUCK: Duration = Duration::from_secs(5);
/// The pause between two looks at an interface that is down.
const DOWN: Duration = Duration::from_millis(10);
/// How long an interface that was set up may be without a carrier before that is worth a line.
const SETTLING: Duration = Duration::from_secs(2);
/// How long to wait for a first packet before the other queues are worth a line.
const ELSEWHERE: Duration = Duration::from_secs(2);

/// Bytes that the kernel leaves free before each received packet (`XDP_PACKET_HEADROOM`).
const KERNEL_HEADROOM: u32 = 256;

/// The program that redirects the packets.
#[derive(Debug, Clone, Copy)]
struct Redirect {
    mode: XdpMode,
    id: u32,
    method: AttachMethod,
}

/// A run of a command on a port.
#[derive(Debug)]
pub(crate) struct Session<'a> {
    /// What the loop counts.
    pub(crate) counts: Counts,
    /// Packets that were given to the kernel, and neither sent nor dropped.
    pub(crate) pending: u64,
    command: &'static str,
    args: &'a PortArgs,
    stop: &'a Stop,
    interface: Interface,
    handle: SocketHandle,
    table: Table,
    watch: Watch,
    start: Instant,
    program: Option<Redirect>,
    /// When the last report was made, and its numbers.
    last: (Instant, Report),
    turns: u32,
    link: Link,
    /// When the link was looked at last.
    looked_at: Instant,
    /// Since when an interface that was down is up without a carrier.
    settling: Option<Instant>,
    /// Since when the driver refuses to be woken although the interface is up.
    refused_since: Option<Instant>,
    /// When the next check is due, by the coarse clock.
    next_check: Duration,
    /// The causes of losses that were reported.
    losses: Vec<Loss>,
    /// Packets that the interface had received before the start, on all queues: `None` at first,
    /// and once it was reported that they come to other queues.
    received_before: Option<u64>,
    /// Why the loop is to end.
    ended: Option<Ended>,
}

impl<'a> Session<'a> {
    pub(crate) fn new(
        args: &'a PortArgs,
        stop: &'a Stop,
        interface: Interface,
        handle: SocketHandle,
        command: &'static str,
        attachment: Option<&Attachment>,
    ) -> Result<Self> {
        let table = Table::new(args, command, attachment, &handle)?;
        let redirect = |program: &Attachment| Redirect {
            mode: program.mode(),
            id: program.program_id(),
            method: program.method(),
        };
        let program = attachment.map(redirect);
        let watch = Watch::start(&interface).map_err(|failure| match failure {
            Failure::Xsk(error) => gone(&interface, program, error),
            other => other,
        })?;
        let start = Instant::now();
        Ok(Self {
            counts: Counts::default(),
            pending: 0,
            command,
            args,
            stop,
            interface,
            handle,
            table,
            watch,
            program,
            start,
            last: (start, Report::default()),
            turns: 1,
            link: Link::Ready,
            looked_at: start,
            settling: None,
            refused_since: None,
            next_check: Duration::ZERO,
            losses: Vec::new(),
            received_before: None,
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
        let interval = Duration::from_secs(interval);
        let duration = duration.map(Duration::from_secs);
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

    /// Checks the socket, and what was seen of the interface since the last time.
    fn look(&mut self) -> Result<()> {
        if let Err(error) = self.handle.check() {
            // An error that names the interface and its fate, if it is gone.
            self.info()?;
            return Err(self.gone(error));
        }
        match self.watch.take() {
            Some((start, Ok(info))) => {
                // What is known of the link may be newer.
                if start > self.looked_at {
                    self.note_link(&info);
                }
                self.seen(&info)
            }
            Some((_, Err(error))) => Err(self.gone(error)),
            None => Ok(()),
        }
    }

    /// Checks the program. That another process took it off is no error, but an end.
    fn seen(&mut self, info: &InterfaceInfo) -> Result<()> {
        let Some(Redirect { mode, id, .. }) = self.program else {
            return Ok(());
        };
        if info.programs.program(mode) != Some(id) {
            self.program = None;
            let text = format!(
                "program {id} was taken off {} by another process: packets go past this socket",
                self.interface.name()
            );
            self.table.event("program_taken_off", &text);
            self.end_with(Ended::ProgramTakenOff);
        }
        self.look_elsewhere(info)
    }

    /// Notes, once, that packets come to other queues and none to this one.
    fn look_elsewhere(&mut self, info: &InterfaceInfo) -> Result<()> {
        let Some(before) = self.received_before else {
            return Ok(());
        };
        let elsewhere = info.counters.rx_packets.saturating_sub(before);
        if self.start.elapsed() < ELSEWHERE || elsewhere == 0 || self.counts.rx_packets > 0 {
            return Ok(());
        }
        self.received_before = None;
        let queues = self.interface.queues()?.rx;
        if queues < 2 || self.counters()?.totals().rx_dropped > 0 {
            return Ok(());
        }
        let (name, queue) = (quoted(self.interface.name()), self.handle.queue());
        self.table.event(
            "packets_elsewhere",
            &format!(
                "no packet has come to queue {queue}, and {elsewhere} to others of the {queues} \
                 queues of {name}: `ethtool -S {name}` shows which, `ethtool -L {name}` changes \
                 their number. A queue that was added after the program was attached may receive \
                 nothing until all users of the program have ended"
            ),
        );
        Ok(())
    }

    /// Returns the interface's state.
    fn info(&self) -> Result<InterfaceInfo> {
        self.interface.info().map_err(|error| self.gone(error))
    }

    /// Returns what an error means for this interface.
    fn gone(&self, error: Error) -> Failure {
        gone(&self.interface, self.program, error)
    }

    /// Replaces an error by its cause, if the cause is that the interface is gone.
    fn explain(&self, failure: Failure) -> Failure {
        match failure {
            Failure::Xsk(error @ (Error::Kick { .. } | Error::SocketEnded { .. })) => {
                match self.interface.info() {
                    Err(cause) => self.gone(cause),
                    Ok(_) => self.gone(error),
                }
            }
            _ => failure,
        }
    }

    fn report(&mut self, now: Instant) -> Result<()> {
        let report = self.counters()?;
        let (last, before) = std::mem::replace(&mut self.last, (now, report));
        self.table.interval(&before, &report, now.duration_since(last))?;
        self.note_losses(&report);
        Ok(())
    }

    /// Returns all counters at this moment.
    fn counters(&self) -> Result<Report> {
        let kernel = self.handle.statistics()?;
        Ok(Report::new(self.counts, self.handle.tx_dropped(), kernel))
    }

    /// Writes a line for each new cause of losses, with the cure.
    fn note_losses(&mut self, report: &Report) {
        for loss in Loss::ALL {
            let count = loss.count(report);
            if count > 0 && !self.losses.contains(&loss) {
                self.losses.push(loss);
                let umem = self.handle.umem();
                let text = loss.described(
                    count,
                    &Place {
                        name: self.interface.name(),
                        room: umem.chunk_size().saturating_sub(KERNEL_HEADROOM + umem.headroom()),
                        generic: self
                            .program
                            .is_some_and(|program| program.mode == XdpMode::Generic),
                    },
                );
                self.table.event(loss.word(), &text);
            }
        }
    }

    /// Takes the result of a wake-up. An interface that is down, or has no carrier, is noted, once,
    /// and waited for: the kernel sends what is in the TX ring when it is up again.
    #[inline]
    pub(crate) fn kicked(&mut self, result: xsk::Result<Kick>) -> Result<()> {
        match result {
            Ok(Kick::NotNeeded) => Ok(()),
            Ok(kick) if kick != Kick::Busy && self.is_ready() && self.refused_since.is_none() => {
                Ok(())
            }
            changed => self.link_changed(changed),
        }
    }

    /// Returns whether packets can be sent, as far as it is known.
    #[inline]
    pub(crate) fn is_ready(&self) -> bool {
        self.link == Link::Ready
    }

    #[cold]
    fn link_changed(&mut self, result: xsk::Result<Kick>) -> Result<()> {
        if matches!(result, Ok(Kick::Busy)) && self.is_ready() {
            // The device drops: perhaps it has lost its carrier.
            if self.looked_at.elapsed() >= DOWN {
                self.looked_at = Instant::now();
                self.watch.ask();
            }
            return self.look();
        }
        match result {
            Err(error) if error.is_down() => {
                let info = self.info()?;
                if info.up {
                    // It just came up, or its driver is busy with something else.
                    let since = *self.refused_since.get_or_insert_with(Instant::now);
                    if since.elapsed() > REFUSED {
                        return Err(error.into());
                    }
                } else {
                    self.refused_since = None;
                    self.note_link(&info);
                }
                self.pause();
                Ok(())
            }
            Err(error) => Err(error.into()),
            Ok(_) => {
                self.refused_since = None;
                self.look_at_link()
            }
        }
    }

    /// Looks at the link, and pauses if nothing can be sent.
    pub(crate) fn look_at_link(&mut self) -> Result<()> {
        let info = self.info()?;
        self.note_link(&info);
        if !self.is_ready() {
            self.pause();
        }
        Ok(())
    }

    /// Calls `work` until everything that was given to the kernel was sent or dropped. `work` wakes
    /// the kernel, if its second argument says so, and returns whether chunks came back, and how many
    /// are out.
    ///
    /// A count is waited for as long as packets go. After a signal, or when the time is over, packets
    /// are waited for at most [`DRAIN`]. Closing the socket discards what is left in the TX ring; what
    /// the device has taken, it may still send.
    pub(crate) fn drain(
        &mut self,
        mut work: impl FnMut(&mut Self, bool) -> Result<(bool, u64)>,
    ) -> Result<()> {
        let start = Instant::now();
        let (mut moved, mut ended) = (start, self.ended.map(|_| start));
        loop {
            let (back, pending) = work(self, self.is_ready())?;
            self.pending = pending;
            if pending == 0 {
                return Ok(());
            }
            let now = Instant::now();
            if back {
                moved = now;
            }
            if ended.is_none() {
                self.turns = 1;
                if !self.goes_on()? {
                    ended = Some(now);
                } else if !self.is_ready() {
                    moved = now;
                    self.look_at_link()?;
                }
            }
            let over = match ended {
                Some(ended) => now - ended > DRAIN || now - moved > STILL || !self.is_ready(),
                None => now - moved > STUCK,
            };
            if over {
                return Ok(());
            }
            if !back {
                std::thread::sleep(Duration::from_micros(50));
            }
        }
    }

    /// Sleeps for a moment in which nothing can be done; what is due is done after it.
    pub(crate) fn nap(&mut self, time: Duration) {
        self.turns = 1;
        std::thread::sleep(time);
    }

    /// Sleeps a moment; signals and clock are looked at after it.
    fn pause(&mut self) {
        self.turns = 1;
        std::thread::sleep(DOWN);
    }

    /// Notes what the link is, if it was something else before.
    fn note_link(&mut self, info: &InterfaceInfo) {
        let now = Instant::now();
        self.looked_at = now;
        let link = Link::of(info);
        // An interface that was set up has its carrier some time after.
        if self.link == Link::Down
            && link == Link::NoCarrier
            && now.duration_since(*self.settling.get_or_insert(now)) < SETTLING
        {
            return;
        }
        self.settling = None;
        if link == self.link {
            return;
        }
        self.link = link;
        let (word, text) = link.described(self.interface.name());
        self.table.event(word, &text);
    }

    /// Sleeps until the socket has received packets, `most` is over, or a check is due.
    pub(crate) fn sleep(&mut self, socket: &dyn AsFd, most: Duration) -> Result<()> {
        // A report may be due after any sleep, however short.
        self.turns = 1;
        let due = coarse_now().map_or(watch::INTERVAL, |now| self.next_check.saturating_sub(now));
        xsk::wait(&[socket], Some(most.min(due.max(Duration::from_millis(1)))))?;
        Ok(())
    }

    /// Detaches the program and then writes the summary: the output may be closed.
    pub(crate) fn end(self, outcome: Result<()>, program: Option<ActiveProgram>) -> Result<Ended> {
        let now = Instant::now();
        let time = now.duration_since(self.start);
        let closed = program.map_or(Ok(()), ActiveProgram::close);
        let outcome = outcome.map_err(|failure| self.explain(failure));
        let report = match self.counters() {
            Ok(report) => report,
            Err(error) => {
                let _ = self.table.finish();
                return outcome.and(closed).and(Err(error));
            }
        };
        let outcome = outcome.and_then(|()| self.achieved(&report));
        let written = self.write_end(now, time, &report, &outcome);
        let ended = outcome?;
        closed.and(written).map(|()| ended)
    }

    /// Returns why the loop ended: without another reason, its count was reached.
    fn achieved(&self, report: &Report) -> Result<Ended> {
        let ended = self.ended.unwrap_or(Ended::Count);
        let (totals, name) = (report.totals(), self.interface.name());
        let all = totals.tx_packets + totals.tx_dropped + self.pending;
        match ended {
            Ended::Count if totals.tx_dropped > 0 => Err(Failure::Text(format!(
                "{name} dropped {} of {all} packets in place of sending them",
                totals.tx_dropped
            ))),
            Ended::Count if self.pending > 0 => Err(Failure::Text(format!(
                "{} of {all} packets were not sent: {name} took none for {} s",
                self.pending,
                STUCK.as_secs()
            ))),
            // One that only sends has failed then.
            Ended::Time { .. } if self.command == "txonly" && totals.tx_packets == 0 => {
                Err(Failure::Text(match (self.link, totals.tx_dropped) {
                    (Link::Ready, 0) => format!("{name} has sent nothing"),
                    (Link::Ready, dropped) => format!("{name} dropped all {dropped} packets"),
                    (Link::Down, _) => format!("nothing was sent: {name} is down"),
                    (Link::NoCarrier, _) => format!("nothing was sent: {name} has no carrier"),
                }))
            }
            _ => Ok(ended),
        }
    }

    fn write_end(
        mut self,
        now: Instant,
        time: Duration,
        report: &Report,
        outcome: &Result<Ended>,
    ) -> Result<()> {
        self.note_losses(report);
        let (last, before) = self.last;
        self.table.last_interval(&before, report, now.duration_since(last))?;
        let ended = outcome.as_ref().map_or_else(Failure::word, |ended| ended.word());
        let error = outcome.as_ref().err().map(Failure::to_string);
        self.table.summary(report, Summary { ended, time, pending: self.pending, error })?;
        Ok(())
    }

    /// Writes the first line, and a note if the interface is down.
    pub(crate) fn title(&mut self, text: &str) -> Result<()> {
        self.table.title(text)?;
        let info = self.info()?;
        self.received_before = self.program.map(|_| info.counters.rx_packets);
        self.note_link(&info);
        self.seen(&info)
    }
}

/// Returns what an error means for an interface with a program on it.
fn gone(interface: &Interface, program: Option<Redirect>, error: Error) -> Failure {
    if !error.is_gone() {
        return error.into();
    }
    let netlink = program.filter(|program| program.method == AttachMethod::Netlink);
    let command = |program: Redirect| (program.id, take_off(interface, program.mode));
    let name = interface.name().to_owned();
    Failure::Gone { name, errno: error.errno(), program: netlink.map(command) }
}

/// Returns the time of the coarse clock, which is read without a system call, whatever the
/// machine's clock is.
fn coarse_now() -> Option<Duration> {
    Duration::try_from(clock_gettime(ClockId::MonotonicCoarse)).ok()
}
