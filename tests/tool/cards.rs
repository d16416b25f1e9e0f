//! The tool on the cards of a guest (`XSK_CARDS`, `tests/vm`), and on interfaces made of them.

use crate::common::{PATIENCE, joined_cards, kernel_can, kernel_since};
use crate::doctor::Found;
use crate::fixture::{Ended, TOOL, Tool};
use serde_json::{Value, json};
use std::fs::{read_dir, read_link, read_to_string};
use std::process::Command;
use std::sync::MutexGuard;
use xsk::Interface;
use xsk::interface::{FlowAction, XdpSocketInfo};
use xsk::test_util::{Namespace, ip, test_name};

/// Two cards that a cable joins, with their links up.
struct Cards {
    one: Interface,
    two: Interface,
    _turn: MutexGuard<'static, ()>,
}

impl Cards {
    /// Returns `None` after printing that the test is skipped.
    fn new(test: &str) -> Option<Self> {
        let ([one, two], _turn) = joined_cards(test)?;
        let cards = Self { one, two, _turn };
        cards.wait_for_links();
        Some(cards)
    }

    fn wait_for_links(&self) {
        for card in [&self.one, &self.two] {
            ip::wait_for_carrier(card, PATIENCE).unwrap();
        }
    }

    /// As [`Cards::new`], for tests of the driver igb.
    fn of_igb(test: &str) -> Option<Self> {
        let is_igb = kind().starts_with("igb");
        Self::new(test).filter(|_| kernel_can(test, is_igb, "needs cards of the kind igb"))
    }

    /// As [`Cards::of_igb`], for tests of flow rules, which it has or has not.
    fn with_rules(test: &str, has: bool) -> Option<Self> {
        let cards = Self::of_igb(test)?;
        let ntuple = cards.two.set_ntuple(true);
        let why = if has { "the card has no flow rules" } else { "the card has flow rules" };
        if !kernel_can(test, ntuple.is_ok() == has, why) {
            return None;
        }
        if let Ok(ntuple) = ntuple {
            ntuple.keep();
        }
        Some(cards)
    }
}

/// Returns the kind of the cards (`XSK_CARDS_KIND`).
fn kind() -> String {
    std::env::var("XSK_CARDS_KIND").unwrap_or_default()
}

/// Returns how a run of the tool ended, in the namespace of the cards.
fn run(line: &str) -> Ended {
    Tool::spawn_here(Command::new(TOOL).args(line.split_whitespace())).end()
}

/// Returns the objects of a run that succeeded.
#[track_caller]
fn objects(line: &str) -> Vec<Value> {
    let ended = run(&format!("{line} --json"));
    assert_eq!(ended.status.code(), Some(0), "{line}: {ended:?}");
    ended.objects()
}

/// Returns the lines of a run that succeeded, which fit 80 columns unless they are commands.
#[track_caller]
fn lines(line: &str) -> Vec<String> {
    let ended = run(line);
    assert!(matches!(ended.status.code(), Some(0 | 6)), "{line}: {ended:?}");
    for text in &ended.out {
        assert!(text.chars().count() <= 80 || text.starts_with("         $ "), "{text}");
    }
    ended.out
}

fn doctor(words: &str) -> Found {
    Found::of(&run(&format!("doctor --json {words}")))
}

