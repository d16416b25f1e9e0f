//! `xsk generate`: sends packets of many flows at a rate, or the packets of a capture.

mod feed;
mod flows;
pub(crate) mod layout;
pub(crate) mod mark;
mod patient;
mod plan;
mod replay;
mod schedule;
mod sender;

use crate::command_line::GenerateArgs;
use crate::failure::Result;
use crate::generate::feed::{Feed, Source};
use crate::generate::plan::{Plan, Room, timetable};
use crate::generate::replay::ReplayCounts;
use crate::generate::sender::Sender;
use crate::process::signals::Stop;
use crate::report::rates::grouped;
use crate::run::cut_off;
use crate::run::ended::Ended;
use crate::run::lines::More;
use crate::run::pace::Padded;
use crate::run::port::{self, ActiveProgram};
use crate::run::queues::{Needs, Served};
use crate::run::session::Session;
use crate::run::side::Side;
use crate::run::sockets::{Sends, SupplyRing, TxRing};
use crate::traffic::txonly::raise_tx_budget;
use serde_json::json;
use xsk::{FramePool, Interface, PacketSocket, SocketHandle, TxSocket};

pub(crate) fn run(args: &GenerateArgs, stop: &Stop) -> Result<Ended> {
    if args.port.frags {
        run_with::<PacketSocket>(args, stop)
    } else {
        run_with::<TxSocket>(args, stop)
    }
}

fn run_with<S: Sends>(args: &GenerateArgs, stop: &Stop) -> Result<Ended>
where
    S::Ring: SupplyRing,
{
    let port = &args.port;
    let interface = port::interface(&port.interface)?;
    port::require_ethernet(&interface)?;
    if !args.yes {
        cut_off::refuse_to_flood(&interface)?;
    }
    let served = Served::of(port, &interface, Needs::Tx)?;
    let mut plan = Plan::new(args, &interface, stop)?;
    let (title, flows) = (plan.title(args), plan.flows());
    let (mut part, parts) = (0, served.count());
    let opened = served.each(|queue| {
        let share = (part, parts);
        part += 1;
        bound::<S>(args, &mut plan, (&interface, queue), share, stop)
    })?;
    let (mut senders, handles): (Vec<_>, Vec<_>) =
        opened.into_iter().map(|(sender, handle)| (Padded(sender), handle)).unzip();
    let builder = || port::attachment(port, &interface);
    let program = ActiveProgram::to_send(builder, &interface, &handles, stop)?;
    if program.is_some() {
        port::wait_for_link(&interface, stop)?;
    }
    let attachment = program.as_ref().map(ActiveProgram::attachment);
    let title = port::title(port, &interface, &handles, attachment) + &title;
    let side = Side::new(port, interface, handles, title, None)?;
    let mut session = Session::new(port, stop, "generate", vec![side])?;
    let outcome = session.begin().and_then(|()| served.run(port, &mut session, &mut senders));
    let feeds: Vec<&Feed> = senders.iter().map(|Padded(sender)| &sender.feed).collect();
    if feeds.iter().all(|feed| feed.is_complete()) {
        session.note_complete();
    }
    session.more.push(addition(args, flows, &feeds));
    session.end(outcome, program)
}

/// Returns what sends on a queue.
fn bound<'a, S: Sends>(
    args: &'a GenerateArgs,
    plan: &mut Plan,
    (interface, queue): (&Interface, u32),
    share: (u32, u32),
    stop: &Stop,
) -> Result<(Sender<'a, S::Ring>, SocketHandle)>
where
    S::Ring: SupplyRing,
{
    let GenerateArgs { port, tx, .. } = args;
    let (umem, mut pool) = S::memory(port::memory(port)).build()?;
    let builder = S::sender(port::socket(port, &umem));
    let builder = builder.tx_size(tx.tx_ring).completion_size(tx.completion_ring);
    let unbound = port::patiently(builder, stop)?;
    let socket = port::bind(unbound, interface, queue, port.wait(), stop)?;
    let (tx, completion, handle) = S::into_parts(socket, &umem)?;
    raise_tx_budget(port, &tx, &handle, 1)?;
    let source = plan.source(args, interface, room(&mut pool, tx.max_frames()), share)?;
    let feed = Feed::new(source, timetable(args, share), umem, &mut pool, port);
    Ok((Sender { port, feed, pool, tx, completion }, handle))
}

/// Returns what a packet can have of a pool with all chunks, with so many frames at the most.
fn room(pool: &mut FramePool, frames: u32) -> Room {
    let frames = frames.min(pool.len() as u32);
    let Some(frame) = pool.take() else { return Room { chunk: 0, frames } };
    let chunk = frame.len();
    pool.put(frame);
    Room { chunk, frames }
}

/// Returns what the summary says beside the counters.
fn addition(args: &GenerateArgs, flows: Option<u32>, feeds: &[&Feed]) -> More {
    let late = feeds.iter().map(|feed| feed.schedule.late()).max().unwrap_or_default();
    let late_ms = late / 1_000_000;
    let replay = feeds.iter().find_map(|feed| match &feed.source {
        Source::Capture(replay) => Some(replay.counts()),
        Source::Flows(_) => None,
    });
    let mut lines = Vec::new();
    if late_ms > 0 {
        lines.push(format!(
            "late: at the end the packets were {} ms behind their times: the rate was not reached",
            grouped(late_ms)
        ));
    }
    let json = json!({
        "flows": flows,
        "pps": args.rate.pps,
        "bps": args.rate.bps,
        "late_ms": late_ms,
        "replay": replay.map(|counts| json!({
            "passes": counts.passes,
            "packets": counts.packets,
            "cut": counts.cut,
            "too_long": counts.too_long,
            "too_short": counts.too_short,
        })),
    });
    if let Some(counts) = replay {
        lines.push(replayed(&counts));
    }
    More { key: "generate", json, lines }
}

/// Returns the line about a capture.
fn replayed(counts: &ReplayCounts) -> String {
    let ReplayCounts { passes, packets, cut, too_long, too_short } = *counts;
    let mut line = format!("capture: read {} times, {} packets", passes, grouped(packets));
    for (count, what) in [
        (cut, "cut off in the capture, and sent so"),
        (too_long, "left out: too long for the MTU or a chunk (-F)"),
        (too_short, "left out: shorter than 14 bytes"),
    ] {
        if count > 0 {
            line += &format!("; {} {what}", grouped(count));
        }
    }
    line
}
