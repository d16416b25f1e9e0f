//! The command-line tool `xsk`: AF_XDP sockets at work, by one command.

mod capture;
mod command_line;
mod demo;
mod doctor;
mod failure;
mod features;
mod filter;
mod generate;
mod latency;
mod manual;
mod napi;
mod packet_file;
mod plot;
mod process;
mod receive;
mod report;
mod respond;
mod run;
mod status;
mod steer;
mod traffic;
mod unload;

use command_line::{Command, L2fwdArgs};
use failure::Result;
use manual::{completions, help, man};
use process::rights;
use process::signals::Stop;
use report::output::{self, Lines};
use run::ended::Ended;
use std::ffi::OsStr;
use std::process::ExitCode;
use traffic::between::Between;
use traffic::{between, bridge, l2fwd, l2fwd_sockets, rxdrop, txonly};
use xsk::{PacketSocket, Socket};

fn main() -> ExitCode {
    match command_line::Cli::read().and_then(|cli| run_command(&cli.command)) {
        Ok(ended) => ended.code(),
        Err(failure) => {
            if !failure.is_closed_output() {
                complain(format!("xsk: {failure}"));
            }
            failure.code()
        }
    }
}

/// Writes the last line; an output that is closed or not read is no reason to stay.
fn complain(text: String) {
    if let Ok(lines) = Lines::new(std::io::stderr()) {
        let _ = lines.last_line(output::printable(&text));
        let _ = lines.finish();
    }
}

fn run_command(command: &Command) -> Result<Ended> {
    let stop = || prepare(command);
    match command {
        // A signal ends these at once: nothing is attached.
        Command::Filter(args) => filter::run(args),
        Command::Status(args) => status::run(args),
        Command::Unload(args) => unload::run(args),
        Command::Features(args) => features::run(args),
        Command::Doctor(args) => doctor::run(args),
        Command::Plot(args) => plot::run(args),
        Command::Completions(args) => completions::run(args),
        Command::Man(args) => man::run(args),
        Command::Help(args) => help::run(args),
        // A signal does not end these between two of several settings: all are made, or none.
        Command::Steer(args) => stop().and_then(|_stop| steer::run(args)),
        Command::Napi(args) => stop().and_then(|_stop| napi::run(args)),
        Command::Demo(args) => demo::run(args, &stop()?),
        Command::Latency(args) => latency::run(args, &stop()?),
        Command::Bridge(args) => bridge::run(args, &stop()?),
        Command::Respond(args) => respond::run(args, &stop()?),
        Command::Capture(args) => capture::run(args, &stop()?),
        Command::Rxdrop(args) => rxdrop::run(args, &stop()?),
        Command::Txonly(args) => txonly::run(args, &stop()?),
        Command::Generate(args) => generate::run(args, &stop()?),
        Command::Receive(args) => receive::run(args, &stop()?),
        Command::L2fwd(args) => match &args.output {
            Some(output) if args.port.frags => {
                between::run::<PacketSocket>(l2fwd_between(args, output), &stop()?)
            }
            Some(output) => between::run::<Socket>(l2fwd_between(args, output), &stop()?),
            None if args.rx.sockets > 1 => l2fwd_sockets::run(args, &stop()?),
            None if args.port.frags => l2fwd::run::<PacketSocket>(args, &stop()?),
            None => l2fwd::run::<Socket>(args, &stop()?),
        },
    }
}

/// Returns what `l2fwd -o` forwards.
fn l2fwd_between<'a>(args: &'a L2fwdArgs, output: &'a OsStr) -> Between<'a> {
    let L2fwdArgs { port, rx, tx, .. } = args;
    let promiscuous = rx.promiscuous;
    Between {
        command: "l2fwd",
        port,
        rx,
        tx,
        output,
        note: None,
        promiscuous,
        finish_checksums: false,
    }
}

/// Prepares a command that attaches something.
fn prepare(command: &Command) -> Result<Stop> {
    // Before any thread begins.
    rights::prepare(command.user())?;
    // Before anything is attached: a signal that comes early must not kill.
    Stop::install()
}