#[test]
fn features_of_a_card_are_those_that_the_kernel_has_in_its_files() {
    let Some(cards) = Cards::new(test_name!()) else {
        return;
    };
    for card in [&cards.one, &cards.two] {
        let name = card.name();
        let found = objects(&format!("features {name}")).remove(0);
        let file = |path: &str| format!("/sys/class/net/{name}/{path}");
        let link = |path: &str| {
            let to = read_link(file(path)).unwrap();
            to.file_name().unwrap().to_str().unwrap().to_owned()
        };
        assert_eq!(found["driver"], link("device/driver"));
        // A card of virtio is a device of a bus of its own, on a device of PCI.
        let device = read_link(file("device")).unwrap();
        let bus = found["bus"].as_str().unwrap();
        let path = std::fs::canonicalize(file("device")).unwrap();
        assert!(path.to_str().unwrap().split('/').any(|part| part == bus), "{device:?}: {found}");
        let queues = |side: &str| {
            let all = read_dir(file("queues")).unwrap().map(|one| one.unwrap().file_name());
            all.filter(|one| one.to_str().unwrap().starts_with(side)).count()
        };
        assert_eq!(found["queues"]["rx"], queues("rx-"), "{found}");
        assert_eq!(found["queues"]["tx"], queues("tx-"), "{found}");
        let number =
            |path: &str| -> u64 { read_to_string(file(path)).unwrap().trim().parse().unwrap() };
        assert_eq!(found["mtu"]["now"], number("mtu"));
        assert_eq!(found["kind"], Value::Null);
        let channels = card.channels().unwrap().unwrap();
        assert_eq!(found["queues"]["combined"], channels.combined);
        assert_eq!(found["queues"]["max_combined"], channels.max_combined);
        let rings = card.ring_sizes().unwrap().unwrap();
        let wanted = json!({
            "rx": rings.rx, "tx": rings.tx, "max_rx": rings.max_rx, "max_tx": rings.max_tx,
        });
        assert_eq!(found["ring_sizes"], wanted);
        assert_eq!(found["xdp"]["native"].is_null(), !kernel_since(6, 3), "{found}");
        if std::env::var("XSK_ZERO_COPY").is_ok_and(|value| value == "require") {
            assert_eq!(found["xdp"]["zero_copy"], true, "{found}");
        }
        if kind().starts_with("igb") {
            let wanted = json!([(channels.combined, rings.rx, rings.max_rx), [0, 1]]);
            assert_eq!(json!([(2, 256, 4096), found["rss"]["queues"]]), wanted, "{found}");
            assert_eq!(found["rss"]["flow_rules"], card.ntuple().unwrap(), "{found}");
        }
        let text = lines(&format!("features {name}"));
        assert_eq!(text[0], name);
        let driver = format!("  driver              {}", found["driver"].as_str().unwrap());
        assert!(text.iter().any(|line| line.starts_with(&driver)), "{text:?}");
    }
    assert!(lines("features").iter().any(|line| line.starts_with(cards.one.name())));
}

#[test]
fn the_doctor_of_a_card_with_several_queues_reads_its_receive_hash() {
    let Some(cards) = Cards::of_igb(test_name!()) else {
        return;
    };
    let (card, name) = (&cards.two, cards.two.name());
    let found = doctor(name);
    found.is("up", "fine", "is up");
    found.is("carrier", "fine", "has a carrier");
    found.is("kind", "fine", "belongs to no bond");
    found.is("queues", "fine", "2 RX queue(s) and 2 TX queue(s)");
    let words = format!("{name} has 2 RX queues, and you listen on queue 0");
    let commands = found.is("rss", "note", &words);
    let steer = format!("xsk steer {name} udp dst port 4789 -q 0");
    let steer = match card.ntuple().unwrap() {
        true => steer,
        false => format!("ethtool -K {name} ntuple on && {steer}    # if the card has flow rules"),
    };
    let wanted =
        [format!("xsk rxdrop -i {name} -q all"), format!("ethtool -L {name} combined 1"), steer];
    assert_eq!(commands, wanted);
    found.is_broken(false);
    doctor(&format!("{name} -q all")).is("rss", "fine", "all 2 RX queues");
    let words = "there is no queue 2";
    doctor(&format!("{name} -q 2")).is("queues", "problem", words);
    let guard = card.keep_queue_out(0).unwrap();
    let found = doctor(name);
    let words = format!(
        "the receive hash of {name} spreads packets over queue 1, and no rule brings any to queue 0"
    );
    found.is("rss", "problem", &words);
    found.is_broken(true);
    let words = format!("the receive hash of {name} brings packets to queue 1");
    let found = doctor(&format!("{name} -q 1"));
    found.is("rss", "fine", &words);
    found.is_broken(false);
    guard.restore().unwrap();
    lines(&format!("doctor {name}"));
}

