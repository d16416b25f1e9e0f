//! `xsk help`: the help of a command, and topics.

use crate::command_line::Cli;
use crate::command_line::manual::HelpArgs;
use crate::failure::Result;
use crate::manual::xdpsock;
use crate::report::output;
use crate::run::ended::Ended;
use clap::CommandFactory;

pub(crate) fn run(args: &HelpArgs) -> Result<Ended> {
    if args.words == [xdpsock::TOPIC] {
        output::print(&xdpsock::table(output::width()))?;
        return Ok(Ended::Count);
    }
    // As `--help` behind the command's name, in the same words and with the same errors.
    let line = ["xsk"].into_iter().chain(args.words.iter().map(String::as_str)).chain(["--help"]);
    match Cli::command().try_get_matches_from(line) {
        Err(error) if !error.use_stderr() => {
            output::print(&error.render().to_string())?;
            Ok(Ended::Count)
        }
        Err(error) => error.exit(),
        Ok(_) => Ok(Ended::Count),
    }
}
