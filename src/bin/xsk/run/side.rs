//! One interface of a run: its sockets, its program and its link.

use crate::command_line::PortArgs;
use crate::failure::{Failure, Result};
use crate::report::rates::named;
use crate::report::words::Event;
use crate::run::counts::Report;
use crate::run::elsewhere::Elsewhere;
use crate::run::ended::Ended;
use crate::run::filtering::{FilterSummary, LiveFilter};
use crate::run::left_out::LeftOut;
use crate::run::link::{Link, described};
use crate::run::losses::{Loss, Place};
use crate::run::port::{ActiveProgram, take_off};
use crate::run::table::{Label, Table};
use crate::run::watch::{Seen, Watch};
use std::sync::Arc;
use std::time::{Duration, Instant};
use xsk::interface::{DeviceEvent, InterfaceInfo};
use xsk::multi_queue::QueueSet;
use xsk::socket::BusyPollEffect;
use xsk::{AttachMethod, Attachment, Error, Interface, Kick, SocketHandle, XdpMode};

/// How long a driver whose interface is up may refuse to be woken.
pub(crate) const REFUSED: Duration = Duration::from_secs(5);
/// The pause between two looks at an interface that is down.
pub(crate) const DOWN: Duration = Duration::from_millis(10);
/// How long an interface that was set up may be without a carrier before that is worth a line.
const SETTLING: Duration = Duration::from_secs(2);
/// How long to wait for a first packet before the other queues are worth a line.
const ELSEWHERE: Duration = Duration::from_secs(2);
/// How long to wait for a first packet, from which a kernel may learn what busy polling polls.
const EFFECT: Duration = Duration::from_secs(1);

/// Bytes that the kernel leaves free before each received packet (`XDP_PACKET_HEADROOM`).
const KERNEL_HEADROOM: u32 = 256;

/// The program that redirects the packets.
#[derive(Debug, Clone, Copy)]
struct Redirect {
    mode: XdpMode,
    id: u32,
    method: AttachMethod,
}

/// An interface, the sockets on its queues, and what is known of both.
#[derive(Debug)]
pub(crate) struct Side {
    /// Packets that are to be sent on it, and are neither sent nor dropped.
    pub(crate) pending: u64,
    interface: Interface,
    /// Whether packets have several frames.
    frags: bool,
    /// The sockets.
    handles: Vec<SocketHandle>,
    label: Label,
    title: String,
    watch: Watch,
    start: Instant,
    program: Option<Redirect>,
    /// The filter of the program, if it has one.
    filter: Option<Arc<LiveFilter>>,
    link: Link,
    /// When the link was looked at last.
    looked_at: Instant,
    /// Since when an interface that was down is up without a carrier.
    settling: Option<Instant>,
    /// Since when the driver refuses to be woken although the interface is up.
    refused_since: Option<Instant>,
    /// The causes of losses that were reported.
    losses: Vec<Loss>,
    /// Whether busy polling was asked for, and what it does is not known yet.
    asks_for_effect: bool,
    /// Packets that the interface had received before the start, on all queues: `None` at first,
    /// and once it was reported that they come to other queues.
    received_before: Option<u64>,
    /// Queues that are left out although packets come to them.
    pub(crate) left_out: Option<LeftOut>,
}

impl Side {
    /// Takes the sockets on `interface`, the line that describes them, and the program
    /// that redirects packets to them.
    pub(crate) fn new(
        args: &PortArgs,
        interface: Interface,
        handles: Vec<SocketHandle>,
        title: String,
        attachment: Option<&Attachment>,
    ) -> Result<Self> {
        if let Some(busy_poll) = args.busy_poll() {
            for handle in &handles {
                handle.set_busy_poll(&busy_poll)?;
            }
        }
        let label = Label::new(&handles, attachment);
        Self::labelled(args, interface, handles, (label, title), attachment)
    }

    /// Takes an interface where no socket is, the line that describes it, and the program that is
    /// attached for the packets of `args.queue`.
    pub(crate) fn without_sockets(
        args: &PortArgs,
        interface: Interface,
        title: String,
        attachment: &Attachment,
    ) -> Result<Self> {
        let label = Label::without_sockets(&interface, &args.queue, attachment);
        Self::labelled(args, interface, Vec::new(), (label, title), Some(attachment))
    }

