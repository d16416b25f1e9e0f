//! A cable whose left end tests attach to, and sockets with just enough set up for a slot.

use crate::common::{Cable, kernel_can, rx_socket, wait_for};
use rustix::io::Errno;
use rustix::net::netlink::{SOCK_DIAG, SocketAddrNetlink};
use rustix::net::xdp::{SocketAddrXdp, SocketAddrXdpFlags, XdpUmemReg, XdpUmemRegFlags};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use rustix::net::{bind, sockopt};
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};
use xsk::attach::{AttachmentBuilder, XdpMode};
use xsk::bpf::{Helper, Insn, Program, Reg, Size, XskMap};
use xsk::interface::Interface;
use xsk::test_util::ip;
use xsk::{Attachment, Error};

pub(crate) const LIMIT: Duration = Duration::from_secs(10);

/// A cable between two namespaces; tests attach to its left end.
pub(crate) struct Fixture {
    pub(crate) cable: Cable,
}

impl Fixture {
    pub(crate) fn new(queues: u32) -> Self {
        Self { cable: Cable::new(queues) }
    }

    pub(crate) fn interface(&self) -> &Interface {
        self.cable.veth.a()
    }

    /// Runs on this thread, inside the left namespace.
    pub(crate) fn inside<T>(&self, work: impl FnOnce() -> T) -> T {
        self.cable.left.run(work).unwrap()
    }

    /// Attaches as `build` says, so that a close does not wait for the lock.
    pub(crate) fn attach_without_patience(build: impl Fn() -> AttachmentBuilder) -> Attachment {
        let mut attached = None;
        // A process that another test is starting may still have a copy of the lock.
        wait_for("the lock", || match build().lock_timeout(Duration::ZERO).attach() {
            Err(Error::AttachLock { .. }) => false,
            result => {
                attached = Some(result.unwrap());
                true
            }
        });
        attached.unwrap()
    }

    /// Runs `work` while the lock of the left end is taken.
    pub(crate) fn without_the_lock(&self, work: impl FnOnce()) {
        let held = self.take_the_lock();
        work();
        drop(held);
    }

    /// Returns a socket that has the lock of the left end, in the calling thread's namespace.
    pub(crate) fn take_the_lock(&self) -> UnixDatagram {
        let name = format!("xsk/lock/{}", self.interface().index());
        let address = SocketAddr::from_abstract_name(name).unwrap();
        // A process that another test is starting may still have a copy of the lock.
        let mut held = None;
        wait_for("the lock", || {
            held = UnixDatagram::bind_addr(&address).ok();
            held.is_some()
        });
        held.unwrap()
    }

    /// Returns what is attached to the left end.
    pub(crate) fn attached(&self) -> Option<(XdpMode, u32)> {
        self.interface().attached_programs().unwrap().programs().next()
    }

    /// Asserts that nothing is attached. Other tests of this process that enumerate all links may
    /// hold this one for a moment longer, and a busy machine does not run them.
    #[track_caller]
    pub(crate) fn assert_vacant(&self) {
        let start = Instant::now();
        while let Some(found) = self.attached() {
            assert!(start.elapsed() < LIMIT, "still attached: {found:?}");
            std::thread::yield_now();
        }
    }

    /// Returns a sender of packets from different ports, so that they arrive on every queue.
    pub(crate) fn sender(&self) -> Sender {
        ip::add_ipv4(self.cable.veth.b(), Ipv4Addr::new(10, 1, 0, 2), 24).unwrap();
        let sockets = self.cable.right.run(|| {
            (0..64)
                .map(|_| {
                    let socket = UdpSocket::bind((Ipv4Addr::new(10, 1, 0, 2), 0)).unwrap();
                    socket.set_broadcast(true).unwrap();
                    socket
                })
                .collect()
        });
        Sender(sockets.unwrap())
    }
}

pub(crate) struct Sender(Vec<UdpSocket>);

impl Sender {
    /// Sends a packet from each port.
    pub(crate) fn send(&self) {
        for socket in &self.0 {
            socket.send_to(b"?", (Ipv4Addr::new(10, 1, 0, 255), 9)).unwrap();
        }
    }
}

/// Returns a socket bound to a queue, whose fill ring stays empty: it counts what it receives
/// without keeping it.
pub(crate) fn counting_socket(interface: &Interface, queue: u32) -> OwnedFd {
    let socket = rx_socket();
    let memory: &'static mut [u8] = Box::leak(vec![0; 3 * 4096].into_boxed_slice());
    let aligned = memory.as_ptr().addr().next_multiple_of(4096);
    let area = XdpUmemReg {
        addr: u64::try_from(aligned).unwrap(),
        len: 8192,
        chunk_size: 4096,
        headroom: 0,
        flags: XdpUmemRegFlags::empty(),
        tx_metadata_len: 0,
    };
    sockopt::set_xdp_umem_reg(&socket, area).unwrap();
    sockopt::set_xdp_umem_fill_ring_size(&socket, 64).unwrap();
    sockopt::set_xdp_umem_completion_ring_size(&socket, 64).unwrap();
    let address = SocketAddrXdp::new(SocketAddrXdpFlags::XDP_COPY, interface.index(), queue);
    // The kernel releases a queue a little later than its socket.
    wait_for("a free queue", || match bind(&socket, &address) {
        Err(Errno::BUSY) => false,
        answer => answer.map(|()| true).unwrap(),
    });
    socket
}

