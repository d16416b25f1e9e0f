//! Hints for packet memory, binding and waking.

use super::wording::{Hint, NO_HINT};
use crate::error::QueueHolder;
use crate::error::shell_word::shell_word;
use crate::types::{CopyMode, PageSize, RingKind};
use rustix::io::Errno;

const TOO_MUCH_MEMORY: &str = "There is not enough memory, or not enough is allowed (`ulimit -v`): \
    ask for fewer chunks";
const NO_HUGE_PAGES: &str = "This system has no huge pages of that size: use ordinary pages";
const UNSUITABLE_MEMORY: &str = "The memory must be mapped, readable and writable, and not a \
    shared mapping of an ordinary file";
const TOO_MUCH_TO_PIN: &str = "The kernel cannot pin so much memory: ask for fewer chunks";

pub(super) const SOCKET_USED: &str = "Something else has used the socket since it was opened: it \
    was handed over to two processes, or twice. Open a new one";

const ZERO_COPY_REFUSED: &str = "The driver refused zero-copy with these settings (chunk size, \
    headroom, MTU, or a virtio card without iommu_platform): try copy mode (`CopyMode::Copy`)";
const QUEUE_TAKEN: &str = "Another socket has this queue: one of another process, one of this \
    process of which a part is not dropped yet, or one closed just now that the kernel has not let \
    go of. `ss -f xdp -e` shows sockets and their queues, where the kernel has \
    CONFIG_XDP_SOCKETS_DIAG";

const OWN_QUEUE: &str = "That is the queue of the socket whose packet memory is shared: another \
    socket on it comes from `share_queue`";
const SHARED_WITH_UNBOUND: &str = "The other socket is bound no more: its interface is gone, or was \
    moved to another network namespace";
const SHARED_REFUSED: &str = "The driver may have refused zero-copy, the mode of the other socket, with \
    these settings: bind the other one in copy mode (`CopyMode::Copy`), or make this one with \
    `Socket::builder`";

const INTERFACE_DOWN: &str =
    "The interface is down: set it up; what is in the TX ring is sent then";
pub(super) const INTERFACE_GONE: &str = "The interface is gone, or was moved to another network namespace: \
    close the socket and make a new one";
const SENDING_NEEDS_PROGRAM: &str = "In zero-copy mode many drivers send only while an XDP program \
    is attached to the interface: attach one, even if this socket receives nothing";

/// The headroom, in bytes less than a chunk, that kernels from 6.18.24 on take at the most.
const NEWER_HEADROOM: u32 = 704;
/// The same for older kernels.
const OLDER_HEADROOM: u32 = 257;

pub(super) fn allocate(bytes: usize, page_size: PageSize, errno: Errno) -> Hint {
    let (kilobytes, page) = match page_size {
        PageSize::Normal if errno == Errno::NOMEM => return TOO_MUCH_MEMORY.into(),
        PageSize::Normal => return NO_HINT,
        PageSize::Huge2M => (2048, 2 << 20),
        PageSize::Huge1G => (1 << 20, 1 << 30),
    };
    if errno == Errno::INVAL {
        return NO_HUGE_PAGES.into();
    }
    let count = bytes.div_ceil(page);
    format!(
        "It takes {count} free huge page(s): as root, raise the number in `/sys/kernel/mm/\
         hugepages/hugepages-{kilobytes}kB/nr_hugepages` by that many; or use ordinary pages"
    )
    .into()
}

pub(super) fn register(
    bytes: u64,
    chunk: u32,
    headroom: u32,
    memlock: Option<u64>,
    errno: Errno,
) -> Hint {
    match errno {
        Errno::NOBUFS => {
            let text = memlock.map_or_else(String::new, |limit| format!(" (it is {limit} bytes)"));
            // What fits by itself does not fit beside other memory.
            let others = memlock.filter(|limit| bytes <= *limit).unwrap_or(0);
            let wanted = bytes.saturating_add(others).div_ceil(1024);
            format!(
                "The memory is pinned, which counts against RLIMIT_MEMLOCK{text} for all \
                 processes of this user together: raise it (as root, `ulimit -l {wanted}` or more, \
                 LimitMEMLOCK= in systemd), or run with CAP_IPC_LOCK. Memory of a socket closed \
                 just now counts for some milliseconds more"
            )
            .into()
        }
        Errno::INVAL if headroom > chunk.saturating_sub(NEWER_HEADROOM) => format!(
            "Newer kernels (6.18.24 and later) take a headroom of {} bytes at the most with this \
             chunk size, older ones one of {}",
            chunk.saturating_sub(NEWER_HEADROOM),
            chunk.saturating_sub(OLDER_HEADROOM)
        )
        .into(),
        Errno::BUSY => SOCKET_USED.into(),
        Errno::FAULT => UNSUITABLE_MEMORY.into(),
        Errno::NOMEM => TOO_MUCH_TO_PIN.into(),
        _ => NO_HINT,
    }
}

