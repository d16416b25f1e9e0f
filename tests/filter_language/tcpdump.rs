//! Runs tcpdump on a capture.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// Returns whether tcpdump is installed; prints that the test is skipped if it is not.
pub(crate) fn is_here(test: &str) -> bool {
    let output = Command::new("tcpdump").arg("--version").output();
    let here = output.is_ok_and(|output| output.status.success());
    if !here {
        eprintln!("skipped: {test}: tcpdump is not installed");
        assert_ne!(std::env::var("XSK_TESTS").as_deref(), Ok("require"), "tcpdump is missing");
    }
    here
}

/// A file with packets; the time of each is its number.
pub(crate) struct Capture(PathBuf);

impl Capture {
    pub(crate) fn new<'a>(packets: impl Iterator<Item = &'a [u8]>) -> Self {
        // The magic number, version 2.4, no time zone, packets of up to 256 KiB, Ethernet.
        let mut file: Vec<u8> = [0xa1b2_c3d4, 0x0004_0002, 0, 0, 0x4_0000, 1_u32]
            .iter()
            .flat_map(|word| word.to_le_bytes())
            .collect();
        for (number, bytes) in packets.enumerate() {
            let length = u32::try_from(bytes.len()).unwrap();
            for word in [u32::try_from(number).unwrap(), 0, length, length] {
                file.extend(word.to_le_bytes());
            }
            file.extend(bytes);
        }
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("xsk-filter-language-{}-{number}.pcap", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, file).unwrap();
        Self(path)
    }

    /// Returns the numbers of the packets that tcpdump takes. What it takes with its optimizer may be
    /// another thing than the expression says: that of libpcap 1.10.3 exchanges tests, leaves reads
    /// out, and after `tcp[0:2] > tcp[2:2]` reads a port by a register that holds something else.
    pub(crate) fn taken(&self, text: &str, optimize: bool) -> BTreeSet<usize> {
        let mut command = Command::new("tcpdump");
        command.arg("-r").arg(&self.0).args(["-Z", "root", "-w", "-"]);
        if !optimize {
            command.arg("-O");
        }
        let output = command.args(["--", text]).output().unwrap();
        if !output.status.success() {
            let message = String::from_utf8_lossy(&output.stderr);
            // Some conditions are never true, which libpcap sees while it compiles them.
            assert!(message.contains("rejects all packets"), "{text}: {message}");
            return BTreeSet::new();
        }
        let mut taken = BTreeSet::new();
        let mut rest = output.stdout.get(24..).unwrap_or_default();
        while let Some((header, after)) = rest.split_first_chunk::<16>() {
            let word = |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().unwrap());
            taken.insert(word(0) as usize);
            rest = &after[word(8) as usize..];
        }
        taken
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Returns whether tcpdump compiles an expression, or its message.
pub(crate) fn compiles(text: &str) -> Result<(), String> {
    let arguments = ["-y", "EN10MB", "-O", "-d", "--", text];
    let output = Command::new("tcpdump").args(arguments).output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok(()) } else { Err(message) }
}
