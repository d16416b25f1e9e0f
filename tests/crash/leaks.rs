//! Lifecycles that end in an orderly way, in any order, or by a panic.

use crate::child_process::ChildProcess;
use crate::common::{PATIENCE, until};
use crate::count::{Held, Since};
use crate::fixture::Fixture;
use crate::lifecycle::Place;
use crate::long;
use crate::random_numbers::{Random, seed};
use std::any::Any;
use std::io::Write;
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Instant;
use xsk::attach::{AttachMethod, AttachMode, Attachment};
use xsk::test_util::{Namespace, VethPair, privileged};
use xsk::{Interface, Socket, Umem};

/// Lifecycles before the first count: by then, what a process makes once exists.
const FIRST: u64 = 16;

#[test]
fn a_lifecycle_leaves_nothing_behind_in_any_order_of_drops() {
    if !privileged!() {
        return;
    }
    let seed = seed();
    eprintln!("XSK_SEED={seed}");
    let fixture = Fixture::new();
    let since = Since::now(fixture.brand);
    // In a process of its own: descriptors and mappings belong to the whole process.
    let said = fixture.with_traffic(|| {
        ChildProcess::start(&fixture, &format!("lifecycles any any {seed}")).end()
    });
    let figures = said.lines().filter_map(|line| line.split_once("@@"));
    for (_, figures) in figures {
        eprintln!("{figures}");
    }
    assert!(said.contains("@@"), "it did not count: {said}");
    let looked_at = since.assert_gone();
    eprintln!("none of {looked_at} ids of maps and programs is alive");
    fixture.wait_vacant();
}

/// What that process does, in the interface's namespace.
pub(crate) fn lifecycles(interface: &Interface, seed: u64) {
    let count = if long() { 1000 } else { 32 };
    let mut random = Random(seed);
    for number in 0..FIRST {
        lifecycle(interface, &mut random, number);
    }
    let (before, start) = (Held::now(), Instant::now());
    for number in 0..count {
        lifecycle(interface, &mut random, number);
    }
    let (time, mut after) = (start.elapsed(), Held::now());
    // The kernel may still be closing what was handed to it.
    while after != before && start.elapsed() < time + PATIENCE {
        std::thread::yield_now();
        after = Held::now();
    }
    assert_eq!(after, before, "after {count} lifecycles, and before");
    let mut out = std::io::stdout();
    writeln!(out, "@@{count} lifecycles in {time:?}; held before and after: {after:?}").unwrap();
}

fn lifecycle(interface: &Interface, random: &mut Random, number: u64) {
    let place = Place {
        interface,
        queue: random.below(2) as u32,
        method: random.pick(&[AttachMethod::Netlink, AttachMethod::Link]),
        mode: random.pick(&[AttachMode::Auto, AttachMode::Native, AttachMode::Generic]),
        three: random.below(2) == 0,
    };
    let panics = random.below(5) == 0;
    let result = catch_unwind(AssertUnwindSafe(|| {
        let mut parts: Vec<Box<dyn Any>> = Vec::new();
        let user = place.start(random.below(2) == 0, &mut |_| ()).unwrap();
        failures(&place, &user.umem, &user.attachment);
        if random.below(2) == 0 {
            // A second user of the same program.
            let joined =
                Attachment::builder(interface).method(place.method).mode(place.mode).attach();
            parts.push(Box::new(joined.unwrap()));
        }
        let mut user = user;
        user.receive(random.below(64) as u64 + 1);
        if panics {
            // This prints no panic message.
            user.sockets.each_batch(|_batch| resume_unwind(Box::new("asked for")));
        }
        parts.extend(user.sockets.into_parts());
        parts.push(Box::new(user.umem));
        parts.push(Box::new(user.pool));
        for slot in user.slots {
            parts.push(Box::new(slot));
        }
        parts.push(Box::new(user.attachment));
        random.shuffle(&mut parts);
        while parts.pop().is_some() {}
    }));
    if let Err(panic) = result {
        if panic.downcast_ref() != Some(&"asked for") {
            resume_unwind(panic);
        }
    }
    assert_eq!(crate::common::left_on(interface), None, "left attached: {place:?}");
    namespace_goes(number);
}

/// Calls that fail leave nothing behind either.
fn failures(place: &Place<'_>, umem: &Umem, attachment: &Attachment) {
    let nowhere = place.interface.queues().unwrap().current();
    assert!(Socket::builder(umem).bind(place.interface, nowhere).is_err());
    let other = Socket::builder(umem).rx_size(64).rx_only().open().unwrap();
    assert!(attachment.register(place.queue, other.as_fd()).is_err());
    assert!(attachment.register(nowhere, other.as_fd()).is_err());
    let mode = match attachment.mode() {
        xsk::XdpMode::Native => AttachMode::Generic,
        _ => AttachMode::Native,
    };
    let refused = Attachment::builder(place.interface).method(place.method).mode(mode).attach();
    assert!(refused.is_err(), "{refused:?}");
}

/// Checks that a namespace goes with its owner: the end of a cable in it takes the other end with
/// it, and the test looks at that one.
fn namespace_goes(number: u64) {
    let here = Namespace::current().unwrap();
    let cable = VethPair::builder().names(format!("own{number}"), format!("far{number}"));
    let cable = cable.build(&here, &here).unwrap();
    let there = Namespace::new().unwrap();
    drop(there.take_interface(cable.b()).unwrap());
    assert!(cable.a().info().is_ok());
    drop(there);
    until("the namespace is gone", || cable.a().info().is_err());
}
