//! `xsk capture`: bad input, and every way to end. What was written is a valid file.

use crate::capture_files::{Directory, WRITTEN, infos, packets, packets_now, send, statistics};
use crate::common::{as_nobody, packet, path_for_anybody, wait_for};
use crate::fixture::{Fixture, LIMIT, TOOL, Tool, WAIT, foreign};
use rustix::process::Signal;
use rustix::thread::CapabilitySet;
use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Instant;
use xsk::test_util::{ip, privileged};

/// Returns packets of 1000 bytes.
fn long(count: u32) -> Vec<Vec<u8>> {
    (0..count).map(|number| packet(number, 1000)).collect()
}

/// Starts a shell script in the near end's namespace, in which `$X` is the tool's command.
fn script(fixture: &Fixture, script: &str) -> Tool {
    let mut command = Command::new("sh");
    command.args(["-c", script]).env("X", format!("{TOOL} capture -i near --json {WAIT}"));
    Tool::spawn(&fixture.cable.left, &mut command)
}

/// Starts the tool with a pipe that is not read as its standard output.
fn into_pipe(fixture: &Fixture) -> Child {
    let line = format!("capture -i near -w - {WAIT}");
    let mut command = Command::new(TOOL);
    command.args(line.split_whitespace()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = fixture.cable.left.run(|| command.spawn().unwrap()).unwrap();
    // The first line comes when everything is attached.
    let mut first = [0];
    child.stderr.as_mut().unwrap().read_exact(&mut first).unwrap();
    child
}

/// Waits for the end of a process.
fn end(child: &mut Child) -> ExitStatus {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(start.elapsed() < LIMIT, "it does not end");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[test]
fn a_disk_that_is_full_leaves_a_valid_file() {
    if !privileged!() {
        return;
    }
    let (fixture, files) = (Fixture::new(1), Directory::new("full"));
    for letters in ["", "--tee"] {
        let (disk, copy) = (files.path().display(), files.file("copy"));
        // A file system of its own, in a mount namespace of its own.
        let text = format!(
            "exec unshare --mount sh -c 'mount -t tmpfs -o size=100k tmpfs {disk}; \
             $X -w {disk}/a.pcapng {letters}; code=$?; cp {disk}/a.pcapng /dev/fd/3; exit $code' \
             3> {copy}"
        );
        let tool = script(&fixture, &text).ready();
        send(&fixture, 0, &long(200));
        let ended = tool.end();
        let message = ended.failure();
        assert!(message.contains("No space left on device"), "{message}");
        assert!(message.contains("ends with the last whole packet"), "{message}");
        let summary = ended.objects().pop().unwrap();
        assert_eq!((&summary["summary"], &summary["ended"]), (&true.into(), &"error".into()));
        let read = packets(&copy);
        assert!((50..100).contains(&read.len()), "{}", read.len());
        assert_eq!(summary["capture"]["packets"], read.len());
        assert!(read == long(200)[..read.len()], "other packets");
        infos(&copy);
        assert_eq!(fixture.left(), None);
    }
}

#[test]
fn a_disk_that_is_full_from_the_start_leaves_no_empty_file() {
    if !privileged!() {
        return;
    }
    let (fixture, files) = (Fixture::new(1), Directory::new("full-at-first"));
    for letters in ["", "--tee", "--rotate-size 1M"] {
        let (disk, list) = (files.path().display(), files.file("list"));
        let text = format!(
            "exec unshare --mount sh -c 'mount -t tmpfs -o size=4k tmpfs {disk}; \
             head -c 4096 /dev/zero > {disk}/full; $X -w {disk}/a.pcapng {letters}; code=$?; \
             ls {disk} >&3; exit $code' 3> {list}"
        );
        let ended = script(&fixture, &text).end();
        assert!(ended.failure().contains("No space left on device"), "{letters}: {ended:?}");
        assert_eq!(std::fs::read_to_string(&list).unwrap(), "full\n", "{letters}");
        let summary = ended.objects().pop().unwrap();
        let written = ["files", "packets", "bytes"].map(|key| summary["capture"][key].as_u64());
        assert_eq!(written, [Some(0); 3], "{summary}");
        assert_eq!(fixture.attached(), None);
    }
}

#[test]
fn a_head_that_cannot_be_written_whole_leaves_no_file() {
    if !privileged!() {
        return;
    }
    let (fixture, files) = (Fixture::new(1), Directory::new("head"));
    for letters in ["", "--tee", "--rotate-size 1M"] {
        // The section header fits into so many bytes, and the interface description does not.
        let file = files.file("a.pcapng");
        let text = format!("exec prlimit --fsize=200 $X -w {file} {letters}");
        let ended = script(&fixture, &text).end();
        assert!(ended.failure().contains("File too large"), "{letters}: {ended:?}");
        assert!(files.files().is_empty(), "{letters}: {:?}", files.files());
        let summary = ended.objects().pop().unwrap();
        let written = ["files", "packets", "bytes"].map(|key| summary["capture"][key].as_u64());
        assert_eq!(written, [Some(0); 3], "{summary}");
    }
}

/// A user who may not write to the directory could not make the second file.
#[test]
fn the_files_of_a_rotation_are_all_made_by_the_user_that_the_process_becomes() {
    if !privileged!() {
        return;
    }
    let (fixture, files) = (Fixture::new(1), Directory::new("user"));
    let line = format!("capture -w {} -C 100 --user nobody", files.file("a.pcapng"));
    for rotation in ["--rotate-size 20K", "--rotate-seconds 100", "--rotate-size 20K --tee"] {
        let ended = fixture.start(&format!("{line} {rotation}")).end();
        let message = ended.failure();
        assert!(message.contains("_00001_") && message.contains("ermission denied"), "{message}");
        assert!(message.contains("that user makes all files of a rotation"), "{message}");
        assert!(message.contains("`install -d -o USER DIR`"), "{message}");
        assert_eq!(fixture.attached(), None);
    }
    assert!(files.files().is_empty());
    // One file needs no more than the rights at the start.
    let tool = fixture.start(&line).ready();
    send(&fixture, 0, &long(100));
    tool.summary();
    std::fs::remove_file(files.file("a.pcapng")).unwrap();
    std::os::unix::fs::chown(files.path(), Some(65534), None).unwrap();
    let tool = fixture.start(&format!("{line} --rotate-size 20K --files 3")).ready();
    send(&fixture, 0, &long(100));
    let summary = tool.summary();
    assert!(summary["capture"]["files"].as_u64().unwrap() >= 5, "{summary}");
    let names = files.files();
    assert_eq!(names.len(), 3, "{names:?}");
    for name in &names {
        let metadata = std::fs::metadata(name).unwrap();
        assert_eq!(std::os::unix::fs::MetadataExt::uid(&metadata), 65534, "{name}");
    }
}

#[test]
fn a_limit_of_files_leaves_a_valid_file() {
    if !privileged!() {
        return;
    }
    let (fixture, files) = (Fixture::new(1), Directory::new("limit"));
    let file = files.file("a");
    // Blocks of 512 bytes.
    let tool = script(&fixture, &format!("ulimit -f 100; exec $X -w {file}")).ready();
    send(&fixture, 0, &long(200));
    let ended = tool.end();
    assert!(ended.failure().contains("File too large"), "{ended:?}");
    let read = packets(&file);
    assert!(read.len() > 30 && read == long(200)[..read.len()], "{}", read.len());
    infos(&file);
}

#[test]
fn a_capture_is_read_from_a_pipe() {
    if !privileged!() {
        return;
    }
    let (fixture, files) = (Fixture::new(1), Directory::new("pipe"));
    let file = files.file("a.pcap");
    let text = format!("$X -w - -C 50 | tcpdump -r - -w {file} 2> {file}.log");
    let tool = script(&fixture, &text).ready();
    send(&fixture, 0, &long(50));
    let ended = tool.end();
    assert!(ended.status.success(), "{ended:?}");
    assert!(packets(&file) == long(50), "other packets");
    // Reports go to the standard error output.
    let summary = ended.err.iter().rfind(|line| line.starts_with('{')).unwrap();
    assert!(summary.contains("\"summary\":true"), "{ended:?}");
    // A named pipe: it waits for its reader.
    let pipe = files.file("pipe");
    let text = format!(
        "mkfifo {pipe}; (sleep 0.3; tcpdump -r {pipe} -w {file} 2> {pipe}.log) & $X -w {pipe} -C 50"
    );
    let tool = script(&fixture, &text).ready();
    send(&fixture, 0, &long(50));
    tool.summary();
    wait_for("the reader", || std::fs::metadata(&file).unwrap().len() == 24 + 50 * 1016);
}

#[test]
fn a_pipe_that_is_closed_ends_it_and_one_that_is_not_read_does_not_hold_it() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    for packets in [0, 100] {
        let mut child = into_pipe(&fixture);
        // The head of the file is there already.
        child.stdout.as_mut().unwrap().read_exact(&mut [0; 100]).unwrap();
        drop(child.stdout.take());
        send(&fixture, 0, &long(packets));
        assert_eq!(end(&mut child).code(), Some(141), "after {packets} packets");
        assert_eq!(fixture.left(), None);
    }
    let mut child = into_pipe(&fixture);
    // The pipe is full, and then all buffers are.
    fixture.send(0, 500_000);
    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, Signal::INT).unwrap();
    let status = end(&mut child);
    let mut text = String::new();
    child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(status.code(), Some(1), "{text}");
    assert!(text.contains("the standard output cannot be written: it is not read"), "{text}");
    assert_eq!(fixture.left(), None);
}

