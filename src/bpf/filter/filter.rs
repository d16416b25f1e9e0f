//! A filter: rules, in order, and what becomes of the packets of each.

use super::super::map::XskMap;
use super::action::Action;
use super::compile::{Source, compile};
use super::compiled_filter::CompiledFilter;
use super::condition::Condition;
use super::counters::RuleKey;
use super::filter_program::FilterProgram;
use super::filter_rule::FilterRule;
use super::verdict::Verdict;
use crate::error::{Error, FilterFault, Result};
use crate::num::usize32;

/// Which packets go to a socket: rules, of which each packet is for the first whose condition is
/// true of it. Packets that are for no rule go on to the kernel's stack.
///
/// ```
/// use xsk::bpf::{Action, Condition, Filter};
///
/// let filter = Filter::new()
///     .rule("ip and tcp port 22".parse()?, Action::Pass)
///     .rule("ip and (udp dst port 4789 or ip proto 47)".parse()?, Action::Queue);
/// let compiled = filter.compile()?; // needs no rights
/// assert!(compiled.len() < 100, "{} instructions", compiled.len());
/// assert!(compiled.unreachable().is_empty(), "each rule can have packets");
/// # Ok::<(), xsk::Error>(())
/// ```
///
/// # Size
/// Compiling takes a limited number of steps, and a program has at most 32,767 instructions: a rule
/// has room for about 2,650 addresses of hosts (`src host`), or 840 ports. Networks and ranges of ports
/// take less; [`AddressSet`](super::AddressSet) and [`PortSet`](super::PortSet) take the same few
/// instructions, however much is in them.
///
/// # What is not read
/// A rule whose condition reads behind a packet's end is not for that packet, whatever the condition
/// says ([`Condition`]). The program sees the first buffer of a packet only: of a packet in several
/// frames, what is in the others is behind the end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    rules: Vec<Rule>,
    take_everything: bool,
    counters: bool,
    frags: bool,
}

/// A condition, and what becomes of packets of which it is true.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    condition: Condition,
    action: Action,
}

impl Filter {
    /// Returns a filter without rules: all packets go on to the kernel's stack.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a rule behind those that are there.
    #[must_use]
    pub fn rule(mut self, condition: Condition, action: Action) -> Self {
        self.rules.push(Rule { condition, action });
        self
    }

    /// Puts rules before those that are there.
    pub(super) fn before(mut self, rules: impl Iterator<Item = (Condition, Action)>) -> Self {
        let rules = rules.map(|(condition, action)| Rule { condition, action });
        self.rules.splice(0..0, rules);
        self
    }

    /// Sets whether a rule may take all packets from the kernel's stack. By default such a filter is
    /// refused: on the only interface of a machine it cuts off its remote users.
    #[must_use]
    pub fn take_everything(mut self, yes: bool) -> Self {
        self.take_everything = yes;
        self
    }

    /// Sets whether the program counts the packets and bytes of each rule
    /// ([`FilterProgram::counts`]). By default it does not. Counting takes a call of a helper for
    /// each packet.
    #[must_use]
    pub fn counters(mut self, yes: bool) -> Self {
        self.counters = yes;
        self
    }

    /// Sets whether the program takes packets in several frames, as
    /// [`ProgramBuilder::frags`](super::super::ProgramBuilder::frags) does. By default it does not.
    #[must_use]
    pub fn frags(mut self, yes: bool) -> Self {
        self.frags = yes;
        self
    }

    /// Returns the rules, in order.
    pub fn rules(&self) -> impl ExactSizeIterator<Item = (&Condition, Action)> {
        self.rules.iter().map(|rule| (&rule.condition, rule.action))
    }

    /// Returns what the filter does with a packet, which begins with its Ethernet header. Nothing is
    /// compiled, and no kernel is asked.
    #[must_use]
    pub fn matches(&self, packet: &[u8]) -> Verdict {
        let rule = self.rules.iter().position(|rule| rule.condition.matches(packet));
        let action = rule.and_then(|rule| self.rules.get(rule)).map(|rule| rule.action);
        Verdict { action: action.unwrap_or(Action::Pass), rule }
    }

    /// Compiles the filter to a program. Needs no rights, and no kernel.
    ///
    /// # Errors
    /// [`Error::Filter`] if the program would be too large, or takes all packets and
    /// [`take_everything`](Self::take_everything) is not set.
    pub fn compile(&self) -> Result<CompiledFilter> {
        let sources: Vec<Source<'_>> = self
            .rules
            .iter()
            .map(|rule| Source { condition: rule.condition.expr(), action: rule.action })
            .collect();
        let failed = |fault| Error::Filter { fault };
        let code = compile(&sources, self.counters)
            .map_err(|_| failed(FilterFault::TooLarge { rules: self.rules.len() }))?;
        let everything = code.everything.map(usize32).filter(|_| !self.take_everything);
        if let Some(rule) = everything {
            let condition = self.rules.get(rule).map(|rule| rule.condition.to_string());
            let condition = condition.unwrap_or_default();
            return Err(failed(FilterFault::TakesEverything { rule, condition }));
        }
        let keys = self.rules.iter().map(|rule| RuleKey::Rule(rule.condition.clone(), rule.action));
        let counted = if self.counters { Some(keys.collect()) } else { None };
        let text = |rule: &Rule| FilterRule::new(rule.action, rule.condition.to_string());
        let rules = self.rules.iter().map(text).collect();
        let last_slot = self.rules.iter().filter_map(|rule| rule.action.slot()).max();
        Ok(CompiledFilter { code, rules, counted, frags: self.frags, last_slot })
    }

    /// Compiles the filter, and loads it for the sockets of `map`.
    ///
    /// # Errors
    /// Those of [`compile`](Self::compile) and [`CompiledFilter::load`].
    pub fn load(&self, map: &XskMap) -> Result<FilterProgram> {
        self.compile()?.load(map)
    }
}
