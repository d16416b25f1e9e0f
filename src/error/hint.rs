//! What to do about an error: the part that an operator reads at night.

use super::{AttachConflict, Error};
use crate::types::{AttachMethod, CopyMode, PageSize, XdpMode};
use rustix::io::Errno;
use std::borrow::Cow;

type Hint = Cow<'static, str>;

/// One or two sentences without the last full stop, or nothing where nothing useful is known.
pub(super) fn of(error: &Error) -> Hint {
    match (of_operation(error), error.errno()) {
        (hint, Some(errno)) if hint.is_empty() => anywhere(errno),
        (hint, _) => hint,
    }
}

fn of_operation(error: &Error) -> Hint {
    match error {
        Error::AllocateUmem { bytes, page_size, errno } => allocate(*bytes, *page_size, *errno),
        Error::UmemNumbers => "Start the process again; and make UMEMs once, not for each packet or connection".into(),
        Error::CreateSocket { errno: Errno::PERM } => {
            needs("CAP_NET_RAW in the user namespace that owns this network namespace")
        }
        Error::CreateSocket { errno: Errno::AFNOSUPPORT } => "This kernel is built without CONFIG_XDP_SOCKETS, or a \
            seccomp filter refuses the address family (containers have one; in systemd it is \
            RestrictAddressFamilies=, which has to name AF_XDP)"
            .into(),
        Error::Netlink { errno: Errno::AFNOSUPPORT, .. } => "A seccomp filter refuses the address family (containers \
            have one; in systemd it is RestrictAddressFamilies=, which has to name AF_NETLINK and AF_UNIX)"
            .into(),
        Error::Netlink { errno: Errno::BADMSG, .. } => "This crate does not understand the kernel's answer: please \
            report it, with the output of `uname -r`"
            .into(),
        Error::RegisterUmem { bytes, chunk_size, headroom, memlock, errno } => {
            register(*bytes, *chunk_size, *headroom, *memlock, *errno)
        }
        Error::CreateRing { errno: Errno::NOMEM, .. } => "The kernel has no memory for it; before 6.3 a \
            ring must lie in contiguous pages: ask for fewer entries"
            .into(),
        Error::MapRing { errno: Errno::BUSY, .. } => {
            "Before Linux 6.4 a ring cannot be mapped after bind".into()
        }
        Error::Bind { interface, queue, queues, copy, errno, .. } => {
            bind(interface, *queue, *queues, *copy, *errno)
        }
        Error::Kick { errno, .. } => kick(*errno),
        Error::Ring(_) => "The kernel does not do this: something else writes to the ring, or there is a \
            bug in this library. Close the socket and report it"
            .into(),
        Error::Wait { errno: Errno::INVAL } => {
            "These are more sockets than `ulimit -n` allows: wait for fewer, or raise it".into()
        }
        Error::Interface { errno: Errno::NODEV, .. }
        | Error::Attach { errno: Errno::NODEV, .. }
        | Error::Detach { errno: Errno::NODEV, .. } => {
            "There is no such interface in this network namespace: `ip link` lists those that there are".into()
        }
        Error::Interface { errno: Errno::XDEV, .. } => "Make sockets and attachments in a thread that is in the \
            namespace of the interface (`ip netns exec`, `nsenter --net`)"
            .into(),
        Error::Interface { errno: Errno::PERM, .. } => {
            needs("CAP_NET_ADMIN in the user namespace that owns this network namespace")
        }
        Error::Namespace { errno: Errno::PERM, .. } => needs("CAP_SYS_ADMIN"),
        Error::Namespace { errno: Errno::NOSPC, .. } => "There are as many network namespaces as this user may have: \
            `sysctl user.max_net_namespaces`"
            .into(),
        Error::CreateMap { entries: 0, errno: Errno::INVAL, .. } => "A map has one slot at least".into(),
        Error::CreateMap { name, errno: Errno::INVAL, .. } | Error::LoadProgram { name, errno: Errno::INVAL, .. }
            if !is_name(name) =>
        {
            "A name has 15 bytes at the most, of A-Z, a-z, 0-9, `_` and `.`".into()
        }
        Error::LoadProgram { instructions: 0, errno: Errno::TOOBIG, .. } => "A program has one instruction at least".into(),
        Error::LoadProgram { errno: Errno::TOOBIG, .. } => "It is too long, or takes the verifier too many steps: \
            4096 instructions before Linux 5.2, a million steps since"
            .into(),
        Error::CreateMap { errno, .. } | Error::LoadProgram { errno, .. } => bpf(*errno),
        Error::UpdateMap { errno, entries, .. } => update_map(*entries, *errno),
        Error::BpfObject { operation, errno, .. } => object(operation, *errno),
        Error::WrongObject { wanted, .. } if wanted.contains("with an RX ring") => "A socket that only sends is not \
            registered: the kernel would take it, and may crash at the first packet"
            .into(),
        Error::Attach { interface, mode, method, errno, .. } => {
            attach(interface, *mode, *method, *errno)
        }
        Error::Detach { interface, mode, errno, .. } => detach(interface, *mode, *errno),
        Error::ForeignProgram { interface, mode, .. } => format!(
            "It is left alone. If nobody needs it, detach it with `ip link set dev {interface} {} off`, or \
             allow this program to replace it (`replace_foreign`, `--replace`)",
            ip_word(*mode)
        )
        .into(),
        Error::SocketOption { name: "XDP_MAX_TX_SKB_BUDGET", errno: Errno::ACCESS } => "It goes from 32 to the \
            TX ring's size, and the socket must have a TX ring of 32 entries at least"
            .into(),
        Error::OtherAttachment { conflict: AttachConflict::NoProgram, .. } => "Nothing is attached there, or somebody \
            detached it: attach again, and register the sockets again"
            .into(),
        Error::OtherAttachment { conflict: AttachConflict::OtherInterface { .. }, .. } => {
            "Register the socket with an attachment on its own interface".into()
        }
        Error::OtherAttachment { interface, .. } => format!(
            "Ask for what is there, or end the processes that use it (`ip -d link show dev {interface}`, \
             `bpftool net`)"
        )
        .into(),
        Error::AttachLock { .. } => "It attaches or detaches, or hangs while doing so: `ss -xap | grep xsk` shows \
            the lock and who has it; the kernel frees it when that process ends"
            .into(),
        _ => "".into(),
    }
}

