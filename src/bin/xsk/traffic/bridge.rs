//! `xsk bridge`: forward between two interfaces, with defaults for a bridge.

use crate::command_line::bridge::BridgeArgs;
use crate::failure::Result;
use crate::process::signals::Stop;
use crate::run::ended::Ended;
use crate::traffic::between::{self, Between};
use xsk::{PacketSocket, Socket};

/// What a filter without `--take-management` means for a bridge.
const APART: &str = "ARP and IPv6 neighbour discovery stay with the kernel, whatever FILTER says: \
                     hosts on both sides do not find one another by this bridge unless they are \
                     taken, too (--take-management, and `arp or ...` in FILTER)";

pub(crate) fn run(args: &BridgeArgs, stop: &Stop) -> Result<Ended> {
    let filter = &args.rx.filter;
    let between = Between {
        command: "bridge",
        port: &args.port,
        rx: &args.rx,
        tx: &args.tx,
        output: &args.output,
        note: (filter.is_given() && !filter.take_management).then_some(APART),
        promiscuous: !args.no_promiscuous,
        finish_checksums: !args.keep_checksums,
    };
    match args.port.frags {
        true => between::run::<PacketSocket>(between, stop),
        false => between::run::<Socket>(between, stop),
    }
}