#[test]
fn signals_at_any_moment_leave_a_valid_file() {
    if !privileged!() {
        return;
    }
    let (fixture, files) = (Fixture::new(1), Directory::new("signals"));
    for letters in ["", "--tee"] {
        for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
            let file = files.file("a.pcapng");
            let tool = fixture.start(&format!("capture -w {file} {letters}")).ready();
            let count = || fixture.cable.veth.a().info().unwrap().counters.rx_packets;
            let before = count();
            send(&fixture, 0, &long(10));
            if letters == "--tee" {
                // What the program has copied before the signal is written. A sender gets its chunks
                // back when the veth takes the packets in, before the program is run.
                wait_for("the program", || count() >= before + 10);
                tool.signal(signal);
            } else {
                wait_for("the packets", || packets_now(&file) == 10);
                tool.signal(signal);
            }
            let ended = tool.end();
            assert_eq!(ended.summary()["capture"]["packets"], 10, "{signal:?}: {ended:?}");
            assert!(packets(&file) == long(10), "other packets");
            assert_eq!(statistics(&file)[&WRITTEN], 10);
        }
        // One that cannot be caught: what came a moment before is there.
        let file = files.file("b.pcapng");
        let tool = fixture.start(&format!("capture -w {file} {letters} --attach link")).ready();
        send(&fixture, 0, &long(10));
        // They are written each 0.2 s, while it runs.
        wait_for("the packets", || packets_now(&file) == 10);
        tool.kill();
        assert!(packets(&file) == long(10), "other packets");
        wait_for("the link to go", || fixture.attached().is_none());
    }
}

