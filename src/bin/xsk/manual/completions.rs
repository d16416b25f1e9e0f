//! `xsk completions`: a script that completes the tool's command lines in a shell.

use crate::command_line::manual::CompletionsArgs;
use crate::failure::Result;
use crate::manual::values::{Values, with_hints};
use crate::manual::{bash, whole_command};
use crate::report::output;
use crate::run::ended::Ended;
use clap::Command;
use clap_complete::Shell;
use std::collections::BTreeSet;

pub(crate) fn run(args: &CompletionsArgs) -> Result<Ended> {
    let mut command = with_hints(whole_command());
    command.build();
    let script = match args.shell {
        Shell::Bash => bash::script(&command),
        shell => {
            // The generator does not return an error of its writer.
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut command, "xsk", &mut script);
            let script = String::from_utf8_lossy(&script);
            match shell {
                Shell::Zsh => zsh(&script),
                Shell::Fish => fish(&script, &command),
                _ => script.into_owned(),
            }
        }
    };
    output::print(&script)?;
    Ok(Ended::Count)
}

/// Returns the script of zsh with names of interfaces.
fn zsh(script: &str) -> String {
    // A word that may be missing is before the command that stands in its place (`steer IF list`);
    // the generator knows only words that are there.
    let lines = script.lines().filter(|line| !line.starts_with("'::words -- Packets that rules"));
    let lines = lines.map(|line| {
        let line = line.replace(":_hosts' \\", ":_net_interfaces' \\");
        line.replace("$line[3]", "$line[2]") + "\n"
    });
    lines.collect()
}

/// Whether an interface is to come, and no files where none is wanted; `@options@` are those options
/// that take a value, of commands whose first word is an interface.
const FISH_WORDS: &str = r"
# Whether the command line is that of one of these commands, and the interface is not there yet.
function __fish_xsk_wants_interface
    set -l words (commandline -opc)
    contains -- $words[2] $argv
    or return 1
    set -l value no
    for word in $words[3..]
        if test $value = yes
            set value no
        else if contains -- $word @options@
            set value yes
        else if not string match -q -- '-*' $word
            return 1
        end
    end
    return 0
end

# Files are offered where a file is wanted, and nowhere else.
complete -c xsk -f
";

/// Returns the script of fish with names of interfaces, and with the words that commands take: the
/// generator knows those behind options.
fn fish(script: &str, command: &Command) -> String {
    let mut script = script.replace("(__fish_print_hostnames)", "(__fish_print_interfaces)");
    let interface_comes_first = |one: &&Command| {
        one.get_positionals().next().is_some_and(|word| Values::of(word) == Values::Interface)
    };
    let arguments = command.get_subcommands().filter(interface_comes_first);
    let arguments = arguments.flat_map(Command::get_arguments);
    let with_value =
        arguments.filter(|arg| !arg.is_positional() && arg.get_action().takes_values());
    let options: BTreeSet<String> = with_value.flat_map(bash::spellings).collect();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    script.push_str(&FISH_WORDS.replace("@options@", &options.join(" ")));
    for one in command.get_subcommands() {
        let name = one.get_name();
        let Some(word) = one.get_positionals().next() else { continue };
        let (using, wants) = ("__fish_xsk_using_subcommand", "__fish_xsk_wants_interface");
        let line = match Values::of(word) {
            Values::Interface => {
                // Commands below it come after the interface.
                let before = format!("\"{using} {name}; and not __fish_seen_subcommand_from");
                let after =
                    before.replace("; and not", &format!("; and not {wants} {name}; and not"));
                script = script.replace(&before, &after);
                format!("-n \"{wants} {name}\" -a \"(__fish_print_interfaces)\"")
            }
            Values::Words(words) => format!("-n \"{using} {name}\" -a \"{}\"", words.join(" ")),
            Values::File => format!("-n \"{using} {name}\" -F"),
            _ => continue,
        };
        script.push_str(&format!("complete -c xsk {line}\n"));
    }
    script
}
