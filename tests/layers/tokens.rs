//! Names in the tokens of a macro, which have no syntax tree.

use crate::tree::{Path, plain};
use std::collections::BTreeSet;
use syn::Macro;
use syn::buffer::{Cursor, TokenBuffer};

/// Words before the name of an item.
const KEYWORDS: &[&str] =
    &["const", "enum", "fn", "mod", "static", "struct", "trait", "type", "union"];

/// What the tokens of a macro name.
#[derive(Default)]
pub(crate) struct Names {
    /// Everything that reads like a path, from a single name on.
    pub(crate) paths: BTreeSet<Path>,
    /// Everything that reads like a call of a method.
    pub(crate) calls: BTreeSet<String>,
    /// Everything that reads like the definition of an item: `struct NAME` or `NAME =`.
    pub(crate) definitions: BTreeSet<String>,
}

/// Reads the tokens of a macro's call, or of its definition.
pub(crate) fn read(mac: &Macro) -> Names {
    let buffer = TokenBuffer::new2(mac.tokens.clone());
    let mut names = Names::default();
    names.read(buffer.begin(), &[]);
    names
}

impl Names {
    /// Reads until the end of a group; `prefix` is the path before the braces of a `use`.
    fn read(&mut self, mut at: Cursor<'_>, prefix: &[String]) {
        // The word or sign before.
        let mut before = String::new();
        while !at.eof() {
            if let Some((inner, _, _, next)) = at.any_group() {
                self.read(inner, &[]);
                (at, before) = (next, String::new());
            } else if let Some((name, next)) = at.ident() {
                let name = plain(&name);
                let is_value = before != "$" && is_sign(next, '=');
                if is_value || KEYWORDS.contains(&before.as_str()) {
                    self.definitions.insert(name.clone());
                }
                at = match before.as_str() {
                    "." => {
                        self.calls.insert(name.clone());
                        next
                    }
                    "$" if name != "crate" => next,
                    _ => self.path(name.clone(), next, prefix),
                };
                before = name;
            } else if let Some((sign, next)) = at.punct() {
                let sign = sign.as_char().to_string();
                // The end of a range is no method.
                (at, before) = (next, if sign == before { String::new() } else { sign });
            } else if let Some((_, next)) = at.token_tree() {
                (at, before) = (next, String::new());
            }
        }
    }

    /// Reads the rest of a path, and returns what comes after it.
    fn path<'a>(&mut self, first: String, mut at: Cursor<'a>, prefix: &[String]) -> Cursor<'a> {
        let mut path = prefix.to_vec();
        path.push(first);
        while let Some(next) = colons(at) {
            if let Some((name, next)) = next.ident() {
                path.push(plain(&name));
                at = next;
            } else if let Some((inner, _, _, next)) = next.any_group() {
                self.read(inner, &path);
                return next;
            } else {
                break;
            }
        }
        // `use a::{self}`
        if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
            path.pop();
        }
        self.paths.insert(path);
        at
    }
}

/// What comes after `::`.
fn colons(at: Cursor<'_>) -> Option<Cursor<'_>> {
    let (first, at) = at.punct()?;
    let (second, at) = at.punct()?;
    (first.as_char() == ':' && second.as_char() == ':').then_some(at)
}

fn is_sign(at: Cursor<'_>, sign: char) -> bool {
    at.punct().is_some_and(|(found, _)| found.as_char() == sign)
}
