//! The end of a run: what it has come to, and the summary.

use crate::failure::{Failure, Result};
use crate::run::counts::Report;
use crate::run::ended::Ended;
use crate::run::link::Link;
use crate::run::pace::STUCK;
use crate::run::parts::Part;
use crate::run::port::ActiveProgram;
use crate::run::session::Session;
use crate::run::side::Side;
use crate::run::table::Summary;
use std::time::{Duration, Instant};
use xsk::{Error, SocketHandle};

impl Session<'_> {
    /// Detaches the programs and then writes the summary: the output may be closed.
    pub(crate) fn end(
        self,
        outcome: Result<()>,
        programs: impl IntoIterator<Item = ActiveProgram>,
    ) -> Result<Ended> {
        let now = Instant::now();
        let time = now.duration_since(self.start);
        let closed = ActiveProgram::close_all(programs);
        let outcome = outcome.map_err(|failure| explain(&self.sides, failure));
        let (report, sides) = match self.counters() {
            Ok(counters) => counters,
            Err(error) => {
                let _ = self.table.finish();
                return outcome.and(closed).and(Err(error));
            }
        };
        let outcome = outcome.and_then(|()| self.achieved(&report, &sides));
        let written = self.write_end(now, time, (&report, &sides), &outcome);
        let ended = outcome?;
        closed.and(written).map(|()| ended)
    }

    /// Notes that the loop ended because all was done that was to be done, unless something else
    /// ended it.
    pub(crate) fn note_complete(&mut self) {
        self.ended.get_or_insert(Ended::Complete);
    }

    fn only_sends(&self) -> bool {
        matches!(self.command, "txonly" | "generate")
    }

    /// Returns why the loop ended: without another reason, its count was reached.
    fn achieved(&self, report: &Report, sides: &[Report]) -> Result<Ended> {
        let ended = self.ended.unwrap_or(Ended::Count);
        let totals = report.totals();
        let all = totals.tx_packets + totals.tx_dropped + self.pending;
        let names = |is_meant: &dyn Fn(&Side, &Report) -> bool| {
            let meant = self.sides.iter().zip(sides).filter(|(side, one)| is_meant(side, one));
            meant.map(|(side, _)| side.name()).collect::<Vec<_>>().join(" and ")
        };
        match ended {
            Ended::Count | Ended::Complete if totals.tx_dropped > 0 => Err(Failure::Text(format!(
                "{} dropped {} of {all} packets in place of sending them",
                names(&|_, report| report.tx_dropped > 0),
                totals.tx_dropped
            ))),
            Ended::Count | Ended::Complete if self.pending > 0 => Err(Failure::Text(format!(
                "{} of {all} packets were not sent: {} took none for {} s",
                self.pending,
                names(&|side, _| side.pending > 0),
                STUCK.as_secs()
            ))),
            // One that only sends has failed then.
            Ended::Time { .. } if self.only_sends() && totals.tx_packets == 0 => {
                let (name, link) = (self.sides[0].name(), self.sides[0].link());
                Err(Failure::Text(match (link, totals.tx_dropped) {
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
        (report, sides): (&Report, &[Report]),
        outcome: &Result<Ended>,
    ) -> Result<()> {
        self.note_losses(sides);
        let ways = self.ways(sides);
        let (last, before, ways_before) = &self.last;
        let since = now.duration_since(*last);
        self.table.last_interval((before, ways_before), (report, &ways), since)?;
        let ended = outcome.as_ref().map_or_else(Failure::why, |ended| ended.why());
        let error = outcome.as_ref().err().map(Failure::to_string);
        let parts = match (&self.sides[..], sides) {
            ([a, b], [on_a, on_b]) => {
                let dropped = [on_a.tx_dropped, on_b.tx_dropped];
                Part::directions([a.name(), b.name()], &self.parts, dropped)
            }
            ([side], _) if self.args.queue.single().is_none() => {
                Part::queues(&self.parts, side.handles())
            }
            (sides, _) => {
                let handles = sides.iter().flat_map(Side::handles);
                Part::sockets(&self.parts, handles.map(SocketHandle::tx_dropped))
            }
        };
        let effects = self.sides.iter().flat_map(Side::handles);
        let effects = effects.filter(|_| self.args.busy_poll).map(SocketHandle::busy_poll_effect);
        let busy_poll = effects.filter_map(xsk::Result::ok).collect();
        let (pending, tx_times, more) = (self.pending, self.tx_times, self.more);
        let filters = self.sides.iter().filter_map(Side::filter_summary).collect();
        let summary =
            Summary { ended, time, pending, error, parts, tx_times, busy_poll, filters, more };
        self.table.summary(report, summary)?;
        Ok(())
    }
}

/// Replaces an error of a run on these interfaces by its cause, if the cause is that one is gone.
fn explain(sides: &[Side], failure: Failure) -> Failure {
    let Failure::Xsk(error @ (Error::Kick { .. } | Error::SocketEnded { .. })) = failure else {
        return failure;
    };
    if let Some(cause) = sides.iter().find_map(|side| side.info().err()) {
        return cause;
    }
    let is_meant = |side: &&Side| match &error {
        Error::Kick { interface, .. } | Error::SocketEnded { interface, .. } => {
            // The name when it was bound.
            side.handles().first().is_some_and(|handle| handle.interface() == interface)
        }
        _ => false,
    };
    sides.iter().find(is_meant).unwrap_or(&sides[0]).gone(error)
}
