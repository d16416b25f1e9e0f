//! The thread of one of several queues, and what it shares with the thread that looks after the
//! run.

use crate::command_line::PortArgs;
use crate::failure::{Failure, Result};
use crate::run::counts::Counts;
use crate::run::link::Link;
use crate::run::pace::{Pace, Padded, Patience};
use crate::run::session::TURNS;
use crate::run::side::{DOWN, REFUSED};
use crate::run::watch;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::Thread;
use std::time::{Duration, Instant};
use xsk::{Kick, SocketHandle};

/// What the workers share with the thread that looks after them. It has no other data to publish
/// with any of these values: all accesses are relaxed.
#[derive(Debug)]
pub(crate) struct Shared {
    /// Whether the workers are to end.
    stopped: AtomicBool,
    /// The state of the link, as it was seen last: a [`Link`].
    link: AtomicU8,
    /// Whether a worker has seen that the link may be another one.
    asked: AtomicBool,
    /// Packets that are left to do, if there is a count.
    budget: Option<Budget>,
    /// Packets done at once.
    batch: u32,
    /// The thread that looks after the workers.
    overseer: Thread,
    /// What a worker waits for beside its socket, and what wakes it at the end.
    end: UnixStream,
    waker: UnixStream,
}

/// The packets that are left to do by all workers together.
#[derive(Debug)]
struct Budget {
    /// Those that no worker has claimed.
    unclaimed: AtomicU64,
    /// Those that are not done.
    undone: AtomicU64,
}

impl Budget {
    fn new(count: u64) -> Self {
        Self { unclaimed: AtomicU64::new(count), undone: AtomicU64::new(count) }
    }

    fn claim(&self, most: u32) -> u32 {
        let mut claimed = 0;
        let rest = |unclaimed: u64| {
            claimed = unclaimed.min(u64::from(most)) as u32;
            (claimed > 0).then(|| unclaimed - u64::from(claimed))
        };
        // Refused if nothing is left: the claim is 0 then.
        let _ = self.unclaimed.fetch_update(Ordering::Relaxed, Ordering::Relaxed, rest);
        claimed
    }

    fn done(&self, claimed: u32, count: u32) {
        if count < claimed {
            self.unclaimed.fetch_add(u64::from(claimed - count), Ordering::Relaxed);
        }
        if count > 0 {
            self.undone.fetch_sub(count.into(), Ordering::Relaxed);
        }
    }

    fn is_done(&self) -> bool {
        self.undone.load(Ordering::Relaxed) == 0
    }
}

impl Shared {
    /// Takes the options and the state of the link; the calling thread looks after the workers.
    pub(crate) fn new(args: &PortArgs, link: Link) -> Result<Self> {
        let (end, waker) = UnixStream::pair().map_err(|error| {
            Failure::Text(format!("what wakes the threads cannot be made: {error}"))
        })?;
        Ok(Self {
            stopped: AtomicBool::new(false),
            link: AtomicU8::new(link as u8),
            asked: AtomicBool::new(false),
            budget: args.count.map(Budget::new),
            batch: args.batch,
            overseer: std::thread::current(),
            end,
            waker,
        })
    }

    /// Has the workers end.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        self.wake();
    }

    /// Wakes the workers that sleep; none sleeps from then on.
    fn wake(&self) {
        // It cannot fail but for a second time.
        let _ = self.waker.shutdown(Shutdown::Write);
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Publishes the state of the link.
    pub(crate) fn set_link(&self, link: Link) {
        self.link.store(link as u8, Ordering::Relaxed);
    }

    fn is(&self, link: Link) -> bool {
        self.link.load(Ordering::Relaxed) == link as u8
    }

    /// Has the link looked at soon. That wakes nothing: a device that drops each packet is a reason
    /// to ask at each wake-up.
    fn ask(&self) {
        // All workers have this in their caches: it is not written again.
        if !self.asked.load(Ordering::Relaxed) {
            self.asked.store(true, Ordering::Relaxed);
        }
    }

    /// Returns whether a worker wants the link to be looked at.
    pub(crate) fn take_asked(&self) -> bool {
        self.asked.swap(false, Ordering::Relaxed)
    }
}

