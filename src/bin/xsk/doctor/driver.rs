//! The checks of the driver: its modes, what it is known for, and what it does to packets.

use super::check::Check;
use super::known_faults::{self, Modes};
use super::subject::{Peer, Subject};
use super::version::Version;
use crate::failure::Result;

/// Entries of a fill ring, unless the command line says otherwise.
const FILL_RING: u32 = 4096;

/// Looks at the modes of the driver.
pub(super) fn modes(subject: &Subject) -> Vec<Check> {
    const NATIVE: &str = "native_mode";
    const ZERO_COPY: &str = "zero_copy";
    let whose = match &subject.driver {
        Some(driver) => format!("driver {}", driver.name),
        None => format!("the driver of {}", subject.name()),
    };
    let native = match subject.has_native_mode() {
        Some(true) => Check::fine(NATIVE, format!("{whose} has native mode")),
        Some(false) => Check::note(
            NATIVE,
            format!("{whose} has no native mode: generic mode is used, with a third of the speed"),
        ),
        None => Check::unknown(
            NATIVE,
            "this kernel does not report what drivers can do (6.3 does): it is tried when a \
             program is attached",
        ),
    };
    let zero_copy = match subject.has_zero_copy_mode() {
        Some(true) => Check::fine(ZERO_COPY, format!("{whose} has zero-copy mode")),
        Some(false) => Check::note(
            ZERO_COPY,
            format!("{whose} has no zero-copy mode: packets are copied, and -z is refused"),
        ),
        None => Check::unknown(
            ZERO_COPY,
            "this kernel does not report what drivers can do (6.3 does): it is tried when a socket \
             is bound",
        ),
    };
    vec![native, zero_copy]
}

/// Compares the card's own rings with a fill ring, from which they take their chunks in zero-copy
/// mode.
pub(super) fn rings(subject: &Subject) -> Result<Option<Check>> {
    const ID: &str = "ring_sizes";
    if subject.has_zero_copy_mode() != Some(true) {
        return Ok(None);
    }
    let Some(sizes) = subject.interface.ring_sizes()? else { return Ok(None) };
    let text = format!(
        "in zero-copy mode the card takes {} chunks of each queue into its own RX ring, of {} in a \
         fill ring",
        sizes.rx, FILL_RING
    );
    Ok(Some(match sizes.rx < FILL_RING {
        true => Check::fine(ID, text),
        false => Check::note(ID, text).command(format!(
            "xsk rxdrop -i {} --fill-ring {2} --chunks {2}   # {1} would be too few",
            subject.word(),
            FILL_RING,
            sizes.rx.saturating_mul(2).checked_next_power_of_two().unwrap_or(u32::MAX)
        )),
    }))
}

/// Looks for faults that are known.
pub(super) fn faults(subject: &Subject) -> Vec<Check> {
    let segments = subject.features.and_then(|features| features.zero_copy_max_segments());
    let modes = Modes {
        zero_copy: subject.has_zero_copy_mode() != Some(false),
        frames: segments != Some(1),
    };
    let (_, version) = Version::running();
    match &subject.driver {
        Some(driver) => known_faults::of_driver(&driver.name, modes, version),
        None => vec![Check::unknown(
            "known_fault",
            format!("the kernel does not report the driver of {}", subject.name()),
        )],
    }
}

/// Looks at the offloads of the interface, and at those of the other end of a virtual cable.
pub(super) fn offloads(subject: &Subject) -> Result<Vec<Check>> {
    let (name, word) = (subject.name(), subject.word());
    let own = subject.interface.offloads()?;
    let generic = subject.is_generic();
    let mut checks = Vec::new();
    const GRO: &str = "gro";
    checks.push(match (generic, own.generic_receive) {
        (Some(false), _) => Check::fine(GRO, "native mode gets packets before GRO joins them"),
        (_, Some(false)) => Check::fine(GRO, format!("GRO of {name} is off")),
        (_, Some(true)) => Check::note(
            GRO,
            format!(
                "GRO of {name} is on: in generic mode, {}, it makes one long packet of many, which \
                 does not fit a chunk and is dropped",
                used(generic)
            ),
        )
        .command(format!("ethtool -K {word} gro off")),
        (_, None) => Check::unknown(GRO, format!("the kernel does not report GRO of {name}")),
    });
    const LRO: &str = "lro";
    checks.push(match own.large_receive {
        Some(true) => Check::note(
            LRO,
            format!(
                "LRO of {name} is on: the card makes one long packet of many, and many drivers \
                 refuse a native program then"
            ),
        )
        .command(format!("ethtool -K {word} lro off")),
        Some(false) => Check::fine(LRO, format!("LRO of {name} is off")),
        None => Check::unknown(LRO, format!("the kernel does not report LRO of {name}")),
    });
    checks.extend(cable(subject, generic)?);
    Ok(checks)
}

