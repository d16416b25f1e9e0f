//! The command-line tool `xsk`: AF_XDP sockets at work, by one command.

mod args;
mod args_cable;
mod args_port;
mod between;
mod both_ends;
mod capture;
mod conflicts;
mod counts;
mod cpus;
mod cut_off;
mod demo;
mod demo_link;
mod demo_report;
mod elsewhere;
mod ended;
mod exchange;
mod failure;
mod filter;
mod filter_args;
mod filtering;
mod histogram;
mod l2fwd;
mod l2fwd_sockets;
mod latency;
mod latency_end;
mod latency_place;
mod latency_report;
mod latency_run;
mod latency_way;
mod link;
mod losses;
mod management;
mod output;
mod pace;
mod packet;
mod parts;
mod port;
mod queues;
mod rates;
mod rights;
mod rxdrop;
mod session;
mod side;
mod signals;
mod sockets;
mod ssh;
mod table;
mod timed;
mod tx_times;
mod txonly;
mod waiting;
mod watch;
mod words;
mod worker;

use ended::Ended;
use failure::Result;
use output::Lines;
use signals::Stop;
use std::process::ExitCode;
use xsk::{PacketSocket, Socket};

fn main() -> ExitCode {
    let cli = args::Cli::read();
    match run(&cli.command) {
        Ok(ended) => ended.code(),
        Err(failure) => {
            if !failure.is_closed_output() {
                report(format!("xsk: {failure}"));
            }
            failure.code()
        }
    }
}

/// Writes the last line; an output that is closed or not read is no reason to stay.
fn report(text: String) {
    if let Ok(lines) = Lines::new(std::io::stderr()) {
        let _ = lines.last_line(output::printable(&text));
        let _ = lines.finish();
    }
}

fn run(command: &args::Command) -> Result<Ended> {
    if let args::Command::Filter(args) = command {
        // A signal ends it at once: nothing is attached.
        return filter::run(args);
    }
    // Before any thread begins.
    rights::prepare(command.user())?;
    // Before anything is attached: a signal that comes early must not kill.
    let stop = Stop::install()?;
    match command {
        args::Command::Filter(args) => filter::run(args),
        args::Command::Demo(args) => demo::run(args, &stop),
        args::Command::Latency(args) => latency::run(args, &stop),
        args::Command::Rxdrop(args) => rxdrop::run(args, &stop),
        args::Command::Txonly(args) => txonly::run(args, &stop),
        args::Command::L2fwd(args) => match &args.output {
            Some(output) if args.port.frags => between::run::<PacketSocket>(args, output, &stop),
            Some(output) => between::run::<Socket>(args, output, &stop),
            None if args.rx.sockets > 1 => l2fwd_sockets::run(args, &stop),
            None if args.port.frags => l2fwd::run::<PacketSocket>(args, &stop),
            None => l2fwd::run::<Socket>(args, &stop),
        },
    }
}
