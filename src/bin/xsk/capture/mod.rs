//! `xsk capture`: write packets into a file.

pub(crate) mod buffers;
pub(crate) mod clock;
pub(crate) mod counted;
pub(crate) mod format;
pub(crate) mod names;
pub(crate) mod output;
pub(crate) mod source;
pub(crate) mod take;
pub(crate) mod tee;
pub(crate) mod writer;

use crate::capture::buffers::Drain;
use crate::capture::clock::{CardClock, Clock, Runs};
use crate::capture::counted::Counted;
use crate::capture::format::Description;
use crate::capture::names::Names;
use crate::capture::output::Output;
use crate::capture::source::WithMetadata;
use crate::capture::take::{Capturer, Kept};
use crate::capture::tee::Copier;
use crate::capture::writer::{Count, Plan, Rotation, Writer, Written};
use crate::command_line::capture::CaptureArgs;
use crate::failure::{Failure, Result};
use crate::process::rights;
use crate::process::signals::Stop;
use crate::report::rates::{grouped, named};
use crate::run::ended::Ended;
use crate::run::filtering::{Filtering, condition};
use crate::run::lines::More;
use crate::run::pace::Padded;
use crate::run::port::{self, ActiveProgram};
use crate::run::queues::{Needs, Served};
use crate::run::session::Session;
use crate::run::side::Side;
use crate::run::sockets::Receives;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use xsk::bpf::{Condition, Tap, XskMap};
use xsk::{Attachment, FramePool, Interface, PacketSocket, RxSocket};

/// Frames that a packet has at the most, in copy mode (`CONFIG_MAX_SKB_FRAGS`, and one more).
const MOST_FRAMES: u32 = 18;

pub(crate) fn run(args: &CaptureArgs, stop: &Stop) -> Result<Ended> {
    if args.tee {
        run_tee(args, stop)
    } else if args.port.frags {
        run_sockets::<PacketSocket>(args, stop)
    } else {
        run_sockets::<RxSocket>(args, stop)
    }
}

/// Characters of the line that describes how packets were captured, at the most.
const MOST_COMMENT: usize = 1000;

/// What all captures begin with.
struct Begun {
    interface: Interface,
    clock: Clock,
    start: u64,
    names: Names,
    output: Output,
}

impl Begun {
    /// Opens the file, on which nothing is written yet.
    fn new(args: &CaptureArgs, interface: Interface, stop: &Stop) -> Result<Self> {
        let mut names = Names::new(&args.write, args.rotates(), args.files)?;
        let clock = Clock::start();
        let start = clock.now();
        let path = names.next(start / 1_000_000_000);
        let output = match args.rotates() && rights::are_given_up() {
            true => created_without_rights(&path)?,
            false => Output::open(&path, stop)?,
        };
        Ok(Self { interface, clock, start, names, output })
    }
}

/// Creates the first of several files as the later ones are created: after rights are given up.
fn created_without_rights(path: &Path) -> Result<Output> {
    let create = || {
        rights::give_up_in_thread();
        Output::create(path)
    };
    let name = std::thread::Builder::new().name("first file".to_owned());
    let created = std::thread::scope(|scope| {
        let thread = name.spawn_scoped(scope, create).map_err(Failure::of_thread("the file"))?;
        let failed = |_| Failure::Text("the thread that creates the file has failed".to_owned());
        thread.join().map_err(failed)?
    });
    created.map_err(|failure| match failure {
        Failure::Text(text) if text.contains("ermission denied") => Failure::Text(format!(
            "{text}. With --user that user makes all files of a rotation: name a directory that he \
             may write to, as `install -d -o USER DIR` makes one"
        )),
        failure => failure,
    })
}

/// Returns how many chunks each of so many queues has. Packets wait in them while the processor does
/// something else: one queue has 64 MiB for that, and several have them together, but each a quarter
/// of it at least.
fn chunks(queues: u32) -> u32 {
    const MOST: u32 = 4 * port::CHUNKS;
    (MOST / queues.next_power_of_two()).max(port::CHUNKS)
}

