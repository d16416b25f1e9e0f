//! `xsk respond`: reply to ARP, IPv6 neighbour discovery and echo requests from user space.

pub(crate) mod own;
mod replies;
mod reply;
mod rules;
mod sum;

use crate::command_line::PortArgs;
use crate::command_line::respond::RespondArgs;
use crate::failure::{Failure, Result};
use crate::process::signals::Stop;
use crate::respond::own::{Own, is_no_host, multicast_mac, solicited_node};
use crate::respond::replies::Replies;
use crate::run::counts::Lengths;
use crate::run::cut_off;
use crate::run::ended::Ended;
use crate::run::filtering::Filtering;
use crate::run::management;
use crate::run::pace::{Pace, Padded, Work};
use crate::run::port::{self, ActiveProgram};
use crate::run::queues::{Needs, Served};
use crate::run::routing::{Outlets, RoutesRx};
use crate::run::session::Session;
use crate::run::side::Side;
use crate::run::sockets::{Forwards, Rings, TxRing, bytes_of};
use crate::traffic::l2fwd::{SENDING, wake};
use std::net::IpAddr;
use std::time::Duration;
use xsk::interface::Membership;
use xsk::{Attachment, Completion, Fill, FramePool, Interface, PacketSocket, Socket, Umem};

/// How many addresses the first line names.
const NAMED: usize = 4;

pub(crate) fn run(args: &RespondArgs, stop: &Stop) -> Result<Ended> {
    match args.port.frags {
        true => run_with::<PacketSocket>(args, stop),
        false => run_with::<Socket>(args, stop),
    }
}

fn run_with<S: Forwards<Ring: RoutesRx>>(args: &RespondArgs, stop: &Stop) -> Result<Ended> {
    let port = &args.port;
    let interface = port::interface(&port.interface)?;
    port::require_ethernet(&interface)?;
    let (own, note) = chosen(args, &interface)?;
    let filtering = Filtering::of_command(port, &interface, rules::filter(&own)?, described(&own))?;
    let _memberships = listen(&interface, &own)?;
    let served = Served::of(port, &interface, Needs::Both)?;
    let open = |queue| Responder::<S>::bound(port, &own, &interface, queue, stop).map(Padded);
    let mut responders = served.each(open)?;
    let several = responders.len() > 1;
    for Padded(one) in &mut responders {
        one.sleeps = port.poll || several;
    }
    let register = |program: &Attachment| {
        responders.iter().map(|Padded(one)| one.socket.register(program)).collect()
    };
    let program = ActiveProgram::take(port, &interface, &filtering, stop, register)?;
    let attachment = Some(program.attachment());
    let handles: Vec<_> =
        responders.iter().map(|Padded(one)| one.socket.handle().clone()).collect();
    let title = port::title(port, &interface, &handles, attachment);
    let side = Side::new(port, interface, handles, title, attachment)?.filtered(&program);
    let filter = program.filter();
    let mut session = Session::new(port, stop, "respond", vec![side])?;
    let outcome = session.begin().and_then(|()| {
        note.iter().for_each(|note| session.note(note));
        served.run(port, &mut session, &mut responders)
    });
    let sum = Replies::default();
    let replies = responders.iter().fold(sum, |sum, Padded(one)| sum.plus(&one.replies));
    session.more.push(replies.summary(filter.and_then(|filter| filter.kept())));
    session.end(outcome, [program])
}

/// Returns the addresses that are replied for, and a line if the kernel replies for some of them as
/// well. Refuses to take from the kernel what a user may be logged in by.
fn chosen(args: &RespondArgs, interface: &Interface) -> Result<(Own, Option<String>)> {
    let info = interface.info()?;
    let name = interface.name();
    let kernels = management::addresses(interface)?;
    let taken = args.addresses.is_empty();
    let addresses = match taken {
        // Of those that are above it, the packets may have another Ethernet address.
        true => {
            let addresses = interface.addresses()?.into_iter();
            addresses.filter(|address| !is_no_host(*address)).collect()
        }
        false => args.addresses.clone(),
    };
    if addresses.is_empty() {
        return Err(Failure::Text(format!(
            "{name} has no address to reply for: say which ones by --address"
        )));
    }
    let mac = info.mac.ok_or_else(|| {
        Failure::Text(format!("{name} has no Ethernet address, which replies have to come from"))
    })?;
    let shared: Vec<IpAddr> =
        addresses.iter().copied().filter(|address| kernels.contains(address)).collect();
    let router = !shared.is_empty() && is_router(name);
    let broadcasts = interface.broadcast_addresses()?.into_iter().map(IpAddr::from);
    let own = Own::new(mac, &addresses, router)?;
    let own = own.never_others(broadcasts.chain(kernels.iter().copied()));
    if shared.is_empty() {
        return Ok((own, None));
    }
    let list = listed(shared.iter().copied());
    if !args.yes {
        if let Some(carried) = cut_off::carried(interface)? {
            return Err(Failure::Text(format!(
                "{name} carries {carried}, and {list} is the kernel's: if this stopped replying to ARP \
                 and neighbour solicitations, the machine could not be reached. Give other \
                 addresses by --address, or say that this is meant: --yes"
            )));
        }
    }
    let note = format!(
        "the kernel has {list}, too: without this command it would reply itself, and what is taken \
         and not replied to does not come to it"
    );
    Ok((own, Some(note)))
}

