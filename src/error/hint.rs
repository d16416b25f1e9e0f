//! The last part of an error's text: what to do about it.
//!
//! The texts are constants, or whole arguments of `format!`, so that rustfmt can format the code
//! around them.

mod attach;
mod device;
mod handover;
mod map;
mod program;
mod socket;
mod wording;

use super::{Error, FilterFault, ObjectKind, SocketOption};
use rustix::io::Errno;
use std::borrow::Cow;
use wording::{Hint, NET_ADMIN, NO_HINT, needs};

const NET_RAW: &str = "CAP_NET_RAW in the user namespace that owns this network namespace";

/// The most entries of a ring.
const MAX_ENTRIES: u64 = 1 << 20;

const UMEM_NUMBERS: &str = "Start the process again; and make UMEMs once, not for each packet or \
    connection";
const NO_XDP_SOCKETS: &str = "This kernel is built without CONFIG_XDP_SOCKETS, or a seccomp filter \
    refuses the address family (containers have one; in systemd it is RestrictAddressFamilies=, \
    which has to name AF_XDP)";
const NO_NETLINK: &str = "A seccomp filter refuses the address family (containers have one; in \
    systemd it is RestrictAddressFamilies=, which has to name AF_NETLINK and AF_UNIX)";
const STRANGE_REPLY: &str = "This crate does not understand the kernel's answer: please report it, \
    with the output of `uname -r`";
const RING_MEMORY: &str = "The kernel has no memory for it; before 6.3 a ring must lie in \
    contiguous pages: ask for fewer entries";
const MAP_AFTER_BIND: &str = "Before Linux 6.4 a ring cannot be mapped after bind";
const NO_PACKET_SOCKETS: &str = "This kernel has no packet sockets (CONFIG_PACKET; the module is \
    af_packet), or a seccomp filter refuses the address family (containers have one; in systemd it is \
    RestrictAddressFamilies=, which has to name AF_PACKET)";
const BROKEN_RING: &str = "The kernel does not do this: something else writes to the ring, or \
    there is a bug in this library. Close the socket and report it";
const TOO_MANY_WAITED_FOR: &str = "These are more sockets than `ulimit -n` allows: wait for fewer, \
    or raise it";
const NO_INTERFACE: &str = "There is no such interface in this network namespace: `ip link` lists \
    those that there are";
const OTHER_NAMESPACE: &str = "Make sockets and attachments in a thread that is in the namespace \
    of the interface (`ip netns exec`, `nsenter --net`)";
const FOREIGN_NAMESPACE: &str = "This needs CAP_NET_ADMIN in the user namespace that owns the \
    network namespace. Root of another user namespace (a rootless container, `unshare --user`) has \
    it only in a network namespace of its own: `unshare --user --map-root-user --net`. Otherwise, \
    run it as root (`sudo`), or grant it (`setcap`, AmbientCapabilities= in systemd)";
const NAMESPACE_LIMIT: &str = "There are as many network namespaces as this user may have: \
    `sysctl user.max_net_namespaces`";
const TX_BUDGET: &str = "It goes from 32 to the TX ring's size, and the socket must have a TX ring \
    of 32 entries at least";
const OTHER_MAP: &str = "Load it for the map of the sockets: `Attachment::map`, or before a link is \
    taken over that is pinned `Attachment::pinned_map`. One that only passes and drops is bound to the \
    map (`Program::bind_map`, Linux 5.10)";
const NOT_A_LINK: &str = "The path is that of the link; its map is pinned beside it, with `-map` behind \
    the path";
const NO_SUCH_SLOT: &str = "Make the map with more slots, one for each queue that there can be \
    (`Interface::max_queues`), or name one that it has";
const SENDS_ONLY: &str = "A socket that only sends is not registered: the kernel would take it, \
    and may crash at the first packet";
const NOT_FRESH: &str = "Only one that nothing has registered memory with, given rings or bound \
    can become a socket here: open it (`XskFd::open`) and hand it over at once";
const FILTER_SIZE: &str = "Put addresses and ports that are many into a set, or spread the rules \
    over fewer conditions";
const SET_SIZE: &str = "Its room is fixed when a filter with it is first loaded: make the set with \
    more (`AddressSet::with_room`), or a new set with all prefixes, and a new filter with it";
const FILTER_ALL: &str = "Narrow its condition, or say that it is meant \
    (`Filter::take_everything`)";
const LOCK_HELD: &str = "It attaches or detaches, or hangs while doing so: `ss -xap | grep xsk` \
    shows the lock and who has it; the kernel frees it when that process ends";
const MARKS_TAKEN: &str = "Each attachment has one: close what is not needed; `ss -xap | grep xsk` \
    shows them and who has them";

const FILES_OF_PROCESS: &str = "This process has too many open files: raise `ulimit -n`";
const FILES_OF_SYSTEM: &str =
    "The whole system has too many open files: raise `sysctl fs.file-max`";
