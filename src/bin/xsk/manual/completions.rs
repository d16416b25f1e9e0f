//! `xsk completions`: a script that completes the tool's command lines in a shell.

use crate::command_line::manual::CompletionsArgs;
use crate::failure::Result;
use crate::manual::whole_command;
use crate::report::output;
use crate::run::ended::Ended;

pub(crate) fn run(args: &CompletionsArgs) -> Result<Ended> {
    // The generator does not return an error of its writer.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut whole_command(), "xsk", &mut script);
    output::print(&String::from_utf8_lossy(&script))?;
    Ok(Ended::Count)
}
