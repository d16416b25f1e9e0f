//! Hints for sockets and maps that one process hands over to another.

use super::wording::{Hint, NO_HINT};
use crate::error::HandoverFault;
use rustix::io::Errno;

const PEER_GONE: &str =
    "The other process has ended, or has closed its end: look at what it reported";
const OTHER_VERSION: &str = "The other process uses another version of this crate: build both with \
    the same one";
const OTHER_PEER: &str = "Something else than `xsk::handover::send` is at the other end";
const DESCRIPTORS_CUT: &str = "This process may have too many open files (`ulimit -n`), or a \
    security module does not let it have them";
const STUCK_PEER: &str =
    "The other process hangs, or has more to do: look what it does, or wait longer";
const NO_PLUGIN: &str = "Is the device plugin's socket mounted into this container, and the pod's \
    resource that of the AF_XDP device plugin?";
const OTHER_POD: &str = "The device plugin does not know the host name as that of a pod with its \
    devices, or the device as one of this pod's";
const OTHER_PROTOCOL: &str = "Something else than a device plugin of \
    intel/afxdp-plugins-for-kubernetes is at the other end, or one of another version";
const NOT_ALLOWED: &str = "The socket's file belongs to another user: `chown` or `chmod` it";

pub(super) fn fault(fault: &HandoverFault) -> Hint {
    match fault {
        HandoverFault::Closed { .. } => PEER_GONE.into(),
        HandoverFault::Version { .. } => OTHER_VERSION.into(),
        HandoverFault::Malformed { .. } => OTHER_PEER.into(),
        HandoverFault::Descriptors { cut: true, .. } => DESCRIPTORS_CUT.into(),
        HandoverFault::Descriptors { .. } => OTHER_PEER.into(),
        HandoverFault::TimedOut { .. } => STUCK_PEER.into(),
        HandoverFault::Refused { .. } => OTHER_POD.into(),
        HandoverFault::Unexpected { .. } => OTHER_PROTOCOL.into(),
        HandoverFault::Socket { errno: Errno::PIPE | Errno::CONNRESET } => PEER_GONE.into(),
        HandoverFault::Socket { errno: Errno::NOENT | Errno::CONNREFUSED } => NO_PLUGIN.into(),
        HandoverFault::Socket { errno: Errno::ACCESS } => NOT_ALLOWED.into(),
        HandoverFault::Socket { .. } => NO_HINT,
    }
}
