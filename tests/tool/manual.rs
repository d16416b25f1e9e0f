//! Completions, manual pages and help: all of them of the same definitions, and taken by the
//! programs that they are for.

use crate::common::kernel_can;
use crate::fixture::{Directory, TOOL, commands, is_there};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use xsk::test_util::test_name;

fn tool(words: &[&str]) -> Output {
    Command::new(TOOL).args(words).output().unwrap()
}

/// Returns what the tool prints in a run that succeeds.
fn printed(words: &[&str]) -> String {
    let output = tool(words);
    assert!(output.status.success() && output.stderr.is_empty(), "{words:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a program on a text; returns its standard output and its standard error output.
fn through(program: &str, args: &[&str], text: &str) -> (String, String) {
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let text = text.to_owned();
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "{output:?}");
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    (out, err)
}

/// Returns what bash offers for the last of some words; both are in the shell's quotes.
fn bash(script: &str, directory: &Path, words: &[&str]) -> Vec<String> {
    let last = words.len() - 1;
    let cursor = format!(
        "{script}\ncd {}\nCOMP_WORDS=({}); COMP_CWORD={last}\n_xsk xsk \"${{COMP_WORDS[{last}]}}\" \
         \"${{COMP_WORDS[{last}-1]}}\"\n[[ ${{#COMPREPLY[@]}} = 0 ]] || printf '%s\\n' \
         \"${{COMPREPLY[@]}}\"",
        directory.display(),
        words.join(" "),
    );
    let (out, err) = through("bash", &["--norc", "-s"], &cursor);
    assert_eq!(err, "", "{words:?}");
    out.lines().map(str::to_owned).collect()
}

#[test]
fn bash_takes_the_script_and_completes_each_word_with_what_it_can_be() {
    if !kernel_can(test_name!(), is_there("bash"), "bash is not installed") {
        return;
    }
    let script = printed(&["completions", "bash"]);
    through("bash", &["-n"], &script);
    let dir = Directory::new("completions");
    std::fs::create_dir_all(dir.path().join("lodir")).unwrap();
    std::fs::write(dir.path().join("lo file"), "").unwrap();
    let complete = |line: &str| {
        let mut words: Vec<&str> = line.split_whitespace().collect();
        if line.ends_with(' ') {
            words.push("''");
        }
        bash(&script, dir.path(), &words)
    };
    assert_eq!(complete("xsk rxd"), ["rxdrop"]);
    assert_eq!(complete("xsk rxdrop --frame"), ["--frame-size"]);
    assert_eq!(complete("xsk help xdp"), ["xdpsock"]);
    assert_eq!(complete("xsk man l2"), ["l2fwd"]);
    assert_eq!(complete("xsk napi lo s"), ["show", "set"]);
    assert_eq!(complete("xsk napi lo set --threaded "), ["on", "off"]);
    assert_eq!(complete("xsk steer lo d"), ["delete"]);
    assert_eq!(complete("xsk help napi s"), ["show", "set"]);
    assert!(complete("xsk help rxdrop ").is_empty());
    let all = complete("xsk ");
    for command in commands() {
        assert!(all.contains(&command), "{command}: {all:?}");
    }
    for line in [
        "xsk rxdrop -i l",
        "xsk l2fwd --interface l",
        "xsk l2fwd -o l",
        "xsk l2fwd --output = l",
        "xsk bridge -i eth1 -o l",
        "xsk demo -o l",
        "xsk latency -i lo --output l",
        "xsk status l",
        "xsk status --json l",
        "xsk unload --mode native l",
        "xsk features l",
        "xsk doctor -q 0 l",
        "xsk steer l",
        "xsk napi l",
    ] {
        let offered = complete(line);
        assert!(offered.contains(&"lo".to_owned()), "{line}: {offered:?}");
        assert!(!offered.iter().any(|name| name.contains("file")), "{line}: {offered:?}");
    }
    for line in ["xsk plot l", "xsk plot x -o l", "xsk capture -w l", "xsk generate --replay l"] {
        let mut offered = complete(line);
        offered.sort();
        assert_eq!(offered, ["lo file", "lodir"], "{line}");
    }
    assert_eq!(complete("xsk man --dir l"), ["lodir"]);
    for line in ["xsk rxdrop -q ", "xsk generate --dst-mac ", "xsk respond -a ", "xsk txonly -s l"]
    {
        assert!(complete(line).is_empty(), "{line}");
    }
    // Interfaces of which a name is a command, and a shell that refuses variables that are not set.
    for name in ["net1", "net;id", "net$(id)", "net`id`", "net'", "net\"", "net&"] {
        std::fs::create_dir_all(dir.path().join("net").join(name)).unwrap();
    }
    let places = format!(
        "set -u; cd() {{ [ \"$1\" != /sys/class/net ] || set -- '{}'; builtin cd \"$1\"; }}\n{script}",
        dir.path().join("net").display(),
    );
    for line in ["xsk status net", "xsk rxdrop -i net", "xsk status --json 'net"] {
        let words: Vec<&str> =
            line.split_whitespace().map(|word| word.trim_matches('\'')).collect();
        assert_eq!(bash(&places, dir.path(), &words), ["net1"], "{line}");
    }
    // Files that bash adds where nothing else is offered.
    assert!(!script.contains("-o default") && !script.contains("-o bashdefault"), "{script}");
}

#[test]
fn fish_takes_the_script_and_completes_interfaces_and_files() {
    if !kernel_can(test_name!(), is_there("fish"), "fish is not installed") {
        return;
    }
    let dir = Directory::new("completions-fish");
    std::fs::write(dir.path().join("lofile"), "").unwrap();
    let path = dir.path().join("xsk.fish");
    std::fs::write(&path, printed(&["completions", "fish"])).unwrap();
    let complete = |line: &str| {
        let text = format!("cd {}; source xsk.fish; complete -C '{line}'", dir.path().display());
        let (out, err) = through("fish", &["--no-config", "-c", &text], "");
        assert_eq!(err, "", "{line}");
        let word = |line: &str| line.split('\t').next().unwrap_or_default().to_owned();
        out.lines().map(word).collect::<Vec<_>>()
    };
    for line in [
        "xsk status l",
        "xsk unload --id 3 l",
        "xsk steer l",
        "xsk napi l",
        "xsk bridge -o l",
        "xsk rxdrop -i l",
    ] {
        assert_eq!(complete(line), ["lo"], "{line}");
    }
    for line in ["xsk plot l", "xsk capture -w l"] {
        assert_eq!(complete(line), ["lofile"], "{line}");
    }
    assert_eq!(complete("xsk napi lo "), ["profile", "set", "show"]);
    assert_eq!(complete("xsk completions z"), ["zsh"]);
    assert!(complete("xsk rxdrop -q ").is_empty());
}

#[test]
fn zsh_takes_the_script_which_knows_interfaces_and_files() {
    let script = printed(&["completions", "zsh"]);
    let lines =
        |words: &str| script.lines().filter(|line| line.contains(words)).collect::<Vec<_>>();
    for line in [lines(" -- Interface"), lines(":NAME:")].concat() {
        assert!(line.ends_with(":_net_interfaces' \\"), "{line}");
    }
    for line in lines(":FILE:") {
        assert!(line.ends_with(":_files' \\"), "{line}");
    }
    for line in lines(":QUEUES:") {
        assert!(line.ends_with(":QUEUES:' \\"), "{line}");
    }
    assert!(!script.contains("_hosts"), "{script}");
    if kernel_can(test_name!(), is_there("zsh"), "zsh is not installed") {
        let dir = Directory::new("completions-zsh");
        let path = dir.path().join("_xsk");
        std::fs::write(&path, &script).unwrap();
        through("zsh", &["-n", path.to_str().unwrap()], "");
    }
}

#[test]
fn each_shell_has_a_script() {
    let shells = [
        ("bash", "complete -F"),
        ("zsh", "#compdef xsk"),
        ("fish", "complete -c xsk"),
        ("elvish", "edit:completion"),
        ("powershell", "Register-ArgumentCompleter"),
    ];
    for (shell, words) in shells {
        let script = printed(&["completions", shell]);
        assert!(script.contains(words) && script.contains("rxdrop"), "{shell}: {script}");
    }
    let output = tool(&["completions", "tcsh"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("bash") && error.contains("fish"), "{error}");
}

#[test]
fn groff_takes_each_manual_page_without_a_warning() {
    let dir = Directory::new("man");
    let path = dir.path().join("new/man1");
    let words = printed(&["man", "--dir", path.to_str().unwrap()]);
    let files = std::fs::read_dir(&path).unwrap();
    let names: Vec<_> =
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    assert!(names.contains(&"xsk.1".to_owned()), "{names:?}");
    assert!(names.contains(&"xsk-steer-list.1".to_owned()), "{names:?}");
    for command in commands() {
        assert!(names.contains(&format!("xsk-{command}.1")), "{command}: {names:?}");
    }
    assert!(words.starts_with(&format!("{} pages are in ", names.len())), "{words}");
    assert!(words.contains(&format!("{}", path.display())), "{words}");
    let groff = kernel_can(test_name!(), is_there("groff"), "groff is not installed");
    for name in names {
        let page = std::fs::read_to_string(path.join(&name)).unwrap();
        if !groff {
            continue;
        }
        let (text, warnings) = through("groff", &["-man", "-ww", "-Tutf8", "-P-cbou"], &page);
        assert_eq!(warnings, "", "{name}");
        assert!(text.contains("NAME") && text.contains("SYNOPSIS"), "{name}: {text}");
        let long = text.lines().find(|line| line.chars().count() > 80);
        assert_eq!(long, None, "{name}");
    }
}

#[test]
fn a_manual_page_is_that_of_the_command() {
    let page = printed(&["man", "rxdrop"]);
    assert!(page.contains("xsk-rxdrop") && page.contains("frame\\-size"), "{page}");
    let page = printed(&["man", "steer", "list"]);
    assert!(page.contains("\\fBxsk steer <IF> list [OPTIONS]\\fR"), "{page}");
    let page = printed(&["man"]);
    assert!(page.contains("Exit codes:") && page.contains("link_down"), "{page}");
    let output = tool(&["man", "rxdorp"]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert_eq!(error, "xsk: xsk has no command rxdorp: the nearest name is rxdrop\n");
    let output = tool(&["man", "--dir", "/proc/none"]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.starts_with("xsk: /proc/none cannot be written: "), "{error}");
}

#[test]
fn help_has_the_options_of_xdpsock_and_that_of_each_command() {
    let table = printed(&["help", "xdpsock"]);
    for row in ["-M, --shared-umem", "-b, --batch-size", "-R, --reduce-cap", "-T, --tx-cycle"] {
        assert!(table.lines().any(|line| line.starts_with(row)), "{row}: {table}");
    }
    assert!(table.lines().all(|line| line.len() <= 80), "{table}");
    for command in commands() {
        assert_eq!(printed(&["help", &command]), printed(&[&command, "--help"]));
    }
    assert_eq!(printed(&["help"]), printed(&["--help"]));
    assert_eq!(printed(&["help", "napi", "set"]), printed(&["napi", "lo", "set", "--help"]));
}

#[test]
fn a_name_that_is_mistyped_is_offered() {
    for (words, text) in [
        (&["help", "rxdorp"][..], "xsk has no command rxdorp: the nearest name is rxdrop"),
        (&["help", "xdpsok"], "xsk has no command xdpsok: the nearest name is xdpsock"),
        (&["help", "napi", "sett"], "xsk napi has no command sett: the nearest name is set"),
        (&["help", "steer", "x"], "xsk steer has no command x: it has list, delete"),
        (&["man", "steer", "lits"], "xsk steer has no command lits: the nearest name is list"),
        (&["man", "demo", "x"], "xsk demo has no command x: it has none"),
    ] {
        let output = tool(words);
        assert_eq!(output.status.code(), Some(2), "{words:?}: {output:?}");
        assert_eq!(String::from_utf8(output.stderr).unwrap(), format!("xsk: {text}\n"));
    }
}

#[test]
fn an_output_that_takes_nothing_is_an_error() {
    for words in [
        &["completions", "bash"][..],
        &["man"],
        &["help", "xdpsock"],
        &["help", "rxdrop"],
        &["--help"],
        &["-h"],
        &["--version"],
        &["napi", "lo", "set", "--help"],
    ] {
        let full = std::fs::File::create("/dev/full").unwrap();
        let output = Command::new(TOOL).args(words).stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.starts_with("xsk: the output cannot be written: "), "{words:?}: {error}");
    }
}
