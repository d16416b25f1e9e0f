//! The command line of `xsk steer`.

use crate::failure::quoted;
use clap::{Args, Subcommand};
use std::ffi::OsString;

/// Bring packets to a queue by flow rules of the card, or have it drop them
///
/// `xsk steer IF FILTER -q N` adds rules (n-tuple filters, as `ethtool -N`) and ends; the rules stay
/// until they are deleted, or the card is reset. `xsk steer IF list` shows all rules of the card, and
/// `xsk steer IF delete ID` deletes one, whichever program added it.
///
/// FILTER is an expression of the tcpdump language; its words are joined by blanks. A rule compares
/// addresses, networks, ports, the protocol, the Ethernet type and a VLAN's id, and nothing else: what
/// a rule does not have, such as `not`, is refused by name. An expression may take several rules:
/// `udp dst port 4789` takes one for IPv4 and one for IPv6, and `ip and udp dst port 4789` one. Either
/// all of them are added, or none. Drivers differ in what they can compare, and refuse the rest.
///
/// Packets that no rule is for are spread over the queues as before, over this one, too. Adding and
/// deleting take CAP_NET_ADMIN.
#[derive(Debug, Args)]
#[command(override_usage = "xsk steer <IF> <FILTER>... <--queue <QUEUE>|--drop> [--json]\n       \
                            xsk steer <IF> list [--json]\n       \
                            xsk steer <IF> delete <ID>...|--all [--json]")]
pub(crate) struct SteerArgs {
    /// Interface
    #[arg(value_name = "IF")]
    pub(crate) interface: OsString,
    /// Packets that rules are added for: `udp dst port 4789`
    #[arg(value_name = "FILTER")]
    pub(crate) words: Vec<String>,
    /// Receive queue that they are brought to
    #[arg(short, long, value_name = "QUEUE", conflicts_with = "drop")]
    pub(crate) queue: Option<u32>,
    /// Have the card drop them
    #[arg(long)]
    pub(crate) drop: bool,
    /// Print one JSON object for each rule: "command", "interface", "done" ("added", "listed" or
    /// "deleted"), "id", "rule", "action" ("queue", "drop", "context" or "other"), "queue",
    /// "context", "flow_type"
    ///
    /// "rule" is what is compared, in words, and null for a rule that compares what this tool has no
    /// words for; "flow_type" is the kernel's number of the kind of rule (linux/ethtool.h).
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Option<SteerCommand>,
}

/// What is done in place of adding rules.
#[derive(Debug, Subcommand)]
pub(crate) enum SteerCommand {
    /// Show the rules of the card
    List,
    /// Delete rules of the card, whichever program added them
    Delete(DeleteArgs),
}

/// Options of `steer IF delete`.
#[derive(Debug, Args)]
#[command(override_usage = "xsk steer <IF> delete <ID>...|--all [--json]")]
pub(crate) struct DeleteArgs {
    /// Numbers of the rules, as `xsk steer IF list` shows them
    #[arg(value_name = "ID")]
    pub(crate) ids: Vec<u32>,
    /// Delete all rules
    #[arg(long, conflicts_with = "ids")]
    pub(crate) all: bool,
}

impl SteerArgs {
    /// Returns what is wrong with options that are right each by itself.
    pub(crate) fn contradiction(&self) -> Option<String> {
        let places = self.queue.is_some() || self.drop;
        let text = match (&self.command, self.words.is_empty()) {
            (Some(_), _) if places || !self.words.is_empty() => {
                "FILTER, --queue and --drop are for adding a rule: `list` and `delete` take none of \
                 them"
            }
            (Some(SteerCommand::Delete(delete)), _) if delete.ids.is_empty() && !delete.all => {
                return Some(format!(
                    "it is not said which rules are deleted: `xsk steer {} list` shows their numbers, \
                     and --all deletes all",
                    quoted(&self.interface.to_string_lossy())
                ));
            }
            (Some(_), _) => return None,
            (None, true) => {
                "it is not said what to do: FILTER with --queue or --drop adds rules, `list` shows \
                 them, and `delete` deletes them"
            }
            (None, false) if !places => {
                "it is not said what to do with the packets of FILTER: bring them to a queue (-q), \
                 or drop them (--drop)"
            }
            (None, false) => return None,
        };
        Some(text.to_owned())
    }
}
