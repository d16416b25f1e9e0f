//! Completions, manual pages and help: all of them of the same definitions, and taken by the
//! programs that they are for.

use crate::common::kernel_can;
use crate::fixture::{Directory, TOOL, commands};
use std::io::Write;
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

/// Returns whether a program is there.
fn is_there(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

#[test]
fn bash_takes_the_script_and_completes_commands_and_options() {
    if !kernel_can(test_name!(), is_there("bash"), "bash is not installed") {
        return;
    }
    let script = printed(&["completions", "bash"]);
    let complete = |words: &str, last: usize| {
        let cursor = format!(
            "{script}\nCOMP_WORDS=({words}); COMP_CWORD={last}\n_xsk xsk \"${{COMP_WORDS[{last}]}}\" \
             \"${{COMP_WORDS[{last}-1]}}\"\nprintf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        let (out, err) = through("bash", &["--norc", "-s"], &cursor);
        assert_eq!(err, "");
        out.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(complete("xsk rxd", 1), ["rxdrop"]);
    assert_eq!(complete("xsk rxdrop --frame", 2), ["--frame-size"]);
    assert_eq!(complete("xsk help xdp", 2), ["xdpsock"]);
    assert_eq!(complete("xsk man l2", 2), ["l2fwd"]);
    assert!(complete("xsk rxdrop -i l", 3).contains(&"lo".to_owned()));
    assert!(complete("xsk l2fwd --interface l", 3).contains(&"lo".to_owned()));
    let all = complete("xsk ''", 1);
    for command in commands() {
        assert!(all.contains(&command), "{command}: {all:?}");
    }
    through("bash", &["-n"], &script);
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
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.starts_with("xsk: xsk has no command rxdorp: it has demo, "), "{error}");
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
    let output = tool(&["help", "rxdorp"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("'rxdrop'"), "{error}");
}

#[test]
fn an_output_that_takes_nothing_is_an_error() {
    for words in [&["completions", "bash"][..], &["man"], &["help", "xdpsock"]] {
        let full = std::fs::File::create("/dev/full").unwrap();
        let output = Command::new(TOOL).args(words).stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.starts_with("xsk: the output cannot be written: "), "{words:?}: {error}");
    }
}