#[test]
fn files_that_cannot_be_written_are_an_error_before_anything_is_attached() {
    if !privileged!() {
        return;
    }
    let (fixture, files) = (Fixture::new(1), Directory::new("files"));
    let directory = files.path().to_str().unwrap();
    for (file, words) in [
        (directory.to_owned(), "Is a directory"),
        (files.file("none/a.pcapng"), "No such file or directory"),
    ] {
        for letters in ["", "--tee"] {
            let ended = fixture.start(&format!("capture -w {file} {letters}")).end();
            let message = ended.failure();
            assert!(message.contains(&file) && message.contains(words), "{message}");
            assert!(ended.out.is_empty(), "{ended:?}");
        }
    }
    // No names can be made from it.
    for (file, words) in [("..", "has no file name"), ("/dev/null", "is no regular file")] {
        for rotation in ["--rotate-size 4K", "--rotate-seconds 9"] {
            let ended = fixture.start(&format!("capture -w {file} {rotation}")).end();
            let message = ended.failure();
            assert!(message.contains(&format!("{file} {words}: with --rotate-size")), "{message}");
            assert!(ended.out.is_empty(), "{ended:?}");
        }
    }
    // No rights on the directory.
    let file = files.file("a.pcapng");
    let (_program, path) = path_for_anybody(TOOL);
    let kept = CapabilitySet::NET_ADMIN | CapabilitySet::NET_RAW | CapabilitySet::BPF;
    let ended = as_nobody(kept, &fixture.cable.left, || {
        Tool::spawn_here(Command::new(path).args(["capture", "-i", "near", "-w", &file])).end()
    });
    assert!(ended.failure().contains("Permission denied"), "{ended:?}");
    // What is in a file stays until everything is set up, and a new one goes again.
    std::fs::write(&file, "precious").unwrap();
    let foreign = foreign(&fixture, false);
    for name in ["a.pcapng", "b.pcapng"] {
        let ended = fixture.start(&format!("capture -w {}", files.file(name))).end();
        assert!(ended.failure().contains("foreign"), "{ended:?}");
    }
    drop(foreign);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "precious");
    assert_eq!(files.files().len(), 1, "the new one is gone");
    let tool = fixture.start(&format!("capture -w {file} -C 1")).ready();
    send(&fixture, 0, &long(1));
    tool.summary();
    assert!(packets(&file) == long(1), "other packets");
}

