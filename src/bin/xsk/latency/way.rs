//! In which way latency is measured.

use crate::command_line::{LatencyArgs, Profile};
use crate::latency::end::LEAST_UDP;
use crate::process::cpus::Cpus;

/// What is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way {
    pub(crate) udp: bool,
    pub(crate) spin: bool,
    pub(crate) profile: Profile,
    /// What the two ends are pinned to.
    pub(crate) cpus: Option<Cpus>,
}

impl Way {
    /// Returns a name in words.
    pub(crate) fn name(self) -> String {
        let kind = if self.udp { "UDP" } else { "AF_XDP" };
        let wait = if self.spin { "spinning" } else { "sleeping" };
        match self.profile {
            Profile::None => format!("{kind}, {wait}"),
            profile => format!("{kind}, {wait}, {}", word(profile)),
        }
    }

    /// Returns the bytes of a packet.
    pub(crate) fn size(self, args: &LatencyArgs) -> u32 {
        if self.udp { args.size.max(LEAST_UDP) } else { args.size }
    }
}

/// Returns the name of a profile on the command line.
pub(crate) fn word(profile: Profile) -> &'static str {
    match profile {
        Profile::None => "none",
        Profile::Throughput => "throughput",
        Profile::Latency => "latency",
    }
}