/// What any operation may run into.
fn anywhere(errno: Errno) -> Hint {
    match errno {
        Errno::MFILE => "This process has too many open files: raise `ulimit -n`".into(),
        Errno::NFILE => {
            "The whole system has too many open files: raise `sysctl fs.file-max`".into()
        }
        Errno::NOMEM => {
            "The kernel has no memory for it, or the limit of the control group is reached".into()
        }
        _ => "".into(),
    }
}

/// Whether the kernel takes `name` for a map or a program.
fn is_name(name: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.';
    name.len() <= 15 && name.bytes().all(good)
}

fn needs(capability: &str) -> Hint {
    format!(
        "This needs {capability}: run it as root (`sudo`), or grant it (`setcap`, AmbientCapabilities= in systemd)"
    )
    .into()
}

fn allocate(bytes: usize, page_size: PageSize, errno: Errno) -> Hint {
    let (kilobytes, page) = match page_size {
        PageSize::Normal if errno == Errno::NOMEM => {
            return "There is not enough memory, or not enough is allowed (`ulimit -v`): ask for fewer chunks".into();
        }
        PageSize::Normal => return "".into(),
        PageSize::Huge2M => (2048, 2 << 20),
        PageSize::Huge1G => (1 << 20, 1 << 30),
    };
    if errno == Errno::INVAL {
        return "This system has no huge pages of that size: use ordinary pages".into();
    }
    let count = bytes.div_ceil(page);
    format!(
        "It takes {count} free huge page(s): as root, raise the number in `/sys/kernel/mm/hugepages/\
         hugepages-{kilobytes}kB/nr_hugepages` by that many; or use ordinary pages"
    )
    .into()
}

