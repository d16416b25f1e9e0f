//! `xsk status` beside what `bpftool`, `xdp-loader` and `ss` show.

use crate::common::kernel_can;
use crate::fixture::{Fixture, TOOL};
use crate::status::{only, printed, status};
use serde_json::{Value, json};
use std::process::Command;
use xsk::interface::XdpSocketInfo;
use xsk::test_util::{Namespace, privileged, test_name};

/// Returns whether the kernel lists AF_XDP sockets.
fn lists_sockets(name: &str) -> bool {
    let why = "the kernel does not list AF_XDP sockets";
    kernel_can(name, XdpSocketInfo::list().unwrap().is_some(), why)
}

#[test]
fn bpftool_says_the_same() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let here = &fixture.cable.left;
    let there = Command::new("bpftool").arg("version").output().is_ok();
    if !kernel_can(test_name!(), there, "there is no bpftool") {
        return;
    }
    for method in ["netlink", "link"] {
        let tool = fixture.start(&format!("rxdrop -S --attach {method}")).ready();
        let program = only(&fixture);
        let id = program["id"].to_string();
        let json = |words: &[&str]| -> Value {
            let text = printed(here, &[&["bpftool", "--json"], words].concat()).unwrap();
            serde_json::from_str(&text).unwrap()
        };
        let show = json(&["prog", "show", "id", &id]);
        for (key, of_bpftool) in [("id", "id"), ("name", "name"), ("tag", "tag"), ("uid", "uid")] {
            assert_eq!(program[key], show[of_bpftool], "{program}: {show}");
        }
        let length = program["instructions"].as_u64().unwrap() * 8;
        assert_eq!(Some(length), show["bytes_xlated"].as_u64());
        let maps = program["maps"].as_array().unwrap().iter().map(|map| map["id"].clone());
        assert_eq!(Value::from_iter(maps), show["map_ids"]);
        // bpftool has seconds since 1970.
        // The `date` of busybox takes neither a T nor a Z.
        let loaded = program["loaded_at"].as_str().unwrap().replace('T', " ").replace('Z', "");
        let date = ["date", "-u", "+%s", "-d", &loaded];
        let seconds: u64 = printed(here, &date).unwrap().trim().parse().unwrap();
        assert!(seconds.abs_diff(show["loaded_at"].as_u64().unwrap()) <= 2, "{program}: {show}");
        let net = json(&["net", "show", "dev", "near"]);
        assert_eq!(net[0]["xdp"][0]["id"], program["id"], "{net}");
        assert_eq!(net[0]["xdp"][0]["mode"], "generic", "{net}");
        assert_eq!((&program["mode"], &program["held_by"]), (&json!("generic"), &json!(method)));
        if method == "link" {
            let link = json(&["link", "show", "id", &program["link"].to_string()]);
            assert_eq!(link["prog_id"], program["id"], "{link}");
        } else {
            assert_eq!(program["link"], Value::Null);
        }
        tool.stop().summary();
    }
}

#[test]
fn the_pins_of_a_link_and_of_a_program_are_found() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let there = Command::new("bpftool").arg("version").output().is_ok();
    if !kernel_can(test_name!(), there, "there is no bpftool") {
        return;
    }
    let tool = fixture.start("rxdrop --attach link").ready();
    let (program, link) = (only(&fixture)["id"].clone(), only(&fixture)["link"].clone());
    let script = format!(
        "mkdir -p '/tmp/x s k' && mount -t tmpfs none '/tmp/x s k' && mkdir '/tmp/x s k/b p f' && \
         mount -t bpf none '/tmp/x s k/b p f' && cd '/tmp/x s k/b p f' && mkdir deep && \
         bpftool link pin id {link} deep/link && bpftool prog pin id {program} prog && \
         {TOOL} status near --json && {TOOL} status near && ! {TOOL} unload near --yes 2>&1"
    );
    let words = ["unshare", "--mount", "sh", "-c", &script];
    let text = printed(&fixture.cable.left, &words).unwrap();
    let (json, text) = text.split_once('\n').unwrap();
    let object: Value = serde_json::from_str(json).unwrap();
    let found = &object["programs"][0];
    assert_eq!(found["link_pins"], json!(["/tmp/x s k/b p f/deep/link"]), "{object}");
    assert_eq!(found["pins"], json!(["/tmp/x s k/b p f/prog"]), "{object}");
    let (shown, refused) = text.split_once("xsk: ").unwrap();
    let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(shown.contains("pinned at /tmp/x s k/b p f/deep/link"), "{text}");
    assert!(refused.contains("pinned at /tmp/x s k/b p f/deep/link"), "{text}");
    let _ = std::fs::remove_dir("/tmp/x s k");
    tool.stop().summary();
}

