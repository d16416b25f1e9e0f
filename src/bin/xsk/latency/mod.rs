//! `xsk latency`: how long a packet takes to another socket and back.

pub(crate) mod end;
pub(crate) mod place;
pub(crate) mod report;
pub(crate) mod rounds;
pub(crate) mod way;

use crate::command_line::{LatencyArgs, Profile};
use crate::demo::gone;
use crate::failure::{Failure, Result};
use crate::latency::end::{UdpEnd, XskEnd};
use crate::latency::place::Place;
use crate::latency::report::Sockets;
use crate::latency::rounds::{Measured, measure};
use crate::latency::way::Way;
use crate::process::cpus::Cpus;
use crate::process::signals::Stop;
use crate::report::output::{Lines, printable};
use crate::report::words::Why;
use crate::run::both_ends::BothEnds;
use crate::run::elsewhere::Elsewhere;
use crate::run::ended::Ended;
use crate::run::port::{copy, wait_for_link};
use crate::run::watch::Watch;
use xsk::multi_queue::QueueSet;
use xsk::{Attachment, Interface, XdpMode};

pub(crate) fn run(args: &LatencyArgs, stop: &Stop) -> Result<Ended> {
    let place = Place::new(args)?;
    let output = Lines::new(std::io::stdout())?;
    let ended = measure_all(args, &place, stop, &output);
    // After an error, too: what was measured before it is written.
    let written = output.finish();
    let ended = ended?;
    written?;
    Ok(ended)
}

/// Measures in each way that is asked for.
fn measure_all(args: &LatencyArgs, place: &Place, stop: &Stop, output: &Lines) -> Result<Ended> {
    // Before anything is pinned.
    let [sleeping, spinning] = [Cpus::choose(args.cpus, false)?, Cpus::choose(args.cpus, true)?];
    let cpus = |spin| if spin { spinning } else { sleeping };
    let ways = if args.compare {
        let way = |spin, profile| Way { udp: false, spin, profile, cpus: cpus(spin) };
        let udp = |spin| Way { udp: true, ..way(spin, Profile::None) };
        let mut ways = vec![
            way(true, Profile::None),
            way(true, Profile::Latency),
            way(false, Profile::None),
            way(false, Profile::Latency),
            way(false, Profile::Throughput),
        ];
        if place.is_own() {
            ways.extend([udp(true), udp(false)]);
        }
        ways
    } else {
        let LatencyArgs { udp, spin, profile, .. } = *args;
        vec![Way { udp, spin, profile, cpus: cpus(spin) }]
    };
    if !args.json {
        let [near, far] = place.ends();
        let own = if place.is_own() { ", in network namespaces of their own" } else { "" };
        let title = format!(
            "From {near} to {far} and back{own}: {} packets of {} bytes per second",
            args.pps, args.size
        );
        let pinned = match spinning {
            Some(cpus) if args.compare && sleeping.is_none() => {
                format!("; the threads that spin are {}", cpus.named())
            }
            Some(cpus) if args.compare => format!("; the threads are {}", cpus.named()),
            _ => String::new(),
        };
        output.line(printable(&format!("{title}{pinned}")))?;
        if args.compare {
            output.line(report::head())?;
        }
    }
    for way in ways {
        if let Some(number) = stop.signal() {
            return Ok(Ended::Signal { number, early: true });
        }
        if let Some(number) = measure_one(args, place, way, stop, output)? {
            return Ok(Ended::Signal { number, early: true });
        }
    }
    Ok(Ended::Time { early: false })
}

/// Measures in one way, and reports; returns the signal that ended it.
fn measure_one(
    args: &LatencyArgs,
    place: &Place,
    way: Way,
    stop: &Stop,
    output: &Lines,
) -> Result<Option<u8>> {
    let result =
        if way.udp { by_udp(args, place, way, stop) } else { by_xsk(args, place, way, stop) };
    let (measured, sockets, result) = match result {
        Ok(done) => done,
        // The other rows of a comparison do without.
        Err(failure @ Failure::Xsk(_))
            if args.compare && way.profile != Profile::None && !failure.is_gone() =>
        {
            output.line(if args.json {
                let (sockets, error) = (Sockets::default(), Some(failure.to_string()));
                report::json(args, way, &sockets, &Measured::nothing(), failure.why(), error)
            } else {
                printable(&format!("{:<30} not measured: {failure}", way.name()))
            })?;
            return Ok(None);
        }
        Err(failure) => return Err(failure),
    };
    let result = result.and_then(|()| {
        if !measured.is_silent() {
            return Ok(());
        }
        Err(Failure::Text(format!(
            "none of {} packets came back: does the cable join the two, and does the other end \
             take packets to its address?",
            measured.sent
        )))
    });
    let ended = match (&result, measured.signal) {
        (Err(failure), _) => failure.why(),
        (Ok(()), Some(_)) => Why::Signal,
        (Ok(()), None) => Why::Time,
    };
    let error = result.as_ref().err().map(Failure::to_string);
    if args.json {
        output.line(report::json(args, way, &sockets, &measured, ended, error))?;
    } else if args.compare {
        output.line(report::row(way, &measured))?;
    } else {
        output.line(format!("{}{}", way.name(), described(way, &sockets)))?;
        for line in report::lines(args, way, &measured) {
            output.line(line)?;
        }
    }
    result.map(|()| measured.signal)
}

