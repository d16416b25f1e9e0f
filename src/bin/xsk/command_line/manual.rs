//! The command lines of what describes the tool: `completions`, `man` and `help`.

use clap::Args;
use clap_complete::Shell;
use std::path::PathBuf;

/// Print a script that completes this tool's command lines in a shell
///
/// For all users, in bash: `xsk completions bash > /etc/bash_completion.d/xsk` (which the package
/// bash-completion reads, in a new shell); in zsh: `xsk completions zsh >
/// /usr/local/share/zsh/site-functions/_xsk`; in fish: `xsk completions fish >
/// /etc/fish/completions/xsk.fish`. For this bash alone: `source <(xsk completions bash)`. In these
/// three shells the names of interfaces and files are completed, too, each where one is wanted. The
/// script belongs to this version of the tool: print it anew after an update.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// Shell that the script is for
    #[arg(value_name = "SHELL", value_enum)]
    pub(crate) shell: Shell,
}

/// Print a manual page, or write all of them into a directory
///
/// There is one page for the tool, xsk(1), and one for each command, as xsk-rxdrop(1); they say what
/// `--help` says. `xsk man --dir /usr/local/share/man/man1` installs all of them, and `man xsk-rxdrop`
/// shows one. `xsk man rxdrop | man -l -` shows one that is not installed.
#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Command whose page is meant [default: the page of the tool; with --dir all pages]
    #[arg(value_name = "COMMAND")]
    pub(crate) words: Vec<String>,
    /// Directory to write files into, which is made if it is not there
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

/// Show the help of a command, or the options of xdpsock and what they are here
///
/// `xsk help xdpsock` prints a table of the options of xdpsock (bpf-examples of the XDP project,
/// formerly samples/bpf of the kernel): its letter and name, what it is here, or why it is not.
#[derive(Debug, Args)]
pub(crate) struct HelpArgs {
    /// Command that is described, or `xdpsock`
    #[arg(value_name = "COMMAND")]
    pub(crate) words: Vec<String>,
}
