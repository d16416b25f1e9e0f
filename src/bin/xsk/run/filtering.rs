//! FILTER: packets of which an expression is true come to the sockets, and all others go on to the
//! kernel's network stack.

use crate::command_line::PortArgs;
use crate::command_line::filter::FilterArgs;
use crate::failure::{Failure, Result};
use crate::report::rates::grouped;
use crate::run::cut_off;
use crate::run::management;
use serde_json::{Value, json};
use std::sync::Arc;
use xsk::attach::AttachmentBuilder;
use xsk::bpf::{
    Action, CompiledFilter, Condition, Filter, FilterProgram, Program, RuleCount, XskMap,
};
use xsk::error::FilterFault;
use xsk::{AttachMethod, Attachment, Error, Interface};

/// What goes to the sockets of one interface: all packets of their queues, those of a filter, or
/// what a program of the command's own does with them.
#[derive(Debug)]
pub(crate) enum Filtering {
    Everything,
    Filter(Arc<LiveFilter>),
    Program(Program, XskMap),
}

/// A filter that is loaded for one interface.
#[derive(Debug)]
pub(crate) struct LiveFilter {
    interface: String,
    /// What it takes, in words.
    expression: String,
    /// Whether the command made it, and has lines of its own about it in the summary.
    own: bool,
    /// How many instructions the program has.
    instructions: usize,
    /// How many rules come before that of the packets that it takes.
    kept: usize,
    /// Why no packet comes to the sockets, if none does.
    takes_nothing: Option<String>,
    program: FilterProgram,
    map: XskMap,
}

/// What a filter did with packets.
#[derive(Debug, Clone, Copy)]
struct Tally {
    /// Passed on as management.
    management: RuleCount,
    /// Matched.
    matched: RuleCount,
    /// Passed on because they did not match.
    others: RuleCount,
}

/// The last lines about a filter.
#[derive(Debug)]
pub(crate) struct FilterSummary {
    interface: String,
    expression: String,
    instructions: usize,
    tally: Option<Tally>,
}

/// Reads an expression that is given as words.
pub(crate) fn condition(words: &[String]) -> Result<Condition> {
    match words {
        [number] if number.parse::<u64>().is_ok() => Err(Failure::NumberAsFilter(number.clone())),
        _ => words.join(" ").parse().map_err(Failure::Expression),
    }
}

/// Compiles a filter, which has no sets here: the library's advice would be in vain.
pub(crate) fn compile(filter: &Filter) -> Result<CompiledFilter> {
    filter.compile().map_err(|error| match error {
        Error::Filter { fault: FilterFault::TooLarge { .. }, .. } => Failure::Text(
            "the filter would make too large a program: some 2650 addresses of hosts, or 840 ports, are \
             the most. Networks (`net 10.0.0.0/8`) and ranges (`portrange 1000-1999`) take less"
                .to_owned(),
        ),
        error => error.into(),
    })
}

/// Returns whether a condition is true of every whole packet.
pub(crate) fn takes_everything(condition: &Condition) -> bool {
    let compiled = Filter::new().rule(condition.clone(), Action::Drop).compile();
    matches!(compiled, Err(Error::Filter { fault: FilterFault::TakesEverything { .. }, .. }))
}

/// Returns whether a condition is not true of any packet.
fn is_never_true(condition: &Condition) -> Result<bool> {
    let alone = Filter::new().rule(condition.clone(), Action::Queue).take_everything(true);
    Ok(!compile(&alone)?.unreachable().is_empty())
}

impl FilterArgs {
    /// Returns what is to go to the sockets of an interface: refuses what may cut the user off, and
    /// loads the filter.
    pub(crate) fn prepare(&self, port: &PortArgs, interface: &Interface) -> Result<Filtering> {
        let condition = match &self.words[..] {
            [] => None,
            words => Some(condition(words)?),
        };
        let everything = condition.as_ref().is_none_or(takes_everything);
        if (everything || self.take_management) && !self.yes {
            cut_off::refuse(port, interface, condition.is_some(), self.take_management)?;
        }
        let Some(condition) = condition else { return Ok(Filtering::Everything) };
        let filter = match self.take_management {
            true => Filter::new(),
            false => management::kept(interface)?,
        };
        let kept = filter.rules().len();
        // With nothing kept it was asked for twice: by the expression, and by the option.
        let filter = filter.rule(condition.clone(), Action::Queue).take_everything(true);
        let compiled = compile(&filter.frags(port.frags).counters(true))?;
        let map = XskMap::create(XskMap::DEFAULT_NAME, interface.max_queues()?)?;
        let takes_nothing = match compiled.unreachable().contains(&kept) {
            false => None,
            true if is_never_true(&condition)? => {
                Some(format!("the filter `{condition}` is not true of any packet"))
            }
            true => Some(format!(
                "all packets of the filter `{condition}` stay with the kernel as management: \
                 --take-management takes them"
            )),
        };
        Ok(Filtering::Filter(Arc::new(LiveFilter {
            interface: interface.name().to_owned(),
            expression: condition.to_string(),
            own: false,
            instructions: compiled.len(),
            kept,
            takes_nothing,
            program: compiled.load(&map)?,
            map,
        })))
    }
}

