//! The recipes of the README, run as they stand there, on interfaces of those names.

use crate::common::has_iproute2;
use crate::fixture::{LIMIT, TOOL, Tool, WAIT};
use std::path::Path;
use std::process::Command;
use xsk::test_util::{Namespace, VethPair, ip};

/// Returns the blocks of commands in the README's section of recipes.
fn recipes() -> Vec<String> {
    let readme = include_str!("../../README.md");
    let section = readme.split("\n### Recipes\n").nth(1).unwrap();
    let section = section.split("\n### ").next().unwrap();
    let blocks = section.split("```console\n").skip(1);
    blocks
        .map(|block| {
            let lines = block.split("```").next().unwrap().lines();
            lines.map(|line| line.strip_prefix("# ").unwrap().to_owned() + "\n").collect()
        })
        .collect()
}

#[test]
fn the_recipes_of_the_readme_do_what_they_say() {
    if !xsk::test_util::privileged!() || !has_iproute2() {
        return;
    }
    let (here, far) = (Namespace::new().unwrap(), Namespace::new().unwrap());
    let cables = ["1", "2"].map(|number| {
        let names = (format!("eth{number}"), format!("peer{number}"));
        VethPair::builder().queues(2).names(&names.0, &names.1).build(&here, &far).unwrap()
    });
    ip::add_ipv4(cables[0].a(), "192.0.2.1".parse().unwrap(), 24).unwrap();
    ip::add_ipv4(cables[0].b(), "192.0.2.2".parse().unwrap(), 24).unwrap();
    // What comes to the first interface all the time.
    let mac = cables[0].a().info().unwrap().mac.unwrap();
    let mac = mac.map(|byte| format!("{byte:02x}")).join(":");
    let line =
        format!("generate -i peer1 --dst-mac {mac} --dst-ip 192.0.2.1 --pps 500 --json -p {WAIT}");
    let sender = Tool::start(&far, &line).ready();

    let directory = std::env::temp_dir().join(format!("xsk-recipes-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", Path::new(TOOL).parent().unwrap().display());
    let recipes = recipes();
    assert!(recipes.len() >= 8, "{recipes:?}");
    for script in &recipes {
        let mut bash = Command::new("timeout");
        bash.args([&(2 * LIMIT).as_secs().to_string(), "bash", "-euo", "pipefail", "-c", script]);
        bash.env("PATH", &path).current_dir(&directory);
        let output = here.run(|| bash.output().unwrap()).unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, errors) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{script}{}\n{out}{errors}", output.status);
    }
    for file in ["udp.pcapng", "run.svg", "trace.pcapng", "latency.svg", "xsk.bash", "man/xsk.1"] {
        assert!(directory.join(file).metadata().is_ok_and(|file| file.len() > 500), "{file}");
    }
    std::fs::remove_dir_all(&directory).unwrap();
    drop(sender);
}
