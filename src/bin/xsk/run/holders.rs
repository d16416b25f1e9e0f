//! Which processes may have a queue that is taken.

use crate::report::output::printable;
use std::fs;

/// Returns the processes of this network namespace that have mapped the rings of a socket, by id
/// and name: those that have AF_XDP sockets, and those that have packet sockets with rings, as tcpdump. Those
/// of other users are left out without the right to look at them. The kernel says which socket has a
/// queue where it has CONFIG_XDP_SOCKETS_DIAG alone.
pub(crate) fn holders() -> Vec<String> {
    let Ok(here) = fs::read_link("/proc/self/ns/net") else { return Vec::new() };
    let own = std::process::id().to_string();
    let mut found = Vec::new();
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let (id, path) = (process.file_name(), process.path());
        let Some(id) = id.to_str().filter(|id| id.bytes().all(|byte| byte.is_ascii_digit())) else {
            continue;
        };
        let is_here = || fs::read_link(path.join("ns/net")).is_ok_and(|there| there == here);
        let has_rings = || {
            let maps = fs::read_to_string(path.join("maps")).unwrap_or_default();
            maps.contains(" socket:[")
        };
        if id != own && is_here() && has_rings() {
            let name = fs::read_to_string(path.join("comm")).unwrap_or_default();
            found.push(format!("process {id} ({})", printable(name.trim_end())));
        }
    }
    found
}
