//! One queue of one interface, made ready and left as it was found.

use crate::args::PortArgs;
use crate::failure::{Failure, Result};
use crate::signals::Stop;
use std::time::{Duration, Instant};
use xsk::attach::AttachmentBuilder;
use xsk::socket::SocketBuilder;
use xsk::{
    AttachMode, Attachment, FramePool, Interface, Registration, Socket, SocketHandle, Umem, XdpMode,
};

/// How long to wait for packets that are on their way out and do not move.
const DRAIN: Duration = Duration::from_millis(200);

/// How long a card may take until its link is there again.
const LINK: Duration = Duration::from_secs(20);

/// Packet memory as the command line describes it.
pub(crate) fn umem(args: &PortArgs) -> Result<(Umem, FramePool)> {
    let umem = Umem::builder()
        .chunk_count(args.chunks)
        .chunk_size(args.frame_size)
        .headroom(args.headroom)
        .page_size(args.page_size);
    Ok(umem.build()?)
}

/// A socket as the command line describes it.
pub(crate) fn socket(args: &PortArgs, umem: &Umem) -> SocketBuilder {
    Socket::builder(umem)
        .rx_size(args.rx_ring)
        .tx_size(args.tx_ring)
        .fill_size(args.fill_ring)
        .completion_size(args.completion_ring)
        .copy_mode(args.copy_mode())
        .need_wakeup(!args.no_need_wakeup)
        .bind_timeout(Duration::from_millis(args.wait))
}

/// A share in the program of an interface, and a socket's place in it.
#[derive(Debug)]
pub(crate) struct ActiveProgram {
    attachment: Attachment,
    registration: Option<Registration>,
}

impl ActiveProgram {
    pub(crate) fn new(attachment: Attachment, registration: Registration) -> Self {
        Self { attachment, registration: Some(registration) }
    }

    /// A share in the program of an interface that only sends, if it needs one: many drivers send in zero-copy mode
    /// only while a native program is attached. This one passes every packet to the kernel.
    pub(crate) fn to_send(
        builder: AttachmentBuilder,
        interface: &Interface,
        handle: &SocketHandle,
    ) -> Result<Option<Self>> {
        if !handle.is_zero_copy()
            || interface.attached_programs()?.program(XdpMode::Native).is_some()
        {
            return Ok(None);
        }
        let attachment = builder.mode(AttachMode::Native).attach()?;
        Ok(Some(Self { attachment, registration: None }))
    }

    /// Attaches or joins, and puts a socket in its slot with `register`.
    pub(crate) fn take(
        args: &PortArgs,
        interface: &Interface,
        register: impl FnOnce(&Attachment) -> xsk::Result<Registration>,
    ) -> Result<Self> {
        let attachment = Attachment::builder(interface)
            .mode(args.mode.choice())
            .method(args.attach.into())
            .replace_foreign(args.replace)
            .attach()?;
        let registration = register(&attachment)?;
        Ok(Self::new(attachment, registration))
    }

    pub(crate) fn attachment(&self) -> &Attachment {
        &self.attachment
    }

    /// Gives the slot up, and then the share in the program, whatever becomes of the first.
    pub(crate) fn close(self) -> Result<()> {
        let slot = self.registration.map_or(Ok(()), Registration::close);
        let program = self.attachment.close();
        Ok(slot.and(program)?)
    }
}

/// Waits until an interface can send: some drivers take the link away when a program is attached.
pub(crate) fn wait_for_link(interface: &Interface, stop: &Stop) -> Result<()> {
    let start = Instant::now();
    loop {
        let info = interface.info()?;
        if (info.up && info.carrier && info.running) || stop.is_asked() {
            return Ok(());
        }
        let name = interface.name();
        if !info.up {
            return Err(Failure::Text(format!("{name} is down: `ip link set dev {name} up`")));
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

/// Zero-copy or copy, and why.
pub(crate) fn copy(handle: &SocketHandle) -> String {
    let name = if handle.is_zero_copy() { "zero-copy" } else { "copy" };
    format!("{name} ({})", handle.copy_reason())
}

/// The first line: what is used, in which mode, and why.
pub(crate) fn title(handle: &SocketHandle, program: Option<&Attachment>) -> String {
    let copy = copy(handle);
    let program = match program {
        Some(program) => format!(
            "{} mode ({}), {copy}, attached by {}{}",
            program.mode(),
            program.reason(),
            program.method(),
            if program.joined() { ", joined" } else { "" }
        ),
        None => format!("{copy}, no program (sending needs none)"),
    };
    format!("{} queue {}: {program}", handle.interface(), handle.queue())
}

/// Works until everything that was sent is back, or nothing comes back for a while.
///
/// `work` answers how much came back, and whether that is all.
pub(crate) fn drain(mut work: impl FnMut() -> Result<(u32, bool)>) -> Result<()> {
    let mut moved = Instant::now();
    loop {
        let (back, all) = work()?;
        if all {
            return Ok(());
        }
        if back > 0 {
            moved = Instant::now();
        } else if moved.elapsed() > DRAIN {
            // The chunks are given up with the socket; the interface may be slow or down.
            return Ok(());
        } else {
            std::thread::yield_now();
        }
    }
}
