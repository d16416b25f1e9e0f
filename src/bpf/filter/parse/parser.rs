//! The grammar of conditions: `and`, `or` and `not`, parentheses, values without a keyword.

use super::super::expr::Expr;
use super::arithmetic::Arithmetic;
use super::lexer::{self, Kind, Token};
use super::primitives::Qualifiers;
use super::{LONGEST, MOST_LEVELS, MOST_OPEN, MOST_PARENTHESES, error, names};
use crate::error::{ExpressionError, ExpressionFault};

pub(super) type Result<T> = std::result::Result<T, ExpressionError>;

/// Reads a condition.
pub(crate) fn parse(text: &str) -> Result<Expr> {
    if text.len() > LONGEST {
        let rule = format!("an expression has at most {LONGEST} bytes");
        let found = format!("{} bytes", text.len());
        return Err(ExpressionError::new(ExpressionFault::Limit, "", 0, &found, rule));
    }
    let tokens = lexer::tokens(text)?;
    let mut parser = Parser { text, tokens, next: 0, tags: 0, open: 0 };
    if parser.peek() == &Kind::End {
        let expected = "a condition; `len >= 0` is true of every packet";
        return Err(parser.fault(ExpressionFault::Unexpected, expected));
    }
    parser.expression().map(|built| built.expr)
}

/// What has to follow a number.
const RELATION: &str = "a relation: `=`, `!=`, `<`, `<=`, `>` or `>=`";

/// A condition, and how many levels it has.
pub(super) struct Built {
    pub(super) expr: Expr,
    levels: usize,
}

impl Built {
    /// Wraps a condition whose levels are few.
    pub(super) fn new(expr: Expr) -> Self {
        let levels = expr.levels();
        Self { expr, levels }
    }

    fn not(self) -> Self {
        let levels = match &self.expr {
            Expr::Not(_) => self.levels.saturating_sub(1),
            _ => self.levels.saturating_add(1),
        };
        Self { expr: self.expr.not(), levels }
    }

    /// Joins two conditions: with `or`, or with `and`.
    fn join(self, or: bool, other: Self) -> Self {
        let inside = |built: &Self| match (&built.expr, or) {
            (Expr::Or(_), true) | (Expr::And(_), false) => built.levels,
            _ => built.levels.saturating_add(1),
        };
        let levels = inside(&self).max(inside(&other));
        let expr = if or { self.expr.or(other.expr) } else { self.expr.and(other.expr) };
        Self { expr, levels }
    }
}

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
pub(super) enum Item {
    Condition(Built, Option<Qualifiers>),
    Number(Arithmetic),
}

pub(super) struct Parser<'a> {
    pub(super) text: &'a str,
    tokens: Vec<Token>,
    next: usize,
    /// How many VLAN tags come before what is tested.
    pub(super) tags: u8,
    /// How many parentheses and operators of numbers and values are open: bounds the recursion.
    open: usize,
}

