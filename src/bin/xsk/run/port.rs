//! UMEM, socket and XDP program for one queue of one interface, by the command line's options.

use crate::command_line::PortArgs;
use crate::failure::{Failure, Result, quoted};
use crate::process::rights;
use crate::process::signals::Stop;
use crate::report::output::note;
use crate::report::rates::named;
use crate::run::filtering::{Filtering, LiveFilter};
use crate::run::holders::holders;
use crate::run::nearest;
use crate::run::sockets::TxRing;
use crate::run::waiting::Waiting;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::time::{Duration, Instant};
use xsk::attach::{AttachmentBuilder, MethodReason};
use xsk::bpf::{self, XskMap};
use xsk::socket::{SocketBuilder, SocketKind, Unbound};
use xsk::umem::UmemBuilder;
use xsk::{
    AttachMethod, AttachMode, Attachment, Errno, Error, Fill, FramePool, Interface, Kick,
    Registration, Socket, SocketHandle, Umem, XdpMode,
};

/// Packets that one wake-up sends in copy mode, unless the socket's TX budget is set.
pub(crate) const DEFAULT_TX_BUDGET: u32 = 32;

/// Chunks of a queue, if the command line names no number: as many as its fill ring has entries.
pub(crate) const CHUNKS: u32 = 4096;

/// How long a card may take until its link is up again.
const LINK: Duration = Duration::from_secs(20);

/// How long the kernel may take to give memory back that a closed socket had pinned.
const UNPINNING: Duration = Duration::from_millis(300);

/// How long to wait for another process that attaches or leaves, and how long at once: signals are
/// looked at in between. Leaving waits as long as the latter.
const LOCK: Duration = Duration::from_secs(10);
const LOCK_SLICE: Duration = Duration::from_secs(1);

/// How long the wait for a taken queue may go on after a signal.
pub(crate) const BIND_SLICE: Duration = Duration::from_millis(100);

/// Finds the interface that the command line names: also as `ip link` prints a name, with the
/// interface below behind an `@`.
pub(crate) fn interface(name: &OsStr) -> Result<Interface> {
    let found = Interface::by_name(name);
    let bytes = name.as_bytes();
    match (&found, bytes.iter().position(|byte| *byte == b'@')) {
        (Err(Error::Interface { errno: Errno::NODEV, .. }), Some(at)) => {
            let before = Interface::by_name(OsStr::from_bytes(&bytes[..at]));
            before.or(found)
        }
        _ => found,
    }
    .map_err(|error| nearest::offered(name, error))
}

/// Refuses an interface whose packets have no Ethernet header: this tool's packets have one.
pub(crate) fn require_ethernet(interface: &Interface) -> Result<()> {
    let info = interface.info()?;
    if info.has_ethernet_header() {
        return Ok(());
    }
    Err(Failure::Text(format!(
        "{} has no Ethernet header (link type {}): this command sends Ethernet frames, which nothing \
         there understands",
        info.name, info.link_type
    )))
}

/// Creates packet memory as the command line describes it.
pub(crate) fn umem(args: &PortArgs, headroom: u32) -> Result<(Umem, FramePool)> {
    Ok(memory(args).headroom(headroom).build()?)
}

/// Returns the builder of packet memory as the command line describes it.
pub(crate) fn memory(args: &PortArgs) -> UmemBuilder {
    let umem = Umem::builder()
        .chunk_count(args.chunks.unwrap_or(CHUNKS))
        .chunk_size(args.frame_size)
        .page_size(args.page_size);
    if args.unaligned { umem.unaligned() } else { umem }
}

/// Returns the builder of a socket as the command line describes it.
pub(crate) fn socket(args: &PortArgs, umem: &Umem) -> SocketBuilder {
    Socket::builder(umem)
        .copy_mode(args.copy_mode())
        .need_wakeup(!args.no_need_wakeup)
        .bind_timeout(args.wait().min(BIND_SLICE))
}

/// Makes a socket. While packet memory of a socket that was closed just now still counts against
/// the limit, tries again for a moment, unless this memory alone is above the limit.
pub(crate) fn patiently<S: SocketKind>(
    builder: SocketBuilder<S>,
    stop: &Stop,
) -> Result<Unbound<S>> {
    let start = Instant::now();
    loop {
        match builder.clone().open() {
            Err(Error::RegisterUmem { bytes, memlock, errno: Errno::NOBUFS, .. })
                if memlock.is_none_or(|limit| bytes <= limit)
                    && start.elapsed() < UNPINNING
                    && !stop.is_asked() =>
            {
                std::thread::sleep(Duration::from_millis(20));
            }
            result => return Ok(result?),
        }
    }
}