/// Returns whether the kernel forwards IPv6 packets of an interface, and so calls itself a router
/// in neighbour advertisements.
fn is_router(name: &str) -> bool {
    let path = format!("/proc/sys/net/ipv6/conf/{name}/forwarding");
    std::fs::read_to_string(path).is_ok_and(|text| text.trim() == "1")
}

/// Has the interface receive neighbour solicitations for the addresses, which the kernel has asked
/// for itself only for its own.
fn listen(interface: &Interface, own: &Own) -> Result<Vec<Membership>> {
    let mut nodes: Vec<_> =
        own.v6().iter().map(|address| multicast_mac(solicited_node(*address))).collect();
    nodes.sort_unstable();
    nodes.dedup();
    let join = |node| Ok(interface.join_multicast(node)?);
    nodes.into_iter().map(join).collect()
}

/// Returns what the filter takes.
fn described(own: &Own) -> String {
    format!("ARP, neighbour and echo requests for {}", listed(own.all()))
}

/// Returns the first ones of a list of addresses, and how many more there are.
fn listed(addresses: impl Iterator<Item = IpAddr>) -> String {
    let all: Vec<String> = addresses.map(|address| address.to_string()).collect();
    let named = all.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    match all.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

/// What replies on one queue.
struct Responder<'a, S> {
    args: &'a PortArgs,
    own: &'a Own,
    umem: Umem,
    socket: S,
    /// Chunks that the fill ring has no room for.
    pool: FramePool,
    /// Those of replies whose chunks have not come back.
    lengths: Lengths,
    replies: Replies,
    /// Whether it sleeps while nothing comes.
    sleeps: bool,
}

impl<'a, S: Forwards> Responder<'a, S> {
    /// Returns one with a socket on a queue.
    fn bound(
        args: &'a PortArgs,
        own: &'a Own,
        interface: &Interface,
        queue: u32,
        stop: &Stop,
    ) -> Result<Self> {
        let (umem, mut pool) = port::umem(args, 0)?;
        let builder = S::forwarder(port::socket(args, &umem));
        let builder = builder.rx_size(RX_RING).fill_size(FILL_RING);
        let builder = builder.tx_size(TX_RING).completion_size(TX_RING);
        let socket = port::bind_filled(args, builder, &mut pool, (interface, queue), stop)?;
        let lengths = Lengths::default();
        let (replies, sleeps) = (Replies::default(), args.poll);
        Ok(Self { args, own, umem, socket, pool, lengths, replies, sleeps })
    }
}

/// Entries of the rings, as those of the other commands; a packet of several frames (-F) takes
/// several entries of the RX ring.
const RX_RING: u32 = 4096;
const FILL_RING: u32 = 4096;
const TX_RING: u32 = 2048;

/// Takes up to `most` chunks back that were sent: into the fill ring, and into `pool` what that has no
/// room for. In the completion ring they would stop the kernel from sending once it is full.
fn take_back(
    completion: &mut Completion,
    fill: &mut Fill,
    pool: &mut FramePool,
    most: u32,
) -> Result<u32> {
    let back = completion.reap(most)?.recycle(fill)?;
    Ok(back + completion.reap_into(pool, most - back)?)
}

impl<S: Forwards<Ring: RoutesRx>> Work for Responder<'_, S> {
    fn run(&mut self, pace: &mut impl Pace) -> Result<()> {
        let Self { args, own, umem, socket, pool, lengths, replies, sleeps } = self;
        let handle = socket.handle().clone();
        let Rings { rx, tx, fill, completion } = socket.rings();
        while pace.goes_on()? {
            if !lengths.is_empty() {
                wake(args, tx, pace, lengths)?;
                let back = take_back(completion, fill, pool, args.batch)?;
                let (packets, bytes) = lengths.came_back(back);
                pace.counts().sent(packets, bytes);
            }
            let mut bytes = 0;
            let most = pace.claim();
            let outlets = Outlets { tx, fill, pool };
            let routed = rx.route_each(most, outlets, |frames| {
                bytes += bytes_of(frames);
                let outcome = reply::reply(umem, frames, own);
                replies.count(outcome);
                if outcome.is_ok() {
                    lengths.push(frames);
                }
                outcome.is_ok()
            })?;
            if routed.pooled > 0 {
                fill.fill_from(pool, u32::MAX)?;
            }
            let count = routed.total();
            pace.counts().received(count, bytes);
            pace.done(most, routed.sent);
            if count == 0 {
                pace.kicked(port::look(args, fill, &handle))?;
                if *sleeps && tx.pending() == 0 {
                    let most = if lengths.is_empty() { Duration::MAX } else { SENDING };
                    pace.sleep(&handle, most)?;
                }
            }
        }
        pace.drain(|pace| {
            if pace.is_ready() {
                wake(args, tx, pace, lengths)?;
            }
            let back = take_back(completion, fill, pool, u32::MAX)?;
            let (packets, bytes) = lengths.came_back(back);
            pace.counts().sent(packets, bytes);
            Ok((back > 0, lengths.packets()))
        })
    }

    /// All that was replied to was given to the kernel again.
    fn pending(&self) -> u64 {
        self.lengths.packets()
    }
}
