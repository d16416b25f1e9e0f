//! Settings of NAPI in JSON and in the words of the command line.

use serde_json::{Value, json};
use std::time::Duration;
use xsk::interface::{NapiSettings, NapiThreading};

/// Returns settings as the members of a JSON object; null for what is not known.
pub(crate) fn members(settings: Option<&NapiSettings>) -> Value {
    let time = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    json!({
        "defer_hard_irqs": settings.map(|settings| settings.defer_hard_irqs),
        "gro_flush_timeout_ns": settings.map(|settings| time(settings.gro_flush_timeout)),
        "irq_suspend_timeout_ns": settings.and_then(|settings| settings.irq_suspend_timeout).map(time),
        "threaded": settings.and_then(|settings| settings.threaded).map(word),
    })
}

/// Returns where an instance runs, as `--threaded` takes it.
pub(crate) fn word(threaded: NapiThreading) -> &'static str {
    match threaded {
        NapiThreading::Off => "off",
        NapiThreading::On => "on",
        NapiThreading::BusyPoll => "busy-poll",
        _ => "other",
    }
}
