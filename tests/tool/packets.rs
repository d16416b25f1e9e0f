//! What tcpdump and tshark say of packets.

use crate::common::kernel_can;
use crate::fixture::Tool;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use xsk::test_util::Namespace;

/// Returns whether a program is here; if not, says that the test `name` is skipped.
pub(crate) fn has(name: &str, program: &str) -> bool {
    let version = Command::new(program).arg("--version").stdin(Stdio::null()).output();
    let here = version.is_ok_and(|output| output.status.success());
    let required = std::env::var_os("XSK_TESTS").is_some_and(|word| word == "require");
    assert!(here || !required, "{program} is not here");
    kernel_can(name, here, &format!("there is no {program}"))
}

/// A file that is removed in the end.
pub(crate) struct TempFile(PathBuf);

impl TempFile {
    /// Returns the name of a file that is not there.
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("xsk-packets-{}-{number}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    /// Returns a file with these bytes.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let file = Self::new();
        std::fs::write(&file.0, bytes).unwrap();
        file
    }

    pub(crate) fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }

    /// Returns times in nanoseconds and bytes of the packets of a capture of tcpdump.
    pub(crate) fn packets(&self) -> Vec<(u64, Vec<u8>)> {
        let bytes = std::fs::read(&self.0).unwrap();
        let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        assert_eq!(number(0), 0xa1b2_3c4d, "with nanoseconds, in this order of bytes");
        let (mut at, mut packets) = (24, Vec::new());
        while at < bytes.len() {
            let time = u64::from(number(at)) * 1_000_000_000 + u64::from(number(at + 4));
            let end = at + 16 + number(at + 8) as usize;
            packets.push((time, bytes[at + 16..end].to_vec()));
            at = end;
        }
        packets
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A tcpdump at work.
pub(crate) struct Dump {
    tool: Tool,
    file: TempFile,
}

impl Dump {
    /// Starts one that ends after so many packets of which the filter is true.
    pub(crate) fn start(namespace: &Namespace, interface: &str, count: u32, filter: &str) -> Self {
        let file = TempFile::new();
        let mut command = Command::new("tcpdump");
        // With the longest snapshots there is room for 64 packets in 16 MiB.
        command.args(["-i", interface, "-Z", "root", "--immediate-mode", "-B", "65536"]);
        command.args(["--time-stamp-precision=nano", "-s", "9500", "-w", file.path()]);
        command.args(["-c", &count.to_string(), filter]);
        let tool = Tool::spawn(namespace, &mut command);
        while !tool.note().contains("listening on") {}
        Self { tool, file }
    }

    /// Waits for its end.
    pub(crate) fn end(self) -> TempFile {
        let ended = self.tool.end();
        assert!(ended.status.success(), "{ended:?}");
        self.file
    }
}

/// Returns these fields of the packets of a capture, by tshark, which checks all checksums.
pub(crate) fn tshark(path: &str, fields: &[&str]) -> Vec<Vec<String>> {
    let mut command = Command::new("tshark");
    command.args(["-r", path, "-T", "fields", "-E", "separator=;", "-E", "occurrence=f"]);
    for protocol in ["ip", "udp", "tcp"] {
        command.args(["-o", &format!("{protocol}.check_checksum:TRUE")]);
    }
    for field in fields {
        command.args(["-e", field]);
    }
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| line.split(';').map(str::to_owned).collect()).collect()
}