/// Returns how many packets have reached a counting socket.
pub(crate) fn count(socket: &OwnedFd) -> u64 {
    sockopt::xdp_statistics(socket).unwrap().rx_dropped
}

/// Returns a program that is not this crate's default one, with its map, named `other_map`.
pub(crate) fn other_program() -> (Program, XskMap) {
    program_named("other", 0)
}

/// Returns such a program with this name, whose instructions differ in `number`.
pub(crate) fn program_named(name: &str, number: i32) -> (Program, XskMap) {
    use std::os::fd::AsFd;
    let map = XskMap::create("other_map", 8).unwrap();
    let [low, high] = Insn::load_map_fd(Reg::R1, map.as_fd());
    let insns = [
        Insn::load(Size::Word, Reg::R2, Reg::R1, 16),
        low,
        high,
        Insn::mov64_imm(Reg::R3, 2),
        Insn::mov64_imm(Reg::R0, number),
        Insn::call(Helper::REDIRECT_MAP),
        Insn::exit(),
    ];
    (Program::builder(&insns).name(name).license(c"MIT").load().unwrap(), map)
}

/// Returns the instructions of this crate's default program, as of 5.3.
pub(crate) fn default_instructions(map: &XskMap) -> Vec<Insn<'_>> {
    use std::os::fd::AsFd;
    let [low, high] = Insn::load_map_fd(Reg::R1, map.as_fd());
    vec![
        Insn::load(Size::Word, Reg::R2, Reg::R1, 16),
        low,
        high,
        Insn::mov64_imm(Reg::R3, 2),
        Insn::call(Helper::REDIRECT_MAP),
        Insn::exit(),
    ]
}

/// Returns sockets with these abstract names, made by a process without privileges in the calling
/// thread's network namespace.
pub(crate) fn strangers(names: Vec<String>) -> Vec<UnixDatagram> {
    sockets_of(65_533, names)
}

/// The same; a name that is taken at that moment is left out.
pub(crate) fn strangers_of_free(names: Vec<String>) -> Vec<UnixDatagram> {
    bound_by(65_533, names).into_iter().flatten().collect()
}

/// Returns sockets with these abstract names, made by a process of this user.
pub(crate) fn sockets_of(user: u32, names: Vec<String>) -> Vec<UnixDatagram> {
    bound_by(user, names).into_iter().map(Result::unwrap).collect()
}

fn bound_by(user: u32, names: Vec<String>) -> Vec<std::io::Result<UnixDatagram>> {
    let stranger = rustix::process::Uid::from_raw(user);
    let make = move || {
        // The user and the capabilities of this thread only, which is in its parent's namespaces.
        rustix::thread::set_thread_res_uid(stranger, stranger, stranger).unwrap();
        let bind = |name| UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(name).unwrap());
        names.into_iter().map(bind).collect()
    };
    std::thread::spawn(make).join().unwrap()
}

/// Returns whether the kernel lists its Unix sockets (`CONFIG_UNIX_DIAG`); if not, prints that the
/// test `name` is skipped.
pub(crate) fn lists_unix_sockets(name: &str) -> bool {
    let listed = rustix::net::socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        Some(SOCK_DIAG),
    )
    .and_then(|socket| {
        // struct nlmsghdr: SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP.
        let mut request = 40_u32.to_ne_bytes().to_vec();
        request.extend([20_u16, 0x301].into_iter().flat_map(u16::to_ne_bytes));
        request.extend([1_u32, 0].into_iter().flat_map(u32::to_ne_bytes));
        // struct unix_diag_req: AF_UNIX, all states.
        request.extend([1, 0, 0, 0]);
        let rest = [u32::MAX, 0, 0, u32::MAX, u32::MAX];
        request.extend(rest.into_iter().flat_map(u32::to_ne_bytes));
        let kernel = SocketAddrNetlink::new(0, 0);
        rustix::net::sendto(&socket, &request, SendFlags::empty(), &kernel)?;
        let mut reply = vec![0; 1 << 15];
        rustix::net::recv(&socket, reply.as_mut_slice(), RecvFlags::empty())?;
        // NLMSG_ERROR is 2.
        Ok(u16::from_ne_bytes([reply[4], reply[5]]) != 2)
    });
    kernel_can(name, listed == Ok(true), "the kernel does not list its Unix sockets")
}

/// Returns the id of the map of the program with this id.
pub(crate) fn map_id(program: u32) -> u32 {
    Program::from_id(program).unwrap().info().unwrap().map_ids[0]
}
