//! `xsk steer`: flow rules of a card, added, shown and deleted.

mod rules;

use crate::command_line::steer::{DeleteArgs, SteerArgs, SteerCommand};
use crate::failure::{Failure, Result, quoted};
use crate::report::output::{self, printable};
use crate::run::ended::Ended;
use crate::run::filtering::condition;
use crate::run::port;
use crate::steer::rules::{Target, rules};
use serde_json::json;
use xsk::interface::{FlowAction, FlowRule, InstalledRule, RuleGuard};
use xsk::{Error, Interface};

pub(crate) fn run(args: &SteerArgs) -> Result<Ended> {
    let interface = || port::interface(&args.interface);
    match &args.command {
        // An expression that is wrong is wrong on any interface.
        None => {
            let target = args.queue.map_or(Target::Drop, Target::Queue);
            let wanted = rules(&condition(&args.words)?, target)?;
            add(args, &interface()?, &wanted)
        }
        Some(SteerCommand::List) => list(args, &interface()?),
        Some(SteerCommand::Delete(delete)) => remove(args, delete, &interface()?),
    }?;
    Ok(Ended::Count)
}

/// Adds all of the rules, or none.
fn add(args: &SteerArgs, interface: &Interface, wanted: &[FlowRule]) -> Result<()> {
    let mut added = Vec::new();
    for rule in wanted {
        // Those before are removed again if one is refused.
        let guard = interface.add_rule(rule).map_err(|error| match added[..] {
            [] => error.into(),
            _ => of_several(&error, rule),
        })?;
        added.push(guard);
    }
    let ids: Vec<u32> = added.iter().map(RuleGuard::location).collect();
    let there = interface.rules()?;
    let mut lines = Vec::new();
    for id in &ids {
        let rule = there.iter().find(|rule| rule.location == *id).ok_or_else(|| {
            let text = format!("rule {id} is not there any more: another program has removed it");
            Failure::Text(text)
        })?;
        lines.push(line(args, interface, rule, "added"));
    }
    if !args.json {
        let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
        let name = quoted(interface.name());
        let stay = if ids.len() == 1 { "It stays" } else { "They stay" };
        lines.push(format!("{stay} until `xsk steer {name} delete {}`.\n", ids.join(" ")));
    }
    // A failed write leaves no rules that are not known.
    output::print(&lines.concat())?;
    added.into_iter().for_each(RuleGuard::keep);
    Ok(())
}

/// Returns the error of a rule that is refused after others were taken.
fn of_several(error: &Error, rule: &FlowRule) -> Failure {
    Failure::Text(format!(
        "{error}. That is the rule \"{rule}\": those before it were taken, and are removed again. \
         An expression for one version of IP takes fewer rules (`ip and ...`)"
    ))
}

fn list(args: &SteerArgs, interface: &Interface) -> Result<()> {
    let there = interface.rules()?;
    let mut lines: Vec<_> =
        there.iter().map(|rule| line(args, interface, rule, "listed")).collect();
    if lines.is_empty() && !args.json {
        lines.push(format!("{} has no flow rules\n", printable(interface.name())));
    }
    Ok(output::print(&lines.concat())?)
}

fn remove(args: &SteerArgs, delete: &DeleteArgs, interface: &Interface) -> Result<()> {
    let there = interface.rules()?;
    let is_there = |id: &u32| there.iter().any(|rule| rule.location == *id);
    if let Some(id) = delete.ids.iter().find(|id| !is_there(id)) {
        let name = interface.name();
        return Err(Failure::Text(format!(
            "{name} has no flow rule {id}: `xsk steer {} list` shows those that it has",
            quoted(name)
        )));
    }
    let named = |rule: &&InstalledRule| delete.all || delete.ids.contains(&rule.location);
    let wanted: Vec<_> = there.iter().filter(named).collect();
    for rule in &wanted {
        if let Err(error) = interface.remove_rule(rule.location) {
            // Unless another program was faster.
            if interface.rules()?.contains(rule) {
                return Err(error.into());
            }
        }
        output::print(&line(args, interface, rule, "deleted"))?;
    }
    let left = interface.rules()?;
    if let Some(rule) = wanted.iter().find(|rule| left.contains(rule)) {
        let text = format!(
            "rule {} is still there: the driver took the call and did nothing",
            rule.location
        );
        return Err(Failure::Text(text));
    }
    if wanted.is_empty() && !args.json {
        let name = printable(interface.name());
        output::print(&format!("{name} has no flow rules\n"))?;
    }
    Ok(())
}

/// Returns a line about a rule.
fn line(args: &SteerArgs, interface: &Interface, rule: &InstalledRule, done: &str) -> String {
    let text = rule.rule.as_ref().map(ToString::to_string);
    let (action, queue, context) = match rule.action {
        FlowAction::Queue(queue) => ("queue", Some(queue), None),
        FlowAction::Drop => ("drop", None, None),
        FlowAction::Context { id, .. } => ("context", None, Some(id)),
        _ => ("other", None, None),
    };
    if !args.json {
        let text = text.unwrap_or_else(|| {
            format!("kind {:#x}, which this tool has no words for: {}", rule.flow_type, rule.action)
        });
        return match done {
            "listed" => format!("rule {}: {text}\n", rule.location),
            _ => format!("{done} rule {}: {text}\n", rule.location),
        };
    }
    let object = json!({
        "command": "steer",
        "interface": interface.name(),
        "done": done,
        "id": rule.location,
        "rule": text,
        "action": action,
        "queue": queue,
        "context": context,
        "flow_type": rule.flow_type,
    });
    format!("{object}\n")
}
