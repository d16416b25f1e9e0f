//! `xsk features`: what it shows is what `ethtool` and `ip` show, and what is unknown is null.

use crate::doctor::has_tools;
use crate::fixture::{Fixture, Tool};
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::Command;
use xsk::test_util::{privileged, test_name};

fn keys(object: &Value) -> BTreeSet<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

/// Returns the only object that is printed for an interface.
fn features(fixture: &Fixture, interface: &str) -> Value {
    let line = format!("features {interface} --json");
    let ended = Tool::start(&fixture.cable.left, &line).end();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    let mut objects = ended.objects();
    assert_eq!(objects.len(), 1, "{ended:?}");
    objects.remove(0)
}

#[test]
fn keys_are_stable_and_what_is_not_reported_is_null() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(3);
    let near = features(&fixture, "near");
    let wanted = [
        "bus",
        "driver",
        "driver_version",
        "firmware",
        "interface",
        "kernel",
        "kind",
        "mtu",
        "napi",
        "queues",
        "ring_sizes",
        "rss",
        "rx_metadata",
        "tx_metadata",
        "xdp",
    ];
    assert_eq!(keys(&near), BTreeSet::from(wanted));
    let wanted = [
        "hw_offload",
        "multi_buffer",
        "native",
        "ndo_xmit",
        "ndo_xmit_multi_buffer",
        "redirect",
        "zero_copy",
        "zero_copy_max_segments",
    ];
    assert_eq!(keys(&near["xdp"]), BTreeSet::from(wanted));
    assert_eq!(keys(&near["rx_metadata"]), BTreeSet::from(["hash", "timestamp", "vlan_tag"]));
    let wanted = BTreeSet::from(["checksum", "launch_time", "timestamp"]);
    assert_eq!(keys(&near["tx_metadata"]), wanted);
    let wanted = ["combined", "max_combined", "max_rx", "max_tx", "rx", "tx"];
    assert_eq!(keys(&near["queues"]), BTreeSet::from(wanted));
    assert_eq!(keys(&near["ring_sizes"]), BTreeSet::from(["max_rx", "max_tx", "rx", "tx"]));
    assert_eq!(keys(&near["mtu"]), BTreeSet::from(["max", "min", "now"]));
    assert_eq!(keys(&near["rss"]), BTreeSet::from(["flow_rules", "function", "queues"]));
    let wanted = BTreeSet::from(["defer_hard_irqs", "gro_flush_timeout_ns", "per_queue"]);
    assert_eq!(keys(&near["napi"]), wanted);
    // A virtual cable has none of these.
    for path in ["/bus", "/firmware", "/ring_sizes/rx", "/rss/function", "/rss/queues"] {
        assert_eq!(near.pointer(path), Some(&Value::Null), "{path}");
    }
    assert_eq!(features(&fixture, "lo")["driver"], Value::Null);
}

#[test]
fn values_are_those_of_ethtool_and_of_the_library() {
    if !privileged!() || !has_tools(test_name!()) {
        return;
    }
    let fixture = Fixture::new(3);
    let near = features(&fixture, "near");
    let show = |words: &[&str]| {
        let output = || Command::new(words[0]).args(&words[1..]).output().unwrap();
        let output = fixture.cable.left.run(output).unwrap();
        assert!(output.status.success(), "{words:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let driver = show(&["ethtool", "-i", "near"]);
    for (key, name) in [("driver", "driver: "), ("driver_version", "version: ")] {
        let line = driver.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        assert_eq!(near[key], line, "{driver}");
    }
    let channels = show(&["ethtool", "-l", "near"]);
    let numbers = |name: &str| -> Vec<u64> {
        let lines = channels.lines().filter_map(|line| line.strip_prefix(name));
        lines.map(|number| number.trim().parse().unwrap()).collect()
    };
    let queues = &near["queues"];
    assert_eq!(numbers("RX:"), [queues["max_rx"].as_u64().unwrap(), 3]);
    assert_eq!(numbers("TX:"), [queues["max_tx"].as_u64().unwrap(), 3]);
    assert_eq!((&queues["rx"], &queues["tx"]), (&3.into(), &3.into()));
    let links: Value =
        serde_json::from_str(&show(&["ip", "-j", "-d", "link", "show", "near"])).unwrap();
    let link = &links[0];
    assert_eq!(near["mtu"]["now"], link["mtu"]);
    assert_eq!(near["mtu"]["min"], link["min_mtu"]);
    assert_eq!(near["kind"], link["linkinfo"]["info_kind"]);
    // As XDP features are reported since 6.3.
    let xdp = fixture.cable.veth.a().xdp_features().unwrap();
    assert_eq!(near["xdp"]["native"], serde_json::json!(xdp.map(|xdp| xdp.native())));
    assert_eq!(near["xdp"]["zero_copy"], serde_json::json!(xdp.map(|xdp| xdp.zero_copy())));
    let hash = serde_json::json!(xdp.and_then(|xdp| xdp.rx_hash()));
    assert_eq!(near["rx_metadata"]["hash"], hash);
}

#[test]
fn without_an_interface_all_have_a_row_that_fits() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(2);
    let ended = Tool::start(&fixture.cable.left, "features").end();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert!(ended.out[0].starts_with("interface"), "{ended:?}");
    let near = ended.out.iter().find(|line| line.starts_with("near ")).unwrap();
    assert!(near.contains(" veth ") && near.ends_with("2 RX, 2 TX"), "{near}");
    assert!(ended.out.iter().all(|line| line.len() <= 80), "{ended:?}");
    let objects = Tool::start(&fixture.cable.left, "features --json").end().objects();
    let names: Vec<_> =
        objects.iter().map(|object| object["interface"].as_str().unwrap()).collect();
    assert!(names.contains(&"lo") && names.contains(&"near"), "{names:?}");
    let ended = Tool::start(&fixture.cable.left, "features near").end();
    assert_eq!(ended.out[0], "near");
    assert!(ended.out.iter().all(|line| line.chars().count() <= 80), "{ended:?}");
    assert!(ended.out.iter().any(|line| line == "  bus                 unknown"), "{ended:?}");
}