/// Returns the command that takes a program off an interface.
pub(crate) fn take_off(interface: &Interface, mode: XdpMode) -> String {
    let word = match mode {
        XdpMode::Generic => "xdpgeneric",
        XdpMode::Hardware => "xdpoffload",
        _ => "xdpdrv",
    };
    format!("ip link set dev {} {word} off", quoted(&interface.os_name().to_string_lossy()))
}

/// Binds a socket. While the queue is taken, tries again for as long as `limit` says, but ends soon
/// after a signal: the socket is made with a `bind_timeout` of [`BIND_SLICE`] at the most.
pub(crate) fn bind<S: SocketKind>(
    mut unbound: Unbound<S>,
    interface: &Interface,
    queue: u32,
    limit: Duration,
    stop: &Stop,
) -> Result<S> {
    let mut waiting = Waiting::new(limit);
    loop {
        let mut refused = match unbound.bind(interface, queue) {
            Ok(socket) => return Ok(socket),
            Err(refused) => refused,
        };
        let Error::Bind { errno: Errno::BUSY, waited, .. } = &mut refused.error else {
            return Err(refused.error.into());
        };
        *waited = waiting.waited();
        let what = || format!("queue {queue} of {}, which another socket has", interface.name());
        if !waiting.goes_on(stop, what)? {
            return Err(Failure::Taken(Box::new(refused.error), holders()));
        }
        unbound = refused.socket;
    }
}

/// Makes a socket with all chunks of `pool` that its fill ring has room for, and binds it to a
/// queue.
pub(crate) fn bind_filled<S: SocketKind>(
    args: &PortArgs,
    builder: SocketBuilder<S>,
    pool: &mut FramePool,
    (interface, queue): (&Interface, u32),
    stop: &Stop,
) -> Result<S> {
    let mut unbound = patiently(builder, stop)?;
    unbound.fill.fill_from(pool, u32::MAX)?;
    bind(unbound, interface, queue, args.wait(), stop)
}

/// Returns the builder of an attachment as the command line describes it, but for the mode.
pub(crate) fn attachment(args: &PortArgs, interface: &Interface) -> AttachmentBuilder {
    let builder = Attachment::builder(interface).replace_foreign(args.replace).frags(args.frags);
    match args.attach {
        Some(method) => builder.method(method.into()),
        // Without rights netlink takes nothing off.
        None if rights::are_given_up() => builder.method(AttachMethod::Link),
        None => builder,
    }
}

/// Attaches as `builder` says. While another process attaches or leaves, waits for it, but ends
/// soon after a signal.
pub(crate) fn attach(
    builder: impl Fn() -> AttachmentBuilder,
    interface: &Interface,
    stop: &Stop,
) -> Result<Attachment> {
    attach_made(|| Ok(builder()), interface, stop)
}

/// Attaches as [`attach`], by a builder that may fail to be made.
fn attach_made(
    builder: impl Fn() -> xsk::Result<AttachmentBuilder>,
    interface: &Interface,
    stop: &Stop,
) -> Result<Attachment> {
    let mut waiting = Waiting::new(LOCK);
    loop {
        let attached = builder().and_then(|builder| builder.lock_timeout(LOCK_SLICE).attach());
        let mut error = match attached {
            Ok(attachment) => {
                report_replaced(&attachment);
                return Ok(attachment);
            }
            Err(error) => error,
        };
        let Error::AttachLock { waited, .. } = &mut error else {
            return Err(error.into());
        };
        *waited = waiting.waited();
        let what = || format!("the lock of the XDP attachments of {}", interface.name());
        if !waiting.goes_on(stop, what)? {
            return Err(error.into());
        }
    }
}

/// Writes which program was replaced to the standard error output.
fn report_replaced(attachment: &Attachment) {
    if let Some(replaced) = attachment.replaced() {
        note(&format!("replaced {replaced}"));
    }
}

/// An attachment to an interface, and the sockets' registrations with it.
#[derive(Debug)]
pub(crate) struct ActiveProgram {
    attachment: Attachment,
    registrations: Vec<Registration>,
    filter: Option<Arc<LiveFilter>>,
}

impl ActiveProgram {
    pub(crate) fn new(attachment: Attachment, registration: Registration) -> Self {
        Self { attachment, registrations: vec![registration], filter: None }
    }

