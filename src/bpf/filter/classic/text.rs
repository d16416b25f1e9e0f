//! Classic programs as text: what `tcpdump -ddd` and `tcpdump -dd` print.

use crate::error::{ClassicError as Error, ClassicFault as Fault};
use std::fmt;
use std::str::FromStr;
use xsk_uapi::filter::{BPF_MAXINSNS, sock_filter};

/// A program, and the line of each instruction.
type Lines = (Vec<sock_filter>, Vec<usize>);

const INSTRUCTION: &str = "an instruction, which is four numbers: `code jt jf k`";
const COUNT: &str = "the number of instructions, with which the output of `tcpdump -ddd` begins";
const LISTING: &str =
    "numbers: this is the output of `tcpdump -d`, and that of `tcpdump -ddd` is taken";

/// Reads a program: a number of instructions, and a line for each (`tcpdump -ddd`), or a C
/// initializer for each (`tcpdump -dd`). Commas may separate the lines of the first form.
pub(in super::super) fn parse(text: &str) -> Result<Lines, Error> {
    let lines = (1..).zip(text.lines()).map(|(number, line)| (number, line.trim()));
    let mut lines = lines.filter(|(_, line)| !line.is_empty()).peekable();
    let Some(&(first, line)) = lines.peek() else { return Err(Error::new(Fault::Empty)) };
    let mut program = Lines::default();
    if line.starts_with('{') {
        for (number, line) in lines {
            let fields = line
                .strip_prefix('{')
                .and_then(|line| line.trim_end_matches(',').trim_end().strip_suffix('}'));
            add(&mut program, number, fields.map(|fields| fields.split(',')), line)?;
        }
        return Ok(program);
    }
    let mut parts = lines
        .flat_map(|(number, line)| line.split(',').map(move |part| (number, part.trim())))
        .filter(|(_, part)| !part.is_empty());
    let count = parts.next().and_then(|(_, part)| part.parse::<usize>().ok());
    let Some(said) = count else {
        let expected = if line.starts_with('(') { LISTING } else { COUNT };
        return Err(wrong(line, expected).in_line(Some(first)));
    };
    for (number, part) in parts {
        if program.0.len() >= said {
            let found = said.saturating_add(1);
            return Err(Error::new(Fault::Count { said, found }).in_line(Some(number)));
        }
        add(&mut program, number, Some(part.split_whitespace()), part)?;
    }
    match program.0.len() {
        found if found == said => Ok(program),
        found => Err(Error::new(Fault::Count { said, found }).in_line(Some(first))),
    }
}

/// Adds an instruction of this line, of which the fields are the numbers.
fn add<'a>(
    (program, lines): &mut Lines,
    line: usize,
    fields: Option<impl Iterator<Item = &'a str>>,
    text: &str,
) -> Result<(), Error> {
    if program.len() >= usize::from(BPF_MAXINSNS) {
        return Err(Error::new(Fault::TooLong).in_line(Some(line)));
    }
    let raw = fields.and_then(instruction);
    program.push(raw.ok_or_else(|| wrong(text, INSTRUCTION).in_line(Some(line)))?);
    lines.push(line);
    Ok(())
}

fn wrong(line: &str, expected: &'static str) -> Error {
    let plain = |letter: char| if letter.is_control() { ' ' } else { letter };
    let line: String = line.chars().take(400).map(plain).collect();
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut found: String = line.chars().take(40).collect();
    if found.len() < line.len() {
        found.push_str("...");
    }
    Error::new(Fault::Text { found, expected })
}

fn instruction<'a>(mut fields: impl Iterator<Item = &'a str>) -> Option<sock_filter> {
    let (code, jt) = (number(fields.next()?)?, number(fields.next()?)?);
    let (jf, k) = (number(fields.next()?)?, number(fields.next()?)?);
    fields.next().is_none().then_some(())?;
    let byte = |number: u32| u8::try_from(number).ok();
    Some(sock_filter { code: u16::try_from(code).ok()?, jt: byte(jt)?, jf: byte(jf)?, k })
}

/// Returns a number: decimal, or hexadecimal behind `0x`; a negative one as 32 bits.
fn number(text: &str) -> Option<u32> {
    let text = text.trim();
    if let Some(digits) = text.strip_prefix("0x") {
        let is_plain = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        return u32::from_str_radix(digits, 16).ok().filter(|_| is_plain);
    }
    let negative =
        || i32::from_str(text).ok().map(|number| u32::from_ne_bytes(number.to_ne_bytes()));
    u32::from_str(text).ok().or_else(negative)
}

/// Writes a program as `tcpdump -ddd` does.
pub(in super::super) fn write(program: &[sock_filter], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "{}", program.len())?;
    for sock_filter { code, jt, jf, k } in program {
        write!(f, "\n{code} {jt} {jf} {k}")?;
    }
    Ok(())
}
