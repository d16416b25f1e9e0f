//! Cuts the text of a condition into tokens, as the tcpdump language does: at each place the longest
//! one.

use super::names::constant;
use crate::error::{ExpressionError, ExpressionFault};
use std::net::Ipv6Addr;

/// A token, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// The index of its first byte.
    pub(super) at: usize,
    /// The index of the byte behind it.
    pub(super) end: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// `(`, `)`, `[`, `]`, `:`, `!` (also `not`), an operator, or a relation (`=` also for `==`).
    Sign(&'static str),
    /// A word that is none of the others: a keyword or a name.
    Word,
    /// A name behind a backslash, which is no keyword.
    Escaped,
    Number(u32),
    /// Two to four bytes of an IPv4 address: its beginning, and how many bits of it there are.
    Ip4(u32, u32),
    Ip6(Ipv6Addr),
    Ether([u8; 6]),
    /// Behind the last token.
    End,
}

/// The signs; longer ones before those that they begin with.
const SIGNS: &[(&str, &str)] = &[
    ("&&", "and"),
    ("||", "or"),
    (">=", ">="),
    ("<=", "<="),
    ("!=", "!="),
    ("==", "="),
    ("<<", "<<"),
    (">>", ">>"),
    ("=", "="),
    ("<", "<"),
    (">", ">"),
    ("!", "not"),
    ("(", "("),
    (")", ")"),
    ("[", "["),
    ("]", "]"),
    (":", ":"),
    ("+", "+"),
    ("-", "-"),
    ("*", "*"),
    ("/", "/"),
    ("%", "%"),
    ("&", "&"),
    ("|", "|"),
    ("^", "^"),
];

/// The longest text of an IPv6 address.
const LONGEST_ADDRESS: usize = 45;

/// Returns the tokens, with [`Kind::End`] as the last one.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, ExpressionError> {
    let mut tokens = Vec::new();
    let mut at: usize = 0;
    while let Some(rest) = text.get(at..) {
        let Some(first) = rest.chars().next() else { break };
        if matches!(first, ' ' | '\t' | '\r' | '\n') {
            at = at.saturating_add(1);
            continue;
        }
        let (kind, length) = token(rest).map_err(|(fault, length, rule)| {
            let found = rest.get(..length).unwrap_or(rest);
            error(text, at, fault, found, rule.to_owned())
        })?;
        let end = at.saturating_add(length);
        tokens.push(Token { kind, at, end });
        at = end;
    }
    tokens.push(Token { kind: Kind::End, at: text.len(), end: text.len() });
    Ok(tokens)
}

/// Makes an error at a byte of the text.
pub(super) fn error(
    text: &str,
    at: usize,
    fault: ExpressionFault,
    found: &str,
    expected: String,
) -> ExpressionError {
    let column = text.get(..at).map_or(0, |before| before.chars().count());
    ExpressionError::new(fault, text, column, found, expected)
}