#[test]
fn words_that_are_wrong_are_refused() {
    if !privileged!() {
        return;
    }
    let (fixture, files) = (Fixture::new(1), Directory::new("words"));
    let file = files.file("a.pcapng");
    for (words, text) in [
        ("-s 262145", "262145 is not in 0..=262144"),
        ("-s -1", "unexpected argument '-1'"),
        ("--tee-ring 65536", "--tee"),
        ("--tee --tee-ring 65537", "a power of two is wanted, from 65536 to 1073741824"),
        ("--rotate-size 500", "from 4096 on is wanted, or one with K, M or G: 1000000, 100K, 500M"),
        ("--rotate-size 3K", "a number of bytes from 4096 on is wanted"),
        ("--rotate-size 1T", "a number of bytes from 4096 on is wanted"),
        ("--rotate-seconds 0", "a number of seconds is wanted"),
        ("--files 3", "--files needs --rotate-size or --rotate-seconds"),
        ("-M 2", "a queue has one socket"),
        ("--spin -p", "a thread sleeps while nothing comes"),
        ("-w - --rotate-size 4096", "there are no files"),
    ] {
        let ended = fixture.start(&format!("capture -w {file} {words}")).end();
        assert_eq!(ended.status.code(), Some(2), "{words}: {ended:?}");
        assert!(ended.err.concat().contains(text), "{words}: {ended:?}");
    }
    for letters in ["", "--tee"] {
        let ended = fixture.start(&format!("capture -w {file} {letters} udp dst prt 53")).end();
        assert_eq!(ended.status.code(), Some(2), "{ended:?}");
        assert!(
            ended.err[0].starts_with("xsk: the filter cannot be read: column 9: "),
            "{ended:?}"
        );
    }
    let ended = fixture.start(&format!("capture -w {file} -c 10")).end();
    assert_eq!(ended.status.code(), Some(2), "{ended:?}");
    assert!(ended.err[0].contains("a number of packets is -C 10"), "{ended:?}");
    for queues in ["1", "0,3"] {
        let ended = fixture.start(&format!("capture -w {file} --tee -q {queues}")).end();
        assert!(ended.failure().contains("near has no RX queue "), "{ended:?}");
    }
    assert!(files.files().is_empty(), "no file is begun");
    // A filter that is true of everything is as none.
    let tool = fixture.start(&format!("capture -w {file} -C 5 --take-management len >= 0")).ready();
    send(&fixture, 0, &long(5));
    tool.summary();
    assert!(packets(&file) == long(5), "other packets");
}

