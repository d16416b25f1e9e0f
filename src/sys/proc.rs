//! What only `/proc` reports, for the texts of errors. Nothing depends on it.

use std::fs::{read_dir, read_link};

/// Returns a process that has the socket with this inode open, as far as `/proc` shows it: root
/// sees all processes of its PID namespace, others see their own.
pub(crate) fn process_with_socket(inode: u32) -> Option<u32> {
    let wanted = format!("socket:[{inode}]");
    read_dir("/proc").ok()?.flatten().find_map(|process| {
        let pid = process.file_name().to_str()?.parse().ok()?;
        let mut files = read_dir(process.path().join("fd")).ok()?.flatten();
        let has_it = files.any(|file| {
            read_link(file.path()).is_ok_and(|target| target.as_os_str() == wanted.as_str())
        });
        has_it.then_some(pid)
    })
}
