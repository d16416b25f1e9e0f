//! `xsk filter`: shows how an expression is read, and tries it on the packets of a capture.

use crate::command_line::filter::FilterCommandArgs;
use crate::failure::{Failure, NotWritten, Result};
use crate::packet_file::{Capture, Next};
use crate::report::rates::grouped;
use crate::run::ended::Ended;
use crate::run::filtering::{compile, condition, takes_everything};
use serde_json::json;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;
use xsk::bpf::{
    Action, Alu, CompiledFilter, Condition, Filter, FilterProgram, Insn, Program, Reg, Size, XskMap,
};
use xsk::{Errno, Error};

/// `XDP_DROP` (linux/bpf.h).
const XDP_DROP: u32 = 1;
/// Packets up to this length are in one part wherever pages have 4096 bytes or more.
const SURELY_WHOLE: usize = 2048;

/// How packets are tried.
enum Evaluator {
    Rust(Box<Condition>),
    /// The filter, and a program that returns how many bytes of a packet it sees.
    Kernel(FilterProgram, Program),
}

/// What became of the packets of a capture.
#[derive(Debug, Default)]
struct Tally {
    packets: u64,
    matched: u64,
    /// Those that the kernel does not run a program on, or shows it a part of only.
    refused: u64,
    /// Those that the capture has cut off.
    cut: u64,
}

pub(crate) fn run(args: &FilterCommandArgs) -> Result<Ended> {
    let condition = condition(&args.words)?;
    let everything = takes_everything(&condition);
    let compiled = of(&condition, Action::Queue)?;
    let evaluator = match args.kernel {
        true => Evaluator::Kernel(load(&condition)?, length_program()?),
        false => Evaluator::Rust(Box::new(condition.clone())),
    };
    let mut output = BufWriter::new(io::stdout().lock());
    if !args.json {
        describe(&mut output, &condition, &compiled, args.kernel).map_err(NotWritten)?;
    }
    if args.listing && !args.json {
        write!(output, "{}", compiled.listing()).map_err(NotWritten)?;
    }
    let (tally, outcome) = match &args.pcap {
        None => (None, Ok(())),
        Some(path) => {
            let mut show = |text: String| match args.json {
                true => Ok(()),
                false => writeln!(output, "{text}"),
            };
            match open(path) {
                Ok(capture) => {
                    let mut tally = Tally::default();
                    let outcome = try_all(capture, path, &evaluator, &mut tally, &mut show);
                    if matches!(outcome, Err(Failure::Output(_))) {
                        outcome?;
                        return Ok(Ended::Count);
                    }
                    (Some(tally), outcome)
                }
                // Nothing was counted.
                Err(failure) => (None, Err(failure)),
            }
        }
    };
    if args.json {
        let count = |of: fn(&Tally) -> u64| tally.as_ref().map(of);
        let object = json!({
            "expression": condition.to_string(),
            "instructions": compiled.len(),
            "evaluator": if args.kernel { "kernel" } else { "rust" },
            "packets": count(|tally| tally.packets),
            "matched": count(|tally| tally.matched),
            "refused": count(|tally| tally.refused),
            "cut": count(|tally| tally.cut),
            "never": !compiled.unreachable().is_empty(),
            "everything": everything,
            "listing": args.listing.then(|| compiled.listing().to_string()),
            "error": outcome.as_ref().err().map(Failure::to_string),
        });
        writeln!(output, "{object}").map_err(NotWritten)?;
    } else if let Some(tally) = &tally {
        writeln!(output, "{}", tally.line()).map_err(NotWritten)?;
    }
    output.flush().map_err(NotWritten)?;
    outcome.map(|()| Ended::Count)
}

/// Returns the program that does something with the packets of which a condition is true.
fn of(condition: &Condition, action: Action) -> Result<CompiledFilter> {
    // Nothing is attached.
    compile(&Filter::new().rule(condition.clone(), action).take_everything(true))
}

/// Loads a program whose verdict shows whether a packet matches: one without a socket passes packets
/// on in either case.
fn load(condition: &Condition) -> Result<FilterProgram> {
    let map = XskMap::create(XskMap::DEFAULT_NAME, 1)?;
    Ok(of(condition, Action::Drop)?.load(&map)?)
}

