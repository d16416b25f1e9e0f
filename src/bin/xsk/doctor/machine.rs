//! The checks of the machine: what holds for every interface.

use super::check::Check;
use super::known_faults;
use super::rights;
use super::version::Version;
use crate::failure::Failure;
use crate::run::port::CHUNKS;
use rustix::process::{Resource, getrlimit};
use std::path::Path;
use xsk::bpf::{self, XskMap};
use xsk::{Errno, Error, Interface, Socket, Umem};

/// Bytes of a chunk, as the commands have it without -f.
const CHUNK: u64 = 4096;

const MEMLOCK: &str = "memlock";

/// Runs the checks, for so many queues.
pub(super) fn checks(queues: usize) -> Vec<Check> {
    let (release, version) = Version::running();
    let mut checks = vec![kernel(&release, version), rights::capabilities()];
    checks.extend(rights::user_namespace());
    let (socket, is_used_up) = socket();
    checks.extend([socket, memory(version, queues, is_used_up)]);
    checks.extend(programs());
    checks.extend([unprivileged(), types(), list()]);
    checks.extend(known_faults::of_kernel(version));
    checks
}

fn kernel(release: &str, version: Option<Version>) -> Check {
    const ID: &str = "kernel";
    const TESTED: Version = Version::new(5, 10);
    let text = format!("Linux {}", release);
    match version {
        None => Check::unknown(ID, format!("{text}: this is no version that is understood")),
        Some(version) if version < Version::new(4, 18) => {
            Check::problem(ID, format!("{text} has no AF_XDP, which came with 4.18"))
        }
        Some(version) if version < TESTED => Check::note(
            ID,
            format!(
                "{text} is older than all that this tool was tested on: {TESTED} is the oldest"
            ),
        ),
        Some(_) => Check::fine(ID, text),
    }
}

/// Makes a socket with packet memory of one page, and drops it; returns whether there was no memory
/// left that may be pinned, too.
fn socket() -> (Check, bool) {
    const ID: &str = "socket";
    let made = Umem::builder().chunk_count(1).build().and_then(|(umem, pool)| {
        let socket = Socket::builder(&umem).open();
        drop(pool);
        socket
    });
    let is_used_up = matches!(&made, Err(Error::RegisterUmem { errno: Errno::NOBUFS, .. }));
    let check = match made {
        Ok(_) => Check::fine(ID, "an AF_XDP socket can be made"),
        Err(Error::CreateSocket { errno: Errno::AFNOSUPPORT, .. }) => Check::problem(
            ID,
            "this kernel is built without CONFIG_XDP_SOCKETS: there are no AF_XDP sockets",
        )
        .command("grep XDP_SOCKETS /boot/config-$(uname -r)"),
        Err(Error::CreateSocket { errno: Errno::PERM | Errno::ACCESS, .. }) => Check::unknown(
            ID,
            "whether AF_XDP sockets can be made cannot be seen without CAP_NET_RAW; in a \
             container, seccomp may refuse them, too",
        ),
        // Memory is looked at by another check.
        Err(Error::RegisterUmem { errno: Errno::NOBUFS, .. }) => {
            Check::fine(ID, "an AF_XDP socket can be made, but not with packet memory: see memlock")
        }
        Err(error) => {
            Check::problem(ID, format!("an AF_XDP socket cannot be made: {}", Failure::from(error)))
        }
    };
    (check, is_used_up)
}

/// Compares what may be pinned with what the commands pin.
fn memory(version: Option<Version>, queues: usize, is_used_up: bool) -> Check {
    let before_5_11 = version.is_some_and(|version| version < Version::new(5, 11));
    if rights::may_pin_any() {
        let maps = if before_5_11 { ", but maps and programs count against it" } else { "" };
        return Check::fine(MEMLOCK, format!("CAP_IPC_LOCK: packet memory is not limited{maps}"));
    }
    match getrlimit(Resource::Memlock).current {
        Some(limit) => limited(limit, before_5_11, queues, is_used_up),
        None => Check::fine(MEMLOCK, "RLIMIT_MEMLOCK is unlimited"),
    }
}

/// Compares a limit in bytes with what the commands pin.
fn limited(limit: u64, before_5_11: bool, queues: usize, is_used_up: bool) -> Check {
    // A user may not raise a limit, and a shell that is started by sudo is another one.
    const UNLIMITED: &str = "sudo prlimit --pid $$ --memlock=unlimited:unlimited";
    let needed = u64::from(CHUNKS) * CHUNK * queues as u64;
    let mebibytes = |bytes: u64| match bytes % (1 << 20) == 0 {
        true => format!("{} MiB", bytes >> 20),
        false => format!("{} KiB", bytes >> 10),
    };
    let maps = if before_5_11 { "; before Linux 5.11 maps and programs count, too" } else { "" };
    let takes = match queues {
        1 => "a queue takes".to_owned(),
        several => format!("{several} queues take"),
    };
    let text = format!(
        "RLIMIT_MEMLOCK is {}, for all sockets of a user together; {takes} {} of packet memory \
         ({CHUNKS} chunks each){maps}",
        mebibytes(limit),
        mebibytes(needed)
    );
    if limit >= needed && is_used_up {
        let text = format!("{text}: other sockets of this user have used it up");
        return Check::problem(MEMLOCK, text).command(UNLIMITED);
    }
    if limit >= needed {
        return Check::fine(MEMLOCK, text);
    }
    // Half of what is possible: other memory of the user counts, too.
    let chunks = limit / CHUNK / queues as u64 / 2;
    let check = Check::problem(MEMLOCK, text).command(UNLIMITED);
    match chunks {
        0 => check,
        chunks => check.command(format!("xsk rxdrop --chunks {} ...", 1_u64 << chunks.ilog2())),
    }
}

