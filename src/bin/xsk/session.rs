//! Decides during a command when to report and when to end, and checks the interface.

use crate::args::PortArgs;
use crate::failure::{Failure, Result};
use crate::port::ActiveProgram;
use crate::signals::Stop;
use crate::table::{Counts, Report, Table};
use rustix::time::{ClockId, clock_gettime};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};
use xsk::{Attachment, Errno, Error, Interface, Kick, SocketHandle, XdpMode};

/// Turns of a loop between two looks at clock and signals: a busy turn takes some microseconds, an
/// idle one some nanoseconds.
pub(crate) const TURNS: u32 = 256;
/// How often to check whether the interface still exists: the kernel wakes no socket when it goes.
const CHECK_INTERVAL: Duration = Duration::from_millis(250);

/// How long a driver whose interface is up may refuse to be woken.
const REFUSED: Duration = Duration::from_secs(5);
/// The pause between two looks at an interface that is down.
const DOWN: Duration = Duration::from_millis(10);

/// A run of a command on a port.
#[derive(Debug)]
pub(crate) struct Session<'a> {
    /// What the loop counts.
    pub(crate) counts: Counts,
    args: &'a PortArgs,
    stop: &'a Stop,
    interface: Interface,
    handle: SocketHandle,
    table: Table,
    start: Instant,
    /// The mode and id of the program that redirects the packets; `None` after it was detached.
    program: Option<(XdpMode, u32)>,
    /// When the last report was made, and its numbers.
    last: (Instant, Report),
    turns: u32,
    /// Whether the interface was up at the last look.
    up: bool,
    /// Since when the driver refuses to be woken although the interface is up.
    refused_since: Option<Instant>,
    /// When the next check is due, by the coarse clock.
    next_check: Duration,
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
        let table = Table::new(args, command, attachment.map(Attachment::mode), &handle)?;
        let start = Instant::now();
        Ok(Self {
            counts: Counts::default(),
            args,
            stop,
            interface,
            handle,
            table,
            program: attachment.map(|program| (program.mode(), program.program_id())),
            start,
            last: (start, Report::default()),
            turns: 1,
            up: true,
            refused_since: None,
            next_check: Duration::ZERO,
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
        if self.stop.is_asked() {
            return Ok(false);
        }
        // The coarse clock is read without a system call, whatever the machine's clock is.
        let now = clock_gettime(ClockId::MonotonicCoarse);
        let coarse = Duration::try_from(now).unwrap_or(self.next_check);
        if coarse < self.next_check {
            return Ok(true);
        }
        self.check_interface()?;
        let now = Instant::now();
        let run = now.duration_since(self.start);
        let since = now.duration_since(self.last.0);
        let interval = Duration::from_secs(self.args.interval);
        let duration = self.args.duration.map(Duration::from_secs);
        if duration.is_some_and(|duration| run >= duration) {
            return Ok(false);
        }
        let mut left = CHECK_INTERVAL;
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

    fn check_interface(&self) -> Result<()> {
        let Some(errno) = self.handle.take_error()? else {
            return Ok(());
        };
        // Returns ENODEV if the interface is gone.
        let name = self.interface.info()?.name;
        Err(Failure::Text(format!("the socket on {name} does not work any more: {errno}")))
    }

    /// Replaces a failed wake-up by the cause, if the cause is that the interface is gone.
    fn explain(&self, failure: Failure) -> Failure {
        match failure {
            Failure::Xsk(Error::Kick { .. }) => match self.interface.info() {
                Err(gone) => gone.into(),
                Ok(_) => failure,
            },
            _ => failure,
        }
    }

    /// Notes what nothing else would show: that the interface is down, and, once, that another
    /// process detached the program.
    fn check_link_and_program(&mut self) -> Result<()> {
        let info = self.interface.info()?;
        self.note_link(info.up);
        let Some((mode, id)) = self.program else {
            return Ok(());
        };
        if info.programs.program(mode) != Some(id) {
            self.program = None;
            let name = self.interface.name();
            self.table.note(&format!(
                "program {id} was taken off {name} by somebody else: packets go past this socket \
                 now"
            ));
        }
        Ok(())
    }

    fn report(&mut self, now: Instant) -> Result<()> {
        self.check_link_and_program()?;
        let report = Report { counts: self.counts, kernel: self.handle.statistics()? };
        let (last, before) = std::mem::replace(&mut self.last, (now, report));
        self.table.interval(&before, &report, now.duration_since(last))?;
        Ok(())
    }

    /// Takes the result of a wake-up. An interface that is down is noted, once, and waited for: the
    /// kernel sends what is in the TX ring when it is up again.
    #[inline]
    pub(crate) fn kicked(&mut self, result: xsk::Result<Kick>) -> Result<()> {
        match result {
            Ok(Kick::NotNeeded) => Ok(()),
            Ok(_) if self.up && self.refused_since.is_none() => Ok(()),
            changed => self.link_changed(changed),
        }
    }

    #[cold]
    fn link_changed(&mut self, result: xsk::Result<Kick>) -> Result<()> {
        // It is an error if the interface is gone.
        let up = self.interface.info()?.up;
        match result {
            Err(error @ Error::Kick { errno: Errno::NETDOWN, .. }) if up => {
                // It just came up, or its driver is busy with something else.
                let since = *self.refused_since.get_or_insert_with(Instant::now);
                if since.elapsed() > REFUSED {
                    return Err(error.into());
                }
            }
            Ok(_) | Err(Error::Kick { errno: Errno::NETDOWN, .. }) => {
                self.refused_since = None;
                self.note_link(up);
                if up {
                    return Ok(());
                }
            }
            Err(error) => return Err(error.into()),
        }
        self.turns = 1;
        std::thread::sleep(DOWN);
        Ok(())
    }

    /// Returns whether the interface is down and its return is to be waited for: neither a signal
    /// came nor is the time over.
    pub(crate) fn waits_for_link(&self) -> bool {
        let over = |duration| self.start.elapsed() >= Duration::from_secs(duration);
        !self.up && !self.stop.is_asked() && !self.args.duration.is_some_and(over)
    }

    /// Notes that the interface is up or down, if it was not so before.
    fn note_link(&mut self, up: bool) {
        if up == self.up {
            return;
        }
        self.up = up;
        let name = self.interface.name();
        self.table.note(&if up {
            format!("{name} is up again")
        } else {
            format!("{name} is down: nothing comes or goes until it is up")
        });
    }

    /// Sleeps until the socket has received packets, `most` is over, or a check is due.
    pub(crate) fn sleep(&mut self, socket: &dyn AsFd, most: Duration) -> Result<()> {
        // A report may be due after any sleep, however short.
        self.turns = 1;
        xsk::wait(&[socket], Some(most.min(CHECK_INTERVAL)))?;
        Ok(())
    }

    /// Detaches the program and then writes the summary: the output may be closed.
    pub(crate) fn end(self, outcome: Result<()>, program: Option<ActiveProgram>) -> Result<()> {
        let time = self.start.elapsed();
        let closed = program.map_or(Ok(()), ActiveProgram::close);
        let outcome = outcome.map_err(|failure| self.explain(failure));
        let written = match self.handle.statistics() {
            Ok(kernel) => {
                let counts = self.counts;
                self.table.summary(&Report { counts, kernel }, time).map_err(Failure::from)
            }
            Err(error) => self.table.finish().map_err(Failure::from).and(Err(error.into())),
        };
        outcome.and(closed).and(written)
    }

    /// Writes the first line, and a note if the interface is down.
    pub(crate) fn title(&mut self, text: &str) -> Result<()> {
        self.table.title(text)?;
        self.check_link_and_program()
    }
}
