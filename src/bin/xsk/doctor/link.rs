//! The checks of an interface itself: whether packets come to it at all, and whose they are.

use super::check::Check;
use super::subject::{Peer, Subject};
use crate::failure::{Result, quoted};
use crate::run::cut_off::carried;
use xsk::Interface;

/// Bytes of an Ethernet header, and of a VLAN tag.
const HEADER: u32 = 14;
const TAG: u32 = 4;
/// The longest frame that a chunk of 4096 bytes takes: in native mode a page without the 256 bytes
/// before the frame and the 320 of the kernel behind it; in generic mode a chunk without the
/// former.
const NATIVE: u32 = 3520;
const GENERIC: u32 = 3840;
/// What the kernel adds to the MTU in zero-copy mode: header, two tags and FCS (6.18.24, `bind`).
const AROUND_ZERO_COPY: u32 = 26;

/// Returns whether it is switched on, and has a carrier.
pub(super) fn state(subject: &Subject) -> Vec<Check> {
    const UP: &str = "up";
    const CARRIER: &str = "carrier";
    let (name, word) = (subject.name(), subject.word());
    if !subject.info.up {
        return vec![
            Check::problem(UP, format!("{name} is down: nothing comes or goes"))
                .command(format!("ip link set dev {word} up")),
            Check::unknown(CARRIER, format!("{name} has a carrier only when it is up")),
        ];
    }
    let up = Check::fine(UP, format!("{name} is up"));
    if subject.info.carrier {
        return vec![up, Check::fine(CARRIER, format!("{name} has a carrier"))];
    }
    let carrier = match &subject.peer {
        Peer::Here(peer) => Check::problem(
            CARRIER,
            format!("{name} has no carrier: its other end, {}, is down", peer.name()),
        )
        .command(format!("ip link set dev {} up", peer.word())),
        Peer::Elsewhere => Check::problem(
            CARRIER,
            format!("{name} has no carrier: its other end, in another network namespace, is down"),
        )
        .command(format!("ip link show dev {word}    # its namespace is behind `link-netns`")),
        Peer::None => Check::problem(
            CARRIER,
            format!(
                "{name} has no carrier: there is no cable, or its other end is down (of a tun or \
                 tap device: no process holds it open)"
            ),
        )
        .command(format!("ethtool {word}")),
    };
    vec![up, carrier]
}

/// Looks at the kind of interface, and what it belongs to.
pub(super) fn kind(subject: &Subject) -> Result<Check> {
    const ID: &str = "kind";
    let (name, word) = (subject.name(), subject.word());
    if let Some(master) = subject.info.master {
        let master = Interface::by_index(master).ok();
        let shown = master.as_ref().map_or("an interface", |master| master.name());
        let text = format!(
            "{name} belongs to {shown}: sockets and programs here get packets before {shown} does, \
             and what they take does not come to it"
        );
        return Ok(Check::note(ID, text));
    }
    let members = || -> Result<Vec<String>> {
        let members = subject.interface.members()?;
        Ok(members.iter().map(|member| member.name().to_owned()).collect())
    };
    let below = subject.info.lower.filter(|_| !subject.info.lower_is_elsewhere);
    let below = below.and_then(|index| Interface::by_index(index).ok());
    let each = |check: Check, names: Vec<String>| {
        let commands = names.iter().map(|name| format!("xsk doctor {}", quoted(name)));
        commands.fold(check, Check::command)
    };
    Ok(match subject.info.kind.as_deref() {
        Some("bond") => each(
            Check::note(
                ID,
                format!(
                    "{name} is a bond: in native mode packets come to sockets on its members only, \
                     and generic mode is used here"
                ),
            ),
            members()?,
        ),
        Some("team") => each(
            Check::note(
                ID,
                format!("{name} is a team: native mode is for its members, and generic mode here"),
            ),
            members()?,
        ),
        Some("bridge") => each(
            Check::note(
                ID,
                format!(
                    "{name} is a bridge: sockets get what is for the bridge itself; what passes \
                     through is got at its ports"
                ),
            ),
            members()?,
        ),
        Some(kind @ ("vlan" | "macvlan" | "macvtap" | "ipvlan")) => {
            let check = Check::note(
                ID,
                format!(
                    "{name} is of kind {kind}: generic mode only, without the tag; native mode is \
                     for the interface below it"
                ),
            );
            each(check, below.iter().map(|below| below.name().to_owned()).collect())
        }
        _ if !subject.info.has_ethernet_header() => Check::note(
            ID,
            format!(
                "packets of {name} have no Ethernet header (link type {}): rxdrop counts them, and \
                 the commands that send refuse it",
                subject.info.link_type
            ),
        ),
        _ if word == "lo" => Check::note(
            ID,
            "lo is the loopback interface: generic mode only, and the machine's own TCP and UDP go \
             there",
        ),
        Some(kind) => Check::fine(ID, format!("{name} is a virtual interface of kind {kind}")),
        None => Check::fine(ID, format!("{name} belongs to no bond, team or bridge")),
    })
}

