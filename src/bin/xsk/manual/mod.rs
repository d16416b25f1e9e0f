//! The tool described: completions for shells, manual pages, help, and the options of xdpsock.

mod bash;
pub(crate) mod completions;
pub(crate) mod help;
pub(crate) mod man;
mod values;
mod xdpsock;

use crate::command_line::Cli;
use crate::failure::{Failure, Result};
use crate::run::nearest;
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

/// Returns the command that words name; `topics` are what else the first word could be.
fn find<'a>(all: &'a Command, words: &[String], topics: &[&str]) -> Result<&'a Command> {
    let mut command = all;
    for (place, word) in words.iter().enumerate() {
        command = command.find_subcommand(word).ok_or_else(|| {
            let topics = if place == 0 { topics } else { &[] };
            let names = command.get_subcommands().map(Command::get_name);
            let names: Vec<&str> = names.chain(topics.iter().copied()).collect();
            let hint = match (nearest::of(word, names.iter().copied()), &names[..]) {
                (Some(nearest), _) => format!("the nearest name is {nearest}"),
                (None, []) => "it has none".to_owned(),
                (None, names) => format!("it has {}", names.join(", ")),
            };
            let of = whole_name(command).replace('-', " ");
            Failure::Usage(format!("{of} has no command {word}: {hint}"))
        })?;
    }
    Ok(command)
}

/// Returns a command's name as it is that of its page: `xsk-rxdrop`.
fn whole_name(command: &Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}