#[test]
fn xdp_loader_says_the_same() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let directory = format!("/usr/lib/{}-linux-gnu/bpf", std::env::consts::ARCH);
    let objects = ["xdpfilt_dny_all.o", "xdpfilt_alw_ip.o"].map(|one| format!("{directory}/{one}"));
    let there = Command::new("xdp-loader").arg("help").output().is_ok()
        && objects.iter().all(|object| std::path::Path::new(object).exists());
    if !kernel_can(test_name!(), there, "there are no xdp-tools") {
        return;
    }
    // libxdp pins its programs: in a mount namespace of their own. Where it attaches a program
    // alone, no second one can come.
    let [first, second] = objects;
    let load = format!(
        "xdp-loader load --mode skb --prio 50 near {first} && {{ xdp-loader load --mode skb --prio \
         30 --actions XDP_DROP,XDP_PASS near {second} 2>&1 || true; }}"
    );
    let pins = "ls -d /sys/fs/bpf/xdp/dispatch-* 2>&1";
    // With --json no command is shown that removes the pins.
    let script = format!(
        "mount -t bpf none /sys/fs/bpf && {load} && echo '# loader' && xdp-loader status near && \
         echo '# json' && {TOOL} status near --json && echo '# text' && {TOOL} status near && echo \
         '# unload' && {TOOL} unload near --yes --json && xdp-loader status near && rm -rf \
         /sys/fs/bpf/xdp/dispatch-* && {load} && echo '# typed' && TYPED=$({TOOL} unload near --yes) \
         && echo \"$TYPED\" && {pins}; eval \"$(echo \"$TYPED\" | sed -n 's/^  [$] //p')\" && echo \
         '# after' && {{ {pins} || true; }}"
    );
    let text = printed(&fixture.cable.left, &["unshare", "--mount", "sh", "-c", &script]).unwrap();
    let part = |name: &str| {
        let (_, rest) = text.split_once(&format!("# {name}\n")).unwrap_or_else(|| panic!("{text}"));
        rest.split("\n# ").next().unwrap().trim_end()
    };
    let object: Value = serde_json::from_str(part("json")).unwrap();
    let program = &object["programs"][0];
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let lines: Vec<_> = part("loader").lines().map(words).collect();
    let of = |first: &str| -> Vec<&Vec<String>> {
        lines.iter().filter(|words| words.first().is_some_and(|word| word == first)).collect()
    };
    let word = |value: &Value| value.as_str().map_or(value.to_string(), str::to_owned);
    let [name, id, tag] = ["name", "id", "tag"].map(|key| word(&program[key]));
    assert_eq!(of("near")[0][1..], [name.clone(), "skb".to_owned(), id.clone(), tag], "{text}");
    let shown = part("text").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(shown.contains(&format!("program {id} {name}, generic mode")), "{text}");
    let removed: Value = serde_json::from_str(part("unload").lines().next().unwrap()).unwrap();
    assert_eq!(removed["removed"][0]["id"], program["id"], "{removed}");
    assert_eq!((&removed["left"], &removed["error"]), (&json!([]), &Value::Null));
    let left = part("unload").lines().skip(1).collect::<Vec<_>>().join(" ");
    assert!(!left.contains("xdp_dispatcher") && !left.contains("xdpfilt"), "{text}");
    assert!(part("typed").contains("near has no XDP program now"), "{text}");
    assert!(!part("after").contains("/dispatch-") || part("after").contains("No such"), "{text}");
    let chain = program["dispatcher"]["chain"].as_array();
    let why = "this kernel refuses programs that replace functions (BPF_PROG_TYPE_EXT)";
    if !kernel_can(test_name!(), chain.is_some(), why) {
        return;
    }
    let (chain, parts) = (chain.unwrap(), of("=>"));
    assert_eq!((chain.len(), parts.len()), (2, 2), "{text}");
    for (one, part) in chain.iter().zip(parts) {
        let [priority, name, id, tag] =
            ["priority", "name", "id", "tag"].map(|key| word(&one[key]));
        let actions: Vec<_> = one["chain_actions"].as_array().unwrap().iter().map(word).collect();
        let actions = actions.join(",");
        let of_loader = [&priority, &name, &id, &tag, &actions];
        assert_eq!(part[1..].iter().collect::<Vec<_>>(), of_loader, "{text}");
        let line = format!("{name} (priority {priority}), program {id}, goes on after {actions}");
        assert!(shown.contains(&line), "{line}: {text}");
    }
    let priorities: Vec<_> = chain.iter().map(|one| one["priority"].as_u64()).collect();
    assert_eq!(priorities, [Some(30), Some(50)]);
    // What the command removes was there before.
    assert!(part("typed").contains("$ rm -r /sys/fs/bpf/xdp/dispatch-"), "{text}");
    assert!(part("typed").contains("\n/sys/fs/bpf/xdp/dispatch-"), "{text}");
}

