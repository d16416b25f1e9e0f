//! The grammar of conditions: `and`, `or` and `not`, parentheses, values without a keyword.

use super::super::expr::Expr;
use super::arithmetic::Arithmetic;
use super::built::Built;
use super::cursor::{MOST_PARENTHESES, Parser, Result};
use super::lexer::Kind;
use super::values::Qualifiers;
use super::{error, names};
use crate::error::ExpressionFault;

/// Reads a condition.
pub(crate) fn parse(text: &str) -> Result<Expr> {
    let mut parser = Parser::new(text)?;
    if parser.peek() == &Kind::End {
        let expected = "a condition; `len >= 0` is true of every packet";
        return Err(parser.fault(ExpressionFault::Unexpected, expected));
    }
    parser.expression().map(|built| built.expr)
}

/// What has to follow a number.
const RELATION: &str =
    "a relation such as `=` behind the number, or a keyword such as `port` before it";

/// What is between two parentheses, as far as it was read.
#[derive(Default)]
struct Level {
    /// The terms so far, and the token that the last one was joined by.
    built: Option<(usize, Built)>,
    /// Whether the next term is joined by `or`.
    or: bool,
    /// What a value without a keyword takes over.
    qualifiers: Option<Qualifiers>,
    /// What is before the parentheses that are open in it.
    prefix: Prefix,
}

/// What is before a term.
#[derive(Clone, Copy, Default)]
struct Prefix {
    /// The first token.
    begin: usize,
    /// Whether there is anything.
    any: bool,
    negated: bool,
    /// How many VLAN tags come before what is behind the term, if that is not how it ends.
    tags: Option<u8>,
}

/// What parentheses can hold: a condition, with the qualifiers that a value behind it takes over;
/// or a number.
enum Item {
    Condition(Built, Option<Qualifiers>),
    Number(Arithmetic),
}