const MEMORY: &str =
    "The kernel has no memory for it, or the limit of the control group is reached";

impl Error {
    /// Returns what to do about it: one or two sentences without the last full stop, or `None`
    /// where this crate knows nothing useful.
    ///
    /// [`Display`](std::fmt::Display) includes the hint; this is for programs that show it apart,
    /// or add to it.
    ///
    /// ```
    /// let error = xsk::Interface::by_name("nope").unwrap_err();
    /// assert!(error.hint().unwrap().contains("`ip link` lists those that there are"));
    /// ```
    #[must_use]
    pub fn hint(&self) -> Option<Cow<'static, str>> {
        Some(of(self)).filter(|hint| !hint.is_empty())
    }
}

/// Returns one or two sentences without the last full stop; empty where nothing useful is known.
fn of(error: &Error) -> Hint {
    match (of_operation(error), error.errno()) {
        (hint, Some(errno)) if hint.is_empty() => of_any_operation(errno),
        (hint, _) => hint,
    }
}

fn of_operation(error: &Error) -> Hint {
    match error {
        Error::AllocateUmem { bytes, page_size, errno } => {
            socket::allocate(*bytes, *page_size, *errno)
        }
        // The size of a ring.
        Error::Setting { value: value @ 1..MAX_ENTRIES, rule, .. }
            if rule.starts_with("is a power of two from 1 ") =>
        {
            format!("The next one is {}", value.next_power_of_two()).into()
        }
        Error::UmemNumbers => UMEM_NUMBERS.into(),
        Error::CreateSocket { errno: Errno::PERM } => needs(NET_RAW),
        Error::CreateSocket { errno: Errno::AFNOSUPPORT } => NO_XDP_SOCKETS.into(),
        Error::Netlink { errno: Errno::AFNOSUPPORT, .. } => NO_NETLINK.into(),
        Error::Netlink { errno: Errno::BADMSG, .. }
        | Error::BpfObject { errno: Errno::BADMSG, .. } => STRANGE_REPLY.into(),
        Error::RegisterUmem { bytes, chunk_size, headroom, memlock, errno } => {
            socket::register(*bytes, *chunk_size, *headroom, *memlock, *errno)
        }
        Error::CreateRing { errno: Errno::NOMEM, .. } => RING_MEMORY.into(),
        // Its size was checked before.
        Error::CreateRing { errno: Errno::BUSY | Errno::INVAL, .. } => socket::SOCKET_USED.into(),
        Error::MapRing { errno: Errno::BUSY, .. } => MAP_AFTER_BIND.into(),
        Error::Bind { holder: Some(holder), errno: Errno::BUSY, .. } => socket::queue_taken(holder),
        Error::Bind { errno: Errno::OPNOTSUPP, interface, shared_with, multi_buffer, .. } => {
            socket::no_zero_copy(interface, shared_with.is_some(), *multi_buffer)
        }
        Error::Bind { interface, queue, shared_with: Some(with), queues, errno, .. } => {
            socket::bind_shared((interface, *queue), with, *queues, *errno)
        }
        Error::Bind { interface, queue, queues, copy, errno, .. } => {
            socket::bind(interface, *queue, *queues, *copy, *errno)
        }
        Error::SocketOption { option: SocketOption::TxBudget, errno: Errno::ACCESS } => {
            TX_BUDGET.into()
        }
        Error::SocketOption { option, errno: Errno::PERM }
            if [
                SocketOption::PreferBusyPoll,
                SocketOption::BusyPollBudget,
                SocketOption::BusyPoll,
            ]
            .contains(option) =>
        {
            needs(NET_ADMIN)
        }
        Error::Kick { errno, .. } => socket::kick(*errno),
        Error::SocketEnded { .. } => socket::INTERFACE_GONE.into(),
        Error::QueueSide { interface, queue, ring, .. } => {
            socket::queue_side(interface, *queue, *ring)
        }
        Error::Ring(_) => BROKEN_RING.into(),
        Error::Wait { errno: Errno::INVAL } => TOO_MANY_WAITED_FOR.into(),
        Error::Interface { errno: Errno::NODEV, .. }
        | Error::Attach { errno: Errno::NODEV, .. }
        | Error::Detach { errno: Errno::NODEV, .. } => NO_INTERFACE.into(),
        // What sysfs shows does not depend on the thread.
        Error::Interface { errno: Errno::XDEV, operation, .. } if operation.contains("NAPI") => {
            NO_HINT
        }
        Error::Interface { errno: Errno::XDEV, .. } => OTHER_NAMESPACE.into(),
        // What takes a packet socket.
        Error::Interface {
            operation, errno: errno @ (Errno::PERM | Errno::AFNOSUPPORT), ..
        } if operation.ends_with(" addresses on") || operation.ends_with(" address on") => {
            if *errno == Errno::PERM { needs(NET_RAW) } else { NO_PACKET_SOCKETS.into() }
        }
        Error::Interface { errno: Errno::PERM, .. } => needs(NET_ADMIN),
        Error::Interface { name, operation, errno, message } => {
            device::refused(name, operation, *errno, message.as_deref())
        }
        Error::Namespace { operation, errno: Errno::PERM } if operation.contains("SIOCGSKNS") => {
            FOREIGN_NAMESPACE.into()
        }
        Error::Namespace { errno: Errno::PERM, .. } => needs("CAP_SYS_ADMIN"),
        Error::Namespace { errno: Errno::NOSPC, .. } => NAMESPACE_LIMIT.into(),
        Error::CreateMap { name, kind, entries, errno } => {
            program::create_map(name, *kind, *entries, *errno)
        }
        Error::MapEntry { operation, kind, entries, errno, .. } => {
            map::entry(*operation, *kind, *entries, *errno)
        }
        Error::Assemble { fault } => program::assemble(fault),
        Error::LoadProgram { name, instructions, log, bound_to, errno, .. } => {
            // The verifier saw it: so it could be bound.
            let bound = bound_to.is_some() && log.is_empty();
            program::load(name, *instructions, bound, *errno, log)
        }
        Error::RingBuffer { .. } => map::TWO_READERS.into(),
        Error::UpdateMap { errno, entries, other_interface, .. } => {
            program::update_map(*entries, other_interface.as_deref(), *errno)
        }
        Error::BpfObject { operation, errno, .. } => program::object(*operation, *errno),
        Error::WrongObject { wanted: ObjectKind::SocketWithRxRing, .. } => SENDS_ONLY.into(),
        Error::WrongObject { wanted: ObjectKind::FreshSocket, .. } => NOT_FRESH.into(),
        Error::WrongObject { wanted: ObjectKind::ProgramOfAttachment { .. }, .. } => {
            OTHER_MAP.into()
        }
        Error::WrongObject { wanted: ObjectKind::XdpLink, object } if object.ends_with("-map") => {
            NOT_A_LINK.into()
        }
        Error::Attach { interface, mode, method, errno, message, mtu, rx_queues } => {
            let (message, mode, method) = (message.as_deref(), *mode, *method);
            let (errno, mtu, rx_queues) = (*errno, *mtu, *rx_queues);
            attach::Refused { interface, mode, method, errno, message, mtu, rx_queues }.hint()
        }
        Error::NativeBond { .. } => attach::NATIVE_BOND.into(),
        Error::Detach { interface, mode, errno, .. } => attach::detach(interface, *mode, *errno),
        Error::ForeignProgram { interface, mode, method, link, dispatcher, .. } => {
            attach::foreign(interface, *mode, *method, *link, dispatcher.is_some())
        }
        Error::HiddenProgram { interface, mode, method, in_use, .. } => {
            attach::hidden(interface, *mode, *method, *in_use)
        }
        Error::OtherAttachment { interface, conflict, .. } => attach::conflict(interface, conflict),
        Error::Filter { fault: FilterFault::TooLarge { .. } } => FILTER_SIZE.into(),
        Error::Filter { fault: FilterFault::SetFull { .. } } => SET_SIZE.into(),
        Error::Filter { fault: FilterFault::NoSlot { .. } } => NO_SUCH_SLOT.into(),
        Error::Filter { fault: FilterFault::TakesEverything { .. } } => FILTER_ALL.into(),
        Error::Handover { fault, .. } => handover::fault(fault),
        Error::AttachLock { pid, uid, .. } => {
            stranger(*pid, *uid).unwrap_or_else(|| LOCK_HELD.into())
        }
        Error::AttachMarks { pid, uid, .. } => {
            stranger(*pid, *uid).unwrap_or_else(|| MARKS_TAKEN.into())
        }
        _ => NO_HINT,
    }
}

/// Returns the hint about a process that has a name of this crate, if it can be no user: it is
/// neither root's nor one of this process's effective user.
fn stranger(pid: Option<u32>, uid: Option<u32>) -> Option<Hint> {
    let uid = uid.filter(|uid| *uid != 0 && *uid != rustix::process::geteuid().as_raw())?;
    let end = pid.map_or_else(|| "`kill PID`".to_owned(), |pid| format!("`kill {pid}`"));
    Some(
        format!(
            "Unless it runs with capabilities of its own, a process of user {uid} has no business \
             there: as root, `ss -xap | grep xsk` shows what it holds, and {end} ends it"
        )
        .into(),
    )
}

/// Returns the hint about an error that any operation may run into.
fn of_any_operation(errno: Errno) -> Hint {
    match errno {
        Errno::MFILE => FILES_OF_PROCESS.into(),
        Errno::NFILE => FILES_OF_SYSTEM.into(),
        Errno::NOMEM => MEMORY.into(),
        _ => NO_HINT,
    }
}
