//! `xsk man`: manual pages, made of the same definitions as the help.

use crate::command_line::manual::ManArgs;
use crate::failure::{Failure, Result};
use crate::manual::{find, whole_command, whole_name};
use crate::report::output;
use crate::run::ended::Ended;
use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, roman};
use std::fs;
use std::io;
use std::path::Path;

pub(crate) fn run(args: &ManArgs) -> Result<Ended> {
    let mut all = whole_command();
    // Gives each command its whole name.
    all.build();
    match &args.dir {
        None => output::print(&page(find(&all, &args.words, &[])?))?,
        Some(dir) => {
            let pages = match args.words[..] {
                [] => pages(&all),
                _ => vec![find(&all, &args.words, &[])?],
            };
            let failed = |path: &Path, error: io::Error| {
                Failure::Text(format!("{} cannot be written: {error}", path.display()))
            };
            fs::create_dir_all(dir).map_err(|error| failed(dir, error))?;
            for command in &pages {
                let path = dir.join(format!("{}.1", whole_name(command)));
                fs::write(&path, page(command)).map_err(|error| failed(&path, error))?;
            }
            let word = if pages.len() == 1 { "page is" } else { "pages are" };
            output::print(&format!("{} {word} in {}\n", pages.len(), dir.display()))?;
        }
    }
    Ok(Ended::Count)
}

/// Returns a command and all that are below it.
fn pages(command: &Command) -> Vec<&Command> {
    let mut found = vec![command];
    let below = command.get_subcommands().filter(|command| !command.is_hide_set());
    found.extend(below.flat_map(pages));
    found
}

/// Returns a page in the language of man(7).
fn page(command: &Command) -> String {
    let version = format!("xsk {}", env!("CARGO_PKG_VERSION"));
    let man = Man::new(command.clone()).source(version).manual("AF_XDP sockets");
    let mut text = Vec::new();
    let written = man
        .render_title(&mut text)
        .and_then(|()| man.render_name_section(&mut text))
        .and_then(|()| synopsis(command).to_writer(&mut text))
        .and_then(|()| man.render_description_section(&mut text))
        .and_then(|()| match command.get_arguments().any(|arg| !arg.is_hide_set()) {
            true => man.render_options_section(&mut text),
            false => Ok(()),
        })
        .and_then(|()| match command.has_subcommands() {
            true => man.render_subcommands_section(&mut text),
            false => Ok(()),
        })
        .and_then(|()| {
            let more = command.get_after_long_help().or(command.get_after_help());
            more.map_or(Ok(()), |more| notes(&more.to_string()).to_writer(&mut text))
        });
    debug_assert!(written.is_ok(), "memory takes what is written");
    String::from_utf8_lossy(&text).into_owned()
}

/// Returns the section on how the command is called, in the words of the help.
fn synopsis(command: &Command) -> Roff {
    let mut roff = Roff::default();
    roff.control("SH", ["SYNOPSIS"]);
    let usage = command.clone().render_usage().to_string();
    for (number, line) in usage.trim_start_matches("Usage:").lines().enumerate() {
        if number > 0 {
            roff.control("br", []);
        }
        roff.text([bold(line.trim())]);
    }
    roff
}

/// Returns what follows the help as a section: a line that is not indented is a paragraph, one that
/// is begins with a word that the rest describes, and one that is indented further goes on with it.
fn notes(text: &str) -> Roff {
    const DEEPER: usize = 6;
    let mut roff = Roff::default();
    roff.control("SH", ["NOTES"]);
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let indented = |line: &str| line.len() - line.trim_start().len();
        let mut words = line.trim().to_owned();
        while let Some(next) = lines.next_if(|next| indented(next) >= DEEPER) {
            words.push(' ');
            words.push_str(next.trim());
        }
        if words.is_empty() {
            continue;
        }
        match words.split_once(' ').filter(|_| indented(line) > 0) {
            Some((word, meaning)) => {
                roff.control("TP", []);
                roff.text([bold(word)]);
                roff.text([roman(meaning.trim())]);
            }
            None => {
                roff.control("PP", []);
                roff.text([Inline::Roman(words)]);
            }
        }
    }
    roff
}

#[cfg(test)]
mod tests {
    use super::notes;

    #[test]
    fn a_table_below_the_help_becomes_a_list() {
        let text =
            "Codes:\n    0  fine\n       or not\n  128+ a signal\n\nIn JSON:\n  word    meaning";
        let expected = "\
            .SH NOTES\n.PP\nCodes:\n.TP\n\\fB0\\fR\nfine or not\n.TP\n\\fB128+\\fR\na signal\n\
            .PP\nIn JSON:\n.TP\n\\fBword\\fR\nmeaning\n";
        let made = notes(text).to_roff();
        assert!(made.ends_with(expected), "{made}");
    }
}
