//! The checks of the queues: how many there are, what comes to which, and who has them.

use super::check::Check;
use super::subject::{Peer, Subject};
use crate::failure::Result;
use crate::report::rates::named;
use crate::run::holders::holders;
use std::time::{Duration, Instant};
use xsk::interface::{NapiSettings, QueueState};
use xsk::multi_queue::QueueSet;
use xsk::{CopyMode, Errno, Error, Interface, Socket, Umem};

/// How long a queue may be taken that no process is found to have before that is a problem, and
/// one that a process that was found may have.
const FREEING: Duration = Duration::from_secs(2);
const FREEING_OR_OTHERS: Duration = Duration::from_millis(300);
/// The pause between two attempts to bind a socket.
const PAUSE: Duration = Duration::from_millis(20);

/// Looks at the numbers of queues.
pub(super) fn numbers(subject: &Subject, wanted: &[u32]) -> Check {
    const ID: &str = "queues";
    let (name, word) = (subject.name(), subject.word());
    let (rx, tx) = (subject.queues.rx, subject.queues.tx);
    let text = format!("{name} has {rx} RX queue(s) and {tx} TX queue(s)");
    let missing: Vec<u32> =
        wanted.iter().copied().filter(|queue| *queue >= subject.queues.current()).collect();
    if !missing.is_empty() {
        let missing = named(&missing.into_iter().collect());
        return Check::problem(ID, format!("{text}: there is no {missing}"))
            .command(format!("ethtool -l {word}"));
    }
    let without =
        |count| wanted.iter().copied().filter(|queue| *queue >= count).collect::<Vec<_>>();
    for (side, lacking) in [("RX", without(rx)), ("TX", without(tx))] {
        if !lacking.is_empty() {
            let lacking = named(&lacking.into_iter().collect());
            let what = if side == "RX" { "nothing comes there" } else { "nothing goes out there" };
            return Check::problem(ID, format!("{text}: {lacking} has no {side} side, and {what}"))
                .command(format!("ethtool -l {word}"));
        }
    }
    if let Peer::Here(peer) = &subject.peer {
        if peer.queues.tx > rx {
            let text = format!(
                "{text}: {}, the other end, has {} TX queues, for which these are too few in native \
                 mode, and generic mode is used",
                peer.name(),
                peer.queues.tx
            );
            let command = format!("ethtool -L {} tx {rx}", peer.word());
            return Check::note(ID, text).command(command);
        }
    }
    match rx == tx {
        true => Check::fine(ID, text),
        false => Check::note(
            ID,
            format!(
                "{text}: of the higher numbers there is one side only, and sockets that need both are \
                 refused"
            ),
        )
        .command(format!("ethtool -l {word}")),
    }
}

/// Looks at what comes to the queues that are wanted.
pub(super) fn spread(subject: &Subject, set: &QueueSet, wanted: &[u32]) -> Result<Check> {
    const ID: &str = "rss";
    let (name, word) = (subject.name(), subject.word());
    let rx = subject.queues.rx;
    if (0..rx).all(|queue| wanted.contains(&queue)) {
        return Ok(match rx {
            1 => Check::fine(ID, format!("{name} has one RX queue: everything comes there")),
            _ => Check::fine(ID, format!("all {rx} RX queues are listened on")),
        });
    }
    // An error: the driver has none.
    let rules = subject.interface.rules();
    let lists_rules = rules.is_ok();
    // Drivers list rules also for cards that have none, and whose feature cannot be switched on.
    let takes_rules = subject.interface.offloads()?.flow_rules == Some(true);
    let has_rules = !rules.unwrap_or_default().is_empty();
    let combined = subject.interface.channels()?.map_or(0, |channels| channels.max_combined);
    let single = if combined > 0 { "combined 1" } else { "rx 1 tx 1" };
    let table = subject.interface.rss()?.map(|rss| rss.queues()).filter(|table| !table.is_empty());
    let commands = |check: Check| {
        let mut check = check.command(format!("xsk rxdrop -i {word} -q all"));
        // With one queue all comes to the first.
        if wanted.contains(&0) {
            check = check.command(format!("ethtool -L {word} {single}"));
        }
        let queue = wanted.first().unwrap_or(&0);
        let steer = format!("xsk steer {word} udp dst port 4789 -q {queue}");
        match (lists_rules, takes_rules) {
            (false, _) => check,
            (true, true) => check.command(steer),
            (true, false) => check.command(format!(
                "ethtool -K {word} ntuple on && {steer}    # if the card has flow rules"
            )),
        }
    };
    let listened = named(set);
    Ok(match table {
        Some(table) if !wanted.iter().any(|queue| table.contains(queue)) && !has_rules => {
            let spread = named(&table.into_iter().collect());
            commands(Check::problem(
                ID,
                format!(
                    "the receive hash of {name} spreads packets over {spread}, and no rule brings \
                     any to {listened}, where you listen"
                ),
            ))
        }
        Some(table) if table.iter().all(|queue| wanted.contains(queue)) => Check::fine(
            ID,
            format!("the receive hash of {name} brings packets to {listened}, where you listen"),
        ),
        _ => commands(Check::note(
            ID,
            format!(
                "{name} has {rx} RX queues, and you listen on {listened}: packets of other flows \
                 come to the others"
            ),
        )),
    })
}