impl Filtering {
    /// Loads a filter that a command has made for an interface: its last rule is that of the packets
    /// that it takes, and `what` says in words what those are.
    pub(crate) fn of_command(
        port: &PortArgs,
        interface: &Interface,
        filter: Filter,
        what: String,
    ) -> Result<Self> {
        let kept = filter.rules().len().saturating_sub(1);
        let compiled = filter.frags(port.frags).counters(true).compile()?;
        let map = XskMap::create(XskMap::DEFAULT_NAME, interface.max_queues()?)?;
        Ok(Self::Filter(Arc::new(LiveFilter {
            interface: interface.name().to_owned(),
            expression: what,
            own: true,
            instructions: compiled.len(),
            kept,
            takes_nothing: None,
            program: compiled.load(&map)?,
            map,
        })))
    }

    /// Attaches by the builder that `builder` returns, with `attach`: the filter's program if there is
    /// a filter. `any_method` says that no method was asked for.
    pub(crate) fn attach(
        &self,
        any_method: bool,
        builder: impl Fn() -> AttachmentBuilder,
        attach: impl Fn(&dyn Fn() -> xsk::Result<AttachmentBuilder>) -> Result<Attachment>,
    ) -> Result<Attachment> {
        let (program, map) = match self {
            Self::Everything => return attach(&|| Ok(builder())),
            Self::Filter(live) => (live.program.program(), &live.map),
            Self::Program(program, map) => (program, map),
        };
        let filtered = || {
            let (program, map) = (program.try_clone()?, map.try_clone()?);
            // What a killed process left by netlink is replaced, as with the default program.
            Ok(builder().program(program, map).take_over(true))
        };
        if !any_method {
            return attach(&filtered);
        }
        // Nothing joins it, so that nothing is lost if it goes with this process.
        match attach(&|| Ok(filtered()?.method(AttachMethod::Link))) {
            // Before 5.9.
            Err(Failure::Xsk(Error::NeedsKernel { .. })) => attach(&filtered),
            result => result,
        }
    }

    /// Returns the filter, if there is one.
    pub(crate) fn live(&self) -> Option<Arc<LiveFilter>> {
        match self {
            Self::Filter(live) => Some(Arc::clone(live)),
            Self::Everything | Self::Program(..) => None,
        }
    }
}

impl LiveFilter {
    /// Returns what follows in the first line.
    pub(crate) fn title(&self) -> String {
        let Self { expression, instructions, .. } = self;
        match self.own {
            true => format!("; takes {expression}, by {instructions} instructions"),
            false => format!("; filter `{expression}`, {instructions} instructions"),
        }
    }

    /// Returns how many packets the rules before the last one passed on; `None` if that is not
    /// known.
    pub(crate) fn kept(&self) -> Option<u64> {
        self.tally().map(|tally| tally.management.packets)
    }

    /// Returns why no packet comes to the sockets, if none does.
    pub(crate) fn takes_nothing(&self) -> Option<&str> {
        self.takes_nothing.as_deref()
    }

    /// Returns how many packets matched, on all queues; `None` if that is not known.
    pub(crate) fn matched(&self) -> Option<u64> {
        self.tally().map(|tally| tally.matched.packets)
    }

    /// Returns how many packets came, on all queues; `None` if that is not known.
    pub(crate) fn seen(&self) -> Option<u64> {
        let Tally { management, matched, others } = self.tally()?;
        Some(management.packets + matched.packets + others.packets)
    }

    /// Returns what it did; `None` if that is not known.
    fn tally(&self) -> Option<Tally> {
        // Without rights (--user) the counters cannot be read before 5.19.
        let counts = self.program.counts().ok()??;
        let mut management = RuleCount::default();
        for rule in counts.rules.iter().take(self.kept) {
            management.packets += rule.packets;
            management.bytes += rule.bytes;
        }
        let matched = counts.rules.get(self.kept).copied().unwrap_or_default();
        Some(Tally { management, matched, others: counts.others })
    }

    /// Returns the last lines about it, unless the command has its own.
    pub(crate) fn summary(&self) -> Option<FilterSummary> {
        (!self.own).then(|| FilterSummary {
            interface: self.interface.clone(),
            expression: self.expression.clone(),
            instructions: self.instructions,
            tally: self.tally(),
        })
    }
}

impl FilterSummary {
    pub(crate) fn json(&self) -> Value {
        let count = |of: fn(&Tally) -> RuleCount| {
            let count = self.tally.as_ref().map(of);
            count.map(|count| json!({ "packets": count.packets, "bytes": count.bytes }))
        };
        json!({
            "interface": self.interface,
            "expression": self.expression,
            "instructions": self.instructions,
            "management": count(|tally| tally.management),
            "matched": count(|tally| tally.matched),
            "others": count(|tally| tally.others),
        })
    }

    /// Returns a line for people.
    pub(crate) fn line(&self) -> String {
        let name = crate::report::output::printable(&self.interface);
        let Some(tally) = &self.tally else {
            return format!("{name} filter: its counters cannot be read");
        };
        format!(
            "{name} filter: {} matched, {} passed on as management, {} passed on as others",
            grouped(tally.matched.packets),
            grouped(tally.management.packets),
            grouped(tally.others.packets)
        )
    }
}