/// Returns whether generic mode is used, in words.
fn used(generic: Option<bool>) -> &'static str {
    match generic {
        Some(_) => "which is used here",
        None => "if it is used here",
    }
}

/// Looks at what a sender leaves to its device: on a virtual cable, the other end; else the card
/// takes tags out.
fn cable(subject: &Subject, generic: Option<bool>) -> Result<Vec<Check>> {
    const CHECKSUM: &str = "peer_tx_checksum";
    const SEGMENTATION: &str = "peer_segmentation";
    const VLAN: &str = "vlan_offload";
    let (name, word) = (subject.name(), subject.word());
    let peer = match &subject.peer {
        Peer::None => {
            let own = subject.interface.offloads()?;
            return Ok(vec![match own.rx_vlan {
                Some(true) => Check::note(
                    VLAN,
                    format!("{name} takes VLAN tags out of packets: they come without"),
                )
                .command(format!("ethtool -K {word} rxvlan off")),
                Some(false) => Check::fine(VLAN, format!("{name} leaves VLAN tags in packets")),
                None => Check::unknown(
                    VLAN,
                    format!("the kernel does not report whether {name} takes VLAN tags out"),
                ),
            }]);
        }
        Peer::Elsewhere => {
            let there = "is in another network namespace, and cannot be looked at from here";
            let unknown = |id, option| {
                Check::unknown(id, format!("the other end of {name} {there}"))
                    .command(format!("ethtool -k PEER | grep {option}    # there"))
            };
            return Ok(vec![
                unknown(CHECKSUM, "tx-checksumming"),
                unknown(SEGMENTATION, "segmentation-offload"),
                unknown(VLAN, "tx-vlan-offload"),
            ]);
        }
        Peer::Here(peer) => peer,
    };
    let (peer_name, peer_word) = (peer.name(), peer.word());
    let theirs = peer.interface.offloads()?;
    let checksum = match theirs.tx_checksum {
        Some(true) => Check::note(
            CHECKSUM,
            format!(
                "{peer_name}, the other end, leaves checksums to its device, which has none: what \
                 is forwarded from {name} has wrong ones, so that ping works and TCP and UDP do not"
            ),
        )
        .command(format!("ethtool -K {peer_word} tx off")),
        Some(false) => {
            Check::fine(CHECKSUM, format!("{peer_name}, the other end, computes checksums"))
        }
        None => Check::unknown(CHECKSUM, format!("the kernel does not report it of {peer_name}")),
    };
    let joined =
        [theirs.tcp_segmentation, theirs.generic_segmentation].into_iter().flatten().any(|on| on);
    let segmentation = match (joined, generic) {
        (false, _) => Check::fine(
            SEGMENTATION,
            format!("{peer_name}, the other end, cuts its data into packets"),
        ),
        (true, Some(false)) => Check::fine(
            SEGMENTATION,
            format!("{peer_name}, the other end, has its data cut before native mode gets it"),
        ),
        (true, _) => Check::note(
            SEGMENTATION,
            format!(
                "{peer_name}, the other end, leaves the cutting of TCP data to its device: in \
                 generic mode, {}, it comes in one long packet, which is dropped",
                used(generic)
            ),
        )
        .command(format!("ethtool -K {peer_word} tso off gso off")),
    };
    let vlan = match theirs.tx_vlan {
        Some(true) => Check::note(
            VLAN,
            format!(
                "{peer_name}, the other end, sends VLAN tags beside packets: they come without a tag"
            ),
        )
        .command(format!("ethtool -K {peer_word} txvlan off")),
        Some(false) => {
            Check::fine(VLAN, format!("{peer_name}, the other end, puts VLAN tags into packets"))
        }
        None => Check::unknown(VLAN, format!("the kernel does not report it of {peer_name}")),
    };
    Ok(vec![checksum, segmentation, vlan])
}

#[cfg(test)]
mod tests {
    use super::*;
    use xsk::Interface;

    #[test]
    fn where_it_is_not_known_whether_there_is_a_native_mode_nothing_is_fine_because_of_it() {
        let mut subject = Subject::new(Interface::by_name("lo").unwrap()).unwrap();
        subject.features = None;
        let own = subject.interface.offloads().unwrap();
        let gro = &offloads(&subject).unwrap()[0];
        assert_eq!(gro.id, "gro");
        assert!(!gro.text.contains("native mode gets packets"), "{gro:?}");
        let is_on = own.generic_receive == Some(true);
        assert_eq!(gro.verdict == super::super::check::Verdict::Note, is_on, "{gro:?}");
    }
}