/// A fault, the bytes of what is wrong, and the rule.
type Fault = (ExpressionFault, usize, &'static str);

/// Returns the token at the beginning of `rest`, and its length in bytes.
fn token(rest: &str) -> Result<(Kind, usize), Fault> {
    let word = word(rest);
    if let Some((kind, length)) = address(rest) {
        if length >= word {
            return Ok((kind, length));
        }
    }
    if let Some(found) = rest.get(..word).filter(|found| !found.is_empty()) {
        return Ok((classify(found)?, word));
    }
    if let Some(escaped) = rest.strip_prefix('\\') {
        let end = |letter: char| " !()\n\t".contains(letter);
        let length = escaped.find(end).unwrap_or(escaped.len());
        if length > 0 {
            return Ok((Kind::Escaped, length.saturating_add(1)));
        }
    }
    if let Some((sign, name)) = SIGNS.iter().find(|(sign, _)| rest.starts_with(sign)) {
        return Ok((Kind::Sign(name), sign.len()));
    }
    let length = rest.chars().next().map_or(0, char::len_utf8);
    if rest.starts_with('$') {
        return Err((ExpressionFault::NotTaken, length, "addresses of ARCnet"));
    }
    if rest.starts_with(',') {
        return Err((ExpressionFault::Unexpected, length, "`or` between values: `port 80 or 443`"));
    }
    Err((ExpressionFault::Unexpected, length, "a keyword, a value or a sign"))
}

/// Returns the length of the word at the beginning: letters, digits, and within it also `-_.`; the
/// last character may be a dot.
fn word(rest: &str) -> usize {
    let end = |letter: char| !(letter.is_ascii_alphanumeric() || "-_.".contains(letter));
    let run = rest.get(..rest.find(end).unwrap_or(rest.len())).unwrap_or_default();
    if !run.starts_with(|letter: char| letter.is_ascii_alphanumeric()) {
        return 0;
    }
    run.trim_end_matches(['-', '_']).len()
}

/// Returns what a word is.
fn classify(word: &str) -> Result<Kind, Fault> {
    match word {
        "and" => return Ok(Kind::Sign("and")),
        "or" => return Ok(Kind::Sign("or")),
        "not" => return Ok(Kind::Sign("not")),
        _ => {}
    }
    if let Some(value) = constant(word) {
        return Ok(Kind::Number(value));
    }
    if let Some(address) = ether(word) {
        return Ok(Kind::Ether(address));
    }
    if let Some(digits) = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")) {
        if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return number(word, digits, 16);
        }
    }
    if word.bytes().all(|byte| byte.is_ascii_digit()) {
        return match word.strip_prefix('0') {
            Some(digits) if !digits.is_empty() => number(word, digits, 8),
            _ => number(word, word, 10),
        };
    }
    let parts: Vec<&str> = word.split('.').take(5).collect();
    let numeric = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if (2..=4).contains(&parts.len()) && parts.iter().all(numeric) {
        let mut address = 0_u32;
        let mut bits = 0_u32;
        for part in parts {
            let byte: u8 = part.parse().map_err(|_| {
                (ExpressionFault::Value, word.len(), "each byte of an address is at most 255")
            })?;
            address = (address << 8) | u32::from(byte);
            bits = bits.saturating_add(8);
        }
        let address = address << 32_u32.saturating_sub(bits);
        return Ok(Kind::Ip4(address, bits));
    }
    Ok(Kind::Word)
}

fn number(word: &str, digits: &str, radix: u32) -> Result<Kind, Fault> {
    u32::from_str_radix(digits, radix).map(Kind::Number).map_err(|_| {
        let rule = if digits.chars().all(|digit| digit.is_digit(radix)) {
            "a number is at most 4294967295"
        } else {
            "a number that begins with 0 is octal"
        };
        (ExpressionFault::Value, word.len(), rule)
    })
}

/// Returns the address with colons at the beginning, and its length.
fn address(rest: &str) -> Option<(Kind, usize)> {
    let inside = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
    let run = rest.bytes().take(LONGEST_ADDRESS).take_while(inside).count();
    let run = rest.get(..run).filter(|run| run.contains(':'))?;
    (2..=run.len()).rev().find_map(|length| {
        let part = run.get(..length)?;
        let kind = match part.parse() {
            Ok(address) => Kind::Ip6(address),
            Err(_) => Kind::Ether(ether(part)?),
        };
        Some((kind, length))
    })
}

/// Reads an Ethernet address: six numbers with `:`, `-` or `.` between them, three of four digits
/// with dots, or twelve digits.
fn ether(text: &str) -> Option<[u8; 6]> {
    if text.len() > 17 {
        return None;
    }
    let hex = |part: &str, digits: std::ops::RangeInclusive<usize>| {
        let all = part.bytes().all(|byte| byte.is_ascii_hexdigit());
        (digits.contains(&part.len()) && all).then(|| u64::from_str_radix(part, 16).ok())?
    };
    let joined = |separator: char, count: usize, digits: std::ops::RangeInclusive<usize>| {
        let bits = 48_usize.checked_div(count)?;
        let mut number = 0_u64;
        for part in text.split(separator) {
            number = (number << bits) | hex(part, digits.clone())?;
        }
        (text.split(separator).count() == count).then_some(number)
    };
    let number = joined(':', 6, 1..=2)
        .or_else(|| joined('-', 6, 1..=2))
        .or_else(|| joined('.', 6, 1..=2))
        .or_else(|| joined('.', 3, 4..=4))
        .or_else(|| hex(text, 12..=12))?;
    let [_, _, address @ ..] = number.to_be_bytes();
    Some(address)
}
