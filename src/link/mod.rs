//! Interfaces, and XDP programs on them.
//!
//! [`Interface`] finds an interface and answers questions about it. [`Attachment`] puts a program on it that hands
//! packets to sockets, or joins the users of the one that is there.
//!
//! # When the process is killed
//! What a process attached and could not detach any more depends on the [`Method`]:
//! - [`Method::Netlink`], the default: the program stays. Its map is empty, because the kernel takes the sockets of a
//!   dead process out of it, so every packet goes to the kernel's stack as if no program were there. The next
//!   [`Attachment`] to the interface takes the program over, or replaces it; a program of one's own only if
//!   [`AttachmentBuilder::take_over`] says so.
//! - [`Method::Link`] (5.9): the kernel detaches it with the last process that holds the link.
//!
//! # Sharing a program
//! The queues of an interface can belong to sockets of several processes; an interface takes one program. So the
//! first one attaches, the next ones join, and the last one detaches, in whatever order they end. To join, a process
//! looks the attached program and its map up by number, which needs `CAP_SYS_ADMIN`. It joins only this crate's own
//! default program (the same name, the same instructions) or the very program that it would have attached. Any other
//! program is *foreign*: never removed unless [`AttachmentBuilder::replace_foreign`] says so, but
//! [`Attachment::join_foreign`] can use its map.
//!
//! Users of a program attached by netlink know of each other by marks: abstract Unix sockets that vanish with their
//! process, which any process in the network namespace could fake. A hostile one could keep a program attached, or
//! new users waiting ([`Error::AttachLock`](crate::Error::AttachLock)); nothing more.

mod ack;
mod attachment;
mod bpf_link;
mod builder;
mod choice;
mod facts;
mod features;
mod interface;
mod join;
#[cfg(test)]
#[cfg(feature = "test-util")]
mod join_tests;
mod lock;
pub(crate) mod message;
pub(crate) mod netlink;
mod queues;
mod registration;
#[cfg(test)]
mod tests;
mod users;
mod xdp;
#[cfg(test)]
#[cfg(feature = "test-util")]
mod xdp_tests;

pub use attachment::Attachment;
pub use builder::AttachmentBuilder;
pub use choice::{ModeChoice, Reason};
pub use facts::{Counters, Facts};
pub use features::XdpFeatures;
pub use interface::Interface;
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