/// What a worker has counted, as it was published last.
#[derive(Debug, Default)]
pub(crate) struct Published(Padded<Mutex<Counts>>);

impl Published {
    /// Returns what was published last.
    pub(crate) fn counts(&self) -> Counts {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The loop of one of several queues, as its thread sees it.
#[derive(Debug)]
pub(crate) struct Worker<'a> {
    /// What the loop counts.
    pub(crate) counts: Counts,
    /// Packets that were given to the kernel, and neither sent nor dropped.
    pub(crate) pending: u64,
    shared: &'a Shared,
    published: &'a Published,
    turns: u32,
    /// Since when the driver refuses to be woken although the interface is up.
    refused_since: Option<Instant>,
}

impl<'a> Worker<'a> {
    pub(crate) fn new(shared: &'a Shared, published: &'a Published) -> Self {
        let counts = Counts::default();
        Self { counts, pending: 0, shared, published, turns: 1, refused_since: None }
    }

    /// Wakes the thread that looks after the workers.
    pub(crate) fn wake_overseer(&self) {
        self.shared.overseer.unpark();
    }

    #[cold]
    fn check(&mut self) -> bool {
        self.turns = TURNS;
        self.publish();
        !self.shared.is_stopped()
    }

    /// Publishes what was counted.
    fn publish(&self) {
        // It is locked for as long as a copy takes.
        *self.published.0.0.lock().unwrap_or_else(PoisonError::into_inner) = self.counts;
    }

    #[cold]
    fn link_changed(&mut self, result: xsk::Result<Kick>) -> Result<()> {
        match result {
            Err(error) if error.is_down() => {
                if self.shared.is(Link::Down) {
                    self.refused_since = None;
                } else {
                    // It just came up, its driver is busy with something else, or nothing has
                    // looked yet.
                    let since = *self.refused_since.get_or_insert_with(Instant::now);
                    if since.elapsed() > REFUSED {
                        return Err(error.into());
                    }
                }
                self.shared.ask();
                self.nap(DOWN);
                Ok(())
            }
            Err(error) => Err(error.into()),
            Ok(Kick::Busy) if self.is_ready() => {
                self.refused_since = None;
                // The device drops: perhaps it has lost its carrier.
                self.shared.ask();
                Ok(())
            }
            Ok(_) => {
                self.refused_since = None;
                self.look_at_link()
            }
        }
    }
}

impl Pace for Worker<'_> {
    #[inline]
    fn goes_on(&mut self) -> Result<bool> {
        if self.shared.budget.as_ref().is_some_and(Budget::is_done) {
            self.shared.wake();
            return Ok(false);
        }
        self.turns -= 1;
        Ok(self.turns > 0 || self.check())
    }

    #[inline]
    fn claim(&mut self) -> u32 {
        let batch = self.shared.batch;
        self.shared.budget.as_ref().map_or(batch, |budget| budget.claim(batch))
    }

    #[inline]
    fn done(&mut self, claimed: u32, count: u32) {
        if let Some(budget) = &self.shared.budget {
            budget.done(claimed, count);
        }
    }

    #[inline]
    fn counts(&mut self) -> &mut Counts {
        &mut self.counts
    }

    #[inline]
    fn kicked(&mut self, result: xsk::Result<Kick>) -> Result<()> {
        match result {
            Ok(Kick::NotNeeded) => Ok(()),
            Ok(kick) if kick != Kick::Busy && self.is_ready() && self.refused_since.is_none() => {
                Ok(())
            }
            changed => self.link_changed(changed),
        }
    }

    #[inline]
    fn is_ready(&self) -> bool {
        self.shared.is(Link::Ready)
    }

    fn look_at_link(&mut self) -> Result<()> {
        if self.shared.is(Link::Down) {
            // That is why the driver refused; it is not woken before the link is up.
            self.refused_since = None;
        }
        self.shared.ask();
        if !self.is_ready() {
            self.nap(DOWN);
        }
        Ok(())
    }

