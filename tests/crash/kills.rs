//! SIGKILL at random moments, and the next start.

use crate::child_process::ChildProcess;
use crate::common::until;
use crate::count::{Since, marks, xdp_sockets};
use crate::fixture::Fixture;
use crate::lifecycle::{Phase, Place};
use crate::long;
use crate::random_numbers::{Random, seed};
use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::{Duration, Instant};
use xsk::attach::{AttachMethod, AttachMode};
use xsk::test_util::privileged;

/// The groups of phases that kills must have hit.
const GROUPS: [&str; 3] = ["set-up", "traffic", "teardown"];

#[test]
fn after_a_kill_at_any_moment_the_next_start_works_and_nothing_is_left() {
    if !privileged!() {
        return;
    }
    let seed = seed();
    let each = if long() { 50 } else { 6 };
    eprintln!("{} kills, XSK_SEED={seed}", 4 * each);
    let (fixture, start) = (Fixture::new(), Instant::now());
    let mut campaign = Campaign {
        fixture: &fixture,
        random: Random(seed),
        histogram: BTreeMap::new(),
        slowest: (Duration::ZERO, Vec::new()),
        kills: 0,
    };
    let since = Since::now(fixture.brand);
    fixture.with_traffic(|| {
        for method in [AttachMethod::Netlink, AttachMethod::Link] {
            campaign.alone(method, each);
            campaign.beside(method, each);
        }
        // On a busy machine what is killed has often begun the next phase.
        while !campaign.missed().is_empty() && campaign.kills < 20 * each as usize {
            campaign.alone(AttachMethod::Netlink, 1);
        }
    });
    let looked_at = since.assert_gone();
    campaign.report();
    eprintln!(
        "{:?}; slowest next start (its end, and when each phase began) {:?}; none of {looked_at} ids of maps and programs is alive",
        start.elapsed(),
        campaign.slowest
    );
}

struct Campaign<'a> {
    fixture: &'a Fixture,
    random: Random,
    histogram: BTreeMap<Phase, u32>,
    slowest: (Duration, Vec<(Phase, Duration)>),
    kills: usize,
}

impl Campaign<'_> {
    /// The victim is alone on the interface. The next user may use another mode and method.
    fn alone(&mut self, method: AttachMethod, kills: u32) {
        for _ in 0..kills {
            let mode = self.random.pick(&["native", "generic", "auto"]);
            self.kill(method, mode);
            let mode =
                self.random.pick(&[AttachMode::Auto, AttachMode::Native, AttachMode::Generic]);
            let next = self.random.pick(&[AttachMethod::Netlink, AttachMethod::Link]);
            self.next_start(next, mode, None);
            self.nothing_is_left();
        }
    }

    /// Another process receives on another queue all the time, by the same program.
    fn beside(&mut self, method: AttachMethod, kills: u32) {
        let mut neighbour =
            ChildProcess::start(self.fixture, &format!("neighbour {method} native 0"));
        let program = neighbour.ask();
        for _ in 0..kills {
            self.kill(method, "native");
            assert_eq!(neighbour.ask(), program, "receives nothing after a kill");
            self.next_start(method, AttachMode::Native, Some(&program));
            assert_eq!(neighbour.ask(), program, "receives nothing after the next start");
        }
        neighbour.end();
        self.nothing_is_left();
    }

    /// Starts a victim and kills it: every other time at any time, otherwise soon after a phase of
    /// one of the groups in turn has begun.
    fn kill(&mut self, method: AttachMethod, mode: &str) {
        let random = &mut self.random;
        let seed = random.below(1_000_000);
        let mut victim =
            ChildProcess::start(self.fixture, &format!("victim {method} {mode} {seed}"));
        self.kills += 1;
        let known = if self.kills % 2 == 0 {
            sleep(Duration::from_micros(random.below(120_000) as u64));
            Phase::Start
        } else {
            let group = GROUPS[self.kills / 2 % GROUPS.len()];
            let phases = Phase::ALL.into_iter().filter(|phase| phase.group() == group);
            let phase = random.pick(&phases.collect::<Vec<_>>());
            for _ in 0..=random.below(2) {
                victim.wait_for(phase);
            }
            let (start, delay) = (Instant::now(), Duration::from_micros(random.below(1500) as u64));
            while start.elapsed() < delay {
                std::hint::spin_loop();
            }
            phase
        };
        *self.histogram.entry(victim.kill(known)).or_default() += 1;
    }

    /// The next user starts at once, without any cleaning up before it.
    fn next_start(&mut self, method: AttachMethod, mode: AttachMode, joins: Option<&str>) {
        let three = self.random.below(2) == 0;
        let place = Place { interface: self.fixture.interface(), queue: 0, method, mode, three };
        let (begin, program_first) = (Instant::now(), self.random.below(2) == 0);
        let mut times = Vec::new();
        let mut report = |phase| times.push((phase, begin.elapsed()));
        let near = self.fixture.near();
        let user = near.run(|| place.start(program_first, &mut report));
        let mut user =
            user.unwrap().unwrap_or_else(|error| panic!("{error}; {:?}", self.histogram));
        times.push((Phase::Traffic, begin.elapsed()));
        user.receive(8);
        if begin.elapsed() > self.slowest.0 {
            self.slowest = (begin.elapsed(), times);
        }
        if let Some(program) = joins {
            assert_eq!(user.attachment.program_id().to_string(), program);
        }
        user.end();
    }

    /// Asserts that no program, socket or mark is left, and no interface of a victim's namespace,
    /// which goes with that namespace.
    fn nothing_is_left(&self) {
        self.fixture.wait_vacant();
        let near = self.fixture.near();
        until("no AF_XDP socket is left", || near.run(xdp_sockets).unwrap() == 0);
        assert_eq!(near.run(marks).unwrap(), 0);
        until("the victims' namespaces are gone", || interfaces(self.fixture) == 2);
    }

    /// Returns the groups that no kill has hit.
    fn missed(&self) -> Vec<&'static str> {
        let hit = |group: &&str| self.histogram.keys().any(|phase| phase.group() == *group);
        GROUPS.into_iter().filter(|group| !hit(group)).collect()
    }

    fn report(&self) {
        let mut groups: BTreeMap<&str, u32> = BTreeMap::new();
        for (phase, count) in &self.histogram {
            *groups.entry(phase.group()).or_default() += count;
            eprintln!(
                "{:>10} {:<11} {count:>3} {}",
                phase.group(),
                format!("{phase:?}"),
                "#".repeat(*count as usize)
            );
        }
        assert_eq!(self.histogram.values().sum::<u32>() as usize, self.kills);
        eprintln!("{groups:?}");
        assert!(self.missed().is_empty(), "no kill hit {:?}: {:?}", self.missed(), self.histogram);
    }
}

/// Returns how many interfaces are in the left namespace.
fn interfaces(fixture: &Fixture) -> usize {
    let count =
        || std::fs::read_to_string("/proc/thread-self/net/dev").unwrap().lines().count() - 2;
    fixture.near().run(count).unwrap()
}
