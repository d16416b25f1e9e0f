//! Hints for BPF maps, programs and pins.

use super::wording::{Hint, NO_HINT, needs};
use crate::error::{AssemblyFault, BpfOp, MapKind};
use rustix::io::Errno;

const NO_SLOTS: &str = "A map has one slot or entry at least";
const RING_SIZE: &str = "The size of a ring buffer is a power of two, and a page at least (`getconf \
    PAGE_SIZE`)";
const TOO_LARGE: &str = "It has too many entries, or its keys or values are too large";
const TOO_MANY_MAPS: &str = "A program takes 64 maps at the most: of sets of addresses, which have \
    two each, and of ports together";
const NO_INSTRUCTIONS: &str = "A program has one instruction at least";
const NAME_RULE: &str = "A name has 15 bytes at the most, of A-Z, a-z, 0-9, `_` and `.`";
const TOO_LONG: &str = "It is too long, or takes the verifier too many steps: 4096 instructions \
    before Linux 5.2, a million steps since";
const BPF_PRIVILEGES: &str = "This needs CAP_BPF and CAP_NET_ADMIN (CAP_SYS_ADMIN before Linux \
    5.8) in the initial user namespace: run it as root (`sudo`) there. Root of another user namespace \
    (a rootless container, `unshare --user`) has them only inside. Before 5.11 it can also be \
    RLIMIT_MEMLOCK: `ulimit -l unlimited`. In a container, seccomp may refuse bpf(2)";
const NO_BOUND_PROGRAMS: &str = "The interface's driver has no functions that say what the card knows of \
    a packet, and so takes no bound programs: receive without metadata";
const NO_SUCH_INTERFACE: &str = "There is no interface of this index in the network namespace of the \
    calling thread (`ip link`), or the kernel does not take these flags for a bound program";
const NO_BPF: &str = "This kernel is built without CONFIG_BPF_SYSCALL";
const MEMORY: &str = "The kernel has no memory for it, or the control group's limit is reached";

const UPDATE_PRIVILEGES: &str = "Before Linux 5.19, where `sysctl \
    kernel.unprivileged_bpf_disabled` is not 0, using a map needs CAP_BPF, too (CAP_SYS_ADMIN \
    before 5.8)";
const SLOT_TAKEN: &str = "Another socket is registered there, or this one already: a slot has one, and \
    of several sockets on a queue each needs a slot of its own (`bpf::spread`)";
const NO_XDP_SOCKET: &str = "It is no AF_XDP socket, or (before Linux 5.10) one without rings";
const LINK_DOWN: &str = "The socket's interface is down, and before Linux 6.4 the kernel does not \
    report then whether a bound socket has an RX ring; one without could crash it. Set the \
    interface up (`ip link set dev NAME up`), or register the socket before it is bound";
const SLOT_EMPTIED: &str = "The socket was closed in the meantime, or something else emptied the \
    slot";

const PIN_RULE: &str = "A pin has to be in a BPF file system (`mount -t bpf bpf /sys/fs/bpf`), its \
    name must not have a full stop in it, and it needs CAP_BPF where `sysctl \
    kernel.unprivileged_bpf_disabled` is not 0";
const ID_PRIVILEGES: &str = "Looking BPF objects up by their id needs CAP_SYS_ADMIN in the initial \
    user namespace (CAP_BPF is not enough). Run as root there, or pass descriptors or pins";
const PIN_OF_ANOTHER: &str = "The pin belongs to another user: `chown` or `chmod` it, or run as \
    root";
const NO_PIN: &str = "There is no such file or directory: pins are gone after a restart of the \
    machine";
const NO_DIRECTORY: &str = "The directory has to be there, in a BPF file system: mount that where it is \
    missing (`mount -t bpf bpf /sys/fs/bpf`; `ip netns exec` has a `/sys` of its own without one), and \
    make a directory in it (`mkdir -p`)";
const OBJECT_GONE: &str = "It is gone: nothing held it any more";
const PIN_EXISTS: &str = "Something is pinned there already: remove the file, or take another name";
const TEST_RUN: &str = "A packet has 14 bytes at least, and has to fit a page with what the kernel \
    puts around it; of a context, data_end is the packet's length, and the interface has the queue; \
    a program that is bound to a device cannot be run so";
const TEST_RUN_RIGHTS: &str =
    "Before 5.19 this takes CAP_BPF unless kernel.unprivileged_bpf_disabled is 0";
const RUN_ENDED: &str = "A signal came: only a part of the frames was made";
const NO_INTERFACE: &str =
    "The network namespace has no interface of the context's ingress_ifindex";
const NO_BPF_OBJECT: &str = "It is no BPF object";

const NOT_PLACED: &str =
    "Call `Assembler::place` before the instruction that it is to go to is added";
const OWN_LABEL: &str = "A label is used with the assembler that made it";
const TOO_FAR: &str = "Jumps reach 32767 instructions forward and 32768 back. From Linux 6.6 on \
    `Assembler::goto_long` reaches further, also for each `goto` after `Assembler::long_jumps`, and a \
    conditional jump can skip one";
const NO_END: &str = "A function ends with `Insn::exit`, or with a jump to another part of it";
const UNREACHABLE: &str = "The kernel refuses code that nothing leads to: leave it out";
const OWN_MAP: &str = "Load a map with `Assembler::load_map`, and put another program's code in with \
    `Assembler::add_code`";