/// What is said of a queue that is taken.
const TAKEN: &str = "Another socket has this queue: one of another process";

#[test]
fn a_second_capture_is_refused_and_the_first_goes_on() {
    if !privileged!() {
        return;
    }
    let (fixture, files) = (Fixture::new(1), Directory::new("second"));
    for (one, other, words) in [
        ("", "", TAKEN),
        ("--tee", "--tee", "xsk_tap"),
        ("--tee", "", "xsk_tap"),
        ("", "--tee", "xsk_redirect"),
        ("--metadata always", "--tee", "xsk_metadata"),
    ] {
        let file = files.file("a.pcapng");
        let first = fixture.start(&format!("capture -w {file} -C 5 {one}")).ready();
        let line = format!("capture -i near -w {} {other} --wait 100", files.file("b.pcapng"));
        let ended = Tool::start(&fixture.cable.left, &line).end();
        let who = format!("network namespace: process {} (xsk)", first.id());
        assert!(words != TAKEN || ended.failure().ends_with(&who), "{who}: {ended:?}");
        assert!(ended.failure().contains(words), "{one}, {other}: {ended:?}");
        let line = format!("capture -i far -w {file} --wait 100");
        let ended = Tool::start(&fixture.cable.right, &line).end();
        assert!(ended.failure().ends_with("another process writes a capture to it"), "{ended:?}");
        send(&fixture, 0, &long(5));
        first.summary();
        assert!(packets(&file) == long(5), "other packets");
        assert_eq!(files.files(), [file]);
    }
}

#[test]
fn an_interface_that_goes_leaves_a_valid_file() {
    if !privileged!() {
        return;
    }
    for letters in ["", "--tee", "-q 0"] {
        let (fixture, files) = (Fixture::new(1), Directory::new("gone"));
        let file = files.file("a.pcapng");
        let tool = fixture.start(&format!("capture -w {file} {letters}")).ready();
        send(&fixture, 0, &long(10));
        wait_for("the packets", || packets_now(&file) == 10);
        ip::delete(fixture.cable.veth.a()).unwrap();
        let ended = tool.end();
        assert_eq!(ended.summary_of(4)["ended"], "interface_gone", "{ended:?}");
        assert!(packets(&file) == long(10), "other packets");
        assert_eq!(statistics(&file)[&WRITTEN], 10);
    }
}

#[test]
fn it_gives_its_rights_up_and_writes_on() {
    if !privileged!() {
        return;
    }
    let (fixture, files) = (Fixture::new(1), Directory::new("rights"));
    for letters in ["", "--tee"] {
        let file = files.file("a.pcapng");
        let line = format!("capture -w {file} -C 10 --user 65534:65534 {letters}");
        let tool = fixture.start(&line).ready();
        send(&fixture, 0, &long(10));
        tool.summary();
        assert!(packets(&file) == long(10), "{letters}: other packets");
        wait_for("the link to go", || fixture.attached().is_none());
    }
}

#[test]
fn copies_that_do_not_end_do_not_hold_the_end() {
    if !privileged!() {
        return;
    }
    let (fixture, files) = (Fixture::new(1), Directory::new("flood"));
    let tool = fixture.start(&format!("capture --tee --write {} -s 64 {WAIT}", files.file("a")));
    let tool = tool.ready();
    let flood = format!("generate -i far --dst-mac 02:00:00:00:00:02 --json {WAIT}");
    let flood = Tool::start(&fixture.cable.right, &flood).ready();
    wait_for("packets in the file", || {
        std::fs::metadata(files.file("a")).is_ok_and(|file| file.len() > 1 << 20)
    });
    let start = Instant::now();
    tool.signal(Signal::INT);
    tool.end();
    assert!(start.elapsed() < LIMIT / 2, "{:?}", start.elapsed());
    flood.stop();
    infos(&files.file("a"));
}
