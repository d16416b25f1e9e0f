//! The command line of `xsk plot`.

use clap::Args;
use std::path::PathBuf;

/// Draw the JSON lines of a run: throughput over time, or the histogram of latencies
///
/// FILE is what a command wrote with --json. Lines with intervals, those of rxdrop, txonly, l2fwd,
/// bridge, respond, capture, generate and receive, become a picture of packets per second over time:
/// `xsk rxdrop -i eth1 -d 60 --json > run.jsonl; xsk plot run.jsonl -o run.svg`. Lines of `xsk latency
/// --json` become a histogram of the round trips, several in one picture (--compare). Events, such as
/// `link_down`, are marked. A line that is none of these is an error, which names its number; blank
/// lines are none.
#[derive(Debug, Args)]
pub(crate) struct PlotArgs {
    /// File with JSON lines; `-` is the standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// File that the picture is written to, in the format SVG; `-` is the standard output
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    pub(crate) output: PathBuf,
    /// Words above the picture [default: what the lines say of the run]
    #[arg(long, value_name = "TEXT")]
    pub(crate) title: Option<String>,
}