/// Loads a program that returns the length of what it sees of a packet: `data_end - data` of `struct
/// xdp_md` (linux/bpf.h).
fn length_program() -> Result<Program> {
    let insns = [
        Insn::load(Size::Word, Reg::R0, Reg::R1, 4),
        Insn::load(Size::Word, Reg::R1, Reg::R1, 0),
        Insn::alu64_reg(Alu::Sub, Reg::R0, Reg::R1),
        Insn::exit(),
    ];
    Ok(Program::builder(&insns).name("xsk_length").license(c"Dual MIT/GPL").load()?)
}

/// Writes how the expression is read.
fn describe(
    output: &mut impl Write,
    condition: &Condition,
    compiled: &CompiledFilter,
    loaded: bool,
) -> io::Result<()> {
    writeln!(output, "{condition}")?;
    let taken = if loaded { ", which the kernel takes" } else { "" };
    writeln!(output, "{} instructions{taken}", compiled.len())?;
    if !compiled.unreachable().is_empty() {
        writeln!(output, "it is not true of any packet")?;
    }
    if takes_everything(condition) {
        writeln!(output, "it is true of every whole packet")?;
    }
    Ok(())
}

/// Opens a capture.
fn open(path: &Path) -> Result<Capture<Box<dyn Read>>> {
    let file: Box<dyn Read> = if path == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(BufReader::new(File::open(path).map_err(|error| cannot_be_read(path, error))?))
    };
    Capture::open(file).map_err(|error| cannot_be_read(path, error))
}

fn cannot_be_read(path: &Path, why: impl std::fmt::Display) -> Failure {
    let name = match path == Path::new("-") {
        true => "the standard input".to_owned(),
        false => path.display().to_string(),
    };
    Failure::Text(format!("{name} cannot be read as a capture: {why}"))
}

/// Tries all packets of a capture.
fn try_all(
    mut capture: Capture<Box<dyn Read>>,
    path: &Path,
    evaluator: &Evaluator,
    tally: &mut Tally,
    show: &mut impl FnMut(String) -> io::Result<()>,
) -> Result<()> {
    while let Some(packet) = capture.next().map_err(|error| cannot_be_read(path, error))? {
        let Next { bytes, length, .. } = packet;
        tally.packets += 1;
        tally.cut += u64::from((bytes.len() as u64) < u64::from(length));
        let verdict = evaluator.matches(bytes)?;
        let word = match verdict {
            Some(true) => "matches",
            Some(false) => "does not match",
            None => "cannot be tried in the kernel",
        };
        tally.matched += u64::from(verdict == Some(true));
        tally.refused += u64::from(verdict.is_none());
        show(format!("{}: {} bytes: {word}", tally.packets, bytes.len())).map_err(NotWritten)?;
    }
    Ok(())
}

impl Evaluator {
    /// Returns whether a packet matches; `None` if the kernel refuses it, or shows a program a part of it
    /// only.
    fn matches(&self, packet: &[u8]) -> Result<Option<bool>> {
        match self {
            Self::Rust(condition) => Ok(Some(condition.matches(packet))),
            Self::Kernel(program, length) => {
                let is_whole = || match packet.len() {
                    ..=SURELY_WHOLE => Ok(true),
                    len => Ok(length.test_run(packet, None)?.retval as usize == len),
                };
                let run = is_whole().and_then(|whole| {
                    whole.then(|| program.program().test_run(packet, None)).transpose()
                });
                match run {
                    Ok(run) => Ok(run.map(|run| run.retval == XDP_DROP)),
                    Err(Error::BpfObject { errno: Errno::INVAL, .. }) => Ok(None),
                    Err(error) => Err(error.into()),
                }
            }
        }
    }
}

impl Tally {
    /// Returns the last line for people.
    fn line(&self) -> String {
        let mut line =
            format!("{} packets, {} match", grouped(self.packets), grouped(self.matched));
        if self.refused > 0 {
            line += &format!(
                "; {} refused: the kernel shows a program whole packets from 14 to some 3500 bytes",
                grouped(self.refused)
            );
        }
        if self.cut > 0 {
            line += &format!("; {} cut off in the capture", grouped(self.cut));
        }
        line
    }
}
