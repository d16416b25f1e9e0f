//! Where latency is measured: between two namespaces of its own, or on two existing interfaces.

use crate::command_line::LatencyArgs;
use crate::failure::{Failure, Result};
use crate::run::cut_off;
use crate::run::port::{interface, require_ethernet};
use std::net::{Ipv4Addr, SocketAddr};
use xsk::Interface;
use xsk::test_util::{Namespace, VethPair, ip};

/// The addresses of the two ends in their own namespaces (RFC 5737).
const ADDRESSES: [Ipv4Addr; 2] = [Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 2)];
const PORT: u16 = 7;

/// Two interfaces with a cable between them.
#[derive(Debug)]
pub(crate) enum Place {
    Own { cable: VethPair, near: Namespace, far: Namespace },
    Existing { near: Interface, far: Interface },
}

impl Place {
    pub(crate) fn new(args: &LatencyArgs) -> Result<Self> {
        let (Some(near), Some(far)) = (&args.interface, &args.output) else {
            let (near, far) = (Namespace::new()?, Namespace::new()?);
            let cable = VethPair::builder().build(&near, &far)?;
            for (end, address) in [cable.a(), cable.b()].into_iter().zip(ADDRESSES) {
                ip::add_ipv4(end, address, 24)?;
            }
            return Ok(Self::Own { cable, near, far });
        };
        let (near, far) = (interface(near)?, interface(far)?);
        if near == far {
            return Err(Failure::Text(format!(
                "{near} cannot be both ends of the cable: -i and -o name two interfaces"
            )));
        }
        for end in [&near, &far] {
            require_ethernet(end)?;
            if !args.yes {
                cut_off::refuse_all(end, args.queue)?;
            }
        }
        Ok(Self::Existing { near, far })
    }

    pub(crate) fn is_own(&self) -> bool {
        matches!(self, Self::Own { .. })
    }

    /// Returns the interface that sends, and the one that sends back.
    pub(crate) fn ends(&self) -> [&Interface; 2] {
        match self {
            Self::Own { cable, .. } => [cable.a(), cable.b()],
            Self::Existing { near, far } => [near, far],
        }
    }

    /// Returns the addresses of the UDP sockets of both ends.
    pub(crate) fn addresses() -> [SocketAddr; 2] {
        ADDRESSES.map(|address| SocketAddr::new(address.into(), PORT))
    }

    /// Runs `work` in the network namespace of the end of this number.
    pub(crate) fn at<T>(&self, end: usize, work: impl FnOnce() -> T) -> xsk::Result<T> {
        match self {
            Self::Own { near, far, .. } => [near, far][end].run(work),
            Self::Existing { .. } => Ok(work()),
        }
    }
}