/// Makes a map and loads a program, attaches it to nothing, and drops both.
fn programs() -> Vec<Check> {
    const ID: &str = "bpf";
    let loaded = XskMap::create(XskMap::DEFAULT_NAME, 1).and_then(|map| bpf::redirect(&map));
    let program = match loaded {
        Ok(program) => program,
        Err(error) => {
            let refused = matches!(error.errno(), Some(Errno::PERM | Errno::ACCESS));
            let check = match refused && !rights::may_load() {
                true => Check::unknown(
                    ID,
                    "whether the kernel takes XDP programs cannot be seen without CAP_BPF and \
                     CAP_NET_ADMIN",
                ),
                false => Check::problem(
                    ID,
                    format!("an XDP program cannot be loaded: {}", Failure::from(error)),
                ),
            };
            return vec![check, compiler(None)];
        }
    };
    let machine_code = program.info().ok().map(|info| info.machine_code > 0);
    vec![
        Check::fine(ID, "the kernel takes XDP programs and maps of sockets"),
        compiler(machine_code),
    ]
}

/// Says whether programs become machine code, by a program that was loaded or by the setting, which
/// other network namespaces than the first do not have.
fn compiler(machine_code: Option<bool>) -> Check {
    const ID: &str = "bpf_jit";
    let setting = || sysctl("net/core/bpf_jit_enable").map(|value| value != 0);
    match machine_code.or_else(setting) {
        Some(true) => Check::fine(ID, "programs become machine code"),
        Some(false) => Check::note(
            ID,
            "programs are interpreted, which takes several times as long as machine code",
        )
        .command("sysctl -w net.core.bpf_jit_enable=1"),
        None => Check::unknown(ID, "whether programs become machine code cannot be read"),
    }
}

fn unprivileged() -> Check {
    const ID: &str = "unprivileged_bpf";
    match sysctl("kernel/unprivileged_bpf_disabled") {
        Some(0) => Check::note(
            ID,
            "users without rights may load programs of some kinds; XDP needs it not, and it is \
             better off",
        )
        .command("sysctl -w kernel.unprivileged_bpf_disabled=2"),
        Some(value) => Check::fine(
            ID,
            format!(
                "users without rights may not load programs (unprivileged_bpf_disabled={value})"
            ),
        ),
        None => Check::unknown(ID, "kernel.unprivileged_bpf_disabled cannot be read"),
    }
}

/// Looks for the kernel's types, by which programs call functions of the kernel.
fn types() -> Check {
    const ID: &str = "btf";
    match Path::new("/sys/kernel/btf/vmlinux").exists() {
        true => Check::fine(ID, "the kernel shows its types (CONFIG_DEBUG_INFO_BTF)"),
        false => Check::note(
            ID,
            "the kernel does not show its types (CONFIG_DEBUG_INFO_BTF, or /sys is not mounted): \
             there is no RX metadata, and no dispatcher of libxdp",
        ),
    }
}

/// Asks for the list of AF_XDP sockets.
fn list() -> Check {
    const ID: &str = "xdp_diag";
    let sockets = Interface::all().map(|all| all.first().map(Interface::xdp_sockets));
    match sockets {
        Ok(Some(Ok(Some(_)))) => Check::fine(ID, "the kernel lists AF_XDP sockets (`ss --xdp`)"),
        Ok(Some(Ok(None))) => Check::note(
            ID,
            "the kernel does not list AF_XDP sockets (CONFIG_XDP_SOCKETS_DIAG): who has a queue can \
             only be guessed",
        ),
        _ => Check::unknown(ID, "whether the kernel lists AF_XDP sockets cannot be seen"),
    }
}

/// Reads a setting of the kernel that is a number.
fn sysctl(name: &str) -> Option<i64> {
    std::fs::read_to_string(format!("/proc/sys/{name}")).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::check::Verdict;
    use super::limited;

    #[test]
    fn a_limit_that_is_large_enough_and_used_up_is_a_problem() {
        let limit = 16 << 20;
        assert_eq!(limited(limit, false, 1, false).verdict, Verdict::Fine);
        let check = limited(limit, false, 1, true);
        assert_eq!(check.verdict, Verdict::Problem);
        assert!(check.text.contains("have used it up"), "{check:?}");
        assert_eq!(limited(limit, false, 2, false).verdict, Verdict::Problem);
    }
}