    fn nap(&mut self, time: Duration) {
        self.turns = 1;
        self.publish();
        std::thread::sleep(time);
    }

    fn sleep(&mut self, socket: &SocketHandle, most: Duration) -> Result<()> {
        self.turns = 1;
        self.publish();
        // Not longer than a single queue sleeps: after a flap a driver may want to be woken.
        xsk::wait(&[socket, &self.shared.end], Some(most.min(watch::INTERVAL)))?;
        Ok(())
    }

    fn drain(&mut self, mut work: impl FnMut(&mut Self) -> Result<(bool, u64)>) -> Result<()> {
        let mut patience = Patience::new(self.shared.is_stopped());
        loop {
            let (back, pending) = work(self)?;
            self.pending = pending;
            self.publish();
            if pending == 0 {
                return Ok(());
            }
            let now = Instant::now();
            if back {
                patience.begin_again(now);
            }
            if self.shared.is_stopped() {
                patience.end(now);
            } else if !self.is_ready() {
                patience.begin_again(now);
                self.look_at_link()?;
            }
            if patience.is_over(now, !self.is_ready()) {
                return Ok(());
            }
            if !back {
                Patience::pause();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command_line::{Cli, Command};
    use clap::Parser;
    use xsk::test_util::{Namespace, VethPair, ip, privileged};
    use xsk::{Socket, Umem};

    #[test]
    fn a_device_that_drops_does_not_keep_the_overseer_awake() {
        let cli = Cli::parse_from(["xsk", "txonly", "-i", "near", "-q", "all"]);
        let Command::Txonly(args) = &cli.command else { panic!("{cli:?}") };
        let (shared, published) =
            (Shared::new(&args.port, Link::Ready).unwrap(), Published::default());
        let mut worker = Worker::new(&shared, &published);
        worker.kicked(Ok(Kick::Busy)).unwrap();
        let (start, time) = (Instant::now(), Duration::from_millis(20));
        std::thread::park_timeout(time);
        assert!(start.elapsed() >= time, "{:?}", start.elapsed());
        assert!(shared.take_asked() && !shared.take_asked());
    }

    #[test]
    fn a_driver_is_not_blamed_for_the_time_in_which_the_interface_is_down() {
        if !privileged!() {
            return;
        }
        let here = Namespace::new().unwrap();
        let cable = VethPair::builder().build(&here, &here).unwrap();
        let (umem, mut pool) = Umem::builder().chunk_count(16).build().unwrap();
        let bind = || Socket::builder(&umem).tx_only().bind(cable.a(), 0).unwrap();
        let mut tx = here.run(bind).unwrap().tx;
        ip::set_up(cable.a(), false).unwrap();
        assert_eq!(tx.send_from(&mut pool, 1, 60), Ok(1));

        let cli = Cli::parse_from(["xsk", "txonly", "-i", "near", "-q", "all"]);
        let Command::Txonly(args) = &cli.command else { panic!("{cli:?}") };
        let (shared, published) =
            (Shared::new(&args.port, Link::Ready).unwrap(), Published::default());
        let mut worker = Worker::new(&shared, &published);
        worker.kicked(tx.kick()).unwrap();
        assert!(worker.refused_since.is_some(), "nothing has looked at the link yet");
        shared.set_link(Link::Down);
        worker.look_at_link().unwrap();
        assert_eq!(worker.refused_since, None);
    }

    #[test]
    fn a_budget_is_spent_once_by_all_together() {
        let budget = Budget::new(100);
        assert_eq!((budget.claim(64), budget.claim(64), budget.claim(64)), (64, 36, 0));
        budget.done(64, 64);
        // The second one did a part, and the third one does the rest.
        budget.done(36, 6);
        budget.done(0, 0);
        assert!(!budget.is_done());
        assert_eq!(budget.claim(64), 30);
        assert!(!budget.is_done(), "claimed, and not done");
        budget.done(30, 30);
        assert!(budget.is_done());
        assert_eq!(budget.claim(1), 0);
    }
}