    fn labelled(
        args: &PortArgs,
        interface: Interface,
        handles: Vec<SocketHandle>,
        (label, title): (Label, String),
        attachment: Option<&Attachment>,
    ) -> Result<Self> {
        let redirect = |program: &Attachment| Redirect {
            mode: program.mode(),
            id: program.program_id(),
            method: program.method(),
        };
        let program = attachment.map(redirect);
        let watch = Watch::start(&interface).map_err(|failure| match failure {
            Failure::Xsk(error) => gone(&interface, program, error),
            other => other,
        })?;
        let (start, has_sockets) = (Instant::now(), !handles.is_empty());
        Ok(Self {
            pending: 0,
            interface,
            frags: args.frags,
            handles,
            label,
            title,
            watch,
            start,
            program,
            filter: None,
            link: Link::Ready,
            looked_at: start,
            settling: None,
            refused_since: None,
            losses: Vec::new(),
            asks_for_effect: args.busy_poll && has_sockets,
            received_before: None,
            left_out: None,
        })
    }

    /// Returns the interface with the filter of its program, if that has one.
    pub(crate) fn filtered(mut self, program: &ActiveProgram) -> Self {
        self.filter = program.filter();
        if let Some(filter) = &self.filter {
            self.title.push_str(&filter.title());
        }
        self
    }

    /// Returns what the filter did, if there is one.
    pub(crate) fn filter_summary(&self) -> Option<FilterSummary> {
        self.filter.as_ref().and_then(|filter| filter.summary())
    }

    pub(crate) fn name(&self) -> &str {
        self.interface.name()
    }

    /// Returns interface, queue, program and mode for reports.
    pub(crate) fn label(&self) -> &Label {
        &self.label
    }

    /// Returns the line that describes it.
    pub(crate) fn title(&self) -> &str {
        &self.title
    }

    /// Returns the sockets.
    pub(crate) fn handles(&self) -> &[SocketHandle] {
        &self.handles
    }

    pub(crate) fn link(&self) -> Link {
        self.link
    }

    /// Returns whether packets can be sent, as far as it is known.
    #[inline]
    pub(crate) fn is_ready(&self) -> bool {
        self.link == Link::Ready
    }

    /// Returns whether packets can be sent, and the driver lets itself be woken.
    #[inline]
    pub(crate) fn is_steady(&self) -> bool {
        self.is_ready() && self.refused_since.is_none()
    }

    /// Returns the interface's state.
    pub(crate) fn info(&self) -> Result<InterfaceInfo> {
        self.interface.info().map_err(|error| self.gone(error))
    }

    /// Returns what an error means for this interface.
    pub(crate) fn gone(&self, error: Error) -> Failure {
        gone(&self.interface, self.program, error)
    }

    /// Looks at the interface before the first packet; returns why the run is to end, if it is.
    pub(crate) fn begin(&mut self, table: &Table) -> Result<Option<Ended>> {
        let info = self.info()?;
        let redirects = self.program.filter(|_| !self.handles.is_empty());
        self.received_before = redirects.map(|_| info.counters.rx_packets);
        if let Some(left_out) = &mut self.left_out {
            left_out.begin(info.counters.rx_packets);
        }
        self.note_link(&info, table);
        if let Some(text) = self.filter.as_ref().and_then(|filter| filter.takes_nothing()) {
            table.event(&self.label, Event::FilterTakesNothing, text);
        }
        self.seen(&info, table, 0)
    }

    /// Checks the sockets, which have received so many packets, and what was seen of the interface
    /// since the last time; returns why the run is to end, if it is.
    pub(crate) fn look(&mut self, table: &Table, received: u64) -> Result<Option<Ended>> {
        for handle in &self.handles {
            if let Err(error) = handle.check() {
                // An error that names the interface and its fate, if it is gone.
                self.info()?;
                return Err(self.gone(error));
            }
        }
        self.note_effect(table, received);
        match self.watch.take() {
            Some(Seen { at, info, events }) => {
                for event in events {
                    self.note_event(&event, table);
                }
                let info = info.map_err(|error| self.gone(error))?;
                // What is known of the link may be newer.
                if at > self.looked_at {
                    self.note_link(&info, table);
                }
                self.seen(&info, table, received)
            }
            None => Ok(None),
        }
    }

