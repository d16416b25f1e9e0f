//! Why options exclude each other.

use clap::error::{ContextKind, ContextValue, Error, ErrorKind};
use clap::{Command, CommandFactory};

/// Pairs of options, and why they exclude each other.
const REASONS: &[(&str, &str, &str)] = &[
    ("--spin", "--poll", "a thread sleeps while nothing comes, or it does not"),
    ("--copy", "--zero-copy", "a socket is in one of both modes"),
    ("--queue", "--drop", "packets of a rule go to a queue, or they are dropped"),
    ("--generic", "--native", "a program is attached in one of both modes"),
    ("--frags", "--sockets", "packets have one frame where a queue has several sockets"),
    ("--frags", "--tx-timestamps", "the time is known of packets in one frame"),
    ("--output", "--sockets", "between two interfaces each has one socket on a queue"),
    ("--no-promiscuous", "--promiscuous", "a bridge is promiscuous without either"),
    ("--udp", "--profile", "a profile sets NAPI for the queue of an AF_XDP socket"),
    (
        "--udp",
        "--interface",
        "UDP sockets need the addresses and the namespaces of a cable of its own",
    ),
    ("--udp", "--generic", "UDP sockets have no XDP program"),
    ("--udp", "--native", "UDP sockets have no XDP program"),
    ("--pps", "--bps", "each of them is a rate"),
    ("--udp", "--tcp-syn", "packets are of one protocol"),
    ("--udp", "--icmp", "packets are of one protocol"),
    ("--tcp-syn", "--icmp", "packets are of one protocol"),
    ("--size", "--imix", "each of them says which sizes packets have"),
    ("--compare", "--profile", "it measures all of them in turn"),
    ("--compare", "--udp", "it measures UDP sockets, too, where it can"),
    ("--compare", "--spin", "it measures with and without it in turn"),
    ("--mode", "--id", "either names the program"),
    ("--mode", "--all", "programs are removed in one mode, or in all of them"),
    ("--id", "--all", "one program is removed, or all of them are"),
];

/// Returns why two options exclude each other, in whichever order.
fn reason(one: &str, other: &str) -> Option<&'static str> {
    // Behind the name there may be the name of a value.
    let [one, other] = [one, other].map(|option| option.split(' ').next().unwrap_or(option));
    let pair =
        |(a, b, _): &&(&str, &str, &str)| (*a, *b) == (one, other) || (*b, *a) == (one, other);
    REASONS.iter().find(pair).map(|(.., why)| *why)
}

/// Returns the error with the reason, if options exclude each other.
pub(crate) fn explained<C: CommandFactory>(error: Error) -> Error {
    if error.kind() != ErrorKind::ArgumentConflict {
        return error;
    }
    let one = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(one)) => one.clone(),
        _ => return error,
    };
    let others = match error.get(ContextKind::PriorArg) {
        Some(ContextValue::String(other)) => vec![other.clone()],
        Some(ContextValue::Strings(others)) => others.clone(),
        _ => return error,
    };
    let found = others.iter().find_map(|other| Some((other, reason(&one, other)?)));
    let Some((other, why)) = found else { return error };
    error_of::<C>(format!("'{one}' cannot be used with '{other}': {why}"))
}

/// Returns the error of options that exclude each other, with the usage of the command that was
/// given.
pub(crate) fn error_of<C: CommandFactory>(text: String) -> Error {
    let mut whole = C::command();
    whole.build(); // so that each command has its whole name
    given(&whole).clone().error(ErrorKind::ArgumentConflict, text)
}

/// Returns the command that the command line names.
fn given(whole: &Command) -> &Command {
    let words = std::env::args_os().skip(1);
    words.fold(whole, |command, word| command.find_subcommand(word).unwrap_or(command))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command_line::Cli;
    use clap::Arg;

    #[test]
    fn each_conflict_has_a_reason_and_each_reason_a_conflict() {
        let mut found = Vec::new();
        for command in Cli::command().get_subcommands() {
            let name = |arg: &Arg| format!("--{}", arg.get_long().unwrap());
            for arg in command.get_arguments() {
                for other in command.get_arg_conflicts_with(arg) {
                    let (one, other) = (name(arg), name(other));
                    if one == other {
                        // Of an option that is given twice the last one counts.
                        continue;
                    }
                    let why = reason(&one, &other);
                    found.push(why.unwrap_or_else(|| panic!("{command}: {one} and {other}")));
                }
            }
        }
        for (one, other, why) in REASONS {
            assert!(found.contains(why), "{one} and {other}");
        }
    }
}
