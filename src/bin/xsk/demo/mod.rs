//! `xsk demo`: packets from one socket to another, in each mode, on a machine without a set-up.

pub(crate) mod exchange;
pub(crate) mod link;
pub(crate) mod packet;
pub(crate) mod report;

use crate::command_line::DemoArgs;
use crate::demo::exchange::{CHUNKS, Exchange, Receiver, Sender, run_exchange};
use crate::demo::link::{CHUNK_SIZE, TestLink, wants_frags};
use crate::demo::packet::Stream;
use crate::demo::report::{Chunks, causes, fault, json, report};
use crate::failure::{Failure, Result};
use crate::process::signals::Stop;
use crate::report::output::{Lines, Progress};
use crate::run::both_ends::BothEnds;
use crate::run::ended::Ended;
use crate::run::port::{
    ActiveProgram, BIND_SLICE, attach, bind, copy, patiently, take_off, wait_for_link,
};
use crate::run::sockets::{Receives, Sends, TxRing};
use crate::run::timed::Timed;
use crate::run::watch::Watch;
use std::time::Duration;
use xsk::{
    AttachMethod, AttachMode, Attachment, Interface, PacketSocket, Registration, RxSocket, Socket,
    TxSocket, Umem,
};

/// How long to wait for the queues of the previous mode: the kernel frees them some time after
/// their sockets, and later while it takes network namespaces down, as after many tests at once.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(10);

pub(crate) fn run(args: &DemoArgs, stop: &Stop) -> Result<Ended> {
    let link = TestLink::new(args)?;
    let output = Lines::new(std::io::stdout())?;
    let complete = all_modes(args, &link, stop, &output);
    // After an error, too: what was found before it is written.
    let written = output.finish();
    let complete = complete?;
    written?;
    let signal = stop.signal().filter(|_| !complete);
    Ok(signal.map_or(Ended::Count, |number| Ended::Signal { number, early: true }))
}

/// Runs in each mode that is asked for; returns whether all packets of all modes were sent.
///
/// # Errors
/// What went wrong with packets and chunks, too.
fn all_modes(args: &DemoArgs, link: &TestLink, stop: &Stop, output: &Lines) -> Result<bool> {
    if !args.json {
        let (from, to) = link.ends();
        let (from, to) = (from.name(), to.name());
        let place = match link {
            TestLink::Own { .. } => ", in network namespaces of their own",
            TestLink::Existing { .. } => "",
        };
        output.line(format!("From {from} to {to}{place}"))?;
    }
    let modes = match args.mode.choice() {
        AttachMode::Auto => vec![AttachMode::Native, AttachMode::Generic],
        one => vec![one],
    };
    let (mut faults, mut complete) = (Vec::new(), true);
    for (mode, number) in modes.into_iter().zip(1..) {
        if stop.is_asked() {
            complete = false;
            break;
        }
        let result = if args.tx_timestamps {
            one_mode::<Timed, RxSocket>(args, link, mode, number, stop, output)
        } else if wants_frags(args) {
            one_mode::<PacketSocket, PacketSocket>(args, link, mode, number, stop, output)
        } else {
            one_mode::<TxSocket, RxSocket>(args, link, mode, number, stop, output)
        };
        match result {
            Ok(result) => {
                faults.extend(result.fault);
                complete &= result.complete;
            }
            Err(failure) if faults.is_empty() => return Err(failure),
            Err(failure) => faults.push(failure.to_string()),
        }
    }
    if faults.is_empty() { Ok(complete) } else { Err(Failure::Text(faults.join("; "))) }
}

/// How a mode's run ended.
struct ModeResult {
    /// What went wrong with packets and chunks.
    fault: Option<String>,
    /// Whether all packets were sent.
    complete: bool,
}

/// Creates a sender of packets of `size` bytes. It receives nothing, so that it is registered with
/// no program.
fn sender<S: Sends>(interface: &Interface, size: u32, stop: &Stop) -> Result<Sender<S::Ring>> {
    let memory = Umem::builder().chunk_count(CHUNKS).chunk_size(CHUNK_SIZE);
    let (umem, pool) = S::memory(memory).build()?;
    let builder = S::sender(Socket::builder(&umem)).tx_size(CHUNKS).completion_size(CHUNKS);
    let unbound = patiently(builder.fill_size(64).bind_timeout(BIND_SLICE), stop)?;
    let socket = bind(unbound, interface, 0, QUEUE_TIMEOUT, stop)?;
    let (tx, completion, handle) = S::into_parts(socket, &umem)?;
    let (chunks, most) = (size.div_ceil(CHUNK_SIZE), tx.max_frames());
    if chunks > most {
        return Err(Failure::Text(format!(
            "packets of {size} bytes are too long for {}: they take {chunks} chunks of {CHUNK_SIZE} \
             bytes, and a packet there can have {most}",
            interface.name()
        )));
    }
    Ok(Sender { umem, pool, tx, completion, handle, buffer: Vec::new() })
}

