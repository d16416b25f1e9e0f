//! What there is, for programs: an object for each interface.

use super::view::{Seen, SeenFilter, SeenMap, SeenProgram, View, hex};
use crate::report::clock;
use serde_json::{Value, json};
use std::path::PathBuf;
use xsk::attach::{ChainActions, Dispatcher};
use xsk::bpf::{PinnedObject, RuleCount, TapCounts};
use xsk::interface::{ProcessInfo, XdpSocketCounters, XdpSocketInfo};

/// Returns the lines.
pub(super) fn objects(view: &View) -> Vec<Value> {
    let missing = view.missing();
    let sockets = |list: &[XdpSocketInfo]| -> Value {
        list.iter().map(|socket| of_socket(view, socket)).collect()
    };
    let of_interface = |seen: &Seen| {
        json!({
            "interface": seen.info.name,
            "index": seen.info.index,
            "kind": seen.info.kind,
            "up": seen.info.up,
            "carrier": seen.info.carrier,
            "programs": seen.programs.iter().map(|one| of_program(view, one)).collect::<Value>(),
            "sockets": seen.sockets.as_deref().map(sockets),
            "missing": missing,
        })
    };
    let mut objects: Vec<_> = view.interfaces.iter().map(of_interface).collect();
    // One interface has one object.
    if !view.is_named && !view.strays.is_empty() {
        objects.push(json!({
            "interface": null,
            "index": null,
            "kind": null,
            "up": null,
            "carrier": null,
            "programs": [],
            "sockets": sockets(&view.strays),
            "missing": missing,
        }));
    }
    objects
}

fn of_program(view: &View, seen: &SeenProgram) -> Value {
    let program = &seen.program;
    let info = program.info.as_ref();
    let is_link = program.link;
    let loaded = info.and_then(|info| view.now.checked_sub(info.age())).map(clock::utc);
    json!({
        "mode": program.mode.to_string(),
        "id": program.id,
        "name": seen.name(),
        "tag": info.map(|info| hex(info.tag)),
        "held_by": program.method.map(|method| method.to_string()),
        "link": is_link,
        "link_pins": is_link.and_then(|link| paths(view.pins_of(PinnedObject::Link(link)))),
        "link_processes": is_link.and_then(|link| view.with_link(link)).map(processes),
        "pins": info.and_then(|_| paths(view.pins_of(PinnedObject::Program(program.id)))),
        "loaded_at": loaded,
        "age_seconds": info.map(|info| info.age().as_secs_f64()),
        "uid": info.map(|info| info.created_by),
        "user": info.and_then(|info| view.users.name(info.created_by)),
        "instructions": info.map(|info| info.instructions).filter(|number| *number > 0),
        "maps": seen.maps.as_ref().map(|maps| maps.iter().map(of_map).collect::<Value>()),
        "dispatcher": program.dispatcher.as_ref().map(of_dispatcher),
        "filter": seen.filter.as_ref().map(of_filter),
        "tap": seen.tap.as_ref().map(of_tap),
    })
}

fn paths(paths: Option<Vec<PathBuf>>) -> Option<Value> {
    Some(paths?.iter().map(|path| path.to_string_lossy()).collect())
}

fn processes(list: &[ProcessInfo]) -> Value {
    list.iter().map(|one| json!({ "pid": one.id, "command": one.command })).collect()
}

fn of_map(map: &SeenMap) -> Value {
    json!({
        "id": map.info.id,
        "name": map.info.name,
        "type": map.info.kind_name(),
        "key_bytes": map.info.key_size,
        "value_bytes": map.info.value_size,
        "entries": map.info.entries,
        "socket_slots": map.sockets,
    })
}

fn of_dispatcher(dispatcher: &Dispatcher) -> Value {
    let chain = dispatcher.components.as_ref().map(|components| -> Value {
        let of_one = |one: &xsk::attach::DispatcherComponent| {
            json!({
                "place": one.place,
                "id": one.id,
                "name": one.name,
                "tag": one.tag.map(hex),
                "link": one.link,
                "priority": one.priority,
                "chain_actions": actions(one.chain_actions),
            })
        };
        components.iter().map(of_one).collect()
    });
    json!({ "version": dispatcher.version, "frags": dispatcher.frags, "chain": chain })
}

fn actions(actions: ChainActions) -> Value {
    actions.to_string().split(',').filter(|name| !name.is_empty()).collect()
}

fn of_filter(filter: &SeenFilter) -> Value {
    let rules = filter.rules.as_ref().map(|rules| -> Value {
        let of_rule = |rule: &super::view::SeenRule| {
            json!({
                "action": rule.text.as_ref().map(|text| text.action.to_string()),
                "condition": rule.text.as_ref().map(|text| &text.condition),
                "packets": rule.count.map(|count| count.packets),
                "bytes": rule.count.map(|count| count.bytes),
            })
        };
        rules.iter().map(of_rule).collect()
    });
    json!({ "rules": rules, "others": filter.others.map(count) })
}

fn of_tap(tap: &TapCounts) -> Value {
    json!({ "matched": count(tap.matched), "others": count(tap.others), "lost": tap.lost })
}

fn count(count: RuleCount) -> Value {
    json!({ "packets": count.packets, "bytes": count.bytes })
}

fn of_socket(view: &View, socket: &XdpSocketInfo) -> Value {
    let is_bound = socket.interface_index != 0;
    json!({
        "queue": is_bound.then_some(socket.queue),
        "inode": socket.inode,
        "uid": socket.uid,
        "user": socket.uid.and_then(|uid| view.users.name(uid)),
        "processes": view.with_socket(socket).map(processes),
        "umem": socket.umem.map(|umem| json!({
            "id": umem.id,
            "bytes": umem.bytes,
            "chunk_bytes": umem.chunk_size,
            "headroom_bytes": umem.headroom,
            "zero_copy": umem.zero_copy,
            "references": umem.references,
        })),
        "rings": {
            "rx": socket.rx_ring,
            "tx": socket.tx_ring,
            "fill": socket.fill_ring,
            "completion": socket.completion_ring,
        },
        "statistics": socket.counters.map(of_counters),
    })
}

fn of_counters(counters: XdpSocketCounters) -> Value {
    let named = super::text::named(&counters).into_iter();
    Value::Object(named.map(|(name, _, value)| (name.to_owned(), value.into())).collect())
}

#[cfg(test)]
mod tests {
    use super::super::text::tests::socket;
    use super::*;

    #[test]
    fn a_socket_has_all_that_is_known() {
        let objects = objects(&View::of_socket(socket()));
        assert_eq!(objects.len(), 1);
        let expected = json!([{
            "queue": 5,
            "inode": 99,
            "uid": 1000,
            "user": null,
            "processes": null,
            "umem": {
                "id": 7, "bytes": 16_777_216, "chunk_bytes": 4096, "headroom_bytes": 256,
                "zero_copy": true, "references": 2,
            },
            "rings": { "rx": 2048, "tx": null, "fill": 4096, "completion": 2048 },
            "statistics": {
                "rx_dropped": 0, "rx_invalid_descs": 0, "tx_invalid_descs": 0,
                "rx_ring_full": 12_345, "rx_fill_ring_empty_descs": 1, "tx_ring_empty_descs": 0,
            },
        }]);
        assert_eq!(objects[0]["sockets"], expected);
        assert_eq!(objects[0]["missing"], json!(["CAP_SYS_PTRACE"]));
    }
}