/// Captures by a socket on each queue.
fn run_sockets<S>(args: &CaptureArgs, stop: &Stop) -> Result<Ended>
where
    S: Receives<Ring: WithMetadata>,
{
    let (port, rx) = (&args.port, &args.rx);
    let interface = port::interface(&port.interface)?;
    let filtering = rx.filter.prepare(port, &interface)?;
    let begun = Begun::new(args, interface, stop)?;
    let interface = &begun.interface;
    let _more = rx.receive_more(interface)?;
    let served = Served::of(port, interface, Needs::Rx)?;
    let chunks = port.chunks.unwrap_or_else(|| chunks(served.count()));
    let ring = rx.fill_ring.max(chunks.next_power_of_two());
    let sockets: Vec<(S, FramePool)> = served.each(|queue| {
        let memory = port::memory(port).chunk_count(chunks).headroom(rx.headroom);
        let (umem, mut pool) = memory.build()?;
        let builder = S::receiver(port::socket(port, &umem));
        let builder = builder.rx_size(rx.rx_ring.unwrap_or(ring)).fill_size(ring);
        let socket = port::bind_filled(port, builder, &mut pool, (interface, queue), stop)?;
        Ok((socket, pool))
    })?;
    let register =
        |program: &Attachment| sockets.iter().map(|(socket, _)| socket.register(program)).collect();
    let take =
        |filtering: &Filtering| ActiveProgram::take(port, interface, filtering, stop, register);
    let with_metadata = || {
        let (metadata, map) = source::metadata(args, interface)?;
        let filtering = Filtering::Program(metadata.program().ok()?, map);
        // Why this one cannot be attached does not matter if the other one can.
        Some((take(&filtering).ok()?, metadata))
    };
    let (program, metadata) = match with_metadata() {
        Some((program, metadata)) => (program, Some(metadata)),
        None => (take(&filtering)?, None),
    };
    let (sinks, drain) = buffers::make(sockets.len());
    let several = sockets.len() > 1;
    let (mut capturers, mut handles) = (Vec::new(), Vec::new());
    let hash = source::hashes_by_toeplitz(interface);
    let card = CardClock::default();
    for ((socket, pool), sink) in sockets.into_iter().zip(sinks) {
        let (rx, fill, handle) = socket.into_parts();
        handles.push(handle.clone());
        let queue = handle.queue();
        let umem = handle.umem().clone();
        let frames = if port.frags { MOST_FRAMES } else { 1 };
        capturers.push(Padded(Capturer {
            args: port,
            rx: rx.source(metadata.as_ref(), queue, pool)?,
            fill,
            clock: begun.clock,
            card: card.clone(),
            sink,
            kept: Kept { snaplen: args.snaplen(), queue: several.then_some(queue), hash },
            longest: umem.chunk_size().saturating_mul(frames),
            umem,
            handle,
        }));
    }
    let mut title = port::title(port, interface, &handles, Some(program.attachment()));
    if metadata.is_some() {
        title.push_str("; with what the card knows");
    }
    let counted = Counted {
        clock: begun.clock,
        start: begun.start,
        handles: handles.clone(),
        filter: program.filter(),
    };
    let plan = Planned::new(args, begun, &title, Arc::new(move || counted.now()))?;
    let taken = "; these packets are taken away from the kernel (--tee leaves them there)";
    let (interface, title) = (plan.interface.clone(), format!("{title}{taken}"));
    let side = Side::new(port, interface, handles, title, Some(program.attachment()))?;
    let mut session = Session::new(port, stop, "capture", vec![side.filtered(&program)])?;
    let running = plan.start(drain)?;
    let captured = session.begin().and_then(|()| served.run(port, &mut session, &mut capturers));
    drop(capturers);
    let outcome = running.finish(&mut session, captured, &card);
    session.end(outcome, [program])
}

/// Captures copies of packets.
fn run_tee(args: &CaptureArgs, stop: &Stop) -> Result<Ended> {
    let (port, rx) = (&args.port, &args.rx);
    let interface = port::interface(&port.interface)?;
    let wanted = match &rx.filter.words[..] {
        [] => Condition::every_packet(),
        words => condition(words)?,
    };
    let begun = Begun::new(args, interface, stop)?;
    let interface = &begun.interface;
    let _more = rx.receive_more(interface)?;
    let snaplen = args.snaplen().min(Tap::MAX_SNAPLEN);
    let mut tap = Tap::new(wanted.clone()).snaplen(snaplen).ring_bytes(args.tee_ring);
    if !port.queue.is_all() {
        let queues = interface.queues()?;
        let numbers = port.queue.numbers(queues);
        if let Some(beyond) = numbers.iter().find(|queue| **queue >= queues.rx) {
            return Err(Failure::Text(format!(
                "{} has no RX queue {beyond} (-q {}): it has {}, which begin at 0",
                interface.name(),
                port.queue,
                queues.rx
            )));
        }
        tap = tap.queues(numbers);
    }
    let tap = Arc::new(tap.load()?);
    let empty = XskMap::create(XskMap::DEFAULT_NAME, 1)?;
    let filtering = Filtering::Program(tap.program().try_clone()?, empty);
    let program = ActiveProgram::take(port, interface, &filtering, stop, |_| Ok(Vec::new()))?;
    let attachment = program.attachment();
    let title = format!(
        "{} {}: {} mode, {}; attached by {}; copies of packets, all of which the kernel gets{}",
        interface.name(),
        named(&port.queue),
        attachment.mode(),
        attachment.reason(),
        attachment.method(),
        if rx.filter.is_given() { format!("; filter `{wanted}`") } else { String::new() },
    );
    let (mut sinks, drain) = buffers::make(1);
    let Some(sink) = sinks.pop() else { return Ok(Ended::Count) };
    let mut copier = Copier {
        reader: tap.reader()?,
        tap: Arc::clone(&tap),
        sink,
        clock: begun.clock,
        snaplen,
        queues: interface.queues()?.rx > 1,
        spin: args.spin,
        ring_bytes: args.tee_ring,
    };
    let (clock, start) = (begun.clock, begun.start);
    let plan =
        Planned::new(args, begun, &title, Arc::new(move || tee::counted(&tap, clock, start)))?;
    let side = Side::without_sockets(port, plan.interface.clone(), title, attachment)?;
    let mut session = Session::new(port, stop, "capture", vec![side])?;
    let running = plan.start(drain)?;
    let captured = session.begin().and_then(|()| copier.run(&mut session));
    drop(copier);
    let outcome = running.finish(&mut session, captured, &CardClock::default());
    session.end(outcome, [program])
}

