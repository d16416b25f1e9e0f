//! Decision diagrams: each node looks at one field and goes on by the range that its value is in.
//!
//! A diagram is a function of the fields' values, so it holds for each packet whatever the order is
//! in which the fields are read. Each path looks at a field at most once, and equal parts are one
//! part. The order in which a condition tries its tests shows only in what is unreadable, and
//! [`Diagram::and`] and [`Diagram::or`] keep that: they are those of [`Expr`](super::expr::Expr).

use super::field::Fields;
use super::lower::Formula;
use crate::num::{u32_of_count, usize32};
use std::collections::{HashMap, HashSet};

/// A node of a diagram, or what a path comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Place {
    /// The condition is true, or not.
    Outcome(bool),
    /// The condition is unreadable.
    Unreadable,
    /// The packet is for the rule of this number.
    Rule(u32),
    /// The packet is for none of the rules of this diagram.
    NoRule,
    Node(u32),
}

/// A look at a field.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Node {
    /// The field's place in [`Fields`].
    pub(super) field: u32,
    /// Where to go for each range of values, by its last value, in order; neighbours differ.
    pub(super) edges: Vec<(u64, Place)>,
    /// Where to go if the field is absent.
    pub(super) absent: Place,
}

/// The most nodes, and the most edges of all of them: a program of so many is beyond the verifier.
const MOST_NODES: usize = 1 << 15;
const MOST_EDGES: usize = 1 << 18;
/// The most steps of building, so that it ends soon whatever the rules are.
const MOST_STEPS: usize = 1 << 19;

/// The rules take more nodes than a program may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLarge;

/// Diagrams that share their nodes.
#[derive(Debug, Default)]
pub(super) struct Diagram {
    nodes: Vec<Node>,
    places: HashMap<Node, u32>,
    done: HashMap<(Operation, Place, Place), Place>,
    edges: usize,
    steps: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Operation {
    And,
    Or,
    Not,
    /// The rule of this number if the first diagram is true, else the second.
    Choose(u32),
}

impl Diagram {
    /// Returns a node.
    pub(super) fn node(&self, node: u32) -> Option<&Node> {
        self.nodes.get(usize32(node))
    }

    /// Returns how many nodes there are, those that are not reached any more among them.
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Returns whether a condition is true of all packets that can be read.
    pub(super) fn is_always_true(&self, condition: Place) -> bool {
        let (mut seen, mut left, mut is_true) = (HashSet::new(), vec![condition], false);
        while let Some(place) = left.pop() {
            match place {
                Place::Outcome(false) => return false,
                Place::Outcome(true) => is_true = true,
                Place::Node(number) if seen.insert(number) => {
                    if let Some(node) = self.node(number) {
                        left.extend(node.edges.iter().map(|&(_, place)| place));
                        left.push(node.absent);
                    }
                }
                _ => {}
            }
        }
        is_true
    }

    /// Builds the diagram of a formula.
    pub(super) fn build(&mut self, formula: &Formula, fields: &Fields) -> Result<Place, TooLarge> {
        match formula {
            Formula::Always(outcome) => Ok(Place::Outcome(*outcome)),
            Formula::Not(inner) => {
                let inner = self.build(inner, fields)?;
                self.apply(Operation::Not, inner, Place::NoRule)
            }
            Formula::And(all) => self.build_all(all, fields, Operation::And),
            Formula::Or(all) => self.build_all(all, fields, Operation::Or),
            Formula::In(field, ranges) => {
                let place = fields.place(field).ok_or(TooLarge)?;
                let mut edges = Vec::new();
                let mut next = Some(0);
                for &(first, last) in ranges {
                    if next.is_some_and(|next| next < first) {
                        edges.push((first.saturating_sub(1), Place::Outcome(false)));
                    }
                    edges.push((last, Place::Outcome(true)));
                    next = last.checked_add(1);
                }
                if next.is_some_and(|next| next <= field.most()) {
                    edges.push((field.most(), Place::Outcome(false)));
                }
                self.make(place, edges, Place::Unreadable)
            }
        }
    }

    /// Builds halves first: many alternatives cost their number, not its square.
    fn build_all(
        &mut self,
        all: &[Formula],
        fields: &Fields,
        operation: Operation,
    ) -> Result<Place, TooLarge> {
        match all {
            [] => Ok(Place::Outcome(operation == Operation::And)),
            [one] => self.build(one, fields),
            _ => {
                let (left, right) = all.split_at(all.len().div_ceil(2));
                let left = self.build_all(left, fields, operation)?;
                let right = self.build_all(right, fields, operation)?;
                self.apply(operation, left, right)
            }
        }
    }