/// A kind of interface that goes at the end of the test.
struct Made(Interface);

impl Drop for Made {
    fn drop(&mut self) {
        let _ = ip::delete(&self.0);
    }
}

#[test]
fn the_doctor_of_a_vlan_and_of_a_bond_of_a_card_names_the_card() {
    let Some(cards) = Cards::new(test_name!()) else {
        return;
    };
    let here = Namespace::current().unwrap();
    let (card, name) = (&cards.two, cards.two.name());
    let vlan = here.add_device("vlan", "tagged", Some(card)).map(Made);
    if kernel_can(test_name!(), vlan.is_ok(), "the kernel has no VLAN devices") {
        let vlan = vlan.unwrap();
        ip::set_up(&vlan.0, true).unwrap();
        ip::wait_for_carrier(&vlan.0, PATIENCE).unwrap();
        let found = doctor("tagged");
        let commands = found.is("kind", "note", "tagged is of kind vlan: generic mode only");
        assert_eq!(commands, [format!("xsk doctor {name}")]);
        found.is_broken(false);
        lines("doctor tagged");
    }
    let bond = here.add_device("bond", "joined", None).map(Made);
    if !kernel_can(test_name!(), bond.is_ok(), "the kernel has no bonds") {
        return;
    }
    let bond = bond.unwrap();
    ip::set_up(card, false).unwrap();
    ip::set_master(card, Some(&bond.0)).unwrap();
    ip::set_up(&bond.0, true).unwrap();
    ip::wait_for_carrier(&bond.0, PATIENCE).unwrap();
    let found = doctor("joined");
    let commands = found.is("kind", "note", "joined is a bond");
    assert_eq!(commands, [format!("xsk doctor {name}")]);
    found.is_broken(false);
    doctor(name).is(
        "kind",
        "note",
        &format!("{name} belongs to joined: sockets and programs here"),
    );
    for words in ["joined", name] {
        lines(&format!("doctor {words}"));
    }
    drop(bond);
    ip::set_up(card, true).unwrap();
    doctor(name).is("kind", "fine", "belongs to no bond");
}

#[test]
fn the_sockets_of_a_card_are_shown_with_their_mode() {
    let Some(cards) = Cards::new(test_name!()) else {
        return;
    };
    let name = cards.two.name();
    let line = format!("rxdrop -i {name} -N -q all --json --wait 20000");
    let tool = Tool::spawn_here(Command::new(TOOL).args(line.split_whitespace())).ready();
    let objects = objects("status");
    let here = objects.iter().find(|one| one["interface"] == name).unwrap();
    assert_eq!(here["programs"][0]["mode"], "native", "{here}");
    let queues: Vec<u32> = (0..cards.two.queues().unwrap().rx).collect();
    assert_eq!(here["programs"][0]["maps"][0]["socket_slots"], json!(queues), "{here}");
    let process = json!([{ "pid": tool.id(), "command": "xsk" }]);
    // Debian's kernels list sockets from 6.12 on.
    if XdpSocketInfo::list().unwrap().is_some() {
        let sockets = here["sockets"].as_array().unwrap();
        let found: Vec<_> = sockets.iter().map(|socket| socket["queue"].clone()).collect();
        assert_eq!(json!(found), json!(queues), "{here}");
        for socket in sockets {
            assert_eq!((&socket["processes"], &socket["uid"]), (&process, &json!(0)), "{socket}");
            if std::env::var("XSK_ZERO_COPY").is_ok_and(|value| value == "require") {
                assert_eq!(socket["umem"]["zero_copy"], true, "{socket}");
            }
            crate::status_judges::ss_says_the_same(&Namespace::current().unwrap(), name, socket);
        }
    } else {
        let stray = objects.iter().find(|one| one["interface"].is_null()).unwrap();
        assert_eq!(stray["sockets"].as_array().unwrap().len(), queues.len(), "{stray}");
        assert_eq!(stray["sockets"][0]["processes"], process, "{stray}");
    }
    lines("status");
    tool.stop().summary();
}

