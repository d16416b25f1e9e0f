//! What the command line asks for, as it is for an interface.

use crate::command_line::GenerateArgs;
use crate::command_line::ranges::{Addresses, Loops, Mac, Numbers};
use crate::demo::packet::ETHERNET_HEADER;
use crate::failure::{Failure, Result, quoted};
use crate::generate::feed::{Source, Stream};
use crate::generate::flows::{Flows, LARGE, Sizes, Values};
use crate::generate::layout::{Common, Layout, Protocol};
use crate::generate::mark;
use crate::generate::replay::Replay;
use crate::generate::schedule::Schedule;
use crate::process::signals::Stop;
use crate::report::rates::grouped;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use xsk::Interface;

/// The longest packet: its length has 16 bits.
const MAX_IP: u32 = u16::MAX as u32;
/// Bytes of a VLAN tag, which the MTU leaves room for.
const TAG: u32 = 4;
/// The least size of an Ethernet frame, without the FCS.
const LEAST: u32 = 60;

/// Addresses that are reserved for benchmarks (RFC 2544, RFC 5180).
const HOSTS: [(Ipv4Addr, Ipv6Addr); 2] = [
    (Ipv4Addr::new(198, 18, 0, 1), Ipv6Addr::new(0x2001, 2, 0, 0, 0, 0, 0, 1)),
    (Ipv4Addr::new(198, 18, 0, 2), Ipv6Addr::new(0x2001, 2, 0, 0, 0, 0, 0, 2)),
];

/// What is sent, by all queues.
pub(crate) enum Plan {
    Flows(Box<FlowPlan>),
    /// The capture, until a queue takes it.
    Capture(Option<Box<Replay>>),
}

/// What a packet can have of the memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    /// Bytes of a chunk.
    pub(crate) chunk: u32,
    pub(crate) frames: u32,
}

impl Room {
    fn bytes(self) -> u32 {
        self.chunk.saturating_mul(self.frames)
    }
}

/// What the flows are.
pub(crate) struct FlowPlan {
    layout: Layout,
    values: [Values; 4],
    count: u32,
    sizes: Sizes,
    /// The number of the first queue's stream.
    stream: u16,
}

impl Plan {
    pub(crate) fn new(args: &GenerateArgs, interface: &Interface, stop: &Stop) -> Result<Self> {
        match &args.replay.replay {
            Some(path) => {
                let loops = args.replay.loops.unwrap_or(Loops::Times(1));
                let replay = Replay::open(path, loops, args.port.duration, stop)?;
                Ok(Self::Capture(Some(Box::new(replay))))
            }
            None => Ok(Self::Flows(Box::new(FlowPlan::new(args, interface)?))),
        }
    }

    /// Returns what a queue sends, the `part`th of `parts`, in packets with this `room`.
    pub(crate) fn source(
        &mut self,
        args: &GenerateArgs,
        interface: &Interface,
        room: Room,
        (part, parts): (u32, u32),
    ) -> Result<Source> {
        let (by_mtu, by_memory) = (by_mtu(interface)?, room.bytes());
        match self {
            Self::Flows(plan) => {
                plan.check_sizes(args, interface, by_mtu, room)?;
                let share =
                    |part: u32| (u64::from(plan.count) * u64::from(part) / u64::from(parts)) as u32;
                let (begin, end) = match plan.count < parts {
                    true => (0, plan.count),
                    false => (share(part), share(part + 1)),
                };
                Ok(Source::Flows(Box::new(Stream {
                    layout: plan.layout.clone(),
                    flows: Flows::new(plan.values, begin, end),
                    sizes: plan.sizes.clone(),
                    number: plan.stream.wrapping_add(part as u16),
                })))
            }
            Self::Capture(replay) => {
                let taken = "the capture is sent by one queue";
                let mut replay = replay.take().ok_or_else(|| Failure::Text(taken.to_owned()))?;
                if replay.limit(by_mtu as usize, by_memory as usize)? {
                    return Ok(Source::Capture(replay));
                }
                Err(Failure::Text(format!(
                    "no packet of the capture can be sent on {}: they are shorter than 14 bytes, or \
                     longer than {} (MTU, chunks, and how many frames a packet can have: -F)",
                    interface.name(),
                    by_mtu.min(by_memory)
                )))
            }
        }
    }

    /// Returns what follows in the first line.
    pub(crate) fn title(&self, args: &GenerateArgs) -> String {
        let rate = match (args.rate.pps, args.rate.bps) {
            (Some(rate), _) => format!("{} packets/s", grouped(rate)),
            (_, Some(rate)) => format!("{} bit/s", grouped(rate)),
            _ => match (&args.replay.replay, args.replay.speed) {
                (Some(_), Some(speed)) => format!("{speed} times its speed"),
                (Some(_), None) if !args.replay.top_speed => "at its own speed".to_owned(),
                _ => "as fast as possible".to_owned(),
            },
        };
        match self {
            Self::Flows(plan) => {
                let (least, most) = plan.sizes.ends();
                let sizes = match least == most {
                    true => format!("{least}"),
                    false => format!("{least} to {most}"),
                };
                format!("; {} flow(s), {sizes} bytes, {rate}", grouped(plan.count.into()))
            }
            Self::Capture(_) => {
                let path = args.replay.replay.as_deref().map(|path| path.display().to_string());
                format!("; {}, {rate}", path.unwrap_or_default())
            }
        }
    }

    /// Returns how many flows there are, if there are any.
    pub(crate) fn flows(&self) -> Option<u32> {
        match self {
            Self::Flows(plan) => Some(plan.count),
            Self::Capture(_) => None,
        }
    }
}