    /// Puts a rule before others: its packets are those for which `condition` is true.
    pub(super) fn choose(
        &mut self,
        condition: Place,
        rule: u32,
        others: Place,
    ) -> Result<Place, TooLarge> {
        self.apply(Operation::Choose(rule), condition, others)
    }

    fn apply(
        &mut self,
        operation: Operation,
        left: Place,
        right: Place,
    ) -> Result<Place, TooLarge> {
        if let Some(known) = outcome(operation, left, right) {
            return Ok(known);
        }
        let key = (operation, left, right);
        if let Some(&known) = self.done.get(&key) {
            return Ok(known);
        }
        self.steps = self.steps.saturating_add(1);
        let (field, left_edges, left_absent) = self.look(left);
        let (other, right_edges, right_absent) = self.look(right);
        let first = field.min(other);
        let whole = |place| (vec![(u64::MAX, place)], place);
        let (left_edges, left_absent) =
            if field == first { (left_edges, left_absent) } else { whole(left) };
        let (right_edges, right_absent) =
            if other == first { (right_edges, right_absent) } else { whole(right) };
        let absent = self.apply(operation, left_absent, right_absent)?;
        let mut edges = Vec::with_capacity(left_edges.len().max(right_edges.len()));
        let (mut a, mut b) = (left_edges.iter().peekable(), right_edges.iter().peekable());
        while let (Some(&&(left_last, left)), Some(&&(right_last, right))) = (a.peek(), b.peek()) {
            let last = left_last.min(right_last);
            edges.push((last, self.apply(operation, left, right)?));
            if left_last == last {
                a.next();
            }
            if right_last == last {
                b.next();
            }
        }
        self.steps = self.steps.saturating_add(edges.len());
        if self.steps > MOST_STEPS {
            return Err(TooLarge);
        }
        let made = self.make(first, edges, absent)?;
        self.done.insert(key, made);
        Ok(made)
    }

    /// Returns the field that a place looks at, and where it goes on; a place that is no node looks
    /// at a field after all others.
    fn look(&self, place: Place) -> (u32, Vec<(u64, Place)>, Place) {
        let node = match place {
            Place::Node(node) => self.node(node),
            _ => None,
        };
        match node {
            Some(node) => (node.field, node.edges.clone(), node.absent),
            None => (u32::MAX, vec![(u64::MAX, place)], place),
        }
    }

    /// Returns the node of these edges, or where all of them go.
    fn make(
        &mut self,
        field: u32,
        mut edges: Vec<(u64, Place)>,
        absent: Place,
    ) -> Result<Place, TooLarge> {
        // Of neighbours that go to one place the last stays.
        let mut kept: Vec<(u64, Place)> = Vec::with_capacity(edges.len());
        for (last, place) in edges.drain(..) {
            match kept.last_mut() {
                Some(before) if before.1 == place => before.0 = last,
                _ => kept.push((last, place)),
            }
        }
        if let [(_, only)] = *kept {
            if only == absent {
                return Ok(only);
            }
        }
        let edges = kept.len();
        let node = Node { field, edges: kept, absent };
        if let Some(&known) = self.places.get(&node) {
            return Ok(Place::Node(known));
        }
        self.edges = self.edges.saturating_add(edges);
        if self.nodes.len() >= MOST_NODES || self.edges > MOST_EDGES {
            return Err(TooLarge);
        }
        let place = u32_of_count(self.nodes.len());
        self.nodes.push(node.clone());
        self.places.insert(node, place);
        Ok(Place::Node(place))
    }
}

/// Returns what an operation comes to if that is known without a look at the nodes.
fn outcome(operation: Operation, left: Place, right: Place) -> Option<Place> {
    match (operation, left) {
        (Operation::And, Place::Outcome(false))
        | (Operation::Or, Place::Outcome(true))
        | (Operation::And | Operation::Or | Operation::Not, Place::Unreadable) => Some(left),
        (Operation::And, Place::Outcome(true))
        | (Operation::Or, Place::Outcome(false))
        | (Operation::Choose(_), Place::Outcome(false) | Place::Unreadable) => Some(right),
        (Operation::Not, Place::Outcome(outcome)) => Some(Place::Outcome(!outcome)),
        (Operation::Choose(rule), Place::Outcome(true)) => Some(Place::Rule(rule)),
        (Operation::And | Operation::Or, _) if left == right => Some(left),
        (Operation::And, _) if right == Place::Outcome(true) => Some(left),
        (Operation::Or, _) if right == Place::Outcome(false) => Some(left),
        _ => None,
    }
}
