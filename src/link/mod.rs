//! Interfaces, and XDP programs on them.

mod ack;
mod attachment;
mod bpf_link;
mod choice;
mod facts;
mod features;
mod interface;
mod join;
mod lock;
pub(crate) mod message;
pub(crate) mod netlink;
mod queues;
mod registration;
#[cfg(test)]
mod tests;
mod xdp;
#[cfg(all(test, feature = "test-util"))]
mod xdp_tests;

pub use attachment::Attachment;
pub use choice::{ModeChoice, Reason};
pub use facts::{Counters, Facts};
pub use features::XdpFeatures;
pub use interface::Interface;
pub use join::AttachmentBuilder;
pub use queues::Queues;
pub use registration::Registration;
pub use xdp::XdpState;
pub(crate) use xdp::{Condition, attach_netlink, detach_netlink};

use std::fmt;

/// Reads `bytes` as every kind of netlink answer that this crate knows: the entry point of a fuzz target.
#[doc(hidden)]
pub fn parse_any(bytes: &[u8]) {
    for message in message::messages(bytes).flatten() {
        let _ = Facts::read(&message);
        let _ = XdpFeatures::read(&message);
        let _ = features::family_id(&message);
        let _ = ack::Ack::of_error(&message);
        let _ = ack::Ack::of_done(&message);
        for dump in [false, true] {
            let _ = netlink::Conversation::new(message.sequence, dump).read(bytes);
        }
    }
}

/// Where in the receive path a program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// In the driver (`XDP_FLAGS_DRV_MODE`).
    Native,
    /// In the network stack, after an skb was made (`XDP_FLAGS_SKB_MODE`).
    Generic,
    /// On the card (`XDP_FLAGS_HW_MODE`).
    Hardware,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Native => "native",
            Self::Generic => "generic",
            Self::Hardware => "hardware",
        })
    }
}

/// What holds a program on its interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Method {
    /// Attached by rtnetlink. If the process is killed, the program stays and passes every packet to
    /// the kernel's stack.
    #[default]
    Netlink,
    /// Attached by a `bpf_link` (5.9). If the process is killed, the kernel detaches it.
    Link,
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Netlink => "netlink",
            Self::Link => "link",
        })
    }
}
