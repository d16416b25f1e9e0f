//! `xsk napi`: the NAPI instances of an interface and their settings.

mod change;
mod show;

use crate::command_line::napi::{NapiArgs, NapiCommand};
use crate::failure::{Failure, Result};
use crate::run::ended::Ended;
use crate::run::port;
use serde_json::{Value, json};
use xsk::Interface;
use xsk::interface::{NapiSettings, NapiThreading};
use xsk::multi_queue::QueueSet;
use xsk::socket::NapiProfile;

pub(crate) fn run(args: &NapiArgs) -> Result<Ended> {
    let interface = port::interface(&args.interface)?;
    match &args.command {
        NapiCommand::Show => show::all(args, &interface),
        NapiCommand::Set(wanted) => {
            let queues = queues(&interface, &wanted.queue)?;
            change::settings(args, &interface, &queues, |now| change::with(now, wanted))
        }
        NapiCommand::Profile(wanted) => {
            let queues = queues(&interface, &wanted.queue)?;
            let settings = NapiProfile::from(wanted.aim).napi();
            change::settings(args, &interface, &queues, |_| settings)
        }
    }?;
    Ok(Ended::Count)
}

/// Returns the numbers of receive queues.
fn queues(interface: &Interface, wanted: &QueueSet) -> Result<Vec<u32>> {
    let there = interface.queues()?;
    let mut numbers = wanted.numbers(there);
    if wanted.is_all() {
        numbers.retain(|queue| *queue < there.rx);
    }
    match numbers.iter().find(|queue| **queue >= there.rx) {
        Some(queue) => Err(Failure::Text(format!(
            "{} has no receive queue {queue}: it has {}, which are numbered from 0",
            interface.name(),
            there.rx
        ))),
        None => Ok(numbers),
    }
}

/// Returns settings as the members of a JSON object; null for what is not known.
fn members(settings: Option<&NapiSettings>) -> Value {
    let time = |time: std::time::Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    json!({
        "defer_hard_irqs": settings.map(|settings| settings.defer_hard_irqs),
        "gro_flush_timeout_ns": settings.map(|settings| time(settings.gro_flush_timeout)),
        "irq_suspend_timeout_ns": settings.and_then(|settings| settings.irq_suspend_timeout).map(time),
        "threaded": settings.and_then(|settings| settings.threaded).map(word),
    })
}

/// Returns where an instance runs, as `--threaded` takes it.
fn word(threaded: NapiThreading) -> &'static str {
    match threaded {
        NapiThreading::Off => "off",
        NapiThreading::On => "on",
        NapiThreading::BusyPoll => "busy-poll",
        _ => "other",
    }
}
