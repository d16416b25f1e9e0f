//! Several queues of one interface, each with a thread of its own: which ones, and their run.

use crate::command_line::PortArgs;
use crate::failure::{Failure, Result, quoted};
use crate::report::rates::named;
use crate::report::words::Event;
use crate::run::counts::Counts;
use crate::run::left_out::LeftOut;
use crate::run::pace::{Padded, Work};
use crate::run::session::Session;
use crate::run::side::DOWN;
use crate::run::worker::{Published, Shared, Worker};
use std::panic::resume_unwind;
use std::thread::{self, Builder, ScopedJoinHandle};
use std::time::Duration;
use xsk::Interface;
use xsk::multi_queue::QueueSet;

/// The pause between two looks at signals, interface and clock.
const LOOK: Duration = Duration::from_millis(20);

/// What a command needs of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    /// The RX side.
    Rx,
    /// The TX side.
    Tx,
    /// Both.
    Both,
}

/// The queues that a command works on.
#[derive(Debug)]
pub(crate) struct Served {
    /// Their numbers, of which there is one at least.
    numbers: Vec<u32>,
    /// A line about queues that were asked for and lack what the command needs.
    left_out: Option<String>,
}

impl Served {
    /// Returns the queues that the command line names, but for those that lack a side.
    pub(crate) fn of(args: &PortArgs, interface: &Interface, needs: Needs) -> Result<Self> {
        if let Some(queue) = args.queue.single() {
            // One that cannot be used is refused when its socket is bound.
            return Ok(Self { numbers: vec![queue], left_out: None });
        }
        let queues = interface.queues()?;
        let all = args.queue.numbers(queues);
        let name = interface.name();
        if let Some(beyond) = all.iter().find(|queue| **queue >= queues.current()) {
            return Err(Failure::Text(format!(
                "{name} has no queue {beyond} (-q {}): it has {} queue(s), which begin at 0 \
                 (`ethtool -l {}`)",
                args.queue,
                queues.current(),
                quoted(name)
            )));
        }
        let (sides, number) = match needs {
            Needs::Rx => ("no RX side", queues.rx),
            Needs::Tx => ("no TX side", queues.tx),
            Needs::Both => ("no RX or no TX side", queues.rx.min(queues.tx)),
        };
        let (numbers, others): (Vec<u32>, Vec<u32>) =
            all.into_iter().partition(|queue| *queue < number);
        let have = format!("{name} has {} RX queue(s) and {} TX queue(s)", queues.rx, queues.tx);
        let others = others.into_iter().collect::<QueueSet>();
        if numbers.is_empty() {
            return Err(Failure::Text(format!("{} of {name}: {sides}: {have}", named(&others))));
        }
        let left_out = format!("{} of {name} left out, with {sides}: {have}", named(&others));
        let complete = others == QueueSet::from_iter([]);
        Ok(Self { numbers, left_out: (!complete).then_some(left_out) })
    }

    /// Returns the queues that the command line names of two interfaces, of which each receives and
    /// sends on both; and those of each that are left out although packets come to them.
    pub(crate) fn between(
        args: &PortArgs,
        interfaces: [&Interface; 2],
    ) -> Result<(Self, [Option<LeftOut>; 2])> {
        let [a, b] = interfaces;
        let [on_a, on_b] = [Self::of(args, a, Needs::Both)?, Self::of(args, b, Needs::Both)?];
        let (numbers, only_a): (Vec<u32>, Vec<u32>) =
            on_a.numbers.iter().partition(|queue| on_b.numbers.contains(queue));
        let only_b = on_b.numbers.into_iter().filter(|queue| !numbers.contains(queue));
        let lone: Vec<u32> = only_a.into_iter().chain(only_b).collect();
        let mut left_out: Vec<String> =
            [on_a.left_out, on_b.left_out].into_iter().flatten().collect();
        if !lone.is_empty() {
            let lone = named(&lone.into_iter().collect());
            left_out.push(format!("{lone} left out: only one of {a} and {b} has as many"));
        }
        if numbers.is_empty() {
            return Err(Failure::Text(left_out.join("; ")));
        }
        let lost = |interface: &Interface| -> Result<Option<LeftOut>> {
            if left_out.is_empty() {
                return Ok(None);
            }
            LeftOut::of(interface, &args.queue.numbers(interface.queues()?), &numbers)
        };
        let lost = [lost(a)?, lost(b)?];
        for (interface, lost) in interfaces.iter().zip(&lost) {
            left_out.extend(lost.as_ref().map(|lost| lost.consequence(interface.name())));
        }
        let left_out = (!left_out.is_empty()).then(|| left_out.join("; "));
        Ok((Self { numbers, left_out }, lost))
    }