fn register(bytes: u64, chunk: u32, headroom: u32, memlock: Option<u64>, errno: Errno) -> Hint {
    match errno {
        Errno::NOBUFS => {
            let limit = memlock.map_or_else(String::new, |limit| format!(" (it is {limit} bytes)"));
            format!(
                "The memory is pinned, which counts against RLIMIT_MEMLOCK{limit} for all processes of this \
                 user together: raise it (`ulimit -l {}` or more, LimitMEMLOCK= in systemd), or run with \
                 CAP_IPC_LOCK. Memory of a socket closed just now counts for some milliseconds more",
                bytes.div_ceil(1024)
            )
            .into()
        }
        Errno::INVAL if headroom > chunk.saturating_sub(704) => format!(
            "Newer kernels (6.18.24 and later) take a headroom of {} bytes at the most with this chunk \
             size, older ones one of {}",
            chunk.saturating_sub(704),
            chunk.saturating_sub(257)
        )
        .into(),
        Errno::FAULT => "The memory must be mapped, readable and writable, and not a shared mapping of an \
            ordinary file"
            .into(),
        Errno::NOMEM => "The kernel cannot pin so much memory: ask for fewer chunks".into(),
        _ => "".into(),
    }
}

fn bind(interface: &str, queue: u32, queues: Option<u32>, copy: CopyMode, errno: Errno) -> Hint {
    match errno {
        Errno::INVAL => match queues {
            Some(queues) if queue >= queues => format!(
                "{interface} has {queues} queue(s), numbered from 0 (`ethtool -l {interface}`)"
            )
            .into(),
            _ if copy == CopyMode::ZeroCopy => "The driver refused zero-copy with these settings (chunk \
                size, headroom, MTU, or a virtio card without iommu_platform): try copy mode (`-c`)"
                .into(),
            _ => format!(
                "Does {interface} have this queue (`ethtool -l {interface}`)? Before Linux 5.4 the kernel also \
                 refuses need-wakeup: switch it off"
            )
            .into(),
        },
        Errno::OPNOTSUPP => format!(
            "The driver of {interface} has no zero-copy (or not for this queue): ask for copy mode (`-c`), or \
             leave the choice open"
        )
        .into(),
        Errno::BUSY => "Another socket has this queue: one of another process, one of this process of which a part \
            is not dropped yet, or one closed just now that the kernel has not let go of. \
            `ss -f xdp -e` shows sockets and their queues, where the kernel has CONFIG_XDP_SOCKETS_DIAG"
            .into(),
        Errno::NODEV => format!(
            "{interface} is gone, or is in another network namespace than the socket, which is the one \
             of the thread that made it"
        )
        .into(),
        Errno::NETDOWN => format!("{interface} is down: `ip link set dev {interface} up`").into(),
        _ => "".into(),
    }
}

fn kick(errno: Errno) -> Hint {
    match errno {
        Errno::NETDOWN => {
            "The interface is down: set it up; what is in the TX ring is sent then".into()
        }
        Errno::NXIO => {
            "The interface is gone, or was moved to another network namespace: close the \
            socket and make a new one"
                .into()
        }
        Errno::INVAL | Errno::OPNOTSUPP => {
            "In zero-copy mode many drivers send only while an XDP program is attached to the interface: attach one, \
             even if this socket receives nothing"
                .into()
        }
        _ => "".into(),
    }
}

fn bpf(errno: Errno) -> Hint {
    match errno {
        Errno::PERM => {
            "This needs CAP_BPF and CAP_NET_ADMIN (CAP_SYS_ADMIN before Linux 5.8): run it as \
            root (`sudo`). Before 5.11 it can also be RLIMIT_MEMLOCK: `ulimit -l unlimited`. In a \
            container, seccomp may refuse bpf(2)"
                .into()
        }
        Errno::NOSYS => "This kernel is built without CONFIG_BPF_SYSCALL".into(),
        Errno::NOMEM => {
            "The kernel has no memory for it, or the control group's limit is reached".into()
        }
        _ => "".into(),
    }
}

