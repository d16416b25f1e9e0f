//! What the values of options and words of the command line are, for the completion in shells.

use clap::{Arg, Command, ValueHint};
use std::any::TypeId;
use std::path::PathBuf;

/// What a value is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Values {
    /// One of some words.
    Words(Vec<String>),
    /// An interface's name.
    Interface,
    /// A file.
    File,
    /// A directory.
    Directory,
    /// A user's name.
    User,
    /// A number, an address, an expression: nothing that a shell could know.
    Other,
}

impl Values {
    /// Returns what the value of an option, or a word, is: by its name in the help.
    pub(crate) fn of(arg: &Arg) -> Self {
        let words: Vec<String> = arg
            .get_possible_values()
            .iter()
            .filter(|value| !value.is_hide_set())
            .map(|value| value.get_name().to_owned())
            .collect();
        if !words.is_empty() {
            return Self::Words(words);
        }
        let name = arg.get_value_names().and_then(|names| names.first()).map(|name| name.as_str());
        match name {
            Some("IF" | "NAME") => Self::Interface,
            Some("DIR") => Self::Directory,
            Some("USER") => Self::User,
            _ if arg.get_value_parser().type_id() == TypeId::of::<PathBuf>() => Self::File,
            _ => Self::Other,
        }
    }

    /// Returns the hint for clap's generators of scripts. They have none for interfaces: that for
    /// hosts stands for it, and is replaced in what they write.
    fn hint(&self) -> ValueHint {
        match self {
            Self::Words(_) => ValueHint::Unknown,
            Self::Interface => ValueHint::Hostname,
            Self::File => ValueHint::FilePath,
            Self::Directory => ValueHint::DirPath,
            Self::User => ValueHint::Username,
            Self::Other => ValueHint::Other,
        }
    }
}

/// Returns a command with hints for clap's generators, in it and in all commands below it.
pub(crate) fn with_hints(command: Command) -> Command {
    let command = command.mut_args(|arg| match arg.get_action().takes_values() {
        true => {
            let hint = Values::of(&arg).hint();
            arg.value_hint(hint)
        }
        false => arg,
    });
    command.mut_subcommands(with_hints)
}