const LIMIT: &str = "Kernels since 5.2 take a million instructions from a process with CAP_BPF, and \
    4096 from others, as do earlier kernels";

/// Returns the hint for a program that is wrong by itself.
pub(super) fn assemble(fault: &AssemblyFault) -> Hint {
    match fault {
        AssemblyFault::Empty => NO_INSTRUCTIONS.into(),
        AssemblyFault::TooLong { .. } => LIMIT.into(),
        AssemblyFault::NotPlaced { .. } => NOT_PLACED.into(),
        AssemblyFault::ForeignLabel { .. } => OWN_LABEL.into(),
        AssemblyFault::TooFar { .. } => TOO_FAR.into(),
        AssemblyFault::FallsOff { .. } => NO_END.into(),
        AssemblyFault::Unreachable { .. } => UNREACHABLE.into(),
        AssemblyFault::NamesObject { .. } => OWN_MAP.into(),
        _ => NO_HINT,
    }
}

pub(super) fn create_map(name: &str, kind: MapKind, entries: u32, errno: Errno) -> Hint {
    match errno {
        Errno::INVAL if kind == MapKind::RingBuffer && is_name(name) => RING_SIZE.into(),
        Errno::INVAL if entries == 0 => NO_SLOTS.into(),
        Errno::TOOBIG => TOO_LARGE.into(),
        _ => bpf(name, errno),
    }
}

pub(super) fn load(name: &str, instructions: usize, bound: bool, errno: Errno, log: &str) -> Hint {
    match errno {
        Errno::ACCESS if log.contains("prohibited for !root") => needs("CAP_PERFMON"),
        Errno::TOOBIG if log.contains("number of maps per program") => TOO_MANY_MAPS.into(),
        Errno::OPNOTSUPP if bound => NO_BOUND_PROGRAMS.into(),
        Errno::INVAL if bound && is_name(name) => NO_SUCH_INTERFACE.into(),
        Errno::TOOBIG if instructions == 0 => NO_INSTRUCTIONS.into(),
        Errno::TOOBIG => TOO_LONG.into(),
        _ => bpf(name, errno),
    }
}

/// Returns the hint that creating a map and loading a program have in common.
fn bpf(name: &str, errno: Errno) -> Hint {
    match errno {
        Errno::INVAL if !is_name(name) => NAME_RULE.into(),
        Errno::PERM => BPF_PRIVILEGES.into(),
        Errno::NOSYS => NO_BPF.into(),
        Errno::NOMEM => MEMORY.into(),
        _ => NO_HINT,
    }
}

/// Returns whether the kernel takes `name` for a map or a program.
fn is_name(name: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.';
    name.len() <= 15 && name.bytes().all(good)
}

pub(super) fn update_map(entries: u32, other: Option<&str>, errno: Errno) -> Hint {
    match errno {
        Errno::TOOBIG => format!(
            "The map has {entries} slot(s): this crate's default program gets one for each queue that \
             there is when it is attached (after `ethtool -L` has made more, end all its users and \
             attach it again), and `bpf::spread` needs one for each socket of each queue"
        )
        .into(),
        Errno::PERM => UPDATE_PRIVILEGES.into(),
        Errno::EXIST => match other {
            Some(name) => format!(
                "The slot belongs to a socket that is registered for {name}: a map has one slot \
                 for each queue number, so use a program and a map for each interface"
            )
            .into(),
            None => SLOT_TAKEN.into(),
        },
        Errno::NETDOWN => LINK_DOWN.into(),
        Errno::OPNOTSUPP | Errno::NOTSOCK => NO_XDP_SOCKET.into(),
        Errno::INVAL => {
            let last = entries.saturating_sub(1);
            format!("The map has no such slot: they are numbered from 0 to {last}").into()
        }
        Errno::NOENT => SLOT_EMPTIED.into(),
        _ => NO_HINT,
    }
}

/// Returns the hint for a BPF object that cannot be opened, asked about, run or pinned.
pub(super) fn object(operation: BpfOp, errno: Errno) -> Hint {
    let path = matches!(operation, BpfOp::Get | BpfOp::Pin);
    match errno {
        Errno::PERM | Errno::ACCESS if operation == BpfOp::Unpin => PIN_OF_ANOTHER.into(),
        Errno::NOENT if operation == BpfOp::Pin => NO_DIRECTORY.into(),
        Errno::PERM if path => PIN_RULE.into(),
        Errno::PERM if operation == BpfOp::TestRun => TEST_RUN_RIGHTS.into(),
        Errno::PERM => ID_PRIVILEGES.into(),
        Errno::ACCESS => PIN_OF_ANOTHER.into(),
        Errno::NOENT if path => NO_PIN.into(),
        Errno::NOENT => OBJECT_GONE.into(),
        Errno::EXIST => PIN_EXISTS.into(),
        Errno::INVAL if operation == BpfOp::TestRun => TEST_RUN.into(),
        Errno::NODEV if operation == BpfOp::TestRun => NO_INTERFACE.into(),
        Errno::INTR if operation == BpfOp::TestRun => RUN_ENDED.into(),
        Errno::INVAL if operation == BpfOp::Info => NO_BPF_OBJECT.into(),
        _ => NO_HINT,
    }
}