fn update_map(entries: u32, errno: Errno) -> Hint {
    match errno {
        Errno::TOOBIG => {
            format!(
                "The program was attached with {entries} slot(s), one for each queue that there was: after \
                 `ethtool -L` has made more, end all its users and attach it again"
            )
            .into()
        }
        Errno::PERM => {
            "Before Linux 5.19, where `sysctl kernel.unprivileged_bpf_disabled` is not 0, using a map needs CAP_BPF, \
             too (CAP_SYS_ADMIN before 5.8)"
                .into()
        }
        Errno::EXIST => {
            "Another socket is registered there: only one can receive from a queue".into()
        }
        Errno::OPNOTSUPP | Errno::NOTSOCK => {
            "It is no AF_XDP socket, or (before Linux 5.10) one without rings".into()
        }
        Errno::INVAL => format!("The map has no such slot: they are numbered from 0 to {}", entries.saturating_sub(1)).into(),
        Errno::NOENT => "The socket was closed in the meantime, or something else emptied the slot".into(),
        _ => "".into(),
    }
}

/// What to do if a BPF object cannot be opened, asked about or pinned.
fn object(operation: &str, errno: Errno) -> Hint {
    let path = matches!(operation, "BPF_OBJ_GET" | "BPF_OBJ_PIN");
    match errno {
        Errno::PERM if path => "A pin has to be in a BPF file system (`mount -t bpf bpf /sys/fs/bpf`), its name must \
            not have a full stop in it, and it needs CAP_BPF where `sysctl kernel.unprivileged_bpf_disabled` is not 0"
            .into(),
        Errno::PERM => "Looking BPF objects up by their id needs \
            CAP_SYS_ADMIN (CAP_BPF is not enough). Run as root, or pass descriptors or pins"
            .into(),
        Errno::ACCESS => "The pin belongs to another user: `chown` or `chmod` it, or run as root".into(),
        Errno::NOENT if path => {
            "There is no such file or directory: pins are gone after a restart of the machine".into()
        }
        Errno::NOENT => "It is gone: nothing held it any more".into(),
        Errno::EXIST => "Something is pinned there already: remove the file, or take another name".into(),
        Errno::INVAL if operation == "BPF_PROG_TEST_RUN" => {
            "A packet has 14 bytes at least, and has to fit a page with what the kernel puts around it".into()
        }
        Errno::INVAL if operation == "BPF_OBJ_GET_INFO_BY_FD" => "It is no BPF object".into(),
        _ => "".into(),
    }
}

fn attach(interface: &str, mode: XdpMode, method: AttachMethod, errno: Errno) -> Hint {
    match errno {
        Errno::PERM => needs("CAP_NET_ADMIN in the user namespace that owns this network namespace"),
        Errno::OPNOTSUPP if mode == XdpMode::Native => {
            format!("The driver of {interface} has no native XDP: use generic mode (`-S`)").into()
        }
        Errno::INVAL if method == AttachMethod::Link => {
            format!(
                "Either {interface} is gone, or its driver refuses the program: attached by netlink it would say why"
            )
            .into()
        }
        Errno::RANGE | Errno::INVAL if mode == XdpMode::Native => format!(
            "Often the MTU is too large for XDP in this driver: `ip link set dev {interface} mtu 1500` (on \
             a veth, of its peer)"
        )
        .into(),
        Errno::NOSPC => format!(
            "{interface} needs as many receive queues as its peer has transmit queues: \
             `ethtool -L {interface} rx N`"
        )
        .into(),
        Errno::BUSY | Errno::EXIST => format!(
            "A program is attached already (`ip -d link show dev {interface}`), maybe in another mode or \
             by a link, which only its owner can detach"
        )
        .into(),
        _ => "".into(),
    }
}

fn detach(interface: &str, mode: XdpMode, errno: Errno) -> Hint {
    match errno {
        Errno::PERM => {
            needs("CAP_NET_ADMIN in the user namespace that owns this network namespace")
        }
        Errno::EXIST => "Another program was attached in the meantime; it is left alone".into(),
        Errno::BUSY => {
            "It is attached by a link, which only its owner can detach: `bpftool link` shows it"
                .into()
        }
        _ => format!("By hand: `ip link set dev {interface} {} off`", ip_word(mode)).into(),
    }
}

/// What iproute2 calls a mode.
fn ip_word(mode: XdpMode) -> &'static str {
    match mode {
        XdpMode::Native => "xdpdrv",
        XdpMode::Generic => "xdpgeneric",
        XdpMode::Hardware => "xdpoffload",
    }
}