/// A capture whose file is not begun.
struct Planned {
    interface: Interface,
    plan: Plan,
    output: Output,
    tee: bool,
}

/// A capture whose file is written.
struct Running {
    writer: Writer,
    path: PathBuf,
    count: Count,
    tee: bool,
}

impl Planned {
    fn new(args: &CaptureArgs, begun: Begun, title: &str, count: Count) -> Result<Self> {
        let Begun { interface, clock, names, output, .. } = begun;
        let head = format::head(&describe(args, &interface, title)?);
        let head = head.map_err(|error| output::not_written(&args.write, &error))?;
        let rotation = Rotation { size: args.rotate_size, time: args.rotate_seconds };
        let plan = Plan { names, rotation, head, clock, count };
        Ok(Self { interface, plan, output, tee: args.tee })
    }

    fn start(self, drain: Drain) -> Result<Running> {
        let Self { plan, output, tee, .. } = self;
        // Before the first line, which says that it begins.
        output.begin().map_err(|error| output::not_written(output.path(), &error))?;
        let (path, count) = (output.path().to_owned(), Arc::clone(&plan.count));
        Ok(Running { writer: Writer::start(plan, output, drain)?, path, count, tee })
    }
}

impl Running {
    /// Ends the file, and adds to the summary what was written, and by which clock; returns the first
    /// error.
    fn finish(
        self,
        session: &mut Session<'_>,
        captured: Result<()>,
        card: &CardClock,
    ) -> Result<()> {
        let Self { writer, path, count, tee } = self;
        let (written, outcome) = writer.finish(&path);
        let counted = count();
        let received = session.counted().rx_packets;
        let Written { packets, bytes, files, kept, last } = written;
        let not_written = received.saturating_sub(packets);
        let name = path.to_string_lossy();
        let mut line =
            format!("{} packets, {} bytes in {files} file(s)", grouped(packets), grouped(bytes));
        let last = last.display();
        match (kept, files) {
            // The first one is gone.
            (1, 2..) => line.push_str(&format!(", the last one is kept: {last}")),
            (1.., _) if kept < files => {
                line.push_str(&format!(", the last {kept} are kept, up to {last}"));
            }
            (_, 2..) => line = format!("{name}: {line}, the last one {last}"),
            _ => line = format!("{name}: {line}"),
        }
        if not_written > 0 {
            line.push_str(&format!("; {} packets not written", grouped(not_written)));
        }
        let json = json!({
            "file": name,
            "files": files,
            "packets": packets,
            "bytes": bytes,
            "not_written": not_written,
            "tee": tee,
            "matched": counted.accepted,
            "ring_lost": counted.ring_lost,
            "clock": card.runs().map_or("system", Runs::word),
        });
        let mut lines = vec![line];
        lines.extend(card.runs().map(Runs::described));
        session.more.push(More { key: "capture", json, lines });
        // Threads that receive end with an error of their own if nothing is written any more.
        outcome.and(captured)
    }
}

/// Returns what is captured, for the head of the file.
fn describe(args: &CaptureArgs, interface: &Interface, title: &str) -> Result<Description> {
    let filter = match &args.rx.filter.words[..] {
        [] => None,
        words => Some(condition(words)?.to_string()),
    };
    // An option has 65535 bytes at the most.
    let filter = filter.filter(|filter| filter.len() < usize::from(u16::MAX));
    // A virtual interface has none.
    let speed = std::fs::read_to_string(format!("/sys/class/net/{}/speed", interface.name()));
    let speed = speed.ok().and_then(|speed| speed.trim().parse::<i64>().ok());
    Ok(Description {
        interface: interface.name().to_owned(),
        filter,
        snaplen: args.snaplen(),
        speed: speed.filter(|speed| *speed > 0).map(|speed| speed as u64 * 1_000_000),
        ethernet: interface.info()?.has_ethernet_header(),
        comment: title.chars().take(MOST_COMMENT).collect(),
    })
}
