//! `xsk receive`: receives what `xsk generate` sends; reports loss, reorder, duplicates and latency.

mod flow;
mod summary;
mod tracker;

use crate::command_line::filter::FilterArgs;
use crate::command_line::{PortArgs, ReceiveArgs};
use crate::failure::{Failure, Result};
use crate::process::signals::Stop;
use crate::receive::flow::FlowTally;
use crate::receive::tracker::{Received, Tracker};
use crate::report::rates::grouped;
use crate::run::clock;
use crate::run::ended::Ended;
use crate::run::pace::{Pace, Padded, Work};
use crate::run::port::{self, ActiveProgram};
use crate::run::queues::{Needs, Served};
use crate::run::session::Session;
use crate::run::side::Side;
use crate::run::sockets::{Receives, RxRing, bytes_of};
use std::time::Duration;
use xsk::{Attachment, Fill, PacketSocket, RxSocket, SocketHandle, Umem};

/// Where `xsk generate` sends, unless it is asked for something else.
const FILTER: &str = "udp dst port 9 or tcp dst port 9 or \
    (vlan and (udp dst port 9 or tcp dst port 9))";

/// What may be wrong if nothing comes.
const ELSEWHERE: [&str; 2] = [
    "without FILTER only UDP and TCP packets to port 9 come: if `xsk generate` sends",
    "to another one (--dst-port N), give `port N` here; for --icmp, `icmp or icmp6`",
];

pub(crate) fn run(args: &ReceiveArgs, stop: &Stop) -> Result<Ended> {
    if args.port.frags {
        run_with::<PacketSocket>(args, stop)
    } else {
        run_with::<RxSocket>(args, stop)
    }
}

fn run_with<S: Receives>(all: &ReceiveArgs, stop: &Stop) -> Result<Ended> {
    let args = &all.port;
    let interface = port::interface(&args.interface)?;
    let FilterArgs { words, take_management, yes } = &all.filter;
    let words = if words.is_empty() { vec![FILTER.to_owned()] } else { words.clone() };
    let filter = FilterArgs { words, take_management: *take_management, yes: *yes };
    let filtering = filter.prepare(args, &interface)?;
    let _more = if all.promiscuous { Some(interface.promiscuous()?) } else { None };
    let served = Served::of(args, &interface, Needs::Rx)?;
    let sockets = served.each(|queue| {
        let (umem, mut pool) = port::umem(args, 0)?;
        let builder = S::receiver(port::socket(args, &umem));
        let builder = builder.rx_size(all.rx_ring).fill_size(all.fill_ring);
        let socket = port::bind_filled::<S>(args, builder, &mut pool, (&interface, queue), stop)?;
        Ok((socket, umem))
    })?;
    let register =
        |program: &Attachment| sockets.iter().map(|(socket, _)| socket.register(program)).collect();
    let program = ActiveProgram::take(args, &interface, &filtering, stop, register)?;
    let attachment = Some(program.attachment());
    let (mut receivers, mut handles) = (Vec::new(), Vec::new());
    for (socket, umem) in sockets {
        let (rx, fill, handle) = socket.into_parts();
        handles.push(handle.clone());
        let tracker = Tracker::new(all.flows, all.window);
        receivers.push(Padded(Receiver { args, umem, rx, fill, handle, tracker }));
    }
    let title = port::title(args, &interface, &handles, attachment);
    let side = Side::new(args, interface, handles, title, attachment)?.filtered(&program);
    let mut session = Session::new(args, stop, "receive", vec![side])?;
    let outcome = session.begin().and_then(|()| served.run(args, &mut session, &mut receivers));
    let received = Received::of_all(receivers.iter().map(|Padded(receiver)| &receiver.tracker));
    let mut more = summary::of(&received, all.per_flow);
    if all.filter.words.is_empty() && received.sum(|flow| flow.packets) == 0 {
        more.lines.extend(ELSEWHERE.map(str::to_owned));
    }
    session.more.push(more);
    let outcome =
        outcome.and_then(|()| if all.fail_on_loss { complete(&received) } else { Ok(()) });
    session.end(outcome, [program])
}

/// Fails if packets were lost, or none came.
fn complete(received: &Received) -> Result<()> {
    let (packets, lost) = (received.sum(|flow| flow.packets), received.sum(FlowTally::lost));
    match (packets, lost) {
        (0, _) => Err(Failure::Text("no packet of `xsk generate` came".to_owned())),
        (_, 0) => Ok(()),
        _ => {
            let (lost, all) = (grouped(lost), grouped(packets.saturating_add(lost)));
            Err(Failure::Text(format!("{lost} of {all} packets were lost")))
        }
    }
}

/// What receives on one queue.
struct Receiver<'a, R> {
    args: &'a PortArgs,
    umem: Umem,
    rx: R,
    fill: Fill,
    handle: SocketHandle,
    tracker: Tracker,
}

impl<R: RxRing> Work for Receiver<'_, R> {
    fn run(&mut self, pace: &mut impl Pace) -> Result<()> {
        let Self { args, umem, rx, fill, handle, tracker } = self;
        while pace.goes_on()? {
            let mut bytes = 0;
            let most = pace.claim();
            let mut now = None;
            let count = rx.recycle_each(most, fill, |frames| {
                bytes += bytes_of(frames);
                // Once for a batch, after it was seen.
                let now = *now.get_or_insert_with(clock::now);
                if let Some(first) = frames.first() {
                    tracker.note(umem.bytes(first), now);
                }
            })?;
            pace.counts().received(count, bytes);
            pace.done(most, count);
            if count == 0 {
                pace.kicked(port::look(args, fill, handle))?;
                if args.poll {
                    pace.sleep(handle, Duration::MAX)?;
                }
            }
        }
        Ok(())
    }

    fn pending(&self) -> u64 {
        0
    }
}