    /// Notes another name, by which the interface is called from then on.
    fn note_event(&mut self, event: &DeviceEvent, table: &Table) {
        let Some((what, text)) = described(event) else { return };
        // It may have yet another one, or be gone.
        if let Ok(interface) = Interface::by_index(self.interface.index()) {
            self.label.rename(interface.name());
            self.interface = interface;
        }
        table.event(&self.label, what, &text);
    }

    /// Notes, once, that busy polling does nothing, as soon as that is known.
    fn note_effect(&mut self, table: &Table, received: u64) {
        if !self.asks_for_effect || (received == 0 && self.start.elapsed() < EFFECT) {
            return;
        }
        self.asks_for_effect = false;
        let is_none =
            |handle: &SocketHandle| handle.busy_poll_effect() == Ok(BusyPollEffect::NoNapi);
        let without: QueueSet =
            self.handles.iter().filter(|handle| is_none(handle)).map(SocketHandle::queue).collect();
        if without == QueueSet::from_iter([]) {
            return;
        }
        let yet = match received {
            0 => " (before Linux 6.14 it learns one from a packet, and none has come)",
            _ => "",
        };
        let place = format!("{} of {}", named(&without), self.interface.name());
        let text = format!("{place}: {}{yet}", BusyPollEffect::NoNapi);
        table.event(&self.label, Event::BusyPollNoEffect, &text);
    }

    /// Checks the program. That another process took it off is no error, but an end.
    fn seen(
        &mut self,
        info: &InterfaceInfo,
        table: &Table,
        received: u64,
    ) -> Result<Option<Ended>> {
        let Some(Redirect { mode, id, .. }) = self.program else {
            return Ok(None);
        };
        let mut ended = None;
        if info.programs.program(mode) != Some(id) {
            self.program = None;
            let text = format!(
                "program {id} was taken off {} by another process: packets go past this socket",
                self.interface.name()
            );
            table.event(&self.label, Event::ProgramTakenOff, &text);
            ended = Some(Ended::ProgramTakenOff);
        }
        self.look_elsewhere(info, mode, table, received)?;
        Ok(ended)
    }

    /// Notes, once, that packets come to other queues and hardly any to these.
    fn look_elsewhere(
        &mut self,
        info: &InterfaceInfo,
        mode: XdpMode,
        table: &Table,
        received: u64,
    ) -> Result<()> {
        if let Some(left_out) = &self.left_out {
            let all = self.all_received(info, left_out.before());
            let served = received + self.report()?.totals().rx_dropped;
            let name = self.interface.name();
            if let Some(text) = self.left_out.as_mut().and_then(|one| one.look(name, all, served)) {
                table.event(&self.label, Event::PacketsElsewhere, &text);
            }
            return Ok(());
        }
        let Some(before) = self.received_before.filter(|_| self.start.elapsed() >= ELSEWHERE)
        else {
            return Ok(());
        };
        let all = self.all_received(info, before);
        let mut elsewhere = Elsewhere {
            name: self.interface.name(),
            // As few as there may be, until they are asked for.
            queues: 1,
            served: self.label.queues(),
            mode,
            received,
            others: all.saturating_sub(received),
        };
        if !elsewhere.is_likely() {
            return Ok(());
        }
        elsewhere.queues = self.interface.queues()?.rx;
        if !elsewhere.is_likely() {
            return Ok(());
        }
        self.received_before = None;
        let mut served: Vec<u32> = self.handles.iter().map(SocketHandle::queue).collect();
        served.dedup();
        if elsewhere.queues as usize > served.len() && self.report()?.totals().rx_dropped == 0 {
            table.event(&self.label, Event::PacketsElsewhere, &elsewhere.described());
        }
        Ok(())
    }

    /// Returns how many packets for sockets came on all queues, of an interface that had received
    /// some `before`.
    fn all_received(&self, info: &InterfaceInfo, before: u64) -> u64 {
        match &self.filter {
            // What did not match is for the kernel's network stack.
            Some(filter) => filter.matched().unwrap_or(0),
            None => info.counters.rx_packets.saturating_sub(before),
        }
    }

