//! The cable of `xsk demo`: one of its own, or between two existing interfaces.

use crate::command_line::DemoArgs;
use crate::demo::exchange::{CABLE_CAPACITY, CHUNKS};
use crate::demo::packet::{ETHERNET_HEADER, MIN_SIZE};
use crate::failure::{Failure, Result};
use crate::run::cut_off;
use crate::run::port::interface;
use xsk::test_util::{Namespace, VethPair};
use xsk::{AttachMode, Interface};

/// Bytes that the kernel leaves free before each received packet (`XDP_PACKET_HEADROOM`).
const KERNEL_HEADROOM: u32 = 256;
/// Bytes of a chunk, and of the part of it that the kernel receives into.
pub(crate) const CHUNK_SIZE: u32 = 4096;
const ROOM: u32 = CHUNK_SIZE - KERNEL_HEADROOM;
/// The largest MTU with which a veth pair accepts a native program for packets of one chunk, and
/// the largest one that it can have.
const VETH_MTU: u32 = 3506;
const VETH_MAX_MTU: u32 = 65_535;

/// Returns whether packets take several chunks, or may.
pub(crate) fn wants_frags(args: &DemoArgs) -> bool {
    let native = args.mode.choice() != AttachMode::Generic;
    args.frags || args.size > if native { VETH_MTU + ETHERNET_HEADER } else { ROOM }
}

/// Two interfaces with a cable between them.
#[derive(Debug)]
pub(crate) enum TestLink {
    Own { cable: VethPair, from: Namespace, to: Namespace },
    Existing { from: Interface, to: Interface },
}

impl TestLink {
    pub(crate) fn new(args: &DemoArgs) -> Result<Self> {
        let size = args.size;
        if args.tx_timestamps && wants_frags(args) {
            return Err(Failure::Text(format!(
                "packets of {size} bytes take several chunks, and TX timestamps (--tx-timestamps) are \
                 of packets in one: those of {} bytes at the most, or {ROOM} with -S",
                VETH_MTU + ETHERNET_HEADER
            )));
        }
        if size < MIN_SIZE {
            return Err(Failure::Text(format!(
                "packets of {size} bytes are too small: Ethernet header, sequence number, checksum \
                 and a byte of payload take {MIN_SIZE}"
            )));
        }
        let mtu = size - ETHERNET_HEADER;
        match (&args.interface, &args.output) {
            (Some(to), Some(from)) => {
                let (from, to) = (interface(from)?, interface(to)?);
                if from == to {
                    return Err(Failure::Text(format!(
                        "{to} cannot be both ends of the cable: -i and -o name two interfaces"
                    )));
                }
                for end in [&from, &to] {
                    let limit = end.info()?.mtu;
                    if mtu > limit {
                        let name = end.name();
                        return Err(Failure::Text(format!(
                            "packets of {size} bytes are too long for {name}, whose MTU of {limit} \
                             makes {} with the Ethernet header: make them shorter, or the MTU \
                             larger",
                            limit.saturating_add(ETHERNET_HEADER)
                        )));
                    }
                }
                if !args.yes {
                    cut_off::refuse_all(&to, 0)?;
                }
                Ok(Self::Existing { from, to })
            }
            _ if mtu > VETH_MAX_MTU => Err(Failure::Text(format!(
                "packets of {size} bytes are too long: a veth pair takes {} at the most",
                VETH_MAX_MTU + ETHERNET_HEADER
            ))),
            _ => {
                let (from, to) = (Namespace::new()?, Namespace::new()?);
                let cable = VethPair::builder().mtu(mtu.max(1500)).build(&from, &to)?;
                Ok(Self::Own { cable, from, to })
            }
        }
    }

    /// Returns how many packets may be on their way at once. A card sends all that is published,
    /// and the other card takes what its own ring has room for; a veth pair's packets move by
    /// counted kicks. No more than there are chunks for.
    pub(crate) fn max_in_flight(&self, size: u32) -> u32 {
        let most = match self {
            Self::Own { .. } => CHUNKS,
            Self::Existing { .. } => CABLE_CAPACITY,
        };
        most.min(CHUNKS / size.div_ceil(ROOM))
    }

    /// Returns the interface that sends, and the one that receives.
    pub(crate) fn ends(&self) -> (&Interface, &Interface) {
        match self {
            Self::Own { cable, .. } => (cable.a(), cable.b()),
            Self::Existing { from, to } => (from, to),
        }
    }

    /// Runs `work` in the network namespace of the sending interface.
    pub(crate) fn at_sender<T>(&self, work: impl FnOnce() -> T) -> xsk::Result<T> {
        match self {
            Self::Own { from, .. } => from.run(work),
            Self::Existing { .. } => Ok(work()),
        }
    }

    /// Runs `work` in the network namespace of the receiving interface.
    pub(crate) fn at_receiver<T>(&self, work: impl FnOnce() -> T) -> xsk::Result<T> {
        match self {
            Self::Own { to, .. } => to.run(work),
            Self::Existing { .. } => Ok(work()),
        }
    }
}
