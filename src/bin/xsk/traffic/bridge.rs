//! `xsk bridge`: forward between two interfaces, with defaults for a bridge.

use crate::command_line::bridge::BridgeArgs;
use crate::failure::Result;
use crate::process::signals::Stop;
use crate::run::ended::Ended;
use crate::traffic::between::{self, Between};
use xsk::{PacketSocket, Socket};

pub(crate) fn run(args: &BridgeArgs, stop: &Stop) -> Result<Ended> {
    let between = Between {
        command: "bridge",
        port: &args.port,
        rx: &args.rx,
        tx: &args.tx,
        output: &args.output,
        promiscuous: !args.no_promiscuous,
        finish_checksums: !args.keep_checksums,
    };
    match args.port.frags {
        true => between::run::<PacketSocket>(between, stop),
        false => between::run::<Socket>(between, stop),
    }
}