impl Parser<'_> {
    // Tokens.

    pub(super) fn peek(&self) -> &Kind {
        self.peek_at(0)
    }

    /// Returns the token behind so many others.
    pub(super) fn peek_at(&self, ahead: usize) -> &Kind {
        let token = self.tokens.get(self.next.saturating_add(ahead));
        token.map_or(&Kind::End, |token| &token.kind)
    }

    /// Returns the word at the next token; empty if it is none.
    pub(super) fn word(&self) -> &str {
        self.word_at(0)
    }

    pub(super) fn word_at(&self, ahead: usize) -> &str {
        let token = self.tokens.get(self.next.saturating_add(ahead));
        let word = token.filter(|token| token.kind == Kind::Word);
        word.and_then(|token| self.text.get(token.at..token.end)).unwrap_or_default()
    }

    /// Returns the text of the next token.
    pub(super) fn token_text(&self) -> &str {
        let token = self.tokens.get(self.next);
        token.and_then(|token| self.text.get(token.at..token.end)).unwrap_or_default()
    }

    pub(super) fn advance(&mut self) {
        self.next = self.next.saturating_add(1);
    }

    pub(super) fn position(&self) -> usize {
        self.next
    }

    /// Takes a sign if it is the next token.
    pub(super) fn take_sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Kind::Sign(found) if *found == sign);
        if found {
            self.advance();
        }
        found
    }

    /// Takes a word if it is the next token.
    pub(super) fn take_word(&mut self, word: &str) -> bool {
        let found = self.word() == word;
        if found {
            self.advance();
        }
        found
    }

    pub(super) fn expect_sign(&mut self, sign: &str) -> Result<()> {
        if self.take_sign(sign) {
            return Ok(());
        }
        Err(self.unexpected(&format!("`{sign}`")))
    }

    // Faults.

    /// Makes an error at a token.
    pub(super) fn fault_at(
        &self,
        token: usize,
        fault: ExpressionFault,
        expected: &str,
    ) -> ExpressionError {
        let (at, end) = match self.tokens.get(token) {
            Some(token) => (token.at, token.end),
            None => (self.text.len(), self.text.len()),
        };
        let found = self.text.get(at..end).unwrap_or_default();
        lexer::error(self.text, at, fault, found, expected.to_owned())
    }

    /// Makes an error at the next token.
    pub(super) fn fault(&self, fault: ExpressionFault, expected: &str) -> ExpressionError {
        self.fault_at(self.next, fault, expected)
    }

    /// Makes an error that something else has to be at the next token: one that is not taken is
    /// named, and for a word the nearest keyword.
    pub(super) fn unexpected(&self, expected: &str) -> ExpressionError {
        let word = self.word();
        if let Some(reason) = names::not_taken(word) {
            return self.fault(ExpressionFault::NotTaken, reason);
        }
        let nearest = error::nearest(word).filter(|nearest| *nearest != word);
        self.fault(ExpressionFault::Unexpected, expected).with_nearest(nearest)
    }

    /// Begins a level of recursion; [`leave`](Self::leave) ends it.
    pub(super) fn enter(&mut self) -> Result<()> {
        self.open = self.open.saturating_add(1);
        if self.open <= MOST_OPEN {
            return Ok(());
        }
        let rule = format!("at most {MOST_OPEN} operators and parentheses are open at once here");
        Err(self.fault(ExpressionFault::Limit, &rule))
    }

    pub(super) fn leave(&mut self) {
        self.open = self.open.saturating_sub(1);
    }

    /// Refuses a condition with too many levels.
    fn check_levels(&self, levels: usize, token: usize) -> Result<()> {
        if levels <= MOST_LEVELS {
            return Ok(());
        }
        let rule = format!("conditions are at most {MOST_LEVELS} levels in one another");
        Err(self.fault_at(token, ExpressionFault::Limit, &rule))
    }

    // Conditions.

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
                self.primitive()?
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
                    _ if outside.is_empty() => {
                        return Err(self.unexpected("`and`, `or` or the end"));
                    }
                    _ => return Err(self.unexpected("`and`, `or` or `)`")),
                };
                if let Some((at, _)) = &mut level.built {
                    *at = self.next;
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
        let mut prefix = Prefix { begin: self.next, ..Prefix::default() };
        loop {
            if self.take_sign("not") {
                prefix.negated = !prefix.negated;
            } else if self.word() == "behind" {
                let outside = self.behind()?;
                prefix.tags = prefix.tags.or(Some(outside));
            } else {
                prefix.any = self.next != prefix.begin;
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
        let Some((at, built)) = before else { return Ok((self.next, term)) };
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

    /// Reads a value, or several in parentheses with `and`, `or` and `not`.
    pub(super) fn values(&mut self, qualifiers: Qualifiers) -> Result<Built> {
        let begin = self.position();
        let mut negated = false;
        while self.take_sign("not") {
            negated = !negated;
        }
        let built = if matches!(self.peek(), Kind::Sign("(")) {
            self.enter()?;
            self.advance();
            let mut built = self.values(qualifiers)?;
            loop {
                let at = self.position();
                let or = match self.peek() {
                    Kind::Sign("or") => true,
                    Kind::Sign("and") => false,
                    Kind::Sign(")") => break,
                    _ => return Err(self.unexpected("`and`, `or` or `)`")),
                };
                self.advance();
                built = built.join(or, self.values(qualifiers)?);
                self.check_levels(built.levels, at)?;
            }
            self.advance();
            self.leave();
            built
        } else {
            Built::new(self.value(qualifiers)?)
        };
        if !negated {
            return Ok(built);
        }
        let built = built.not();
        self.check_levels(built.levels, begin)?;
        Ok(built)
    }
}
