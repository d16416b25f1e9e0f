//! What the integration tests share: two ends of a virtual cable, and sockets on them.
#![allow(dead_code, unreachable_pub, reason = "tests; every file uses a part of it")]

use rustix::fs::{Gid, Uid};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with, sockopt};
use rustix::thread::{
    CapabilitySet, CapabilitySets, configure_capability_in_ambient_set, set_capabilities,
    set_keep_capabilities, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};
use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use xsk::attach::{AttachMethod, AttachMode, Attachment, Registration};
use xsk::test_util::{Namespace, VethBuilder, VethPair, ip};
use xsk::{Interface, Port, Socket, Umem};

/// How long anything may take on a loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub const METHODS: [AttachMethod; 2] = [AttachMethod::Netlink, AttachMethod::Link];

/// Returns whether the running kernel is `major.minor` or newer.
pub fn kernel_since(major: u32, minor: u32) -> bool {
    let release = rustix::system::uname();
    let release = release.release().to_string_lossy().into_owned();
    let mut numbers =
        release.split(|sign: char| !sign.is_ascii_digit()).map_while(|number| number.parse().ok());
    (numbers.next(), numbers.next()) >= (Some(major), Some(minor))
}

/// Returns the two cards that a cable joins (`XSK_CARDS`), with their links set up, and the turn of
/// the test, because there are only two. `None` after printing that the test is skipped.
pub fn joined_cards(test: &str) -> Option<([Interface; 2], MutexGuard<'static, ()>)> {
    static TURN: Mutex<()> = Mutex::new(());
    let names = std::env::var("XSK_CARDS").ok();
    let pair = names.as_deref().and_then(|names| names.split_once(','));
    let why = "needs two cards that a cable joins, XSK_CARDS=name,name";
    if !kernel_can(test, pair.is_some(), why) {
        return None;
    }
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let cards = pair.map(|(one, two)| [one, two])?.map(|name| {
        let card = Interface::by_name(name).unwrap();
        ip::without_ipv6(&card).unwrap();
        ip::set_up(&card, true).unwrap();
        card
    });
    Some((cards, turn))
}

/// Returns `can`: whether the running kernel can run the test `name`. If not, prints why, past the
/// test harness.
pub fn kernel_can(name: &str, can: bool, why: &str) -> bool {
    if !can {
        use std::io::Write;
        let _ = writeln!(std::io::stderr(), "skipped: {name}: {why}");
    }
    can
}

/// Returns whether the command `ip` is that of iproute2, and not a smaller one.
pub fn has_iproute2() -> bool {
    let version = std::process::Command::new("ip").arg("-V").output();
    version.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("iproute2"))
}

/// Two namespaces and a cable between them.
pub struct Cable {
    pub left: Namespace,
    pub right: Namespace,
    pub veth: VethPair,
}

impl Cable {
    pub fn new(queues: u32) -> Self {
        Self::build(VethPair::builder().queues(queues))
    }

    /// As [`Cable::new`], with these names for the left and the right interface.
    pub fn named(queues: u32, left: &str, right: &str) -> Self {
        Self::build(VethPair::builder().queues(queues).names(left, right))
    }

    pub fn build(builder: VethBuilder) -> Self {
        let (left, right) = (Namespace::new().unwrap(), Namespace::new().unwrap());
        let veth = builder.build(&left, &right).unwrap();
        Self { left, right, veth }
    }
}

/// Runs `work` in `namespace`, in a thread of its own, as a user without any privilege but these
/// capabilities. What it starts has them, too.
pub fn as_nobody<T: Send>(
    kept: CapabilitySet,
    namespace: &Namespace,
    work: impl FnOnce() -> T + Send,
) -> T {
    as_user(65534, kept, namespace, work)
}

/// The same, as the user with this number. The kernel counts locked memory for each user.
pub fn as_user<T: Send>(
    number: u32,
    kept: CapabilitySet,
    namespace: &Namespace,
    work: impl FnOnce() -> T + Send,
) -> T {
    let become_user = || {
        let (gid, uid) = (Gid::from_raw(number), Uid::from_raw(number));
        set_thread_groups(&[]).unwrap();
        set_thread_res_gid(gid, gid, gid).unwrap();
        set_keep_capabilities(true).unwrap();
        set_thread_res_uid(uid, uid, uid).unwrap();
        let sets = CapabilitySets { effective: kept, permitted: kept, inheritable: kept };
        set_capabilities(None, sets).unwrap();
        for capability in kept.iter() {
            configure_capability_in_ambient_set(capability, true).unwrap();
        }
    };
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            // Leaving the namespace again would need a capability: the thread ends inside.
            std::mem::forget(namespace.enter().unwrap());
            become_user();
            work()
        });
        thread.join().unwrap()
    })
}