#[test]
fn sockets_are_shown_also_where_there_is_no_program() {
    if !privileged!() || !lists_sockets(test_name!()) {
        return;
    }
    let fixture = Fixture::new(2);
    let tool = fixture.start("txonly -q 1 -c -p --chunks 512 -f 2048").ready();
    let object = status(&fixture.cable.left, &[]);
    let near = object.iter().find(|one| one["interface"] == "near").unwrap();
    assert_eq!(near["programs"], json!([]));
    let socket = &near["sockets"][0];
    assert_eq!((&socket["queue"], &socket["uid"]), (&json!(1), &json!(0)));
    assert_eq!(socket["processes"], json!([{ "pid": tool.id(), "command": "xsk" }]));
    let umem = &socket["umem"];
    assert_eq!((&umem["bytes"], &umem["chunk_bytes"]), (&json!(512 * 2048), &json!(2048)));
    assert_eq!(umem["zero_copy"], false);
    assert!(socket["rings"]["tx"].as_u64() > Some(0), "{socket}");
    assert!(socket["statistics"]["rx_ring_full"].is_u64(), "{socket}");
    ss_says_the_same(&fixture.cable.left, "near", socket);
    let text = printed(&fixture.cable.left, &[TOOL, "status"]).unwrap();
    assert!(text.contains(&format!("socket on queue 1 of process {} (xsk)", tool.id())), "{text}");
    tool.stop().summary();
}

/// Compares a socket of `xsk status` with what `ss` shows of it, if there is one.
pub(crate) fn ss_says_the_same(here: &Namespace, interface: &str, socket: &Value) {
    let Some(ss) = printed(here, &["ss", "--xdp", "--all", "--extended", "--processes"]) else {
        return;
    };
    // A socket has several lines, of which all but the first begin with a tab.
    let records = ss.replace("\n\t", " ");
    let inode = format!(" ino:{} ", socket["inode"]);
    let found = records.lines().find(|record| record.contains(&inode));
    let record = found.unwrap_or_else(|| panic!("{inode}: {ss}"));
    let umem = &socket["umem"];
    let mut wanted = vec![
        format!(" {interface}:q{} ", socket["queue"]),
        format!("pid={},", socket["processes"][0]["pid"]),
        format!("umem(id:{},size:{},", umem["id"], umem["bytes"]),
        format!(",chunk_size:{},headroom:{},", umem["chunk_bytes"], umem["headroom_bytes"]),
        format!(",zc:{},refs:{})", u8::from(umem["zero_copy"] == true), umem["references"]),
    ];
    for (ring, of_ss) in [("rx", "rx"), ("tx", "tx"), ("fill", "fr"), ("completion", "cr")] {
        if let Some(entries) = socket["rings"][ring].as_u64() {
            wanted.push(format!(" {of_ss}(entries:{entries})"));
        }
    }
    for words in wanted {
        assert!(record.contains(&words), "{words}: {record}: {socket}");
    }
}