impl Parser<'_> {
    /// Reads a whole text: terms with `and` and `or` between them, which bind alike, from left to
    /// right. Open parentheses are on a list, not on the stack of calls.
    fn expression(&mut self) -> Result<Built> {
        let mut outside: Vec<Level> = Vec::new();
        let mut level = Level::default();
        loop {
            let mut prefix = self.prefix()?;
            if matches!(self.peek(), Kind::Sign("(")) {
                if outside.len() >= MOST_PARENTHESES {
                    let rule = format!("at most {MOST_PARENTHESES} parentheses are open at once");
                    return Err(self.fault(ExpressionFault::Limit, &rule));
                }
                self.advance();
                level.prefix = prefix;
                let inside = Level { qualifiers: level.qualifiers, ..Level::default() };
                outside.push(std::mem::replace(&mut level, inside));
                continue;
            }
            let mut item = if self.is_number() {
                let number = self.operand()?;
                self.relation(number)?
            } else {
                let (built, qualifiers) = self.primitive()?;
                Item::Condition(built, qualifiers)
            };
            loop {
                let number = match self.finish(prefix, item)? {
                    Item::Condition(built, qualifiers) => {
                        level.qualifiers = qualifiers;
                        level.built = Some(self.join(level.built, level.or, built)?);
                        None
                    }
                    Item::Number(number) => Some(number),
                };
                prefix = Prefix::default();
                let closes = matches!(self.peek(), Kind::Sign(")"));
                match (number, level.built.take(), outside.pop()) {
                    // What is in parentheses is a term, or a number, of what is around them.
                    (Some(number), None, Some(before)) if closes => {
                        self.advance();
                        level = before;
                        prefix = level.prefix;
                        item = self.relation(number)?;
                        continue;
                    }
                    (Some(_), ..) => return Err(self.unexpected(RELATION)),
                    (None, Some((_, built)), Some(before)) if closes => {
                        self.advance();
                        level = before;
                        prefix = level.prefix;
                        // A value behind them takes over what came before them.
                        item = Item::Condition(built, level.qualifiers);
                        continue;
                    }
                    (None, Some((_, built)), None) if *self.peek() == Kind::End => {
                        return Ok(built);
                    }
                    (None, built, before) => {
                        level.built = built;
                        outside.extend(before);
                    }
                }
                level.or = match self.peek() {
                    Kind::Sign("or") => true,
                    Kind::Sign("and") => false,
                    Kind::Sign(")") => {
                        return Err(self.unexpected("`and`, `or` or the end: no `(` is open"));
                    }
                    Kind::Number(_) => {
                        let expected = "`and` or `or`; before a port comes `port`";
                        return Err(self.unexpected(expected));
                    }
                    _ if outside.is_empty() => {
                        return Err(self.unexpected("`and`, `or` or the end"));
                    }
                    _ => return Err(self.unexpected("`and`, `or` or `)`")),
                };
                if let Some((at, _)) = &mut level.built {
                    *at = self.position();
                }
                self.advance();
                if !self.is_value() {
                    break;
                }
                let Some(qualifiers) = level.qualifiers else {
                    let expected = "a keyword: no `host`, `net` or `port` before it is for this \
                                    value";
                    return Err(self.unexpected(expected));
                };
                item = Item::Condition(self.values(qualifiers)?, Some(qualifiers));
            }
        }
    }

    /// Reads what is before a term: `not`, and `behind` with a number.
    fn prefix(&mut self) -> Result<Prefix> {
        let mut prefix = Prefix { begin: self.position(), ..Prefix::default() };
        loop {
            if self.take_sign("not") {
                prefix.negated = !prefix.negated;
            } else if self.word() == "behind" {
                let outside = self.behind()?;
                prefix.tags = prefix.tags.or(Some(outside));
            } else {
                prefix.any = self.position() != prefix.begin;
                return Ok(prefix);
            }
        }
    }

    /// Applies what was before a term.
    fn finish(&mut self, prefix: Prefix, item: Item) -> Result<Item> {
        match item {
            Item::Number(_) if prefix.any => Err(self.unexpected(RELATION)),
            Item::Number(number) => Ok(Item::Number(number)),
            Item::Condition(mut built, qualifiers) => {
                if let Some(outside) = prefix.tags {
                    self.tags = outside;
                }
                if prefix.negated {
                    built = built.not();
                    self.check_levels(built.levels, prefix.begin)?;
                }
                Ok(Item::Condition(built, qualifiers))
            }
        }
    }

    /// Joins a term with what is before it in its list, if there is something.
    fn join(
        &self,
        before: Option<(usize, Built)>,
        or: bool,
        term: Built,
    ) -> Result<(usize, Built)> {
        let Some((at, built)) = before else { return Ok((self.position(), term)) };
        let built = built.join(or, term);
        self.check_levels(built.levels, at)?;
        Ok((at, built))
    }

    /// Reads the rest of a number, and of a comparison if a relation follows.
    fn relation(&mut self, left: Arithmetic) -> Result<Item> {
        let at = self.position();
        let left = self.rest(left, 0)?;
        let Some(relation) = self.take_relation() else { return Ok(Item::Number(left)) };
        let right = self.operand()?;
        let right = self.rest(right, 0)?;
        let built = Built::new(left.compare(relation, right, self.tags));
        self.check_levels(built.levels, at)?;
        Ok(Item::Condition(built, None))
    }

    /// Returns whether values follow that have no keyword of their own: `80` in `port 53 or 80`.
    fn is_value(&self) -> bool {
        let mut ahead: usize = 0;
        let mut opened: usize = 0;
        while let Kind::Sign(sign @ ("not" | "(")) = self.peek_at(ahead) {
            opened = opened.saturating_add(usize::from(*sign == "("));
            ahead = ahead.saturating_add(1);
        }
        match self.peek_at(ahead) {
            Kind::Ip4(..) | Kind::Ip6(_) | Kind::Ether(_) | Kind::Escaped => true,
            Kind::Number(_) => {
                ahead = ahead.saturating_add(1);
                while opened > 0 && matches!(self.peek_at(ahead), Kind::Sign(")")) {
                    ahead = ahead.saturating_add(1);
                    opened = opened.saturating_sub(1);
                }
                !matches!(
                    self.peek_at(ahead),
                    Kind::Sign(
                        "=" | "!="
                            | "<"
                            | "<="
                            | ">"
                            | ">="
                            | "+"
                            | "-"
                            | "*"
                            | "/"
                            | "%"
                            | "&"
                            | "|"
                            | "^"
                            | "<<"
                            | ">>"
                    )
                )
            }
            Kind::Word => {
                let word = self.word_at(ahead);
                // A name: of a service, or of a host. Near misses of keywords are no names.
                !matches!(self.peek_at(ahead.saturating_add(1)), Kind::Sign("["))
                    && !names::is_keyword(word)
                    && names::not_taken(word).is_none()
                    && (names::service(word).is_some() || error::nearest(word).is_none())
            }
            _ => false,
        }
    }
}