/// Returns a path by which a process of any user can run `program`, wherever that is, while the
/// returned file is open.
pub fn path_for_anybody(program: impl AsRef<std::path::Path>) -> (std::fs::File, String) {
    use std::os::fd::AsRawFd;
    let file = std::fs::File::open(program).unwrap();
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    (file, path)
}

/// A port at one end of a cable.
pub trait AtCable: Sized {
    /// Returns a socket with 1024 chunks on queue 0 of the left end.
    fn left(cable: &Cable) -> Self {
        Self::at(&cable.left, cable.veth.a(), 0)
    }

    /// Returns a socket with 1024 chunks on queue 0 of the right end.
    fn right(cable: &Cable) -> Self {
        Self::at(&cable.right, cable.veth.b(), 0)
    }

    fn at(namespace: &Namespace, interface: &xsk::Interface, queue: u32) -> Self;

    /// Gives half of the chunks to the fill ring.
    fn fill(&mut self);
}

impl AtCable for Port {
    fn at(namespace: &Namespace, interface: &xsk::Interface, queue: u32) -> Self {
        let (umem, pool) = Umem::builder().chunk_count(1024).build().unwrap();
        let bind = || Socket::builder(&umem).bind_timeout(PATIENCE).bind(interface, queue);
        let socket = namespace.run(bind).unwrap().unwrap();
        Self::new(umem, pool, socket)
    }

    fn fill(&mut self) {
        assert_eq!(self.socket.fill.fill_from(&mut self.pool, 512), Ok(512));
    }
}

/// Attaches the default program in `mode` and registers the socket.
pub fn attach(
    namespace: &Namespace,
    interface: &xsk::Interface,
    mode: AttachMode,
    end: &Port,
) -> Registration {
    let attach = || Attachment::builder(interface).mode(mode).attach();
    let attachment = namespace.run(attach).unwrap().unwrap();
    end.socket.register(&attachment).unwrap()
}

/// Returns how often a test repeats two actions that meet at a random moment: less often in
/// emulated machines (`XSK_TESTS_ROUNDS=few`), where a round takes ten times as long.
pub fn rounds(usual: u32) -> u32 {
    let few = std::env::var("XSK_TESTS_ROUNDS").is_ok_and(|value| value == "few");
    if few { usual.div_ceil(4) } else { usual }
}

/// Repeats `step` until it returns `true`.
#[track_caller]
pub fn until(what: &str, mut step: impl FnMut() -> bool) {
    let start = Instant::now();
    while !step() {
        assert!(start.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::yield_now();
    }
}

/// Waits until `condition` holds. Sleeps between two looks, so that other processes can run.
#[track_caller]
pub fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Repeats `attempt` until it succeeds, at most ten times: for times that a machine with other work
/// spoils now and then, and broken code each time.
#[track_caller]
pub fn undisturbed(mut attempt: impl FnMut() -> Result<(), String>) {
    let mut failures = Vec::new();
    while failures.len() < 10 {
        match attempt() {
            Ok(()) => return,
            Err(failure) => failures.push(failure),
        }
    }
    panic!("each time: {failures:#?}");
}

/// Repeats `attempt` until what it times takes less than `limit`, as [`undisturbed`] does.
#[track_caller]
pub fn once_within(limit: Duration, mut attempt: impl FnMut() -> Duration) {
    undisturbed(|| {
        let time = attempt();
        if time < limit { Ok(()) } else { Err(format!("{time:?} of at most {limit:?}")) }
    });
}

/// Returns the mode of the program that an interface is left with. A link goes when nothing holds it
/// any more, and whatever lists all links of the machine, as other tests do, holds each for a moment.
pub fn left_on(interface: &xsk::Interface) -> Option<xsk::XdpMode> {
    let start = Instant::now();
    loop {
        let state = interface.attached_programs().unwrap();
        let found = state.programs().next().map(|(mode, _)| mode);
        if found.is_none() || start.elapsed() > PATIENCE {
            return found;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Returns a socket with an RX ring, bound to nothing: enough for a slot (5.10). It is in the
/// namespace of the calling thread.
pub fn rx_socket() -> OwnedFd {
    let socket =
        socket_with(AddressFamily::XDP, SocketType::RAW, SocketFlags::CLOEXEC, None).unwrap();
    sockopt::set_xdp_rx_ring_size(&socket, 64).unwrap();
    socket
}

/// Returns a packet with a sequence number in it.
pub fn packet(number: u32, len: usize) -> Vec<u8> {
    let mut bytes = vec![0_u8; len];
    bytes[..12].copy_from_slice(&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1]);
    bytes[12..14].copy_from_slice(&[0x88, 0xb5]);
    bytes[14..18].copy_from_slice(&number.to_be_bytes());
    for (i, byte) in bytes.iter_mut().enumerate().skip(18) {
        *byte = (i as u32).wrapping_add(number) as u8;
    }
    bytes
}
