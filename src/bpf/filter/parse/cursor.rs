//! The tokens of a text, where the reader is among them, and the faults that it finds.

use super::lexer::{self, Kind, Token};
use super::{error, names};
use crate::error::{ExpressionError, ExpressionFault};

pub(super) type Result<T> = std::result::Result<T, ExpressionError>;

/// The longest text, in bytes.
pub(super) const LONGEST: usize = 64 << 10;

/// The most levels of lists and negations in one another.
pub(crate) const MOST_LEVELS: usize = 128;

/// The most parentheses around conditions that are open at once: more than the text of a condition
/// with the most levels has.
pub(super) const MOST_PARENTHESES: usize = 2 * MOST_LEVELS;

/// The most levels of operators and brackets in a number.
pub(super) const MOST_NUMBER_LEVELS: usize = 48;

/// The most operators, brackets and parentheses of a number that are open at once, and parentheses
/// around values: more than the text of a number with the most levels has.
pub(super) const MOST_OPEN: usize = 2 * MOST_NUMBER_LEVELS + 4;

/// A text that is read.
pub(super) struct Parser<'a> {
    pub(super) text: &'a str,
    tokens: Vec<Token>,
    next: usize,
    /// How many VLAN tags come before what is tested.
    pub(super) tags: u8,
    /// How many parentheses and operators of numbers and values are open: bounds the recursion.
    open: usize,
}

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a str) -> Result<Self> {
        if text.len() > LONGEST {
            let rule = format!("an expression has at most {LONGEST} bytes");
            let found = format!("{} bytes", text.len());
            // The first character that is too much, or of which a part is.
            let at = text.char_indices().take_while(|(at, _)| *at <= LONGEST).count();
            let at = at.saturating_sub(1);
            return Err(ExpressionError::new(ExpressionFault::Limit, text, at, &found, rule));
        }
        Ok(Self { text, tokens: lexer::tokens(text)?, next: 0, tags: 0, open: 0 })
    }
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
        let near = error::near(word).filter(|(nearest, _)| *nearest != word);
        self.fault(ExpressionFault::Unexpected, expected).with_nearest(near)
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
    pub(super) fn check_levels(&self, levels: usize, token: usize) -> Result<()> {
        if levels <= MOST_LEVELS {
            return Ok(());
        }
        let rule = format!("conditions are at most {MOST_LEVELS} levels in one another");
        Err(self.fault_at(token, ExpressionFault::Limit, &rule))
    }
}
