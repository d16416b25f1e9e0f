//! `xsk capture`: write packets into a file.

pub(crate) mod buffers;
pub(crate) mod clock;
pub(crate) mod counted;
pub(crate) mod format;
pub(crate) mod names;
pub(crate) mod output;
pub(crate) mod take;
pub(crate) mod writer;

use crate::capture::clock::Clock;
use crate::capture::counted::Counted;
use crate::capture::format::Description;
use crate::capture::names::Names;
use crate::capture::output::Output;
use crate::capture::take::Capturer;
use crate::capture::writer::{Count, Plan, Rotation, Writer, Written};
use crate::command_line::capture::CaptureArgs;
use crate::failure::Result;
use crate::process::signals::Stop;
use crate::report::rates::grouped;
use crate::run::ended::Ended;
use crate::run::filtering::condition;
use crate::run::pace::Padded;
use crate::run::port::{self, ActiveProgram};
use crate::run::queues::{Needs, Served};
use crate::run::session::Session;
use crate::run::side::Side;
use crate::run::sockets::Receives;
use crate::run::table::More;
use serde_json::json;
use std::path::PathBuf;
use xsk::{Attachment, Interface, PacketSocket, RxSocket};

/// Chunks that a packet of several frames has at the most (`CONFIG_MAX_SKB_FRAGS`, and one more).
const MOST_CHUNKS: u32 = 18;

pub(crate) fn run(args: &CaptureArgs, stop: &Stop) -> Result<Ended> {
    if args.port.frags {
        run_sockets::<PacketSocket>(args, stop)
    } else {
        run_sockets::<RxSocket>(args, stop)
    }
}

/// Captures by a socket on each queue.
fn run_sockets<S: Receives>(args: &CaptureArgs, stop: &Stop) -> Result<Ended> {
    let (port, rx) = (&args.port, &args.rx);
    let interface = port::interface(&port.interface)?;
    let filtering = rx.filter.prepare(port, &interface)?;
    let mut names = Names::new(&args.write, args.rotates(), args.files);
    let clock = Clock::start();
    let start = clock.now();
    let output = Output::open(&names.next(start / 1_000_000_000), stop)?;
    let _more = rx.receive_more(&interface)?;
    let served = Served::of(port, &interface, Needs::Rx)?;
    let sockets: Vec<S> = served.each(|queue| {
        let (umem, mut pool) = port::umem(port, rx.headroom)?;
        let builder = S::receiver(port::socket(port, &umem));
        let builder = builder.rx_size(rx.rx_ring(port)).fill_size(rx.fill_ring);
        port::bind_filled(port, builder, &mut pool, (&interface, queue), stop)
    })?;
    let register =
        |program: &Attachment| sockets.iter().map(|socket| socket.register(program)).collect();
    let program = ActiveProgram::take(port, &interface, &filtering, stop, register)?;
    let attachment = Some(program.attachment());
    let (sinks, drain) = buffers::make(sockets.len());
    let several = sockets.len() > 1;
    let (mut capturers, mut handles) = (Vec::new(), Vec::new());
    for (socket, sink) in sockets.into_iter().zip(sinks) {
        let (rx, fill, handle) = socket.into_parts();
        handles.push(handle.clone());
        let umem = handle.umem().clone();
        let chunks = if port.frags { MOST_CHUNKS } else { 1 };
        capturers.push(Padded(Capturer {
            args: port,
            rx,
            fill,
            clock,
            sink,
            snaplen: args.snaplen(),
            queue: several.then(|| handle.queue()),
            longest: umem.chunk_size().saturating_mul(chunks),
            umem,
            handle,
        }));
    }
    let title = format!(
        "{}; these packets are taken away from the kernel (--tee leaves them)",
        port::title(port, &interface, &handles, attachment)
    );
    let counted = Counted { clock, start, handles: handles.clone(), filter: program.filter() };
    let description = describe(args, &interface, &title)?;
    let side = Side::new(port, interface, handles, title, attachment)?.filtered(&program);
    let mut session = Session::new(port, stop, "capture", vec![side])?;
    let plan = plan(args, names, &description, clock, Box::new(move || counted.now()))?;
    let path = output.path().to_owned();
    let writer = Writer::start(plan, output, drain)?;
    let captured = session.begin().and_then(|()| served.run(port, &mut session, &mut capturers));
    drop(capturers);
    let outcome = finish(&mut session, writer, path, captured);
    session.end(outcome, [program])
}

/// Returns what is captured, for the head of the file.
fn describe(args: &CaptureArgs, interface: &Interface, title: &str) -> Result<Description> {
    let info = interface.info()?;
    let filter = match &args.rx.filter.words[..] {
        [] => None,
        words => Some(condition(words)?.to_string()),
    };
    // A virtual interface has none.
    let speed = std::fs::read_to_string(format!("/sys/class/net/{}/speed", interface.name()));
    let speed = speed.ok().and_then(|speed| speed.trim().parse::<i64>().ok());
    Ok(Description {
        interface: interface.name().to_owned(),
        filter,
        snaplen: args.snaplen(),
        speed: speed.filter(|speed| *speed > 0).map(|speed| speed as u64 * 1_000_000),
        mac: None,
        ethernet: info.has_ethernet_header(),
        comment: title.to_owned(),
    })
}

fn plan(
    args: &CaptureArgs,
    names: Names,
    description: &Description,
    clock: Clock,
    count: Count,
) -> Result<Plan> {
    let head = format::head(description).map_err(|error| output::not_written(&args.write, &error))?;
    let rotation = Rotation { size: args.rotate_size, time: args.rotate_seconds };
    Ok(Plan { names, rotation, head, clock, count })
}

/// Ends the file; returns the first error of both.
fn finish(
    session: &mut Session<'_>,
    writer: Writer,
    path: PathBuf,
    captured: Result<()>,
) -> Result<()> {
    let (written, outcome) = writer.finish(&path);
    let received = session.counted().rx_packets;
    let Written { packets, bytes, files } = written;
    session.more = Some(More {
        key: "capture",
        json: json!({
            "file": path.to_string_lossy(),
            "files": files,
            "packets": packets,
            "bytes": bytes,
            "not_written": received.saturating_sub(packets),
        }),
        line: format!(
            "{}: {} packets, {} bytes in {files} file(s)",
            path.display(),
            grouped(packets),
            grouped(bytes)
        ),
    });
    // The threads that receive end with an error of their own if nothing is written any more.
    outcome.and(captured)
}