    /// Returns how many queues there are.
    pub(crate) fn count(&self) -> u32 {
        // The kernel numbers queues by 32 bits.
        self.numbers.len() as u32
    }

    /// Calls `open` for each queue, as [`each`](Self::each), where all have one packet memory.
    pub(crate) fn each_sharing<T>(&self, open: impl FnMut(u32) -> Result<T>) -> Result<Vec<T>> {
        let opened = self.numbers.iter().copied().map(open).collect::<Result<_>>();
        opened.map_err(|failure| failure.of_sharing_queues(self.numbers.len()))
    }

    /// Writes which queues are left out, and why.
    pub(crate) fn note_left_out(&self, session: &Session<'_>) {
        if let Some(text) = &self.left_out {
            session.event(Event::QueuesLeftOut, text);
        }
    }

    /// Calls `open` for each queue: all of them are opened, or none.
    pub(crate) fn each<T>(&self, open: impl FnMut(u32) -> Result<T>) -> Result<Vec<T>> {
        let opened = self.numbers.iter().copied().map(open).collect::<Result<_>>();
        opened.map_err(|failure| failure.of_queues(self.numbers.len()))
    }

    /// Works on the queues: on one in this thread, and on several in a thread for each, which this
    /// one looks after.
    pub(crate) fn run<W: Work>(
        &self,
        args: &PortArgs,
        session: &mut Session<'_>,
        works: &mut [Padded<W>],
    ) -> Result<()> {
        if let ([Padded(work)], Some(_)) = (&mut *works, args.queue.single()) {
            let outcome = work.run(session);
            if outcome.is_err() {
                session.pending = work.pending();
            }
            return outcome;
        }
        self.note_left_out(session);
        // A signal may have come already.
        if !session.oversee(false)? {
            return Ok(());
        }
        self.run_threads(&Shared::new(args, session.link())?, session, works)
    }

    /// Works on each queue in a thread of its own.
    fn run_threads<W: Work>(
        &self,
        shared: &Shared,
        session: &mut Session<'_>,
        works: &mut [Padded<W>],
    ) -> Result<()> {
        let published: Vec<Published> = works.iter().map(|_| Published::default()).collect();
        thread::scope(|scope| {
            let _stop = StopAtEnd(shared);
            let mut crew = Crew { shared, threads: Vec::new(), outcome: Ok(()), pending: 0 };
            let places = self.numbers.iter().zip(works).zip(&published).enumerate();
            for (place, ((queue, Padded(work)), published)) in places {
                let run = move || run_one(work, Worker::new(shared, published));
                match Builder::new().name(format!("queue {queue}")).spawn_scoped(scope, run) {
                    Ok(thread) => crew.threads.push((place, thread)),
                    Err(error) => crew.fail(Failure::of_thread(&format!("queue {queue}"))(error)),
                }
            }
            crew.look_after(session, &published);
            session.set_pending(crew.pending);
            crew.outcome
        })
    }
}

/// Has the workers end when it is dropped, also by a panic: their threads are waited for.
struct StopAtEnd<'a>(&'a Shared);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// What a thread returns.
type Done = (Result<()>, Counts, u64);

/// Does the work of a thread.
fn run_one<W: Work>(work: &mut W, mut worker: Worker<'_>) -> Done {
    let outcome = work.run(&mut worker);
    let pending = if outcome.is_err() { work.pending() } else { worker.pending };
    worker.wake_overseer();
    (outcome, worker.counts, pending)
}

/// The threads of all queues.
struct Crew<'scope, 'a> {
    shared: &'a Shared,
    /// Those that run, with the places of their queues.
    threads: Vec<(usize, ScopedJoinHandle<'scope, Done>)>,
    /// The first error.
    outcome: Result<()>,
    /// Packets of those that have ended, which are neither sent nor dropped.
    pending: u64,
}

impl Crew<'_, '_> {
    /// Keeps an error, if it is the first one, and has all threads end.
    fn fail(&mut self, failure: Failure) {
        if self.outcome.is_ok() {
            self.outcome = Err(failure);
        }
        self.shared.stop();
    }

