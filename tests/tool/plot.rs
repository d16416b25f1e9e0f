//! `xsk plot`: pictures of what the tool itself wrote, well formed and with what was counted in them.

use crate::common::kernel_can;
use crate::fixture::{Directory, Fixture, TOOL, Tool};
use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use xsk::test_util::{privileged, test_name};

fn plot(words: &[&str], input: &str) -> Output {
    let mut child = Command::new(TOOL)
        .arg("plot")
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may end before it has read everything.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

/// Returns the picture that is printed.
fn picture(words: &[&str], input: &str) -> String {
    let output = plot(words, input);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn refusal(words: &[&str], input: &str) -> String {
    let output = plot(words, input);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// Has Python's parser of XML read a picture; returns what the texts in it say.
fn texts(path: &Path) -> Vec<String> {
    const READ: &str = "\
import sys, xml.dom.minidom
tree = xml.dom.minidom.parse(sys.argv[1])
assert tree.documentElement.tagName == 'svg'
for text in tree.getElementsByTagName('text'):
    print(''.join(node.data for node in text.childNodes))
";
    let output = Command::new("python3").args(["-c", READ]).arg(path).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn has_python() -> bool {
    Command::new("python3").arg("--version").output().is_ok()
}

const INTERVAL: &str = r#"{"command":"rxdrop","interface":"<a>","queue":0,"pid":7,"summary":false,"seconds":0.5,"interval":{"rx_packets":100,"tx_packets":0,"rx_lost":0,"tx_lost":null}}"#;
const HISTOGRAM: &str = r#"{"command":"latency","transport":"xsk","wait":"spin","histogram":[{"from_ns":1000,"to_ns":1250,"count":4},{"from_ns":1250,"to_ns":18446744073709551615,"count":1}],"p50_ns":1100,"p99_ns":1200}"#;

#[test]
fn a_run_of_the_tool_becomes_a_picture() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let tool = fixture.start("rxdrop -n 0.1").ready();
    fixture.send(0, 1000);
    // A whole interval after the packets.
    let mut lines = Vec::new();
    while lines.last().is_none_or(|line: &Value| line["total"]["rx_packets"] != 1000) {
        lines.push(serde_json::from_str(&tool.line()).unwrap());
    }
    let ended = tool.stop();
    let rest = ended.objects();
    let input: String = lines.iter().chain(&rest).map(|line| format!("{line}\n")).collect();
    let directory = Directory::new("plot");
    let [file, svg] = ["run.jsonl", "run.svg"].map(|name| directory.path().join(name));
    std::fs::write(&file, &input).unwrap();
    let [from, to] = [&file, &svg].map(|path| path.to_str().unwrap());
    assert_eq!(picture(&[from, "-o", to], ""), "");
    assert_eq!(std::fs::read_to_string(&svg).unwrap(), picture(&["-"], &input));
    if kernel_can(test_name!(), has_python(), "python3 is not installed") {
        let texts = texts(&svg);
        assert_eq!(texts[0], "xsk rxdrop on near queue 0, native mode, copy");
        for text in ["time (s)", "packets per second"] {
            assert!(texts.contains(&text.to_owned()), "{texts:?}");
        }
        assert!(texts.iter().any(|text| text.starts_with("received: 1000 (")), "{texts:?}");
    }
    // The picture does not take the place of what it is made of.
    let error = refusal(&[from, "-o", from], "");
    assert!(error.contains("the picture would replace it"), "{error}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), input);
}

#[test]
fn a_measurement_of_latency_becomes_a_picture() {
    if !privileged!() {
        return;
    }
    let output = Command::new(TOOL).args(["latency", "-d", "0.3", "--json"]).output().unwrap();
    let line = String::from_utf8(output.stdout).unwrap();
    let object: Value = serde_json::from_str(&line).unwrap();
    let svg = picture(&["-"], &format!("{line}{line}"));
    let directory = Directory::new("histogram");
    let path = directory.path().join("picture.svg");
    std::fs::write(&path, svg).unwrap();
    if kernel_can(test_name!(), has_python(), "python3 is not installed") {
        let texts = texts(&path);
        assert!(texts.contains(&"packets (%)".to_owned()), "{texts:?}");
        // The tool rounds to tenths.
        let p50 = (object["p50_ns"].as_f64().unwrap() / 100.0).round() / 10.0;
        let wanted = format!("p50 {p50} us");
        let shown = texts.iter().filter(|text| text.contains(&wanted)).count();
        // Milliseconds on a machine that is busy.
        assert!(shown == 2 || p50 > 900.0, "{wanted}: {texts:?}");
    }
}

#[test]
fn a_title_is_text_and_no_markup() {
    let svg = picture(&["-", "--title", "a <b> & \"c\" \u{7}"], INTERVAL);
    assert!(svg.contains(">a &lt;b&gt; &amp; &quot;c&quot; \\u{7}</text>"), "{svg}");
    let svg = picture(&["-"], INTERVAL);
    assert!(svg.contains("xsk rxdrop on &lt;a&gt; queue 0"), "{svg}");
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
}

#[test]
fn numbers_at_the_ends_of_their_ranges_are_drawn() {
    let none = INTERVAL.replace("100", "0");
    let many = INTERVAL.replace("100", "18446744073709551615").replace("0.5", "1e-9");
    let empty = r#"{"command":"latency","histogram":[],"p50_ns":null,"p99_ns":null}"#;
    let zero = HISTOGRAM.replace("1000", "0").replace("\"count\":1", "\"count\":0");
    for text in [&none, &many, &format!("{none}\n{many}"), HISTOGRAM, empty, &zero] {
        let svg = picture(&["-"], text);
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{text}: {svg}");
        assert!(svg.ends_with("</svg>\n"), "{svg}");
    }
}

#[test]
fn lines_that_cannot_be_drawn_are_named_and_nothing_is_written() {
    let directory = Directory::new("broken");
    let svg = directory.path().join("none.svg");
    let to = svg.to_str().unwrap();
    for (input, text) in [
        (format!("{INTERVAL}\n{{\"command\":"), "xsk: the standard input, line 2: it ends in the"),
        (format!("{INTERVAL}\nTable\n"), "xsk: the standard input, line 2: it is no JSON: "),
        (format!("{HISTOGRAM}\n{INTERVAL}\n"), "line 2: it is an interval, and the lines before"),
        ("{\"command\":\"demo\",\"lost\":0}\n".to_owned(), "line 1: it is neither an interval"),
        (
            "{\"check\":\"kernel\",\"summary\":false,\"verdict\":\"fine\"}\n".to_owned(),
            "line 1: it is neither an interval nor a histogram of latencies: what is drawn is the JSON \
             of rxdrop, txonly, ",
        ),
        (
            format!("{INTERVAL}\n{}\n", INTERVAL.replace("\"pid\":7", "\"pid\":8")),
            "shows one. `grep '\"pid\":7[,}]' FILE | xsk plot -` draws that one, and '\"pid\":8[,}]' this",
        ),
        (String::new(), "the standard input has no line with an interval"),
        ("\u{0}".repeat(2 << 20), "line 1: it is longer than 1 MiB"),
    ] {
        let error = refusal(&["-", "-o", to], &input);
        assert!(error.contains(text), "{text}: {error}");
        assert!(!svg.exists());
    }
    let error = refusal(&["/nonexistent.jsonl"], "");
    assert!(error.starts_with("xsk: /nonexistent.jsonl cannot be read: No such file"), "{error}");
    let error = refusal(&["-", "-o", "/nonexistent/a.svg"], INTERVAL);
    assert!(error.starts_with("xsk: /nonexistent/a.svg cannot be written: "), "{error}");
    let error = refusal(&["/"], "");
    assert!(error.contains("line 1: it cannot be read: Is a directory"), "{error}");
    let error = refusal(&["-", "-o", "/dev/full"], INTERVAL);
    assert!(error.contains("/dev/full cannot be written: No space left"), "{error}");
}

/// A whole run can be drawn while it goes on.
#[test]
fn lines_come_from_a_pipe() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let line = format!("{TOOL} rxdrop -i near -C 1 -d 0.2 -n 0.1 --json | {TOOL} plot -");
    let ended = Tool::spawn(&fixture.cable.left, Command::new("sh").args(["-c", &line])).end();
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(ended.out.last().unwrap(), "</svg>");
}