pub(super) fn bind(
    interface: &str,
    queue: u32,
    queues: Option<u32>,
    copy: CopyMode,
    errno: Errno,
) -> Hint {
    let word = shell_word(interface);
    match errno {
        Errno::INVAL => match queues {
            Some(queues) if queue >= queues => {
                format!("{interface} has {queues} queue(s), numbered from 0 (`ethtool -l {word}`)")
                    .into()
            }
            _ if copy == CopyMode::ZeroCopy => ZERO_COPY_REFUSED.into(),
            _ => format!(
                "Does {interface} have this queue (`ethtool -l {word}`)? Before Linux 5.4 the \
                 kernel also refuses need-wakeup: switch it off"
            )
            .into(),
        },
        Errno::BUSY => QUEUE_TAKEN.into(),
        Errno::NODEV => format!(
            "{interface} is gone, or is in another network namespace than the socket, which is the \
             one of the thread that made it"
        )
        .into(),
        Errno::NETDOWN => format!("{interface} is down: `ip link set dev {word} up`").into(),
        _ => NO_HINT,
    }
}

/// Returns the hint about a queue that `holder` has.
pub(super) fn queue_taken(holder: &QueueHolder) -> Hint {
    const LIST: &str =
        ": `ss -f xdp -ep` shows it to root, with the process; or take another queue";
    let cure = match holder.pid {
        Some(pid) if pid == std::process::id() => {
            ", of which a part is not dropped yet: drop it, or let both share the queue \
             (`share_queue`)"
                .into()
        }
        Some(pid) => format!(": end that process (`kill {pid}`), or take another queue").into(),
        None => Hint::from(LIST),
    };
    format!("Another socket has this queue, that of {holder}{cure}").into()
}

/// Returns the hint about a driver without zero-copy for the socket; if it is `shared`, another socket
/// has that mode.
pub(super) fn no_zero_copy(interface: &str, shared: bool, multi_buffer: bool) -> Hint {
    // `xp_assign_dev` (net/xdp/xsk_buff_pool.c) has one number for all of these.
    let except = if multi_buffer {
        "(or not for this queue, or not for packets of several frames)"
    } else {
        "(or not for this queue)"
    };
    if shared {
        format!(
            "The other socket is in zero-copy mode, and this driver has none {except}: bind the \
             other one in copy mode (`CopyMode::Copy`), or make this one with `Socket::builder`, \
             which registers the memory once more and has a mode of its own"
        )
    } else {
        format!(
            "The driver of {interface} has no zero-copy {except}: ask for copy mode \
             (`CopyMode::Copy`), or leave the choice open"
        )
    }
    .into()
}

/// Returns the hint about a socket that shares the packet memory of the one on `with`.
pub(super) fn bind_shared(
    (interface, queue): (&str, u32),
    with: &(String, u32),
    queues: Option<u32>,
    errno: Errno,
) -> Hint {
    match errno {
        Errno::BUSY if (interface, queue) == (with.0.as_str(), with.1) => OWN_QUEUE.into(),
        Errno::BADF => SHARED_WITH_UNBOUND.into(),
        Errno::INVAL if queues.is_none_or(|queues| queue < queues) => SHARED_REFUSED.into(),
        errno => bind(interface, queue, queues, CopyMode::Copy, errno),
    }
}

pub(super) fn queue_side(interface: &str, queue: u32, ring: RingKind) -> Hint {
    let (other, number) = if ring == RingKind::Rx { ("tx_only", "rx") } else { ("rx_only", "tx") };
    let wanted = queue.saturating_add(1);
    let word = shell_word(interface);
    format!(
        "Take a queue that has it, make the socket `{other}()`, or give the interface more queues: \
         `ethtool -L {word} {number} {wanted}`"
    )
    .into()
}

pub(super) fn kick(errno: Errno) -> Hint {
    match errno {
        Errno::NETDOWN => INTERFACE_DOWN.into(),
        Errno::NXIO => INTERFACE_GONE.into(),
        Errno::INVAL | Errno::OPNOTSUPP => SENDING_NEEDS_PROGRAM.into(),
        _ => NO_HINT,
    }
}
