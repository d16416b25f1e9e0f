//! Numbers: operators, constants, and bytes of the packet.

use super::super::expr::{Expr, Number, Operator, Relation, Test, TestKind};
use super::cursor::{MOST_NUMBER_LEVELS, Parser, Result};
use super::lexer::Kind;
use super::loads;
use super::names;

use crate::error::ExpressionFault;

/// A number, what has to be true before it is computed, and how many levels it has.
pub(super) struct Arithmetic {
    number: Number,
    guards: Vec<Expr>,
    levels: usize,
}

impl Arithmetic {
    fn leaf(number: Number) -> Self {
        Self { number, guards: Vec::new(), levels: 1 }
    }

    /// Adds what has to be true, each once.
    fn guard(&mut self, guards: Vec<Expr>) {
        for guard in guards {
            if !self.guards.contains(&guard) {
                self.guards.push(guard);
            }
        }
    }

    fn negate(self) -> Self {
        if let Number::Constant(value) = self.number {
            return Self { number: Number::Constant(value.wrapping_neg()), ..self };
        }
        let levels = self.levels.saturating_add(1);
        Self { number: Number::Negate(Box::new(self.number)), levels, ..self }
    }

    fn binary(mut self, operator: Operator, right: Self) -> Self {
        if let (Number::Constant(a), Number::Constant(b)) = (&self.number, &right.number) {
            if let Some(value) = operator.apply(*a, *b) {
                return Self { number: Number::Constant(value), ..self };
            }
        }
        self.guard(right.guards);
        let levels = self.levels.max(right.levels).saturating_add(1);
        let number = Number::Binary(operator, Box::new(self.number), Box::new(right.number));
        Self { number, levels, ..self }
    }

    /// Compares two numbers, behind what the first one needs and then what the second one needs.
    pub(super) fn compare(mut self, relation: Relation, right: Self, tags: u8) -> Expr {
        self.guard(right.guards);
        let test = match (self.number, right.number) {
            (Number::Constant(left), Number::Constant(right)) => {
                Expr::Always(relation.holds(left, right))
            }
            (Number::Length, Number::Constant(number)) => length(relation, number),
            (Number::Constant(number), Number::Length) => length(relation.turned(), number),
            (left, right) => {
                let depth = loads::has_depth(&left) || loads::has_depth(&right);
                let depth = if depth { tags } else { 0 };
                Expr::Test(Test { depth, kind: TestKind::Compare(left, relation, right) })
            }
        };
        Expr::all(self.guards.into_iter().chain([test]))
    }
}

/// Compares the packet's length.
fn length(relation: Relation, number: u32) -> Expr {
    match (relation, number) {
        (Relation::GreaterOrEqual, 0) => Expr::Always(true),
        (Relation::Less, 0) => Expr::Always(false),
        _ => Expr::Test(Test { depth: 0, kind: TestKind::Length(relation, number) }),
    }
}

impl Relation {
    /// Returns the relation with left and right exchanged.
    fn turned(self) -> Self {
        match self {
            Self::Equal => Self::Equal,
            Self::NotEqual => Self::NotEqual,
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
        }
    }
}

/// How closely operators bind. `%` and `^` have no place in tcpdump's order: each binds closer than
/// what is left of it, and what is right of it is all taken first.
fn binding(sign: &str) -> Option<(Operator, u8, u8)> {
    let (operator, binds) = match sign {
        "|" => (Operator::Or, 1),
        "&" => (Operator::And, 2),
        "<<" => (Operator::ShiftLeft, 3),
        ">>" => (Operator::ShiftRight, 3),
        "+" => (Operator::Add, 4),
        "-" => (Operator::Subtract, 4),
        "*" => (Operator::Multiply, 5),
        "/" => (Operator::Divide, 5),
        "%" => return Some((Operator::Remainder, u8::MAX, 0)),
        "^" => return Some((Operator::Xor, u8::MAX, 0)),
        _ => return None,
    };
    Some((operator, binds, binds))
}

/// How closely the sign of a number binds.
const NEGATION: u8 = 6;

