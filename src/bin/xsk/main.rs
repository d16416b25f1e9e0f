//! The command-line tool `xsk`: AF_XDP sockets at work, by one command.

mod args;
mod demo;
mod exchange;
mod failure;
mod l2fwd;
mod output;
mod packet;
mod port;
mod rates;
mod rxdrop;
mod session;
mod signals;
mod table;
mod txonly;

use clap::Parser;
use failure::Result;
use signals::Stop;
use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = args::Cli::parse();
    match run(&cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // A failure of this write could not be reported either.
            let _ = writeln!(std::io::stderr(), "xsk: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: &args::Command) -> Result<()> {
    // Before anything is attached: a signal that comes early must not kill.
    let stop = Stop::install()?;
    match command {
        args::Command::Demo(args) => demo::run(args, &stop),
        args::Command::Rxdrop(args) => rxdrop::run(args, &stop),
        args::Command::Txonly(args) => txonly::run(args, &stop),
        args::Command::L2fwd(args) => l2fwd::run(args, &stop),
    }
}
