//! `xsk napi IF set` and `xsk napi IF profile`.

use crate::command_line::napi::{NapiArgs, NapiSetArgs};
use crate::failure::{Failure, Result, quoted};
use crate::napi::words::{members, word};
use crate::report::output::{self, printable};
use serde_json::json;
use std::time::Duration;
use xsk::Interface;
use xsk::interface::{NapiGuard, NapiScope, NapiSettings, NapiThreading};

/// Returns settings with what the command line names; what it does not name stays as it is.
pub(crate) fn with(now: NapiSettings, wanted: &NapiSetArgs) -> NapiSettings {
    let deferrals = wanted.defer_hard_irqs.unwrap_or(now.defer_hard_irqs);
    let timeout = wanted.gro_flush_timeout.map_or(now.gro_flush_timeout, Duration::from_nanos);
    let mut settings = NapiSettings::new(deferrals, timeout);
    settings.irq_suspend_timeout = wanted.irq_suspend_timeout.map(Duration::from_nanos);
    settings.threaded = wanted.threaded.map(NapiThreading::from);
    settings
}

/// Sets all of the queues, or none.
pub(crate) fn settings(
    args: &NapiArgs,
    interface: &Interface,
    queues: &[u32],
    wanted: impl Fn(NapiSettings) -> NapiSettings,
) -> Result<()> {
    let (mut guards, mut before): (Vec<NapiGuard>, Vec<NapiSettings>) = Default::default();
    for queue in queues {
        let now = match interface.napi(*queue)?.and_then(|napi| napi.settings()) {
            Some(now) => now,
            // The whole device is set.
            None => interface.device_napi_settings()?.unwrap_or_default(),
        };
        // Those before are put back if one is refused.
        let guard = interface.set_napi(*queue, &wanted(now))?;
        let whole = guard.scope() == NapiScope::Device;
        guards.push(guard);
        before.push(now);
        if whole {
            break;
        }
    }
    let mut lines = Vec::new();
    for (guard, before) in guards.iter().zip(&before) {
        let after = read_back(interface, guard)?;
        lines.push(line(args, interface, guard, [before, &after]));
    }
    if !args.json {
        lines.push(
            "It stays until it is set again, the interface is removed, or its driver makes its NAPI \
             instances anew, as some do when it goes down and up. To undo it:\n"
                .into(),
        );
        lines.extend(undo(interface, &guards).iter().map(|command| format!("  {command}\n")));
    }
    // A failed write leaves nothing that is not known.
    output::print(&lines.concat())?;
    guards.into_iter().for_each(NapiGuard::keep);
    Ok(())
}

/// Returns what the kernel has now.
fn read_back(interface: &Interface, guard: &NapiGuard) -> Result<NapiSettings> {
    let now = match guard.scope() {
        NapiScope::Queue { queue, .. } => interface.napi(queue)?.and_then(|napi| napi.settings()),
        NapiScope::Device => interface.device_napi_settings()?,
    };
    now.ok_or_else(|| {
        let name = interface.name();
        Failure::Text(format!("the NAPI instance of {name} went away while it was set"))
    })
}

/// Returns a line about what was set. A guard's former settings are those alone that were set; those
/// before it are all that the kernel had.
fn line(
    args: &NapiArgs,
    interface: &Interface,
    guard: &NapiGuard,
    [before, after]: [&NapiSettings; 2],
) -> String {
    let (queue, napi) = match guard.scope() {
        NapiScope::Queue { queue, napi } => (Some(queue), Some(napi)),
        NapiScope::Device => (None, None),
    };
    if args.json {
        let undo = undo(interface, std::slice::from_ref(guard)).concat();
        let object = json!({
            "command": "napi",
            "interface": interface.name(),
            "done": "set",
            "queue": queue,
            "napi": napi,
            "before": members(Some(before)),
            "after": members(Some(after)),
            "undo": undo,
        });
        return format!("{object}\n");
    }
    let name = printable(interface.name());
    let place = match (queue, napi) {
        (Some(queue), Some(napi)) => format!("{name} queue {queue} (NAPI {napi})"),
        _ => format!("{name}, all queues (this kernel or driver does not set single ones)"),
    };
    // `napi_complete_done` (net/core/dev.c) counts a deferral, and then waits for no time.
    let vain = after.defer_hard_irqs > 0 && after.gro_flush_timeout.is_zero();
    let effect =
        if vain { "; deferrals have no effect while --gro-flush-timeout is 0" } else { "" };
    format!("{place}: {} -> {after}{effect}\n", guard.former())
}

/// Returns the commands that put the former settings back: one for all queues that had the same.
fn undo(interface: &Interface, guards: &[NapiGuard]) -> Vec<String> {
    let mut groups: Vec<(NapiSettings, Vec<u32>)> = Vec::new();
    for guard in guards {
        let queue = match guard.scope() {
            NapiScope::Queue { queue, .. } => Some(queue),
            NapiScope::Device => None,
        };
        match groups.iter_mut().find(|(former, _)| *former == guard.former()) {
            Some((_, queues)) => queues.extend(queue),
            None => groups.push((guard.former(), queue.into_iter().collect())),
        }
    }
    let name = quoted(interface.name());
    groups.iter().map(|(former, queues)| command(&name, former, queues)).collect()
}

fn command(name: &str, former: &NapiSettings, queues: &[u32]) -> String {
    let mut words = format!("xsk napi {name} set");
    if !queues.is_empty() {
        let queues: Vec<_> = queues.iter().map(ToString::to_string).collect();
        words.push_str(&format!(" -q {}", queues.join(",")));
    }
    let nanos = |time: Duration| time.as_nanos();
    words.push_str(&format!(
        " --defer-hard-irqs {} --gro-flush-timeout {}",
        former.defer_hard_irqs,
        nanos(former.gro_flush_timeout)
    ));
    if let Some(time) = former.irq_suspend_timeout {
        words.push_str(&format!(" --irq-suspend-timeout {}", nanos(time)));
    }
    if let Some(threaded) = former.threaded {
        words.push_str(&format!(" --threaded {}", word(threaded)));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::command;
    use std::time::Duration;
    use xsk::interface::{NapiSettings, NapiThreading};

    #[test]
    fn the_command_that_undoes_names_what_was_set_and_its_queues() {
        let former = NapiSettings::new(2, Duration::from_micros(200));
        assert_eq!(
            command("eth1", &former, &[]),
            "xsk napi eth1 set --defer-hard-irqs 2 --gro-flush-timeout 200000"
        );
        let former = former
            .with_irq_suspend_timeout(Duration::from_nanos(7))
            .with_threading(NapiThreading::Off);
        assert_eq!(
            command("eth1", &former, &[0, 3]),
            "xsk napi eth1 set -q 0,3 --defer-hard-irqs 2 --gro-flush-timeout 200000 \
             --irq-suspend-timeout 7 --threaded off"
        );
    }
}
