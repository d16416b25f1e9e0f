//! `xsk napi`: the NAPI instances of an interface and their settings.

mod change;
mod show;
mod words;

use crate::command_line::napi::{NapiArgs, NapiCommand};
use crate::failure::{Failure, Result};
use crate::run::ended::Ended;
use crate::run::port;
use xsk::Interface;
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