#[test]
fn a_card_without_flow_rules_says_so() {
    let Some(cards) = Cards::with_rules(test_name!(), false) else {
        return;
    };
    let name = cards.two.name();
    let ended = run(&format!("steer {name} ether proto 0x88f7 -q 1"));
    let message = ended.failure();
    assert!(message.contains(&format!("cannot add a flow rule to interface {name}: EOPNOTSUPP")));
    let words = format!(
        "\"its feature ntuple-filters is off\". `ethtool -K {name} ntuple on` switches it on; it fails \
         for a driver without flow rules"
    );
    assert!(message.ends_with(&words), "{message}");
    assert_eq!(lines(&format!("steer {name} list")), [format!("{name} has no flow rules")]);
    assert_eq!(objects(&format!("steer {name} list")), [Value::Null; 0]);
    assert_eq!(lines(&format!("steer {name} delete --all")), [format!("{name} has no flow rules")]);
    let ended = run(&format!("steer {name} delete 3"));
    assert!(ended.failure().contains(&format!("{name} has no flow rule 3")), "{ended:?}");
    let ended = run(&format!("steer {name} ether proto 0x88f7 -q 9"));
    assert!(ended.failure().contains("RX queue 9, of 2"), "{ended:?}");
}

#[test]
fn rules_of_a_card_are_there_until_they_are_deleted() {
    let Some(cards) = Cards::with_rules(test_name!(), true) else {
        return;
    };
    let (card, name) = (&cards.two, cards.two.name());
    let added = objects(&format!("steer {name} ether proto 0x88f7 -q 1"));
    let id = added[0]["id"].as_u64().unwrap();
    let installed = card.rules().unwrap();
    assert_eq!(installed.len(), 1, "{installed:?}");
    assert_eq!((u64::from(installed[0].location), installed[0].action), (id, FlowAction::Queue(1)));
    let rule = installed[0].rule.as_ref().unwrap().to_string();
    assert_eq!((&added[0]["rule"], rule.as_str()), (&json!(rule), "ether proto 35063: queue 1"));
    let text = lines(&format!("steer {name} list"));
    assert_eq!(text, [format!("rule {id}: ether proto 35063: queue 1")]);
    // The driver compares no ports.
    let ended = run(&format!("steer {name} ip and udp dst port 4789 -q 1"));
    assert!(ended.failure().contains("The driver cannot compare these fields"), "{ended:?}");
    let ended = run(&format!("steer {name} ether proto 0x88f8 -q 9"));
    assert!(ended.failure().contains("RX queue 9, of 2"), "{ended:?}");
    let second = objects(&format!("steer {name} ether proto 0x88f8 -q 0"));
    let other = second[0]["id"].as_u64().unwrap();
    assert_ne!(id, other);
    let listed = objects(&format!("steer {name} list"));
    assert_eq!(listed.len(), 2, "{listed:?}");
    // A rule may bring packets to a queue that the receive hash leaves out.
    let guard = card.keep_queue_out(0).unwrap();
    let commands = doctor(name).is("rss", "note", "and you listen on queue 0");
    guard.restore().unwrap();
    assert_eq!(commands[2], format!("xsk steer {name} udp dst port 4789 -q 0"));
    let deleted = objects(&format!("steer {name} delete {id}"));
    assert_eq!((&deleted[0]["done"], &deleted[0]["id"]), (&json!("deleted"), &json!(id)));
    let left: Vec<_> = card.rules().unwrap().iter().map(|rule| u64::from(rule.location)).collect();
    assert_eq!(left, [other]);
    let ended = run(&format!("steer {name} delete {id}"));
    assert!(ended.failure().contains(&format!("has no flow rule {id}")), "{ended:?}");
    objects(&format!("steer {name} delete --all"));
    assert_eq!(card.rules().unwrap(), []);
}
