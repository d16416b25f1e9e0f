//! Refuses to take the packets of an interface that the user may be logged in by, and to flood the
//! network behind it.

use crate::command_line::PortArgs;
use crate::failure::{Failure, Result};
use crate::report::rates::named;
use crate::run::management;
use crate::run::ssh;
use xsk::Interface;

/// Refuses to take all packets of a queue of an interface that carries the default route or this ssh
/// session, for a measurement.
pub(crate) fn refuse_all(interface: &Interface, queue: u32) -> Result<()> {
    let Some(carried) = carried(interface)? else { return Ok(()) };
    let name = interface.name();
    Err(Failure::Text(format!(
        "{name} carries {carried}, which this would cut: all packets of queue {queue} would come \
         here, ARP and ssh included, and none to the kernel's network stack. Name other interfaces, \
         or none, for a cable of its own; or say that this is meant: --yes"
    )))
}

/// Refuses to take the packets of an interface that carries the default route or this ssh session.
/// They are all packets of its queues, or those of a filter (`filtered`), with those of management
/// (`management`) or without.
pub(crate) fn refuse(
    port: &PortArgs,
    interface: &Interface,
    filtered: bool,
    management: bool,
) -> Result<()> {
    let Some(carried) = carried(interface)? else { return Ok(()) };
    let (name, queues) = (interface.name(), named(&port.queue));
    Err(Failure::Text(match (filtered, management) {
        (true, true) => format!(
            "{name} carries {carried}, which --take-management may cut: ARP, IPv6 neighbour \
             discovery, DHCP replies and ssh go to the sockets where FILTER takes them. Leave \
             --take-management out, or say that this is meant: --yes"
        ),
        (true, false) => format!(
            "{name} carries {carried}, and FILTER takes everything: all packets of {queues} but \
             ARP, IPv6 neighbour discovery, DHCP replies and ssh would come here, and none to the \
             kernel's network stack. Give another FILTER, or say that this is meant: --yes"
        ),
        (false, _) => format!(
            "{name} carries {carried}, which this would cut: all packets of {queues} would come \
             here, ARP and ssh included, and none to the kernel's network stack. Say which packets \
             are wanted by a FILTER, such as `udp dst port 4789`, which leaves ARP and ssh with the \
             kernel; or say that this is meant: --yes"
        ),
    }))
}

/// Refuses to send what was not asked for to the network behind an interface that carries the
/// default route or this ssh session.
pub(crate) fn refuse_to_flood(interface: &Interface) -> Result<()> {
    let Some(carried) = carried(interface)? else { return Ok(()) };
    let name = interface.name();
    Err(Failure::Text(format!(
        "{name} carries {carried}: what this command sends would flood the network behind it. \
         Name the interface of a test network, or say that this is meant: --yes"
    )))
}

/// Returns what an interface carries that the user may need, if anything.
pub(crate) fn carried(interface: &Interface) -> Result<Option<String>> {
    let mut carried = Vec::new();
    if interface.carries_default_route()? {
        carried.push("the default route".to_owned());
    }
    if let Some(session) = ssh::session() {
        let local = session.local;
        let addresses = management::addresses(interface)?;
        if local.is_some_and(|local| addresses.contains(&local)) {
            carried
                .push(format!("this ssh session (from {} to port {})", session.peer, session.port));
        }
    }
    Ok((!carried.is_empty()).then(|| carried.join(" and ")))
}