/// Returns what is known of the ends, for people.
fn described(way: Way, sockets: &Sockets) -> String {
    let pinned = way.cpus.map(Cpus::named);
    let words = [&sockets.mode, &pinned, &sockets.busy_poll];
    words.iter().filter_map(|word| word.as_ref()).map(|word| format!("; {word}")).collect()
}

type Done = (Measured, Sockets, Result<()>);

fn by_udp(args: &LatencyArgs, place: &Place, way: Way, stop: &Stop) -> Result<Done> {
    let [near, far] = Place::addresses();
    let mut near = place.at(0, || UdpEnd::new(args, near, far))??;
    let [near_address, far_address] = Place::addresses();
    let mut far = place.at(1, || UdpEnd::new(args, far_address, near_address))??;
    let mut ends = watch(place, [None, None])?;
    let (measured, result) = measure(args, (&mut near, &mut far), way, stop, || ends.are_ready());
    Ok((measured, Sockets::default(), result))
}

fn by_xsk(args: &LatencyArgs, place: &Place, way: Way, stop: &Stop) -> Result<Done> {
    let interfaces = place.ends();
    let address =
        |end: usize| -> Result<[u8; 6]> { Ok(interfaces[end].info()?.mac.unwrap_or([0xff; 6])) };
    let (to_near, to_far) = (address(0)?, address(1)?);
    let mut near = place.at(0, || XskEnd::new(args, interfaces[0], to_far, stop))??;
    let mut far = place.at(1, || XskEnd::new(args, interfaces[1], to_near, stop))??;
    let mut run = || -> Result<Done> {
        for (number, end) in [&mut near, &mut far].into_iter().enumerate() {
            // Drivers may reset their instances when a program is attached: after it.
            place.at(number, || end.apply(interfaces[number], way.profile))??;
        }
        for end in interfaces {
            wait_for_link(end, stop)?;
        }
        let mut ends = watch(place, [near.attachment(), far.attachment()])?;
        let before = received(interfaces)?;
        let (measured, mut result) =
            measure(args, (&mut near, &mut far), way, stop, || ends.are_ready());
        if result.is_ok() && measured.is_silent() {
            let modes = [&near, &far].map(|end| end.attachment().map(Attachment::mode));
            result = elsewhere(args, interfaces, before, modes, measured.sent);
        }
        let effect = near.effect()?;
        let handle = &near.socket().handle;
        let mode = near.attachment().map(|program| program.mode().to_string());
        let sockets = Sockets {
            mode: mode.map(
                |mode| if args.json { mode } else { format!("{mode} mode, {}", copy(handle)) },
            ),
            zero_copy: Some(handle.is_zero_copy()),
            busy_poll: Some(effect.to_string()),
            polls: Some(matches!(effect, xsk::socket::BusyPollEffect::Polls { .. })),
        };
        Ok((measured, sockets, result))
    };
    let done = run();
    // Before anything is written: the output may be closed.
    let closed = [near.close(), far.close()];
    let (measured, sockets, result) = done?;
    let result = result.map_err(|failure| {
        let [near, far] = interfaces;
        if failure.is_gone() { gone(near, far, None).unwrap_or(failure) } else { failure }
    });
    let [near, far] = closed;
    Ok((measured, sockets, result.and(near).and(far)))
}

/// Returns how many packets each interface has received.
fn received(interfaces: [&Interface; 2]) -> Result<[u64; 2]> {
    let [near, far] = interfaces.map(|end| end.info().map(|info| info.counters.rx_packets));
    Ok([near?, far?])
}

/// Fails if the packets came to another queue of an interface than the measurement's: of the one
/// that measures, or, if they did not come that far, of the other one.
fn elsewhere(
    args: &LatencyArgs,
    interfaces: [&Interface; 2],
    before: [u64; 2],
    modes: [Option<XdpMode>; 2],
    sent: u64,
) -> Result<()> {
    let after = received(interfaces)?;
    let served = QueueSet::from_iter([args.queue]);
    for (end, interface) in interfaces.into_iter().enumerate() {
        let (others, queues) = (after[end].saturating_sub(before[end]), interface.queues()?.rx);
        let Some(mode) = modes[end].filter(|_| queues > 1 && others >= sent.div_ceil(2)) else {
            continue;
        };
        let name = interface.name();
        let elsewhere = Elsewhere { name, queues, served: &served, mode, received: 0, others };
        return Err(Failure::Text(elsewhere.described()));
    }
    Ok(())
}

/// Has both interfaces looked at.
fn watch(place: &Place, programs: [Option<&Attachment>; 2]) -> Result<BothEnds> {
    let [near, far] = place.ends();
    let watches = [
        (near.name(), place.at(0, || Watch::start(near))??),
        (far.name(), place.at(1, || Watch::start(far))??),
    ];
    BothEnds::new(watches, programs)
}
