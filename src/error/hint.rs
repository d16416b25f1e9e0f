//! What to do about an error: the part that an operator reads at night.

use super::Error;
use crate::link::{Method, Mode};
use crate::socket::CopyMode;
use crate::umem::Pages;
use rustix::io::Errno;
use std::borrow::Cow;

type Hint = Cow<'static, str>;

/// One or two sentences without the last full stop, or nothing where nothing useful is known.
pub(super) fn of(error: &Error) -> Hint {
    match error {
        Error::AllocateUmem { bytes, pages, errno } => allocate(*bytes, *pages, *errno),
        Error::CreateSocket { errno } => create_socket(*errno),
        Error::RegisterUmem { bytes, chunk_size, headroom, memlock, errno } => {
            register(*bytes, *chunk_size, *headroom, *memlock, *errno)
        }
        Error::CreateRing { errno: Errno::NOMEM, .. } => "The kernel has no memory for it; before 6.4 a \
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
        Error::Interface { errno, .. } | Error::Detach { errno, .. } if *errno == Errno::NODEV => {
            "There is no such interface in this network namespace: `ip link` lists those that there are".into()
        }
        Error::Namespace { errno: Errno::PERM, .. } => needs("CAP_SYS_ADMIN"),
        Error::CreateMap { errno, .. } | Error::LoadProgram { errno, .. } => bpf(*errno),
        Error::UpdateMap { errno, entries, .. } => update_map(*entries, *errno),
        Error::BpfObject { errno: Errno::PERM, .. } => "Looking BPF objects up by their id needs \
            CAP_SYS_ADMIN (CAP_BPF is not enough). Run as root, or pass descriptors or pins"
            .into(),
        Error::Attach { interface, mode, method, errno, .. } => {
            attach(interface, *mode, *method, *errno)
        }
        Error::Detach { interface, mode, errno, .. } => detach(interface, *mode, *errno),
        Error::UnsupportedMode { .. } => "Ask for native or generic mode".into(),
        Error::ForeignProgram { interface, mode, .. } => format!(
            "It is left alone. If nobody needs it, detach it with `ip link set dev {interface} {} off`, or \
             allow this program to replace it (`replace_foreign`, `--replace`)",
            ip_word(*mode)
        )
        .into(),
        Error::SocketOption { name: "XDP_MAX_TX_SKB_BUDGET", errno: Errno::ACCESS } => "It goes from 32 to the \
            TX ring's size, and the socket must have a TX ring of 32 entries at least"
            .into(),
        Error::OtherAttachment { interface, .. } => format!(
            "Ask for what is there, or end the processes that use it (`ip -d link show dev {interface}`, \
             `bpftool net`)"
        )
        .into(),
        Error::AttachLock { .. } => "Some process attaches or detaches, or hangs while doing so: \
            `grep xsk /proc/net/unix` shows the lock; the kernel frees it when that process ends"
            .into(),
        _ => "".into(),
    }
}

fn needs(capability: &str) -> Hint {
    format!("This needs {capability}: run it as root (`sudo`), or grant the capability").into()
}

fn allocate(bytes: usize, pages: Pages, errno: Errno) -> Hint {
    let (kilobytes, page) = match pages {
        Pages::Normal => return "There is not enough memory: ask for fewer chunks".into(),
        Pages::Huge2M => (2048, 2 << 20),
        Pages::Huge1G => (1 << 20, 1 << 30),
    };
    if errno == Errno::INVAL {
        return "This system has no huge pages of that size: use ordinary pages".into();
    }
    let count = bytes.div_ceil(page);
    format!(
        "No {count} free huge pages are reserved: `echo {count} > /sys/kernel/mm/hugepages/\
         hugepages-{kilobytes}kB/nr_hugepages` as root reserves them; or use ordinary pages"
    )
    .into()
}

fn create_socket(errno: Errno) -> Hint {
    match errno {
        Errno::PERM => needs("CAP_NET_RAW in the user namespace that owns this network namespace"),
        Errno::AFNOSUPPORT => {
            "This kernel is built without CONFIG_XDP_SOCKETS, or a seccomp filter (as \
            containers have) refuses the address family"
                .into()
        }
        Errno::MFILE => "This process has too many open files: raise `ulimit -n`".into(),
        _ => "".into(),
    }
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
            _ if copy != CopyMode::Copy => "The driver refused zero-copy with these settings (chunk \
                size, headroom, MTU, or a virtio card without iommu_platform): try copy mode (`-c`)"
                .into(),
            _ => "The kernel refuses this combination of settings".into(),
        },
        Errno::OPNOTSUPP => format!(
            "The driver of {interface} has no zero-copy (or not for this queue): ask for copy, or leave \
             the choice to the kernel"
        )
        .into(),
        Errno::BUSY => "Another socket has this queue: one of another process, one whose ring is still \
            mapped, or one closed just now that the kernel has not let go of; \
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
            format!("The program was attached with {entries} slots, one for each queue").into()
        }
        Errno::EXIST => {
            "Another socket is registered there: only one can receive from a queue".into()
        }
        Errno::OPNOTSUPP => {
            "It is no AF_XDP socket, or (before Linux 5.10) one without rings".into()
        }
        _ => "".into(),
    }
}

fn attach(interface: &str, mode: Mode, method: Method, errno: Errno) -> Hint {
    match errno {
        Errno::PERM => needs("CAP_NET_ADMIN in the user namespace that owns this network namespace"),
        Errno::OPNOTSUPP if mode == Mode::Native => {
            format!("The driver of {interface} has no native XDP: use generic mode (`-S`)").into()
        }
        Errno::RANGE | Errno::INVAL if mode == Mode::Native && method == Method::Netlink => format!(
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

fn detach(interface: &str, mode: Mode, errno: Errno) -> Hint {
    match errno {
        Errno::PERM => {
            needs("CAP_NET_ADMIN in the user namespace that owns this network namespace")
        }
        Errno::EXIST => "Another program was attached in the meantime; it is left alone".into(),
        _ => format!(
            "By hand: `ip link set dev {interface} {} off`",
            ip_word(mode)
        )
        .into(),
    }
}

/// What iproute2 calls a mode.
fn ip_word(mode: Mode) -> &'static str {
    match mode {
        Mode::Native => "xdpdrv",
        Mode::Generic => "xdpgeneric",
        Mode::Hardware => "xdpoffload",
    }
}
