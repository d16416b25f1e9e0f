//! Sends packets at a rate, and measures when each comes back.

use crate::command_line::LatencyArgs;
use crate::failure::Result;
use crate::latency::end::End;
use crate::latency::way::Way;
use crate::process::cpus::Pinned;
use crate::process::signals::Stop;
use crate::report::histogram::Histogram;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How often signals, the time and the interfaces are looked at.
const CHECK: Duration = Duration::from_millis(20);
/// How long the packets that are out are waited for at the end, while none comes.
const LATE: Duration = Duration::from_millis(300);

/// What was measured.
#[derive(Debug)]
pub(crate) struct Measured {
    /// The times, in nanoseconds.
    pub(crate) times: Histogram,
    pub(crate) sent: u64,
    /// Packets that were due while the one before them was late.
    pub(crate) skipped: u64,
    pub(crate) seconds: Duration,
    /// The signal that ended it early.
    pub(crate) signal: Option<u8>,
}

impl Measured {
    /// Returns what is measured before the first packet.
    pub(crate) fn nothing() -> Self {
        let times = Histogram::new();
        Self { times, sent: 0, skipped: 0, seconds: Duration::ZERO, signal: None }
    }

    /// Returns whether packets were sent for the whole time, and none came back.
    pub(crate) fn is_silent(&self) -> bool {
        self.sent > 0 && self.times.count() == 0 && self.signal.is_none()
    }

    pub(crate) fn lost(&self) -> u64 {
        self.sent.saturating_sub(self.times.count())
    }
}

/// Measures until the time is over or a signal comes. `are_ready` returns whether packets can go.
/// What was measured before a failure is returned with it.
pub(crate) fn measure(
    args: &LatencyArgs,
    (near, far): (&mut impl End, &mut (impl End + Send)),
    way: Way,
    stop: &Stop,
    are_ready: impl FnMut() -> Result<bool>,
) -> (Measured, Result<()>) {
    let over = &AtomicBool::new(false);
    let wait = Wait::new(way);
    let [here, there] = way.cpus.map_or([None; 2], |cpus| cpus.0.map(Some));
    std::thread::scope(|scope| {
        let echo = scope.spawn(move || echo(far, wait, there, over));
        let (measured, result) = match pin(here) {
            Ok(_pinned) => ping(args, near, wait, stop, over, are_ready),
            Err(failure) => (Measured::nothing(), Err(failure)),
        };
        over.store(true, Ordering::Relaxed);
        let echoed = match echo.join() {
            Ok(echoed) => echoed,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        // An echo that failed is why nothing came back any more.
        (measured, echoed.and(result))
    })
}

/// What a thread does while nothing comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
    Sleep,
    Spin,
    /// Gives the processor up in each turn.
    Yield,
}

impl Wait {
    /// Returns what the threads of both ends do; to be called before they are pinned.
    fn new(way: Way) -> Self {
        match way {
            Way { spin: false, .. } => Self::Sleep,
            Way { cpus: Some(cpus), .. } if cpus.is_one() => Self::Yield,
            Way { cpus: None, .. } if is_one_processor() => Self::Yield,
            _ => Self::Spin,
        }
    }
}

/// Has the calling thread run on a processor, if one is given, until the returned value is dropped.
fn pin(cpu: Option<u32>) -> Result<Option<Pinned>> {
    cpu.map(Pinned::to).transpose()
}

/// Returns whether this process has one processor for both threads. A thread that spins gives it
/// up in each turn then, and never where there are two: after `sched_yield` the other tasks that
/// wait for the processor run first, and on a machine with other work the scheduler was seen to
/// leave threads that call it now and then together on one processor.
fn is_one_processor() -> bool {
    std::thread::available_parallelism().is_ok_and(|count| count.get() < 2)
}

/// Passes a turn of a loop that spins.
#[inline]
fn pause(wait: Wait) {
    if wait == Wait::Yield {
        std::thread::yield_now();
    }
}

/// Sends everything back.
fn echo(end: &mut impl End, wait: Wait, cpu: Option<u32>, over: &AtomicBool) -> Result<()> {
    let run = || {
        let _pinned = pin(cpu)?;
        while !over.load(Ordering::Relaxed) {
            if end.echo()? > 0 {
                continue;
            }
            match wait {
                Wait::Sleep => end.wait(CHECK)?,
                _ => pause(wait),
            }
        }
        Ok(())
    };
    let mut run = run;
    run().inspect_err(|_| over.store(true, Ordering::Relaxed))
}

/// Sends, and receives what comes back.
fn ping(
    args: &LatencyArgs,
    end: &mut impl End,
    wait: Wait,
    stop: &Stop,
    over: &AtomicBool,
    mut are_ready: impl FnMut() -> Result<bool>,
) -> (Measured, Result<()>) {
    let start = Instant::now();
    let mut measured = Measured::nothing();
    let run = || -> Result<()> {
        let (duration, interval) = (args.duration, 1_000_000_000 / args.pps);
        let interval = Duration::from_nanos(interval);
        let (mut due, mut next_check, mut ready) = (start, start, true);
        // The numbers of packets that came back are rising.
        let mut next = 0;
        let (mut ended, mut came_at) = (None, start);
        let step = interval.as_nanos() as u64;
        loop {
            let Measured { times, .. } = &mut measured;
            let came = end.receive(|number, sent_at| {
                if number >= next {
                    next = number + 1;
                    let now = start.elapsed().as_nanos() as u64;
                    times.add(now.saturating_sub(sent_at));
                }
            })?;
            let now = Instant::now();
            if came > 0 {
                came_at = now;
            }
            if now >= next_check {
                next_check = now + CHECK;
                ready = are_ready()?;
                let signal = stop.signal();
                if ended.is_none() && (signal.is_some() || now - start >= duration) {
                    measured.signal = signal.filter(|_| now - start < duration);
                    measured.seconds = now - start;
                    ended = Some(now);
                }
                if over.load(Ordering::Relaxed) {
                    return Ok(());
                }
            }
            if let Some(ended) = ended {
                let out = measured.sent > measured.times.count();
                if !out || now - ended.max(came_at) > LATE || !ready {
                    return Ok(());
                }
            } else if now >= due {
                if ready && end.send(measured.sent, || start.elapsed().as_nanos() as u64)? {
                    measured.sent += 1;
                }
                due += interval;
                if now >= due {
                    let late = now.saturating_duration_since(due).as_nanos() as u64 / step;
                    measured.skipped += late;
                    due += interval * u32::try_from(late).unwrap_or(u32::MAX);
                }
                continue;
            }
            if came == 0 && wait != Wait::Sleep {
                pause(wait);
            } else if came == 0 {
                let until = if ended.is_some() { next_check } else { due.min(next_check) };
                end.wait(until.saturating_duration_since(now))?;
            }
        }
    };
    let mut run = run;
    let result = run();
    if measured.seconds.is_zero() {
        measured.seconds = start.elapsed();
    }
    (measured, result)
}
