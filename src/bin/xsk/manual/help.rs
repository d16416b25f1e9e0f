//! `xsk help`: the help of a command, and topics.

use crate::command_line::Cli;
use crate::command_line::manual::HelpArgs;
use crate::failure::Result;
use crate::manual::{find, xdpsock};
use crate::report::output;
use crate::run::ended::Ended;
use clap::CommandFactory;

pub(crate) fn run(args: &HelpArgs) -> Result<Ended> {
    if args.words == [xdpsock::TOPIC] {
        output::print(&xdpsock::table(output::width()))?;
        return Ok(Ended::Count);
    }
    let mut all = Cli::command();
    all.build();
    let mut command = find(&all, &args.words, &[xdpsock::TOPIC])?.clone();
    output::print(&command.render_long_help().to_string())?;
    Ok(Ended::Count)
}