/// Compares the MTU with what a chunk holds. In native mode the kernel looks at that of the other
/// end of a virtual cable: it sends to this one.
pub(super) fn mtu(subject: &Subject) -> Check {
    const ID: &str = "mtu";
    let word = subject.word();
    let (room, mode) =
        if subject.is_generic() == Some(true) { (GENERIC, "generic") } else { (NATIVE, "native") };
    let around = if subject.has_zero_copy_mode() == Some(true) { AROUND_ZERO_COPY } else { HEADER };
    let most = room - around;
    let own = (&subject.info, String::new());
    let other = match &subject.peer {
        Peer::Here(peer) => Some((&peer.info, format!(", the other end of {},", subject.name()))),
        _ => None,
    };
    let (long, whose) = match [Some(own), other].into_iter().flatten().find(|(i, _)| i.mtu > most) {
        Some(found) => found,
        None => {
            let (name, mtu) = (subject.name(), subject.info.mtu);
            let frame = mtu.saturating_add(HEADER + TAG);
            let text = format!(
                "the MTU of {name} is {mtu}: frames of {frame} bytes, with a VLAN tag, fit a chunk \
                 of 4096"
            );
            return Check::fine(ID, text);
        }
    };
    if word == "lo" {
        // Its packets are those that the machine sends itself; its MTU is no setting of a network.
        let text = format!(
            "the MTU of lo is {}, and stays so: frames of more than {room} bytes that the machine \
             sends itself do not fit a chunk of 4096 and are dropped without -F",
            long.mtu
        );
        return Check::note(ID, text).command("xsk rxdrop -i lo -F".to_owned());
    }
    let refused = if mode == "native" { ", and native mode is refused without -F" } else { "" };
    Check::problem(
        ID,
        format!(
            "the MTU of {}{whose} is {}: frames of more than {room} bytes do not fit a chunk of \
             4096 in {mode} mode and are dropped{refused}",
            long.name, long.mtu
        ),
    )
    .command(format!("xsk rxdrop -i {word} -F"))
    .command(format!("ip link set dev {} mtu {most}", quoted(&long.os_name.to_string_lossy())))
}

/// Returns whether packets to other addresses come.
pub(super) fn promiscuity(subject: &Subject) -> Check {
    const ID: &str = "promiscuity";
    let (name, word) = (subject.name(), subject.word());
    // Other virtual interfaces, such as bridges and those over a card, look at the address.
    let takes_all = matches!(subject.info.kind.as_deref(), Some("veth" | "tun" | "dummy"));
    if takes_all || word == "lo" {
        return Check::fine(ID, format!("{name} is virtual: packets to all addresses come"));
    }
    match subject.info.promiscuity {
        Some(0) => Check::note(
            ID,
            format!(
                "{name} drops packets to other addresses than its own, which a forwarder needs"
            ),
        )
        .command(format!("xsk rxdrop -i {word} --promiscuous")),
        Some(_) => Check::fine(ID, format!("{name} is promiscuous: packets to all addresses come")),
        None => {
            Check::unknown(ID, format!("the kernel does not report whether {name} is promiscuous"))
        }
    }
}

/// Returns what would be cut by a program that takes every packet.
pub(super) fn route(subject: &Subject) -> Result<Check> {
    const ID: &str = "default_route";
    let (name, word) = (subject.name(), subject.word());
    let Some(carried) = carried(&subject.interface)? else {
        return Ok(Check::fine(
            ID,
            format!("{name} carries neither the default route nor this ssh session"),
        ));
    };
    let text = format!(
        "{name} carries {carried}: without FILTER the commands refuse it unless --yes is given"
    );
    Ok(Check::note(ID, text).command(format!("xsk rxdrop -i {word} udp dst port 4789")))
}
