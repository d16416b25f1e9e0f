//! What there is, for people: a table of all interfaces, and then each of them.

use super::view::{Seen, SeenFilter, SeenMap, SeenProgram, SeenRule, View, hex, holder, listed};
use crate::report::clock;
use crate::report::paragraph::{labelled, one_line};
use crate::report::rates::grouped;
use std::collections::BTreeMap;
use std::fmt::Write;
use xsk::bpf::{PinnedObject, RuleCount, TapCounts};
use xsk::interface::{InterfaceInfo, XdpSocketCounters, XdpSocketInfo};

/// How far the text of an item is from the left.
const ITEM: usize = 18;

/// Returns a socket's counters, with their names in JSON and in words.
pub(super) fn named(counters: &XdpSocketCounters) -> [(&'static str, &'static str, u64); 6] {
    [
        ("rx_dropped", "packets dropped otherwise", counters.rx_dropped),
        ("rx_invalid_descs", "invalid fill entries", counters.rx_invalid_descs),
        ("tx_invalid_descs", "invalid TX entries", counters.tx_invalid_descs),
        ("rx_ring_full", "packets lost (RX ring full)", counters.rx_ring_full),
        ("rx_fill_ring_empty_descs", "x fill ring empty", counters.fill_ring_empty),
        ("tx_ring_empty_descs", "x TX ring empty", counters.tx_ring_empty),
    ]
}

/// Returns the whole text.
pub(super) fn all(view: &View, width: usize) -> String {
    let shown: Vec<&Seen> =
        view.interfaces.iter().filter(|seen| view.is_named || seen.is_used()).collect();
    let mut text = String::new();
    if shown.iter().any(|seen| seen.is_used()) {
        text += &table(&shown);
    }
    for seen in &shown {
        text += &of_interface(view, seen, width);
    }
    if !view.strays.is_empty() {
        text += match view.lists_sockets {
            true => "\nAF_XDP sockets that are not bound to an interface\n",
            false => "\nAF_XDP sockets of processes in this network namespace\n",
        };
        match view.lists_sockets {
            true => view.strays.iter().for_each(|one| text += &of_socket(view, one, width)),
            false => text += &by_processes(view, width),
        }
    }
    let others = view.interfaces.len() - shown.len();
    if shown.is_empty() && view.strays.is_empty() {
        text += "no XDP program and no AF_XDP socket";
        text += &format!(" on {}\n", plural(others, "interface"));
    } else if others > 0 {
        text += &format!("\nnothing on {}\n", plural(others, "other interface"));
    }
    if !view.lists_sockets {
        text += &labelled(
            "note: ",
            "this kernel does not report interfaces and queues of AF_XDP sockets \
             (CONFIG_XDP_SOCKETS_DIAG, or its module xsk_diag)",
            width,
        );
    }
    for capability in view.missing() {
        let what = match capability {
            "CAP_SYS_ADMIN" => "what programs and maps are, and what holds them",
            "CAP_SYS_PTRACE" => "which processes have sockets and links",
            _ => "where links are pinned",
        };
        text += &labelled("unknown: ", &format!("{what} ({capability} would show it)"), width);
    }
    text
}

/// Returns the table of programs, and of interfaces that have sockets only.
fn table(shown: &[&Seen]) -> String {
    let mut text = format!(
        "{:<15}  {:<8}  {:<27}  {:<14}  {:>7}\n",
        "INTERFACE", "MODE", "PROGRAM", "HELD BY", "SOCKETS"
    );
    let mut row = |name: &str, mode: &str, program: &str, held_by: &str, sockets: &str| {
        let (name, program) = (cut(name, 15), cut(program, 27));
        let _ = writeln!(text, "{name:<15}  {mode:<8}  {program:<27}  {held_by:<14}  {sockets:>7}");
    };
    for seen in shown.iter().filter(|seen| seen.is_used()) {
        let sockets = seen.sockets.as_ref();
        let sockets = sockets.map_or("unknown".to_owned(), |all| all.len().to_string());
        if seen.programs.is_empty() {
            row(&seen.info.name, "-", "-", "-", &sockets);
        }
        for (at, one) in seen.programs.iter().enumerate() {
            let held_by = match (one.program.method, one.program.link) {
                (None, _) => "unknown".to_owned(),
                (Some(_), Some(link)) => format!("link {link}"),
                (Some(method), None) => method.to_string(),
            };
            let sockets = if at == 0 { sockets.as_str() } else { "" };
            let mode = one.program.mode.to_string();
            row(&seen.info.name, &mode, &one.title(), &held_by, sockets);
        }
    }
    text
}

/// Returns a text of at most so many columns.
fn cut(text: &str, most: usize) -> String {
    let text = one_line(text);
    match text.chars().count() > most {
        true => text.chars().take(most - 1).chain(['~']).collect(),
        false => text,
    }
}