impl Parser<'_> {
    /// Refuses a number with too many levels.
    fn check_number(&self, levels: usize, token: usize) -> Result<()> {
        if levels <= MOST_NUMBER_LEVELS {
            return Ok(());
        }
        let rule = format!("numbers have at most {MOST_NUMBER_LEVELS} levels");
        Err(self.fault_at(token, ExpressionFault::Limit, &rule))
    }

    /// Returns whether a number follows.
    pub(super) fn is_number(&self) -> bool {
        match self.peek() {
            Kind::Number(_) | Kind::Sign("-") => true,
            Kind::Word => {
                matches!(self.word(), "len" | "length")
                    || matches!(self.peek_at(1), Kind::Sign("["))
            }
            _ => false,
        }
    }

    /// Takes a relation if it is the next token.
    pub(super) fn take_relation(&mut self) -> Option<Relation> {
        let Kind::Sign(sign) = self.peek() else { return None };
        let relation = match *sign {
            "=" => Relation::Equal,
            "!=" => Relation::NotEqual,
            "<" => Relation::Less,
            "<=" => Relation::LessOrEqual,
            ">" => Relation::Greater,
            ">=" => Relation::GreaterOrEqual,
            _ => return None,
        };
        self.advance();
        Some(relation)
    }

    /// Reads the operators behind a number that bind closer than `than`, and their operands.
    pub(super) fn rest(&mut self, mut left: Arithmetic, than: u8) -> Result<Arithmetic> {
        loop {
            let Kind::Sign(sign) = self.peek() else { return Ok(left) };
            let Some((operator, binds, right_binds)) = binding(sign) else { return Ok(left) };
            if binds <= than {
                return Ok(left);
            }
            let at = self.position();
            self.enter()?;
            self.advance();
            let operand = self.position();
            let right = self.operand()?;
            let right = self.rest(right, right_binds)?;
            self.leave();
            if let Number::Constant(value) = right.number {
                let rule = match operator {
                    Operator::Divide | Operator::Remainder if value == 0 => {
                        "nothing is divided by 0"
                    }
                    Operator::ShiftLeft | Operator::ShiftRight if value > 31 => {
                        "a shift is by at most 31 bits"
                    }
                    _ => "",
                };
                if !rule.is_empty() {
                    return Err(self.fault_at(operand, ExpressionFault::Value, rule));
                }
            }
            left = left.binary(operator, right);
            self.check_number(left.levels, at)?;
        }
    }

    /// Reads a number without operators outside of parentheses.
    pub(super) fn operand(&mut self) -> Result<Arithmetic> {
        match self.peek() {
            Kind::Number(value) => {
                let number = Number::Constant(*value);
                self.advance();
                Ok(Arithmetic::leaf(number))
            }
            Kind::Sign("-") => {
                let at = self.position();
                self.enter()?;
                self.advance();
                let operand = self.operand()?;
                let operand = self.rest(operand, NEGATION)?;
                self.leave();
                let negated = operand.negate();
                self.check_number(negated.levels, at)?;
                Ok(negated)
            }
            Kind::Sign("(") => {
                self.enter()?;
                self.advance();
                let inner = self.operand()?;
                let inner = self.rest(inner, 0)?;
                self.expect_sign(")")?;
                self.leave();
                Ok(inner)
            }
            Kind::Word if matches!(self.word(), "len" | "length") => {
                self.advance();
                Ok(Arithmetic::leaf(Number::Length))
            }
            Kind::Word if matches!(self.peek_at(1), Kind::Sign("[")) => self.bytes(),
            _ => Err(self.unexpected("a number, `len`, or bytes such as `tcp[13]`")),
        }
    }

    /// Reads bytes of a header: `tcp[13]`, `ip[6:2]`.
    fn bytes(&mut self) -> Result<Arithmetic> {
        let Some((header, guards)) = loads::header(self.word(), self.tags) else {
            if names::is_protocol(self.word()) {
                let rule = "the language has no bytes of this protocol";
                return Err(self.fault(ExpressionFault::Value, rule));
            }
            return Err(self.unexpected("a protocol, such as in `tcp[13]`"));
        };
        let begin = self.position();
        self.enter()?;
        self.advance();
        self.advance();
        let offset = self.operand()?;
        let mut offset = self.rest(offset, 0)?;
        let mut size = 1;
        if self.take_sign(":") {
            size = match self.peek() {
                Kind::Number(1) => 1,
                Kind::Number(2) => 2,
                Kind::Number(4) => 4,
                Kind::Number(_) => {
                    let rule = "bytes are read by 1, 2 or 4";
                    return Err(self.fault(ExpressionFault::Value, rule));
                }
                _ => return Err(self.unexpected("the number of bytes: 1, 2 or 4")),
            };
            self.advance();
        }
        self.expect_sign("]")?;
        self.leave();
        offset.guard(guards);
        let levels = offset.levels.saturating_add(1);
        self.check_number(levels, begin)?;
        let number = Number::Load { header, offset: Box::new(offset.number), size };
        Ok(Arithmetic { number, guards: offset.guards, levels })
    }
}
