//! The command-line tool `xsk`: AF_XDP sockets at work, by one command.

mod args;
mod demo;
mod exchange;
mod failure;
mod output;
mod packet;
mod rates;
mod signals;

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
            // Nobody is left to be told if this fails too.
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
    }
}