fn plural(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn of_interface(view: &View, seen: &Seen, width: usize) -> String {
    let InterfaceInfo { name, index, kind, up, carrier, .. } = &seen.info;
    let state = match (up, carrier) {
        (false, _) => "down",
        (true, false) => "no carrier",
        (true, true) => "up",
    };
    let kind = kind.as_ref().map_or(String::new(), |kind| format!("{kind}, "));
    let title = format!("{name} ({kind}index {index}, {state})");
    let mut text = format!("\n{}", labelled("", &title, width));
    if !seen.is_used() {
        let sockets = if seen.sockets.is_some() { ", no AF_XDP socket" } else { "" };
        text += &format!("  no XDP program{sockets}\n");
    }
    seen.programs.iter().for_each(|program| text += &of_program(view, program, width));
    seen.sockets.iter().flatten().for_each(|socket| text += &of_socket(view, socket, width));
    text
}

/// Returns a line below the title of a program or a socket.
fn item(label: &str, text: &str, width: usize) -> String {
    labelled(&format!("    {label:<width$}", width = ITEM - 4), text, width)
}

fn of_program(view: &View, seen: &SeenProgram, width: usize) -> String {
    let program = &seen.program;
    let title = format!("program {}, {} mode", seen.title(), program.mode);
    let mut text = labelled("  ", &title, width);
    let processes = program.link.and_then(|link| view.with_link(link));
    let pins = program.link.and_then(|link| view.pins_of(PinnedObject::Link(link)));
    text += &item("held by", &holder(program, processes, pins.as_deref()), width);
    let Some(info) = &program.info else {
        return text + &item("about it", "unknown", width);
    };
    let loaded = view.now.checked_sub(info.age()).map_or("unknown".to_owned(), clock::date);
    let (age, user) = (clock::age(info.age()), view.users.shown(info.created_by));
    text += &item("loaded", &format!("{loaded}, {age} ago, by {user}"), width);
    let tag = hex(info.tag);
    let length = match info.instructions {
        0 => "length unknown".to_owned(),
        number => format!("{} instructions", grouped(number.into())),
    };
    text += &item("code", &format!("{length}, tag {tag}"), width);
    text += &match &seen.maps {
        None => item("maps", "unknown", width),
        Some(maps) if maps.is_empty() => String::new(),
        Some(maps) => {
            let maps: Vec<_> = maps.iter().map(of_map).collect();
            item("maps", &maps.join(", "), width)
        }
    };
    let pins = view.pins_of(PinnedObject::Program(program.id)).unwrap_or_default();
    for pin in pins {
        text += &item("pinned at", &pin.display().to_string(), width);
    }
    if let Some(dispatcher) = &program.dispatcher {
        let kind = format!("libxdp's dispatcher, version {}", dispatcher.version);
        text += &item("kind", &kind, width);
        text += &match &dispatcher.components {
            None => item("chain", "unknown", width),
            Some(components) if components.is_empty() => item("chain", "no program", width),
            Some(components) => {
                let lines = components.iter().map(|one| {
                    let id = one.id.map_or(String::new(), |id| format!(", program {id}"));
                    let actions = one.chain_actions.to_string();
                    let after = if actions.is_empty() { "nothing" } else { &actions };
                    let line = format!("{one}{id}, goes on after {after}");
                    item(&format!("chain {}", one.place), &line, width)
                });
                lines.collect()
            }
        };
    }
    match (&seen.filter, &seen.tap) {
        (Some(filter), _) => text + &of_filter(filter, width),
        (None, Some(tap)) => text + &of_tap(tap, width),
        (None, None) => text,
    }
}

/// Returns a map in words.
fn of_map(map: &SeenMap) -> String {
    let info = &map.info;
    let kind = info.kind_name().map_or(format!("type {}", info.kind), str::to_owned);
    let sockets = match map.sockets.as_deref() {
        None => String::new(),
        Some([]) => ", no socket in it".to_owned(),
        Some(slots) => {
            let slots: Vec<_> = slots.iter().map(u32::to_string).collect();
            format!(", sockets in slots {}", slots.join(" "))
        }
    };
    format!("{} {} ({kind}{sockets})", info.id, info.name)
}

fn of_filter(filter: &SeenFilter, width: usize) -> String {
    let mut text = item("kind", "a filter of xsk", width);
    let Some(rules) = &filter.rules else {
        return text + &item("rules", "unknown", width);
    };
    text += &format!("    {:>14}  {:>18}  {}\n", "PACKETS", "BYTES", "ACTION AND RULE");
    let mut row = |count: Option<RuleCount>, rule: &str| {
        let number = |of: fn(&RuleCount) -> u64| {
            count.as_ref().map_or("unknown".to_owned(), |count| grouped(of(count)))
        };
        let counts = (number(|count| count.packets), number(|count| count.bytes));
        let label = format!("    {:>14}  {:>18}  ", counts.0, counts.1);
        text += &labelled(&label, rule, width);
    };
    for SeenRule { text, count } in rules {
        let rule = match text {
            Some(rule) => format!("{}: {}", rule.action, rule.condition),
            None => "unknown rule".to_owned(),
        };
        row(*count, &rule);
    }
    row(filter.others, "pass: all others");
    text
}

fn of_tap(tap: &TapCounts, width: usize) -> String {
    let TapCounts { matched, others, lost, .. } = tap;
    let counts = format!(
        "{} packets matched ({} bytes), {} of them found no room; {} others ({} bytes)",
        grouped(matched.packets),
        grouped(matched.bytes),
        grouped(*lost),
        grouped(others.packets),
        grouped(others.bytes)
    );
    item("kind", "a tap of xsk, which copies packets (capture --tee)", width)
        + &item("counts", &counts, width)
}

/// Returns how many of the sockets processes have, where no more is known of them.
fn by_processes(view: &View, width: usize) -> String {
    let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
    for socket in &view.strays {
        let processes = view.with_socket(socket).unwrap_or_default();
        *numbers.entry(listed(processes)).or_default() += 1;
    }
    let line = |(processes, number): (&String, &usize)| {
        labelled("  ", &format!("{} of {processes}", plural(*number, "socket")), width)
    };
    numbers.iter().map(line).collect()
}

fn of_socket(view: &View, socket: &XdpSocketInfo, width: usize) -> String {
    let queue = match socket.interface_index {
        0 => String::new(),
        _ => format!(" on queue {}", socket.queue),
    };
    let processes = match view.with_socket(socket) {
        None => "unknown processes".to_owned(),
        Some([]) => "no process any more".to_owned(),
        Some(processes) => listed(processes),
    };
    let user = socket.uid.map(|uid| format!(", user {}", view.users.shown(uid)));
    let title = format!("socket{queue} of {processes}{}", user.unwrap_or_default());
    let mut text = labelled("  ", &title, width);
    let entries = |ring: Option<u32>| ring.map_or("none".to_owned(), |ring| grouped(ring.into()));
    let rings = format!(
        "RX {}, TX {}, fill {}, completion {} (entries)",
        entries(socket.rx_ring),
        entries(socket.tx_ring),
        entries(socket.fill_ring),
        entries(socket.completion_ring)
    );
    text += &item("rings", &rings, width);
    text += &match socket.umem {
        None => item("UMEM", "none", width),
        Some(umem) => {
            let mode = if umem.zero_copy { "zero-copy" } else { "copy mode" };
            let memory = format!(
                "{}: {} bytes, chunks of {}, headroom {}, {mode}",
                umem.id,
                grouped(umem.bytes),
                grouped(umem.chunk_size.into()),
                grouped(umem.headroom.into())
            );
            item("UMEM", &memory, width)
        }
    };
    let counters = match &socket.counters {
        None => "unknown".to_owned(),
        Some(counters) => {
            let counted = named(counters).into_iter().filter(|(.., value)| *value > 0);
            let counted: Vec<_> =
                counted.map(|(_, words, value)| format!("{} {words}", grouped(value))).collect();
            if counted.is_empty() { "nothing lost".to_owned() } else { counted.join(", ") }
        }
    };
    text + &item("statistics", &counters, width)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use xsk::interface::XdpUmemInfo;

    /// Returns a socket of which all is known but its process.
    pub(in super::super) fn socket() -> XdpSocketInfo {
        let mut umem = XdpUmemInfo::default();
        (umem.id, umem.bytes, umem.chunk_size, umem.headroom) = (7, 16 << 20, 4096, 256);
        (umem.zero_copy, umem.references) = (true, 2);
        let mut counters = XdpSocketCounters::default();
        (counters.rx_ring_full, counters.fill_ring_empty) = (12_345, 1);
        let mut socket = XdpSocketInfo::default();
        (socket.interface_index, socket.queue, socket.inode) = (3, 5, 99);
        (socket.uid, socket.umem, socket.counters) = (Some(1000), Some(umem), Some(counters));
        (socket.rx_ring, socket.fill_ring, socket.completion_ring) =
            (Some(2048), Some(4096), Some(2048));
        socket
    }

    #[test]
    fn a_socket_is_described() {
        let text = all(&View::of_socket(socket()), 80);
        let expected = "\
INTERFACE        MODE      PROGRAM                      HELD BY         SOCKETS
eth1             -         -                            -                     1

eth1 (index 3, down)
  socket on queue 5 of unknown processes, user uid 1000
    rings         RX 2,048, TX none, fill 4,096, completion 2,048 (entries)
    UMEM          7: 16,777,216 bytes, chunks of 4,096, headroom 256, zero-copy
    statistics    12,345 packets lost (RX ring full), 1 x fill ring empty
unknown: which processes have sockets and links (CAP_SYS_PTRACE would show it)
";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_socket_that_is_not_bound_has_no_queue() {
        let mut view = View::of_socket(XdpSocketInfo::default());
        view.strays = view.interfaces.remove(0).sockets.unwrap();
        let text = all(&view, 80);
        assert!(
            text.contains("not bound to an interface\n  socket of no process any more\n"),
            "{text}"
        );
        assert!(text.contains("RX none, TX none") && text.contains("UMEM          none"), "{text}");
        assert!(text.contains("statistics    unknown"), "{text}");
    }

    #[test]
    fn long_names_fit_their_columns() {
        assert_eq!(cut("short", 15), "short");
        assert_eq!(cut("0123456789abcdef", 15), "0123456789abcd~");
        assert_eq!(cut("a\nb", 15), "a\\nb");
    }
}
