//! The tool described: completions for shells, manual pages, help, and the options of xdpsock.

mod bash;
pub(crate) mod completions;
pub(crate) mod help;
pub(crate) mod man;
mod values;
mod xdpsock;

use crate::command_line::Cli;
use clap::builder::PossibleValuesParser;
use clap::{Command, CommandFactory};

/// Returns the tool's command line with all that is known at run time alone: the names that `help`
/// and `man` take.
fn whole_command() -> Command {
    let command = Cli::command();
    // They are asked for once, and a parser wants them for as long as the tool runs.
    let names = command.get_subcommands().map(|command| &*command.get_name().to_owned().leak());
    let names: Vec<&'static str> = names.collect();
    let topics = [&names[..], &[xdpsock::TOPIC]].concat();
    let take = |command: Command, names: Vec<&'static str>| {
        command.mut_arg("words", |arg| {
            arg.value_parser(PossibleValuesParser::new(names)).hide_possible_values(true)
        })
    };
    command
        .mut_subcommand("man", |man| take(man, names))
        .mut_subcommand("help", |help| take(help, topics))
}