    /// Attaches a native program for sockets that only send, if one needs it: many drivers send in
    /// zero-copy mode only while one is attached. This one passes every packet to the kernel.
    pub(crate) fn to_send(
        builder: impl Fn() -> AttachmentBuilder,
        interface: &Interface,
        handles: &[SocketHandle],
        stop: &Stop,
    ) -> Result<Option<Self>> {
        if !handles.iter().any(SocketHandle::is_zero_copy)
            || interface.attached_programs()?.program(XdpMode::Native).is_some()
        {
            return Ok(None);
        }
        let attachment = attach(|| builder().mode(AttachMode::Native), interface, stop)?;
        Ok(Some(Self { attachment, registrations: Vec::new(), filter: None }))
    }

    /// Attaches a program or joins the attached one, and registers sockets with `register`. With a
    /// filter the program is that of the filter.
    pub(crate) fn take(
        args: &PortArgs,
        interface: &Interface,
        filtering: &Filtering,
        stop: &Stop,
        register: impl FnOnce(&Attachment) -> xsk::Result<Vec<Registration>>,
    ) -> Result<Self> {
        let builder = || attachment(args, interface).mode(args.mode.choice());
        let attach = |builder: &dyn Fn() -> _| attach_made(builder, interface, stop);
        let attachment = filtering
            .attach(args.attach.is_none(), builder, attach)
            .map_err(|failure| if args.frags { failure.despite_frags() } else { failure })
            .map_err(
                |failure| {
                    if rights::are_given_up() { failure.without_rights() } else { failure }
                },
            )?;
        let registrations = register(&attachment)?;
        Ok(Self { attachment, registrations, filter: filtering.live() })
    }

    /// Attaches a program that spreads the packets of each queue over `sockets` sockets, and
    /// registers those of `queue`: `register` takes the number of one and its slot.
    pub(crate) fn spread(
        args: &PortArgs,
        interface: &Interface,
        queue: u32,
        sockets: u32,
        stop: &Stop,
        register: impl Fn(&Attachment, usize, u32) -> xsk::Result<Registration>,
    ) -> Result<Self> {
        // Sockets are on the queue already, so that it is one of the device's 65536 at the most.
        let first = queue * sockets;
        let builder = || {
            let map = XskMap::create(XskMap::DEFAULT_NAME, first + sockets)?;
            let builder = attachment(args, interface).mode(args.mode.choice());
            // What a killed process left by netlink is replaced, as with the default program.
            Ok(builder.program(bpf::spread(&map, sockets)?, map).take_over(true))
        };
        let attachment = attach_made(builder, interface, stop).map_err(Failure::of_spread)?;
        let slots = (first..first + sockets).enumerate();
        let registrations = slots.map(|(number, slot)| register(&attachment, number, slot));
        let registrations = registrations.collect::<xsk::Result<_>>()?;
        Ok(Self { attachment, registrations, filter: None })
    }

    pub(crate) fn attachment(&self) -> &Attachment {
        &self.attachment
    }

    /// Returns the filter, if the program is that of one.
    pub(crate) fn filter(&self) -> Option<Arc<LiveFilter>> {
        self.filter.clone()
    }

    /// Ends the registrations and then the attachment, even if the first fail.
    pub(crate) fn close(self) -> Result<()> {
        let registrations = self.registrations.into_iter().map(Registration::close);
        let registrations = registrations.fold(Ok(()), xsk::Result::and);
        let registrations = match registrations {
            // Before 5.19 a map takes CAP_BPF. The kernel empties the slots when the sockets close.
            Err(Error::UpdateMap { errno: Errno::PERM, .. }) if rights::are_given_up() => Ok(()),
            result => result,
        };
        let attachment = self.attachment.close();
        Ok(registrations.and(attachment)?)
    }

    /// Closes each of several, whatever becomes of another; returns the first error.
    pub(crate) fn close_all(programs: impl IntoIterator<Item = Self>) -> Result<()> {
        let closed: Vec<_> = programs.into_iter().map(Self::close).collect();
        closed.into_iter().collect()
    }
}