    /// Returns how many packets have come to queues that are left out, where so many came to the
    /// sockets: none if that is not known, or if there are no such queues.
    pub(crate) fn to_left_out(&self, received: u64) -> Option<(&LeftOut, u64)> {
        let left_out = self.left_out.as_ref()?;
        let all = self.all_received(&self.info().ok()?, left_out.before());
        let served = received + self.report().ok()?.totals().rx_dropped;
        Some((left_out, all.saturating_sub(served)))
    }

    /// Returns what the kernel and the device counted, and nothing that a loop counts.
    pub(crate) fn report(&self) -> Result<Report> {
        let dropped = self.handles.iter().map(SocketHandle::tx_dropped).sum();
        Ok(Report::of_sockets(dropped, &self.handles)?)
    }

    /// Writes a line for each new cause of losses, with the cure; and with the interface's name, if
    /// `named` says that there is another one.
    pub(crate) fn note_losses(&mut self, report: &Report, table: &Table, named: bool) {
        for loss in Loss::ALL {
            let count = loss.count(report, self.frags);
            if count > 0 && !self.losses.contains(&loss) {
                self.losses.push(loss);
                let umem = self.handles[0].umem();
                let text = loss.described(
                    count,
                    &Place {
                        name: self.interface.name(),
                        room: umem.chunk_size().saturating_sub(KERNEL_HEADROOM + umem.headroom()),
                        generic: self
                            .program
                            .is_some_and(|program| program.mode == XdpMode::Generic),
                    },
                );
                let text = match loss {
                    // It begins with the name.
                    Loss::Device => text,
                    _ if named => format!("{}: {text}", self.interface.name()),
                    _ => text,
                };
                table.event(&self.label, loss.event(), &text);
            }
        }
    }

    /// Has the link looked at soon, unless that was done just now.
    pub(crate) fn ask(&mut self) {
        if self.looked_at.elapsed() >= DOWN {
            self.looked_at = Instant::now();
            self.watch.ask();
        }
    }

    /// Takes the result of a wake-up of an interface that is down, or was; returns whether to wait
    /// for it.
    pub(crate) fn kicked(&mut self, result: xsk::Result<Kick>, table: &Table) -> Result<bool> {
        match result {
            Err(error) if error.is_down() => {
                let info = self.info()?;
                if info.up {
                    // It just came up, or its driver is busy with something else.
                    let since = *self.refused_since.get_or_insert_with(Instant::now);
                    if since.elapsed() > REFUSED {
                        return Err(error.into());
                    }
                } else {
                    self.refused_since = None;
                    self.note_link(&info, table);
                }
                Ok(true)
            }
            Err(error) => Err(error.into()),
            Ok(_) => {
                self.refused_since = None;
                self.look_at_link(table)
            }
        }
    }

    /// Looks at the link; returns whether to wait for it.
    pub(crate) fn look_at_link(&mut self, table: &Table) -> Result<bool> {
        let info = self.info()?;
        self.note_link(&info, table);
        Ok(!self.is_ready())
    }

    /// Looks at the link, unless that was done just now.
    pub(crate) fn look_at_link_again(&mut self, table: &Table) -> Result<()> {
        if self.looked_at.elapsed() >= DOWN {
            self.look_at_link(table)?;
        }
        Ok(())
    }

    /// Notes what the link is, if it was something else before.
    fn note_link(&mut self, info: &InterfaceInfo, table: &Table) {
        let now = Instant::now();
        self.looked_at = now;
        let link = Link::of(info);
        // An interface that was set up has its carrier some time after.
        if self.link == Link::Down
            && link == Link::NoCarrier
            && now.duration_since(*self.settling.get_or_insert(now)) < SETTLING
        {
            return;
        }
        self.settling = None;
        if link == self.link {
            return;
        }
        self.link = link;
        let (event, text) = link.described(self.interface.name());
        table.event(&self.label, event, &text);
    }
}

/// Returns what an error means for an interface with a program on it.
fn gone(interface: &Interface, program: Option<Redirect>, error: Error) -> Failure {
    if !error.is_gone() {
        return error.into();
    }
    let netlink = program.filter(|program| program.method == AttachMethod::Netlink);
    let command = |program: Redirect| (program.id, take_off(interface, program.mode));
    let name = interface.name().to_owned();
    Failure::Gone { name, errno: error.errno(), program: netlink.map(command) }
}