/// Looks at whether the queues that are wanted are free: by what the kernel reports, and where it
/// does not, by an attempt to bind a socket, if `by_trial`.
pub(super) fn taken(subject: &Subject, wanted: &[u32], by_trial: bool) -> Result<Check> {
    const ID: &str = "queue_taken";
    let name = subject.name();
    let states = subject.interface.queue_states()?.unwrap_or_default();
    let mut unknown = Vec::new();
    let start = Instant::now();
    for queue in wanted.iter().copied() {
        let state = states.iter().find(|state| state.queue == queue);
        let known = state.and_then(QueueState::has_socket);
        if known == Some(false) {
            continue;
        }
        let (bound, holders) = match by_trial {
            true => bind_patiently(&subject.interface, queue, start),
            false => (Bound::Unknown, holders()),
        };
        let by = match (bound, known) {
            (Bound::Taken(by), _) => by.map(|(by, _)| by),
            // The attempt shows whose it is, if it is not free by now.
            (Bound::Free, _) => continue,
            (Bound::Unknown, Some(true)) => None,
            (Bound::Unknown, _) => {
                unknown.push(queue);
                continue;
            }
        };
        let by = by.unwrap_or_else(|| match &holders[..] {
            [] => "a socket, of which the kernel does not say whose it is".to_owned(),
            found => format!(
                "a socket, of which the kernel does not say whose it is; those that have rings of \
                 sockets mapped: {}",
                found.join(", ")
            ),
        });
        // Shows the processes also where the kernel does not list sockets, and `ss --xdp` shows none.
        return Ok(Check::problem(ID, format!("queue {queue} of {name} is taken by {by}"))
            .command("xsk status"));
    }
    let set = |queues: &[u32]| named(&queues.iter().copied().collect());
    if !unknown.is_empty() {
        let text = format!(
            "whether {} of {name} is taken cannot be seen: the kernel does not report it (6.15 does, \
             of an interface that is up), and a socket cannot be bound without CAP_NET_RAW",
            set(&unknown),
        );
        return Ok(Check::unknown(ID, text));
    }
    Ok(Check::fine(ID, format!("{} of {name}: no socket is there", set(wanted))))
}

/// What an attempt to bind a socket to a queue showed.
enum Bound {
    Free,
    /// By whom, if the kernel says so, and whether that process was found.
    Taken(Option<(String, bool)>),
    Unknown,
}

/// Binds a socket, as [`bind`]; tries again while the queue is taken and its process is not found:
/// the kernel frees the queue of a process that has ended some time after. Returns also the
/// processes that may have it, if it is taken.
fn bind_patiently(interface: &Interface, queue: u32, start: Instant) -> (Bound, Vec<String>) {
    loop {
        let bound = bind(interface, queue);
        let Bound::Taken(by) = &bound else { return (bound, holders()) };
        let holders = holders();
        let most = match (by, &holders[..]) {
            (Some((_, true)), _) => Duration::ZERO,
            (_, []) => FREEING,
            // They may have others.
            _ => FREEING_OR_OTHERS,
        };
        if start.elapsed() >= most {
            return (bound, holders);
        }
        std::thread::sleep(PAUSE);
    }
}

/// Binds a socket in copy mode, which no driver is asked for, and drops it.
fn bind(interface: &Interface, queue: u32) -> Bound {
    let bound = Umem::builder().chunk_count(2).build().and_then(|(umem, pool)| {
        drop(pool);
        let builder = Socket::builder(&umem).copy_mode(CopyMode::Copy).bind_timeout(Duration::ZERO);
        builder.bind(interface, queue).map(drop)
    });
    match bound {
        Ok(()) | Err(Error::QueueSide { .. }) => Bound::Free,
        Err(Error::Bind { errno: Errno::BUSY, holder, .. }) => Bound::Taken(holder.map(|holder| {
            let process = holder.pid.map_or("a process".to_owned(), |pid| format!("process {pid}"));
            let user = holder.uid.map_or(String::new(), |uid| format!(" of user {uid}"));
            (format!("{process}{user}"), holder.pid.is_some())
        })),
        Err(_) => Bound::Unknown,
    }
}

/// Looks at the settings of busy polling.
pub(super) fn napi(subject: &Subject, wanted: &[u32]) -> Result<Check> {
    const ID: &str = "napi";
    let (name, word) = (subject.name(), subject.word());
    let queue = wanted.first().copied().unwrap_or_default();
    let single = match subject.interface.napi(queue) {
        Ok(single) => single,
        // A queue that is not there.
        Err(Error::Interface { errno: Errno::INVAL | Errno::NOENT, .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let of_queue = single.and_then(|napi| napi.settings());
    let (settings, whose) = match of_queue {
        Some(settings) => (settings, format!("queue {queue} of {name}")),
        None => match subject.interface.device_napi_settings()? {
            Some(settings) => (settings, name.to_owned()),
            None => {
                let text = format!("the kernel does not report the settings of NAPI of {name}");
                return Ok(Check::unknown(ID, text));
            }
        },
    };
    let NapiSettings { defer_hard_irqs, gro_flush_timeout, .. } = settings;
    if defer_hard_irqs == 0 || gro_flush_timeout.is_zero() {
        let text = format!(
            "interrupts of {whose} are not deferred: busy polling (-B) is preferred to them only \
             with napi_defer_hard_irqs and gro_flush_timeout in /sys/class/net/{word}"
        );
        return Ok(Check::fine(ID, text));
    }
    Ok(Check::note(
        ID,
        format!(
            "interrupts of {whose} are deferred ({settings}): as -B wants it; without -B a packet \
             may wait so long"
        ),
    ))
}
