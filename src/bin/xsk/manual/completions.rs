//! `xsk completions`: a script that completes the tool's command lines in a shell.

use crate::command_line::manual::CompletionsArgs;
use crate::failure::Result;
use crate::manual::whole_command;
use crate::report::output;
use crate::run::ended::Ended;
use clap_complete::Shell;

pub(crate) fn run(args: &CompletionsArgs) -> Result<Ended> {
    // The generator does not return an error of its writer.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut whole_command(), "xsk", &mut script);
    let script = String::from_utf8_lossy(&script);
    output::print(&match args.shell {
        Shell::Bash => with_interfaces(&script),
        _ => script.into_owned(),
    })?;
    Ok(Ended::Count)
}

/// Returns a script of bash that completes names of interfaces behind `-i`, where the generator knows
/// files only.
fn with_interfaces(script: &str) -> String {
    const FILES: &str = "COMPREPLY=($(compgen -f \"${cur}\"))";
    // Names are files there; a list of words would be expanded, and names may hold any characters.
    const NAMES: &str = "COMPREPLY=($(cd /sys/class/net 2>/dev/null && compgen -f -- \"${cur}\"))";
    let mut before = "";
    let mut text = String::new();
    for line in script.lines() {
        match before.trim() {
            "--interface)" | "-i)" => text.push_str(&line.replace(FILES, NAMES)),
            _ => text.push_str(line),
        }
        text.push('\n');
        before = line;
    }
    text
}