/// Creates a receiver with all its chunks in the fill ring, its attachment and its registration.
fn receiver<S: Receives>(
    interface: &Interface,
    args: &DemoArgs,
    mode: AttachMode,
    stop: &Stop,
) -> Result<(Receiver<S::Ring>, Attachment, Registration)> {
    let (umem, mut pool) = Umem::builder().chunk_count(CHUNKS).chunk_size(CHUNK_SIZE).build()?;
    let builder = S::receiver(Socket::builder(&umem)).rx_size(CHUNKS).fill_size(CHUNKS);
    let mut socket = patiently(builder.bind_timeout(BIND_SLICE), stop)?;
    socket.fill.fill_from(&mut pool, CHUNKS)?;
    let socket: S = bind(socket, interface, 0, QUEUE_TIMEOUT, stop)?;
    let frags = wants_frags(args);
    let builder =
        || Attachment::builder(interface).mode(mode).replace_foreign(args.replace).frags(frags);
    let attachment = attach(builder, interface, stop)
        .map_err(|failure| if frags { failure.despite_frags() } else { failure })?;
    let registration = socket.register(&attachment)?;
    let (rx, fill, handle) = socket.into_parts();
    Ok((Receiver { umem, rx, fill, handle, buffer: Vec::new() }, attachment, registration))
}

/// Runs in one mode and reports.
fn one_mode<S: Sends, R: Receives>(
    args: &DemoArgs,
    link: &TestLink,
    mode: AttachMode,
    number: u32,
    stop: &Stop,
    output: &Lines,
) -> Result<ModeResult> {
    let (from, to) = link.ends();
    let mut sender = link.at_sender(|| sender::<S>(from, args.size, stop))??;
    let (mut receiver, attachment, registration) =
        link.at_receiver(|| receiver::<R>(to, args, mode, stop))??;
    let name = attachment.mode().to_string();
    let how = format!("{name} mode, {}", attachment.reason());
    let method = attachment.method();
    let mut program = None;
    let mut run = || {
        let frags = wants_frags(args);
        let builder = || Attachment::builder(from).replace_foreign(args.replace).frags(frags);
        let handles = std::slice::from_ref(&sender.handle);
        program = link.at_sender(|| ActiveProgram::to_send(builder, from, handles, stop))??;
        for end in [from, to] {
            wait_for_link(end, stop)?;
        }
        let stream = Stream {
            to: to.info()?.mac.unwrap_or([0xff; 6]),
            from: from.info()?.mac.unwrap_or([2; 6]),
            number,
            size: args.size,
        };
        let progress = Progress::new(!args.json);
        let exchange = Exchange {
            stream,
            packets: args.packets,
            chunks: args.size.div_ceil(CHUNK_SIZE),
            batch: args.batch,
            max_in_flight: link.max_in_flight(args.size),
            stop,
            progress: &progress,
            name: &name,
        };
        let watches = [
            (from.name(), link.at_sender(|| Watch::start(from))??),
            (to.name(), link.at_receiver(|| Watch::start(to))??),
        ];
        let mut ends = BothEnds::new(watches, [None, Some(&attachment)])?;
        run_exchange(&exchange, &mut sender, &mut receiver, &mut ends)
    };
    let outcome = run();
    // Detaches before anything is written: the output may be closed.
    let id = attachment.program_id();
    let command = take_off(to, attachment.mode());
    let closed = ActiveProgram::new(attachment, registration).close();
    let program = program.map_or(Ok(()), ActiveProgram::close);
    let outcome = outcome.map_err(|failure| {
        let program = (method == AttachMethod::Netlink).then_some((id, command));
        if failure.is_gone() { gone(from, to, program).unwrap_or(failure) } else { failure }
    })?;
    closed?;
    program?;
    let unsent = outcome.unsent * u64::from(args.size.div_ceil(CHUNK_SIZE));
    let chunks = Chunks::count(&sender, &receiver, unsent);
    let handle = &receiver.handle;
    let times = sender.tx.times();
    if args.json {
        let zero_copy = handle.is_zero_copy();
        output.line(json(args, &name, zero_copy, &outcome, &chunks, times))?;
    } else {
        let several = if wants_frags(args) { "; packets of several chunks" } else { "" };
        output.line(format!("{how}; {}{several}; attached by {method}", copy(handle)))?;
        for row in report(args, link.max_in_flight(args.size), &outcome, &chunks) {
            output.line(format!("  {row}"))?;
        }
        if let Some(times) = times {
            output.line(format!("  {}", times.line()))?;
        }
    }
    let causes = match outcome.lost() {
        0 => Vec::new(),
        _ => causes(link, args, &sender.handle, &receiver.handle),
    };
    let fault = fault(args, stop, &name, &outcome, &causes, &chunks);
    Ok(ModeResult { fault, complete: outcome.sent == args.packets })
}

/// Returns the failure for the end that is gone: the receiver's first, whose program may stay.
pub(crate) fn gone(
    from: &Interface,
    to: &Interface,
    program: Option<(u32, String)>,
) -> Option<Failure> {
    let ends = [(to, program), (from, None)];
    ends.into_iter().find_map(|(end, program)| {
        let error = end.info().err().filter(xsk::Error::is_gone)?;
        Some(Failure::Gone { name: end.name().to_owned(), errno: error.errno(), program })
    })
}
