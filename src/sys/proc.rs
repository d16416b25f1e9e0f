//! What only `/proc` reports: which process has a socket or a link open. Nothing depends on it.

use rustix::fs::getxattr;
use std::fs::{read_dir, read_link, read_to_string};
use std::path::Path;

/// A file that a process has open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OpenFile {
    /// The socket with this inode.
    Socket(u32),
    /// The BPF link with this id.
    Link(u32),
}

/// Calls `found` with the id of each process, a file that it has open, and the path of its
/// descriptor, as far as `/proc` shows them: root sees all processes of its PID namespace, others see
/// their own. Returns whether all processes could be looked at. It ends early once `found` returns
/// `false`.
///
/// With the mount option `hidepid` those of others are not even listed, nor is then the first one,
/// which every PID namespace has.
pub(crate) fn open_files(mut found: impl FnMut(u32, OpenFile, &Path) -> bool) -> bool {
    let Ok(processes) = read_dir("/proc") else { return false };
    let (mut is_complete, mut has_first) = (true, false);
    for process in processes.flatten() {
        let id = process.file_name().to_str().and_then(|name| name.parse().ok());
        let Some(id) = id else { continue };
        has_first |= id == 1;
        let Ok(files) = read_dir(process.path().join("fd")) else {
            // One that has ended meanwhile has nothing open.
            is_complete &= !process.path().exists();
            continue;
        };
        for file in files.flatten() {
            let path = file.path();
            let Ok(target) = read_link(&path) else {
                // Root without CAP_SYS_PTRACE may list the descriptors of others, and no more. One that
                // was closed meanwhile is none that is missing.
                is_complete &= path.symlink_metadata().is_err();
                continue;
            };
            let number = file.file_name();
            let info = || read_to_string(process.path().join("fdinfo").join(number)).ok();
            if let Some(file) = open_file(&target, info) {
                if !found(id, file, &path) {
                    return is_complete;
                }
            }
        }
    }
    is_complete && has_first
}

/// Reads what the symbolic link of a descriptor points to; `info` is what the kernel reports about
/// the descriptor.
fn open_file(target: &Path, info: impl FnOnce() -> Option<String>) -> Option<OpenFile> {
    match target.to_str()? {
        "anon_inode:bpf_link" | "anon_inode:bpf-link" => {
            let info = info()?;
            let id = info.lines().find_map(|line| line.strip_prefix("link_id:"))?;
            id.trim().parse().ok().map(OpenFile::Link)
        }
        target => {
            let inode = target.strip_prefix("socket:[")?.strip_suffix(']')?;
            inode.parse().ok().map(OpenFile::Socket)
        }
    }
}

/// Returns whether the descriptor at this path is one of an AF_XDP socket, by the name of its
/// protocol.
pub(crate) fn is_xdp_socket(path: &Path) -> bool {
    let mut name = [0_u8; 8];
    let length = getxattr(path, "system.sockprotoname", &mut name[..]);
    length.is_ok_and(|length| name.get(..length) == Some(b"XDP\0"))
}

/// Returns whether a process is in the network namespace of the calling thread; `None` if that is
/// not known.
pub(crate) fn shares_netns(process: u32) -> Option<bool> {
    let other = read_link(format!("/proc/{process}/ns/net")).ok()?;
    Some(read_link("/proc/thread-self/ns/net").ok()? == other)
}

/// Returns the name of a process; `None` if it has ended.
pub(crate) fn command(process: u32) -> Option<String> {
    let name = std::fs::read(format!("/proc/{process}/comm")).ok()?;
    Some(String::from_utf8_lossy(&name).trim_end_matches('\n').to_owned())
}

/// Returns a process that has the socket with this inode open, as far as `/proc` shows it.
pub(crate) fn process_with_socket(inode: u32) -> Option<u32> {
    let mut process = None;
    open_files(|id, file, _| {
        process = (file == OpenFile::Socket(inode)).then_some(id);
        process.is_none()
    });
    process
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_and_links_are_known_by_what_their_descriptors_are() {
        let file = |target: &str, info: Option<&str>| {
            open_file(Path::new(target), || info.map(str::to_owned))
        };
        let link = Some("pos:\t0\nlink_type:\txdp\nlink_id:\t12\nprog_id:\t3\n");
        assert_eq!(file("socket:[77]", None), Some(OpenFile::Socket(77)));
        assert_eq!(file("anon_inode:bpf_link", link), Some(OpenFile::Link(12)));
        assert_eq!(file("anon_inode:bpf-link", link), Some(OpenFile::Link(12)));
        for (target, info) in [
            ("anon_inode:bpf-link", None),
            ("anon_inode:bpf-prog", link),
            ("socket:[]", None),
            ("socket:[4294967296]", None),
            ("/socket:[7]", None),
        ] {
            assert_eq!(file(target, info), None, "{target}");
        }
    }
}