    /// Does what is due for the session until all threads have ended.
    fn look_after(&mut self, session: &mut Session<'_>, published: &[Published]) {
        loop {
            self.join(session);
            for (place, _) in &self.threads {
                session.parts[*place] = published[*place].counts();
            }
            if self.threads.is_empty() {
                return;
            }
            if !self.shared.is_stopped() {
                match session.oversee(self.shared.take_asked()) {
                    Ok(true) => {}
                    Ok(false) => self.shared.stop(),
                    Err(failure) => self.fail(failure),
                }
                self.shared.set_link(session.link());
            }
            let most = if session.is_ready(0) { LOOK } else { DOWN };
            thread::park_timeout(most.min(session.due()));
        }
    }

    /// Takes what the threads that have ended return.
    fn join(&mut self, session: &mut Session<'_>) {
        let threads = std::mem::take(&mut self.threads);
        for (place, thread) in threads {
            if !thread.is_finished() {
                self.threads.push((place, thread));
                continue;
            }
            let (outcome, counts, pending) = thread.join().unwrap_or_else(|panic| {
                self.shared.stop();
                resume_unwind(panic)
            });
            session.parts[place] = counts;
            self.pending += pending;
            if let Err(failure) = outcome {
                self.fail(failure);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command_line::{Cli, Command};
    use crate::process::signals::Stop;
    use crate::run::pace::Pace;
    use crate::run::side::Side;
    use clap::Parser;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::time::Instant;
    use xsk::test_util::{Namespace, VethPair, privileged};
    use xsk::{Socket, Umem};

    /// What a thread does.
    #[derive(Clone, Copy)]
    enum Deed {
        Fails,
        Panics,
        Sleeps,
        Spins,
    }

    impl Work for (Deed, xsk::SocketHandle) {
        fn run(&mut self, pace: &mut impl Pace) -> Result<()> {
            pace.counts().received(1, 60);
            // Others are at work.
            pace.nap(Duration::from_millis(50));
            match self.0 {
                Deed::Fails => return Err(Failure::Text("it failed".to_owned())),
                Deed::Panics => panic!("a test's panic"),
                Deed::Sleeps | Deed::Spins => {}
            }
            while pace.goes_on()? {
                if matches!(self.0, Deed::Sleeps) {
                    pace.sleep(&self.1, Duration::MAX)?;
                }
            }
            pace.drain(|_| Ok((false, 3)))
        }

        fn pending(&self) -> u64 {
            5
        }
    }

    /// Runs a thread for each deed; returns its result and how many packets are pending.
    fn run(deeds: &[Deed]) -> (Result<()>, u64, Vec<u64>) {
        let here = Namespace::new().unwrap();
        let count = deeds.len() as u32;
        let cable = VethPair::builder().rx_tx_queues(count, count).names("near", "far");
        let cable = cable.build(&here, &here).unwrap();
        let cli = Cli::parse_from(["xsk", "txonly", "-i", "near", "-q", "all"]);
        let Command::Txonly(args) = &cli.command else { panic!("{cli:?}") };
        here.run(|| {
            let served = Served::of(&args.port, cable.a(), Needs::Tx).unwrap();
            let (umem, _pool) = Umem::builder().chunk_count(64).build().unwrap();
            let open = |queue| Ok(Socket::builder(&umem).tx_only().bind(cable.a(), queue)?.handle);
            let handles = served.each(open).unwrap();
            let works = deeds.iter().copied().zip(handles.clone());
            let mut works: Vec<_> = works.map(Padded).collect();
            let title = String::new();
            let side = Side::new(&args.port, cable.a().clone(), handles, title, None).unwrap();
            let stop = Stop::never();
            let mut session = Session::new(&args.port, &stop, "txonly", vec![side]).unwrap();
            let outcome = served.run(&args.port, &mut session, &mut works);
            let received = session.parts.iter().map(|part| part.rx_packets).collect();
            (outcome, session.pending, received)
        })
        .unwrap()
    }

    #[test]
    fn a_thread_that_fails_ends_the_others_and_its_error_is_that_of_the_run() {
        if !privileged!() {
            return;
        }
        let start = Instant::now();
        let (outcome, pending, received) = run(&[Deed::Sleeps, Deed::Fails, Deed::Spins]);
        assert_eq!(outcome.unwrap_err().to_string(), "it failed");
        assert_eq!((pending, received), (3 + 5 + 3, vec![1; 3]));
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    }

    #[test]
    fn a_thread_that_panics_ends_the_others_and_the_run_panics() {
        if !privileged!() {
            return;
        }
        let deeds = [Deed::Spins, Deed::Sleeps, Deed::Panics];
        let panic = catch_unwind(AssertUnwindSafe(|| run(&deeds).1)).unwrap_err();
        assert_eq!(panic.downcast_ref(), Some(&"a test's panic"));
    }
}
