//! A flow rule, what it does, and a rule as a device has it.

use super::criteria::{Criteria, prefix_of};
use super::fields::Field;
use crate::error::Result;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use xsk_uapi::ethtool::{
    ETHTOOL_RX_FLOW_SPEC_RING, FLOW_RSS, IPV4_USER_FLOW, IPV6_USER_FLOW, RX_CLS_FLOW_DISC,
    SCTP_V4_FLOW, SCTP_V6_FLOW, TCP_V4_FLOW, TCP_V6_FLOW, UDP_V4_FLOW, UDP_V6_FLOW,
    ethtool_rx_flow_spec,
};

/// A rule by which a card brings packets to a queue, or drops them (n-tuple filter, `ethtool -N`).
///
/// It begins with the kind of flow, such as [`udp_v4`](Self::udp_v4), goes on with what is compared
/// ([`FlowMatch`](crate::interface::FlowMatch)) and ends with what is done. A value out of range, such as a prefix longer than an
/// address, is remembered, and [`Interface::add_rule`](crate::Interface::add_rule) refuses the rule.
///
/// A socket that receives one UDP port, VXLAN's, on a queue of its own:
///
/// ```no_run
/// use std::time::Duration;
/// use xsk::interface::FlowRule;
/// use xsk::{Attachment, Interface, Port, wait};
///
/// # fn main() -> xsk::Result<()> {
/// const QUEUE: u32 = 3;
/// let interface = Interface::by_name("eth1")?;
/// let mut port = Port::open(&interface, QUEUE)?;
/// let program = Attachment::builder(&interface).attach()?;
/// let _registration = port.socket.register(&program)?;
///
/// // Nothing but the rule brings packets to the queue. Dropping the guards undoes both.
/// let _table = interface.keep_queue_out(QUEUE)?;
/// let _rule = interface.add_rule(&FlowRule::udp_v4().destination_port(4789).to_queue(QUEUE))?;
///
/// loop {
///     let Port { umem, pool, socket, .. } = &mut port;
///     for frame in socket.rx.receive(64)? {
///         println!("{} bytes", umem.bytes(&frame).len());
///         pool.put(frame);
///     }
///     port.service(64)?;
///     wait(&[&port.socket.rx], Some(Duration::from_millis(100)))?;
/// }
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[doc(alias = "ethtool_rx_flow_spec")]
#[doc(alias = "ntuple")]
pub struct FlowRule {
    criteria: Criteria,
    action: FlowAction,
}

/// What a card does with the packets of a [`FlowRule`].
///
/// ```
/// use xsk::interface::{FlowAction, FlowRule};
/// assert_eq!(FlowRule::sctp_v6().drop_packets().action(), FlowAction::Drop);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FlowAction {
    /// They go to this RX queue.
    Queue(u32),
    /// They are dropped (`RX_CLS_FLOW_DISC`).
    Drop,
    /// They are spread by the table of this context of the receive hash (`FLOW_RSS`, 4.17).
    #[non_exhaustive]
    Context {
        /// The number of the context.
        id: u32,
        /// What is added to the queue's number in the table.
        offset: u32,
    },
    /// What this crate has no word for (`ring_cookie`), such as a queue of a virtual function.
    Other(u64),
}

/// A flow rule that a device has.
///
/// ```no_run
/// # fn main() -> xsk::Result<()> {
/// let interface = xsk::Interface::by_name("eth1")?;
/// for installed in interface.rules()? {
///     match &installed.rule {
///         Some(rule) => println!("{}: {rule}", installed.location),
///         None => println!("{}: flow type {}", installed.location, installed.flow_type),
///     }
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct InstalledRule {
    /// Its place in the device's table: of two rules that match, most devices obey the one with
    /// the lower number.
    pub location: u32,
    /// What it compares and does; `None` if it compares anything that [`FlowRule`] has no word for.
    pub rule: Option<FlowRule>,
    /// What it does.
    pub action: FlowAction,
    /// The kernel's number of the kind of flow, with its flags (`TCP_V4_FLOW` and others,
    /// linux/ethtool.h).
    pub flow_type: u32,
}

impl FlowRule {
    pub(super) fn new(criteria: Criteria, action: FlowAction) -> Self {
        Self { criteria, action }
    }

    /// Returns what it does.
    #[must_use]
    pub fn action(&self) -> FlowAction {
        self.action
    }

    /// Returns the mistake of a rule that no device can have.
    pub(super) fn check(&self) -> Result<()> {
        self.criteria.check()
    }

