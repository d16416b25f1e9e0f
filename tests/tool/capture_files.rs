//! Files of captures: where they are, and what tcpdump, tshark and capinfos read in them.

use crate::common::{AtCable, wait_for};
use crate::fixture::Fixture;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};
use xsk::Port;

/// A directory that is removed in the end.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("xsk-capture-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Returns the path of a file in it.
    pub(crate) fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    /// Returns the paths of all files, in the order of their names.
    pub(crate) fn files(&self) -> Vec<String> {
        let files = std::fs::read_dir(&self.0).unwrap();
        let mut files: Vec<String> =
            files.map(|file| file.unwrap().path().to_str().unwrap().to_owned()).collect();
        files.sort();
        files
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Sends packets from a queue of the far end.
pub(crate) fn send(fixture: &Fixture, queue: u32, packets: &[Vec<u8>]) {
    let cable = &fixture.cable;
    let mut port = Port::at(&cable.right, cable.veth.b(), queue);
    let all = port.pool.len();
    for bytes in packets {
        let mut frame = port.pool.take().unwrap();
        port.umem.write(&mut frame, bytes).unwrap();
        port.socket.tx.reserve(1).unwrap().push(frame).unwrap();
        wait_for("the chunk", || {
            port.socket.tx.kick_if_needed().unwrap();
            port.socket.completion.reap_into(&mut port.pool, 8).unwrap();
            port.pool.len() == all
        });
    }
}

/// Returns the packets of a file as tcpdump reads them, which must succeed.
pub(crate) fn packets(file: &str) -> Vec<Vec<u8>> {
    let copy = format!("{file}.pcap");
    let output = Command::new("tcpdump").args(["-r", file, "-w", &copy]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let bytes = std::fs::read(&copy).unwrap();
    std::fs::remove_file(&copy).unwrap();
    let (mut at, mut packets) = (24, Vec::new());
    while at < bytes.len() {
        let kept = u32::from_le_bytes(bytes[at + 8..at + 12].try_into().unwrap()) as usize;
        packets.push(bytes[at + 16..at + 16 + kept].to_vec());
        at += 16 + kept;
    }
    packets
}

/// Returns fields of all packets as tshark reads them; `None` without tshark.
pub(crate) fn fields(file: &str, names: &[&str]) -> Option<Vec<Vec<String>>> {
    let mut command = Command::new("tshark");
    command.args(["-n", "-r", file, "-T", "fields"]);
    for name in names {
        command.args(["-e", name]);
    }
    let output = judge("tshark", &mut command)?;
    Some(output.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect())
}

/// Returns what capinfos prints of a file; `None` without capinfos.
pub(crate) fn infos(file: &str) -> Option<String> {
    judge("capinfos", Command::new("capinfos").arg(file))
}

/// Returns what a tool prints, which must succeed; `None` if it is not installed.
fn judge(name: &str, command: &mut Command) -> Option<String> {
    let output = match command.output() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let required = std::env::var("XSK_TESTS").is_ok_and(|value| value == "require");
            assert!(!required, "{name} is not installed");
            eprintln!("skipped: what {name} says: it is not installed");
            return None;
        }
        output => output.unwrap(),
    };
    assert!(output.status.success(), "{output:?}");
    Some(String::from_utf8(output.stdout).unwrap())
}

/// Returns how many whole packets a file has at the moment; it may end in the middle of one.
pub(crate) fn packets_now(file: &str) -> usize {
    let bytes = std::fs::read(file).unwrap_or_default();
    let word = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let (mut at, mut packets) = (0, 0);
    while let (Some(kind), Some(len)) = (word(at), word(at + 4)) {
        at += len as usize;
        packets += usize::from(kind == 6 && at <= bytes.len());
    }
    packets
}

/// Returns the blocks of a file: type and body.
fn blocks(file: &str) -> Vec<(u32, Vec<u8>)> {
    let bytes = std::fs::read(file).unwrap();
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let (mut at, mut blocks) = (0, Vec::new());
    while at < bytes.len() {
        let end = at + word(at + 4) as usize;
        assert_eq!(word(at + 4), word(end - 4), "{file} at {at}");
        blocks.push((word(at), bytes[at + 8..end - 4].to_vec()));
        at = end;
    }
    blocks
}

/// Returns the counts of the block of statistics, by their codes; the file must end with it.
pub(crate) fn statistics(file: &str) -> BTreeMap<u16, u64> {
    let blocks = blocks(file);
    assert_eq!(blocks.iter().filter(|(kind, _)| *kind == 5).count(), 1, "{file}");
    let (kind, body) = blocks.last().unwrap();
    assert_eq!(*kind, 5, "{file}");
    let mut counts = BTreeMap::new();
    let mut at = 12;
    loop {
        let half = |at: usize| u16::from_le_bytes(body[at..at + 2].try_into().unwrap());
        let (code, len) = (half(at), half(at + 2));
        if code == 0 {
            return counts;
        }
        assert_eq!(len, 8);
        let value = u64::from_le_bytes(body[at + 4..at + 12].try_into().unwrap());
        // Of times the upper half comes first.
        counts.insert(code, if code < 4 { value.rotate_left(32) } else { value });
        at += 12;
    }
}

/// Codes of counts in a block of statistics.
pub(crate) const START: u16 = 2;
pub(crate) const END: u16 = 3;
pub(crate) const RECEIVED: u16 = 4;
pub(crate) const DROPPED: u16 = 5;
pub(crate) const ACCEPTED: u16 = 6;
pub(crate) const OS_DROPPED: u16 = 7;
pub(crate) const WRITTEN: u16 = 8;

/// Returns the time of day in nanoseconds.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64
}

/// Returns a time as tshark writes it, in nanoseconds.
pub(crate) fn nanoseconds(text: &str) -> u64 {
    let (seconds, rest) = text.split_once('.').unwrap();
    assert_eq!(rest.len(), 9, "{text}");
    format!("{seconds}{rest}").parse().unwrap()
}
