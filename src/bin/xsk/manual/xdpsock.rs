//! `xsk help xdpsock`: the options of xdpsock, and what they are here.
//!
//! The list is that of AF_XDP-example/xdpsock.c of the repository xdp-project/bpf-examples, as of
//! September 2025; `--force` is in versions before 2023, which came with the kernel (samples/bpf).

use crate::command_line::Cli;
use crate::report::paragraph::wrapped;
use clap::{Command, CommandFactory};
use std::fmt::Write;

/// The word behind `help`.
pub(crate) const TOPIC: &str = "xdpsock";

/// What an option of xdpsock is here.
enum Here {
    /// A command.
    Command(&'static str),
    /// A long option of a command.
    Option(&'static str, &'static str),
    /// Nothing of this tool.
    Nothing,
}

/// An option of xdpsock: letter, long name, what it is here, and what differs.
struct Row(char, &'static str, Here, &'static str);

const ROWS: [Row; 39] = [
    Row('r', "rxdrop", Here::Command("rxdrop"), "a command comes first: xsk rxdrop -i eth0"),
    Row('t', "txonly", Here::Command("txonly"), ""),
    Row('l', "l2fwd", Here::Command("l2fwd"), "swaps the MAC addresses as well; -o forwards"),
    Row('i', "interface", Here::Option("rxdrop", "interface"), ""),
    Row('q', "queue", Here::Option("rxdrop", "queue"), "several at once, too: 0,2-3 or all"),
    Row('p', "poll", Here::Option("rxdrop", "poll"), ""),
    Row('S', "xdp-skb", Here::Option("rxdrop", "generic"), ""),
    Row(
        'N',
        "xdp-native",
        Here::Option("rxdrop", "native"),
        "the default of xdpsock; here native mode is tried first and generic mode then",
    ),
    Row('n', "interval", Here::Option("rxdrop", "interval"), "also with a fraction: 0.5"),
    Row(
        'O',
        "retries",
        Here::Nothing,
        "the summary counts the packets that were neither sent nor dropped at the end: \"pending\"",
    ),
    Row('z', "zero-copy", Here::Option("rxdrop", "zero-copy"), ""),
    Row('c', "copy", Here::Option("rxdrop", "copy"), ""),
    Row('f', "frame-size", Here::Option("rxdrop", "frame-size"), ""),
    Row('m', "no-need-wakeup", Here::Option("rxdrop", "no-need-wakeup"), ""),
    Row(
        'u',
        "unaligned",
        Here::Option("rxdrop", "unaligned"),
        "xdpsock takes huge pages with it: that is --pages 2M here",
    ),
    Row(
        'M',
        "shared-umem",
        Here::Option("rxdrop", "sockets"),
        "takes a number of sockets, which the hash of the flow chooses from; xdpsock has four \
         and takes them in turn",
    ),
    Row('F', "frags", Here::Option("rxdrop", "frags"), "packets of several frames"),
    Row('F', "force", Here::Option("rxdrop", "replace"), "in old versions of xdpsock"),
    Row('d', "duration", Here::Option("rxdrop", "duration"), "also with a fraction: 1.5"),
    Row('w', "clock", Here::Nothing, "rates are those of the monotonic clock"),
    Row('b', "batch-size", Here::Option("rxdrop", "batch"), ""),
    Row(
        'C',
        "tx-pkt-count",
        Here::Option("txonly", "count"),
        "also of rxdrop and l2fwd, for the packets that they receive",
    ),
    Row(
        's',
        "tx-pkt-size",
        Here::Option("txonly", "size"),
        "xdpsock counts the 4 bytes of the FCS: its 64 are 60 here",
    ),
    Row('P', "tx-pkt-pattern", Here::Nothing, "txonly fills packets with the letter x"),
    Row('V', "tx-vlan", Here::Option("generate", "vlan"), "with the id: --vlan 7"),
    Row('J', "tx-vlan-id", Here::Option("generate", "vlan"), ""),
    Row('K', "tx-vlan-pri", Here::Nothing, "as -V"),
    Row('G', "tx-dmac", Here::Option("generate", "dst-mac"), ""),
    Row('H', "tx-smac", Here::Option("generate", "src-mac"), ""),
    Row('T', "tx-cycle", Here::Option("generate", "pps"), "a rate in place of a time"),
    Row(
        'y',
        "tstamp",
        Here::Nothing,
        "packets carry no time; txonly --tx-timestamps shows when each one was sent",
    ),
    Row('W', "policy", Here::Nothing, "`chrt --fifo 50 xsk ...` sets the policy of the scheduler"),
    Row('U', "schpri", Here::Nothing, "as -W"),
    Row('x', "extra-stats", Here::Option("rxdrop", "extra-stats"), ""),
    Row('Q', "quiet", Here::Nothing, "`xsk ... > /dev/null`"),
    Row('a', "app-stats", Here::Nothing, "`strace -c -f xsk ...` counts calls of the kernel"),
    Row('I', "irq-string", Here::Nothing, "/proc/interrupts counts the interrupts of each queue"),
    Row('B', "busy-poll", Here::Option("rxdrop", "busy-poll"), ""),
    Row(
        'R',
        "reduce-cap",
        Here::Option("rxdrop", "user"),
        "gives up all rights after the set-up, and needs no other process for that",
    ),
];

/// Columns of the first two parts, with the blanks behind them.
const THEIRS: usize = 22;
const OURS: usize = 23;

/// Returns the table, in lines of so many columns.
pub(crate) fn table(width: usize) -> String {
    let command = Cli::command();
    let mut text = "\
        The options of xdpsock, and what they are here: options of rxdrop, txonly and\n\
        l2fwd, wherever they have a meaning.\n\n"
        .to_owned();
    let mut line = |theirs: &str, ours: &str, note: &str| {
        let head = format!("{theirs:<THEIRS$}{ours:<OURS$}");
        for (number, part) in wrapped(note, width - THEIRS - OURS).iter().enumerate() {
            let head = if number == 0 { head.as_str() } else { "" };
            let row = format!("{head:<0$}{part}", THEIRS + OURS);
            // Writing to a string does not fail.
            let _ = writeln!(text, "{}", row.trim_end());
        }
    };
    line("xdpsock", "xsk", "");
    for Row(letter, long, here, note) in &ROWS {
        line(&format!("-{letter}, --{long}"), &ours(&command, here), note);
    }
    text
}

/// Returns how an option is written here.
fn ours(command: &Command, here: &Here) -> String {
    match here {
        Here::Command(name) => format!("xsk {name}"),
        Here::Nothing => "-".to_owned(),
        Here::Option(name, long) => {
            let before = match *name {
                "rxdrop" | "txonly" | "l2fwd" => String::new(),
                other => format!("xsk {other} "),
            };
            let arg = command
                .find_subcommand(name)
                .and_then(|command| command.get_arguments().find(|a| a.get_long() == Some(*long)));
            match arg.and_then(|arg| arg.get_short()) {
                Some(letter) => format!("{before}-{letter}, --{long}"),
                None => format!("{before}--{long}"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_table_names_is_on_the_command_line() {
        let all = Cli::command();
        for Row(letter, theirs, here, note) in &ROWS {
            match here {
                Here::Command(name) => assert!(all.find_subcommand(name).is_some(), "{name}"),
                Here::Option(name, long) => {
                    let command = all.find_subcommand(name).unwrap();
                    let arg = command.get_arguments().find(|arg| arg.get_long() == Some(*long));
                    let arg = arg.unwrap_or_else(|| panic!("{name} has no --{long}"));
                    // Options that both have keep their letters.
                    if theirs == long || *theirs == format!("xdp-{long}") {
                        assert_eq!(arg.get_short(), Some(*letter), "--{long}");
                    }
                }
                Here::Nothing => assert!(!note.is_empty(), "--{theirs}"),
            }
        }
    }

    #[test]
    fn a_letter_of_both_means_the_same_or_the_table_says_so() {
        let all = Cli::command();
        for name in ["rxdrop", "txonly", "l2fwd"] {
            for arg in all.find_subcommand(name).unwrap().get_arguments() {
                let (Some(letter), Some(long)) = (arg.get_short(), arg.get_long()) else {
                    continue;
                };
                let rows = ROWS.iter().filter(|Row(theirs, ..)| *theirs == letter);
                let same =
                    |Row(.., here, _): &Row| matches!(here, Here::Option(_, l) if *l == long);
                let rows: Vec<&Row> = rows.collect();
                assert!(
                    rows.is_empty() || rows.into_iter().any(same),
                    "{name}: -{letter}, --{long}"
                );
            }
        }
    }

    #[test]
    fn the_table_fits_its_columns_and_has_each_option() {
        for width in [80, 100, 160] {
            let table = table(width);
            for Row(letter, long, ..) in &ROWS {
                let start = format!("-{letter}, --{long} ");
                assert_eq!(table.lines().filter(|line| line.starts_with(&start)).count(), 1);
            }
            let rows = table.lines();
            assert!(rows.clone().all(|line| line.len() <= width), "{table}");
            assert!(rows.clone().all(|line| line.trim_end() == line), "{table}");
        }
    }
}