    /// Returns the kernel's form for this location, and the context of the receive hash.
    pub(super) fn write(&self, location: u32) -> (ethtool_rx_flow_spec, u32) {
        let mut spec = ethtool_rx_flow_spec { location, ..self.criteria.write() };
        let mut context = 0;
        spec.ring_cookie = match self.action {
            FlowAction::Queue(queue) => queue.into(),
            FlowAction::Drop => RX_CLS_FLOW_DISC,
            FlowAction::Context { id, offset } => {
                spec.flow_type |= FLOW_RSS;
                context = id;
                offset.into()
            }
            FlowAction::Other(cookie) => cookie,
        };
        (spec, context)
    }
}

impl InstalledRule {
    /// Reads the kernel's form.
    pub(super) fn read(spec: &ethtool_rx_flow_spec, context: u32) -> Self {
        let queue = (spec.ring_cookie & !ETHTOOL_RX_FLOW_SPEC_RING == 0)
            .then(|| u32::try_from(spec.ring_cookie).ok())
            .flatten();
        let action = match (spec.ring_cookie, queue) {
            (RX_CLS_FLOW_DISC, _) => FlowAction::Drop,
            (_, Some(offset)) if spec.flow_type & FLOW_RSS != 0 => {
                FlowAction::Context { id: context, offset }
            }
            (_, Some(queue)) => FlowAction::Queue(queue),
            (cookie, None) => FlowAction::Other(cookie),
        };
        let rule = Criteria::read(spec).map(|criteria| FlowRule::new(criteria, action));
        Self { location: spec.location, rule, action, flow_type: spec.flow_type }
    }
}

impl fmt::Display for FlowAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Queue(queue) => write!(f, "queue {queue}"),
            Self::Drop => f.write_str("drop"),
            Self::Context { id, offset: 0 } => write!(f, "context {id}"),
            Self::Context { id, offset } => write!(f, "context {id}, plus {offset}"),
            Self::Other(cookie) => write!(f, "action {cookie:#x}"),
        }
    }
}

impl fmt::Display for FlowRule {
    /// Writes what is compared, in the words of `ethtool -N`, and what is done.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let criteria = &self.criteria;
        f.write_str(match criteria.flow {
            TCP_V4_FLOW => "tcp4",
            UDP_V4_FLOW => "udp4",
            SCTP_V4_FLOW => "sctp4",
            TCP_V6_FLOW => "tcp6",
            UDP_V6_FLOW => "udp6",
            SCTP_V6_FLOW => "sctp6",
            IPV4_USER_FLOW => "ip4",
            IPV6_USER_FLOW => "ip6",
            _ => "ether",
        })?;
        let fields = criteria.fields();
        let mut show = |word: &str, field: Option<Field>| match criteria.get(field) {
            Some((value, mask)) => {
                write!(f, " {word} ")?;
                show_value(f, value, mask)
            }
            None => Ok(()),
        };
        show("src", fields.source)?;
        show("dst", fields.destination)?;
        show("src", fields.source_mac)?;
        show("dst", fields.destination_mac)?;
        show("proto", fields.ethertype)?;
        show("proto", fields.protocol)?;
        show("src-port", fields.source_port)?;
        show("dst-port", fields.destination_port)?;
        if let Some(address) = criteria.destination_mac {
            f.write_str(" dst-mac ")?;
            show_value(f, &address, &[0xff; 6])?;
        }
        if let Some(id) = criteria.vlan_id() {
            write!(f, " vlan {id}")?;
        }
        if let Some(priority) = criteria.priority() {
            write!(f, " vlan-priority {priority}")?;
        }
        write!(f, ": {}", self.action)
    }
}

/// Writes a value, and its mask unless it is whole: an address, a hardware address, or a number.
fn show_value(f: &mut fmt::Formatter<'_>, value: &[u8], mask: &[u8]) -> fmt::Result {
    let whole = mask.iter().all(|byte| *byte == 0xff);
    match *value {
        [a, b, c, d] => write!(f, "{}", Ipv4Addr::new(a, b, c, d))?,
        [a, b, c, d, g, h] => {
            write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{g:02x}:{h:02x}")?;
        }
        [a, b] => write!(f, "{}", u16::from_be_bytes([a, b]))?,
        [a] => write!(f, "{a}")?,
        _ => match <[u8; 16]>::try_from(value) {
            Ok(octets) => write!(f, "{}", Ipv6Addr::from(octets))?,
            Err(_) => write!(f, "{value:?}")?,
        },
    }
    match (mask, prefix_of(mask)) {
        _ if whole => Ok(()),
        ([a, b], _) => write!(f, "/{:#06x}", u16::from_be_bytes([*a, *b])),
        (_, Some(prefix)) => write!(f, "/{prefix}"),
        _ => Ok(()),
    }
}