/// Waits until an interface can send: some drivers take the link down when a program is attached.
pub(crate) fn wait_for_link(interface: &Interface, stop: &Stop) -> Result<()> {
    let start = Instant::now();
    loop {
        let info = interface.info()?;
        if (info.up && info.carrier && info.running) || stop.is_asked() {
            return Ok(());
        }
        let name = interface.name();
        if !info.up {
            let word = quoted(name);
            return Err(Failure::Text(format!("{name} is down: `ip link set dev {word} up`")));
        }
        if start.elapsed() > LINK {
            return Err(Failure::Text(format!(
                "{name} has no link after {} s: is there a cable, and is its other end up?",
                LINK.as_secs()
            )));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Returns whether a socket is in zero-copy or copy mode, and why.
pub(crate) fn copy(handle: &SocketHandle) -> String {
    let name = if handle.is_zero_copy() { "zero-copy" } else { "copy" };
    format!("{name} mode, {}", handle.copy_reason())
}

/// Returns whether each of several sockets is in zero-copy or copy mode, and why; with the queues,
/// if they differ.
fn copy_of_all(handles: &[SocketHandle]) -> String {
    by_mode(handles.iter().map(|handle| (handle.queue(), copy(handle))))
}

/// Returns the modes of queues; with the queues, if they differ.
fn by_mode(queues: impl Iterator<Item = (u32, String)>) -> String {
    let mut modes: Vec<(String, Vec<u32>)> = Vec::new();
    for (queue, mode) in queues {
        match modes.iter_mut().find(|(known, _)| *known == mode) {
            Some((_, queues)) => queues.push(queue),
            None => modes.push((mode, vec![queue])),
        }
    }
    if let [(mode, _)] = &modes[..] {
        return mode.clone();
    }
    let of_queues = |(mode, queues): (String, Vec<u32>)| {
        format!("{mode} ({})", named(&queues.into_iter().collect()))
    };
    modes.into_iter().map(of_queues).collect::<Vec<_>>().join("; ")
}

/// Returns the first line: interface and queues, the modes with their reasons, and how many sockets
/// there are on one queue.
pub(crate) fn title(
    args: &PortArgs,
    interface: &Interface,
    handles: &[SocketHandle],
    program: Option<&Attachment>,
) -> String {
    let copy = copy_of_all(handles);
    let program = match program {
        Some(program) => format!(
            "{} mode, {}; {copy}; attached by {}{}",
            program.mode(),
            program.reason().to_string().replace(
                "may be the cure: `AttachmentBuilder::frags`, of a filter `Filter::frags`",
                if args.frags { "may be the cure" } else { "may be the cure: `-F`" }
            ),
            program.method(),
            match program.method_reason() {
                MethodReason::Joined
                    if args.frags
                        && program.frags() == Some(false)
                        && program.mode() == XdpMode::Native =>
                {
                    ", joined: the program takes no packets of several frames (start its first \
                     user with `-F`)"
                        .to_owned()
                }
                MethodReason::Joined => ", joined".to_owned(),
                reason @ (MethodReason::NoLookup | MethodReason::TakenOver) => {
                    format!(" ({reason})")
                }
                _ => String::new(),
            }
        ),
        None => {
            let given = args.mode.is_given() || args.attach.is_some() || args.replace;
            let in_vain =
                if given { " (-S, -N, --attach and --replace change nothing)" } else { "" };
            format!("{copy}; no program, sending needs none{in_vain}")
        }
    };
    // Packets on the others do not come here.
    let all = match interface.queues() {
        Ok(queues) if queues.current() > 1 => format!(" of {}", queues.current()),
        _ => String::new(),
    };
    let several = match handles.len() {
        _ if args.frags => ", packets of several frames".to_owned(),
        sockets if sockets > 1 && args.queue.single().is_some() => format!(", {sockets} sockets"),
        _ => String::new(),
    };
    let queues = named(&handles.iter().map(SocketHandle::queue).collect());
    format!("{} {queues}{all}{several}: {program}", interface.name())
}

/// Makes the kernel send what is in the TX ring.
#[inline]
pub(crate) fn kick(args: &PortArgs, tx: &mut impl TxRing) -> xsk::Result<Kick> {
    if args.no_need_wakeup { tx.kick() } else { tx.kick_if_needed() }
}

/// Has the kernel look at a queue of which nothing came: with busy polling it takes packets from
/// it.
pub(crate) fn look(args: &PortArgs, fill: &mut Fill, handle: &SocketHandle) -> xsk::Result<Kick> {
    if args.busy_poll { handle.poll_queue() } else { fill.kick_if_needed() }
}

#[cfg(test)]
mod tests {
    use super::by_mode;

    #[test]
    fn modes_are_named_with_their_queues_where_they_differ() {
        let text = |modes: &[(u32, &str)]| {
            by_mode(modes.iter().map(|(queue, mode)| (*queue, (*mode).to_owned())))
        };
        assert_eq!(text(&[(0, "copy mode"), (3, "copy mode")]), "copy mode");
        let mixed = [(0, "zero-copy mode"), (1, "zero-copy mode"), (2, "copy mode")];
        assert_eq!(text(&mixed), "zero-copy mode (queues 0-1); copy mode (queue 2)");
    }
}