/// Returns when a queue sends, the `part`th of `parts`.
pub(crate) fn timetable(args: &GenerateArgs, (part, parts): (u32, u32)) -> Schedule {
    let rate = |rate, bits| {
        let schedule = Schedule::rate(rate, bits, part as usize, parts as usize);
        schedule.lasting(args.port.duration)
    };
    match (args.rate.pps, args.rate.bps) {
        (Some(pps), _) => rate(pps, false),
        (_, Some(bps)) => rate(bps, true),
        _ if args.replay.replay.is_some() && !args.replay.top_speed => {
            Schedule::capture(args.replay.speed.unwrap_or(1.0))
        }
        _ => Schedule::top(),
    }
}

/// Returns how many bytes a packet without a tag can have by the MTU.
fn by_mtu(interface: &Interface) -> Result<u32> {
    Ok(interface.info()?.mtu.min(MAX_IP).saturating_add(ETHERNET_HEADER))
}

impl FlowPlan {
    fn new(args: &GenerateArgs, interface: &Interface) -> Result<Self> {
        let flow = &args.flow;
        let given = flow.dst_ip.or(flow.src_ip);
        let v6 = given.is_some_and(|addresses| addresses.first.is_ipv6());
        let host = |(v4, v6_host): (Ipv4Addr, Ipv6Addr)| -> IpAddr {
            if v6 { v6_host.into() } else { v4.into() }
        };
        let source = match flow.src_ip {
            Some(addresses) => addresses,
            None => {
                let own = interface.addresses()?.into_iter().find(|own| own.is_ipv6() == v6);
                Addresses::one(own.unwrap_or(host(HOSTS[0])))
            }
        };
        let destination = flow.dst_ip.unwrap_or(Addresses::one(host(HOSTS[1])));
        let to = match flow.dst_mac {
            Some(Mac(mac)) => mac,
            None => neighbour(interface, destination.first)?,
        };
        let from = match flow.src_mac {
            Some(Mac(mac)) => mac,
            None => interface.info()?.mac.unwrap_or([2, 0, 0, 0, 0, 1]),
        };
        let protocol = Protocol::new(flow.tcp_syn, flow.icmp);
        let marked = !flow.no_mark;
        let common = Common { to, from, vlan: flow.vlan, v6, protocol, marked };
        let layout = Layout::new(common);

        let ports = |ports: Option<Numbers<u16>>, default| {
            let Numbers { first, last } = ports.unwrap_or(Numbers::one(default));
            (u128::from(first), u128::from(last - first) + 1)
        };
        let addresses = |addresses: Addresses| (addresses.start(), addresses.count);
        let ranges = [
            ports(flow.src_port, 4096),
            ports(flow.dst_port, 9),
            addresses(source),
            addresses(destination),
        ];
        let all = ranges.iter().try_fold(1_u128, |all, (_, count)| all.checked_mul(*count));
        let all = all.filter(|all| *all <= mark::FLOWS.into());
        let count = all.map(|all| all as u32).ok_or_else(|| {
            let most = grouped(mark::FLOWS.into());
            Failure::Text(format!(
                "there are too many flows, which are all combinations of addresses and ports: {most} \
                 at the most"
            ))
        })?;
        // Each is no more than all together.
        let values = ranges.map(|(first, count)| Values { first, count: count as u32 });

        let least = layout.least().max(LEAST);
        let sizes = match (flow.imix, flow.size) {
            (true, _) => Sizes::imix(least),
            (_, None) => Sizes::range(least, least),
            (_, Some(Numbers { first, last })) => Sizes::range(first, last),
        };
        // Of another run, other numbers.
        let stream = RandomState::new().hash_one(std::process::id()) as u16;
        Ok(Self { layout, values, count, sizes, stream })
    }

    /// Refuses sizes that cannot be sent.
    fn check_sizes(
        &self,
        args: &GenerateArgs,
        interface: &Interface,
        by_mtu: u32,
        room: Room,
    ) -> Result<()> {
        let by_mtu = if args.flow.vlan.is_some() { by_mtu.saturating_add(TAG) } else { by_mtu };
        let (_, greatest) = self.sizes.ends();
        if greatest <= by_mtu.min(room.bytes()) {
            return Ok(());
        }
        let name = interface.name();
        let (what, cure) = match greatest > by_mtu {
            true => (
                format!("its MTU allows {by_mtu} bytes with the Ethernet header"),
                format!("`ip link set dev {} mtu {}`", quoted(name), greatest - ETHERNET_HEADER),
            ),
            false if args.port.frags => (
                format!("a packet can have {} frames of {} bytes", room.frames, room.chunk),
                "larger chunks (-f), or more of them (--chunks), or, if these have fewer entries, \
                 larger rings (--tx-ring, --completion-ring)"
                    .to_owned(),
            ),
            false => (
                format!("a chunk has {} bytes", room.chunk),
                "larger chunks (-f), or packets of several (-F)".to_owned(),
            ),
        };
        let sizes = match greatest {
            LARGE if args.flow.imix => " (--imix)",
            _ => "",
        };
        Err(Failure::Text(format!(
            "packets of {greatest} bytes{sizes} cannot be sent on {name}: {what}: {cure}"
        )))
    }
}

/// Returns the MAC address of a neighbour.
fn neighbour(interface: &Interface, address: IpAddr) -> Result<[u8; 6]> {
    let known = interface.neighbour_mac(address)?;
    known.ok_or_else(|| {
        let name = interface.name();
        Failure::Text(format!(
            "the packets need a destination MAC address (--dst-mac): the kernel knows none of {address} \
             on {name} (`ip neigh show dev {}`; after a `ping` it knows that of a neighbour)",
            quoted(name)
        ))
    })
}
