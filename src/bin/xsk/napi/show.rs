//! `xsk napi IF show`.

use crate::command_line::napi::NapiArgs;
use crate::failure::Result;
use crate::napi::words::{members, word};
use crate::report::output::{self, printable};
use crate::report::rates::grouped;
use serde_json::{Value, json};
use std::time::Duration;
use xsk::Interface;
use xsk::interface::{Napi, NapiSettings};

/// The columns behind the queue's number.
const HEADS: [&str; 7] = ["napi", "irq", "pid", "deferrals", "timeout", "suspension", "threaded"];

const LEGEND: &str = "\
deferrals: --defer-hard-irqs, timeout: --gro-flush-timeout, suspension:
--irq-suspend-timeout; - is what there is not, or is not known
";

pub(crate) fn all(args: &NapiArgs, interface: &Interface) -> Result<()> {
    let queues = 0..interface.queues()?.rx;
    let found = queues.map(|queue| Ok((queue, interface.napi(queue)?)));
    let found = found.collect::<xsk::Result<Vec<_>>>()?;
    let device = interface.device_napi_settings()?;
    let text = match args.json {
        true => objects(interface, &found, device.as_ref()),
        false => table(interface, &found, device.as_ref())?,
    };
    Ok(output::print(&text)?)
}

fn objects(
    interface: &Interface,
    found: &[(u32, Option<Napi>)],
    device: Option<&NapiSettings>,
) -> String {
    let object = |queue: Option<u32>, napi: Option<&Napi>, settings: Option<&NapiSettings>| {
        let mut object = json!({
            "command": "napi",
            "interface": interface.name(),
            "done": "shown",
            "queue": queue,
            "napi": napi.map(Napi::id),
            "irq": napi.and_then(Napi::irq),
            "thread": napi.and_then(Napi::thread),
        });
        if let (Value::Object(object), Value::Object(more)) = (&mut object, members(settings)) {
            object.extend(more);
        }
        format!("{object}\n")
    };
    let mut text = String::new();
    for (queue, napi) in found {
        let settings = napi.and_then(|napi| napi.settings());
        text.push_str(&object(Some(*queue), napi.as_ref(), settings.as_ref()));
    }
    text.push_str(&object(None, None, device));
    text
}

fn table(
    interface: &Interface,
    found: &[(u32, Option<Napi>)],
    device: Option<&NapiSettings>,
) -> Result<String> {
    let row = |queue: &str, cells: [String; 7]| {
        let [napi, irq, pid, deferrals, timeout, suspension, threaded] = cells;
        let text = format!(
            "{queue:>6} {napi:>7} {irq:>5} {pid:>8} {deferrals:>10} {timeout:>12} {suspension:>12}  \
             {threaded}"
        );
        format!("{}\n", text.trim_end())
    };
    let mut text = row("queue", HEADS.map(str::to_owned));
    for (queue, napi) in found {
        let cells = match napi {
            Some(napi) => {
                let [deferrals, timeout, suspension, threaded] = of_settings(napi.settings());
                let [irq, thread] = [napi.irq(), napi.thread()].map(or_dash);
                [napi.id().to_string(), irq, thread, deferrals, timeout, suspension, threaded]
            }
            None => [(); 7].map(|()| "-".to_owned()),
        };
        text.push_str(&row(&queue.to_string(), cells));
    }
    let [deferrals, timeout, suspension, threaded] = of_settings(device.copied());
    let none = || "-".to_owned();
    let whole = [none(), none(), none(), deferrals, timeout, suspension, threaded];
    text.push_str(&row("device", whole));
    text.push_str(LEGEND);
    if found.iter().any(|(_, napi)| napi.is_none()) {
        text.push_str(&why_unknown(interface)?);
    }
    if device.is_none() {
        text.push_str(
            "The settings of the whole device are not known: /sys shows another network\n\
             namespace (`ip netns exec` mounts one of its own), or Linux is older than 5.8.\n",
        );
    }
    Ok(text)
}

/// Returns why the instance of a queue is not known.
fn why_unknown(interface: &Interface) -> Result<String> {
    let name = printable(interface.name());
    if !interface.info()?.up {
        return Ok(format!(
            "{name} is down, and has no NAPI instance until it is up: `ip link set {name} up`.\n"
        ));
    }
    let driver = interface.driver()?.map(|driver| driver.name);
    Ok(match driver.as_deref() {
        Some("veth") => "Queues without an instance: a veth has some while a native XDP program is \
                         attached,\nor GRO is on; otherwise the processor's own takes the packets.\n"
            .to_owned(),
        driver => {
            let driver = driver.map_or_else(|| "its driver".to_owned(), |name| {
                format!("its driver {}", printable(name))
            });
            format!("Queues without an instance: {driver} names none, or Linux is older than 6.8.\n")
        }
    })
}

fn of_settings(settings: Option<NapiSettings>) -> [String; 4] {
    let Some(settings) = settings else { return [(); 4].map(|()| "-".to_owned()) };
    [
        grouped(settings.defer_hard_irqs.into()),
        time(settings.gro_flush_timeout),
        settings.irq_suspend_timeout.map_or_else(|| "-".to_owned(), time),
        settings.threaded.map_or("-", word).to_owned(),
    ]
}

fn or_dash(number: Option<u32>) -> String {
    number.map_or_else(|| "-".to_owned(), |number| number.to_string())
}

/// Returns a time in the largest unit that has no fraction.
fn time(time: Duration) -> String {
    let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    match nanos % 1000 {
        0 => format!("{} us", grouped(nanos / 1000)),
        _ => format!("{} ns", grouped(nanos)),
    }
}
