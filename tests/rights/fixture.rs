//! A helper and a worker at one end of a cable, and a sender at the other.

use crate::common::{
    AtCable, Cable, PATIENCE, as_nobody, kernel_can, kernel_since, packet, until, wait_for,
};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities, set_no_new_privs};
use std::time::Duration;
use xsk::attach::{AttachMethod, Attachment, MapSlot};
use xsk::handover::Grant;
use xsk::socket::XskFd;
use xsk::test_util::Namespace;
use xsk::{Interface, Port, Socket, Umem};

/// The chunks of a worker, of 2048 bytes: as many as packets are sent at once, so that none is lost
/// on a loaded machine; and several workers are below the usual limit of locked memory.
pub(crate) const CHUNKS: u32 = 1024;

/// Returns whether maps can be used without any capability.
pub(crate) fn maps_take_no_right(name: &str) -> bool {
    kernel_can(name, kernel_since(5, 19), "before 5.19 using a map takes CAP_BPF")
}

/// Attaches the default program to the left end.
pub(crate) fn attach(cable: &Cable, method: AttachMethod) -> Attachment {
    let attach = || Attachment::builder(cable.veth.a()).method(method).attach();
    cable.left.run(attach).unwrap().unwrap()
}

/// Waits until nothing is attached: a child that another test has forked holds copies of links
/// until it calls `execve(2)`.
#[track_caller]
pub(crate) fn is_detached(interface: &Interface) {
    wait_for("the program to be detached", || interface.attached_programs().unwrap().is_empty());
}

/// Opens a socket in a namespace.
pub(crate) fn open(namespace: &Namespace) -> XskFd {
    namespace.run(XskFd::open).unwrap().unwrap()
}

/// What a helper at the left end hands over.
pub(crate) fn grant(cable: &Cable, program: &Attachment) -> Grant {
    Grant::new(cable.veth.a(), 0, open(&cable.left), program.map().try_clone().unwrap())
}

/// Runs `work` in a namespace, as a user without any capability.
pub(crate) fn without_rights<T: Send>(namespace: &Namespace, work: impl FnOnce() -> T + Send) -> T {
    as_nobody(CapabilitySet::empty(), namespace, || {
        let effective = capabilities();
        assert_eq!(effective, 0, "of the thread that works");
        work()
    })
}

/// Returns the effective capabilities of this thread, as the kernel shows them.
pub(crate) fn capabilities() -> u64 {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap();
    u64::from_str_radix(line.trim(), 16).unwrap()
}

/// Takes all capabilities from the calling thread, and the way to get any.
pub(crate) fn drop_all_rights() {
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    set_capabilities(None, sets).unwrap();
    set_no_new_privs(true).unwrap();
    assert_eq!(capabilities(), 0);
}

/// A worker: a bound socket in its slot, and what it works with.
pub(crate) struct Worker {
    pub(crate) slot: MapSlot,
    pub(crate) port: Port,
}

impl Worker {
    /// Makes it of a grant.
    pub(crate) fn new(grant: Grant) -> xsk::Result<Self> {
        let interface = grant.interface()?;
        Self::on(&interface, grant)
    }

    /// Makes it of a grant, in a namespace.
    pub(crate) fn new_in(namespace: &Namespace, grant: Grant) -> Self {
        namespace.run(|| Self::new(grant)).unwrap().unwrap()
    }

    /// Makes it of a grant, on this interface.
    pub(crate) fn on(interface: &Interface, grant: Grant) -> xsk::Result<Self> {
        let (queue, slot, mode) = (grant.queue, grant.slot, grant.copy_mode);
        let Grant { socket, map, .. } = grant;
        let (umem, pool) = Umem::builder().chunk_size(2048).chunk_count(CHUNKS).build()?;
        let builder = Socket::builder(&umem).copy_mode(mode).bind_timeout(PATIENCE);
        let socket = builder.open_with(socket)?.bind(interface, queue)?;
        let mut port = Port::new(umem, pool, socket);
        port.socket.fill.fill_from(&mut port.pool, CHUNKS)?;
        let slot = port.socket.register_in(&map, slot)?;
        Ok(Self { slot, port })
    }

    /// Receives packets, one after the other; each has to be the packet of its number.
    pub(crate) fn receive(&mut self, count: u32) {
        let Port { umem, pool, socket, .. } = &mut self.port;
        let mut next = 0;
        wait_for("packets", || {
            xsk::wait(&[&socket.rx], Some(Duration::from_millis(10))).unwrap();
            for frame in socket.rx.receive(64).unwrap() {
                assert_eq!(umem.bytes(&frame), packet(next, 60));
                next += 1;
                pool.put(frame);
            }
            socket.fill.fill_from(pool, 64).unwrap();
            socket.fill.kick_if_needed().unwrap();
            next >= count
        });
        assert_eq!(next, count);
    }
}

/// Sends packets from the right end.
pub(crate) fn send(cable: &Cable, count: u32) {
    send_from(&cable.right, cable.veth.b(), count);
}

/// Sends packets from an interface.
pub(crate) fn send_from(namespace: &Namespace, interface: &Interface, count: u32) {
    let Port { umem, mut pool, mut socket, .. } = Port::at(namespace, interface, 0);
    for number in 0..count {
        let mut frame = pool.take().unwrap();
        umem.write(&mut frame, &packet(number, 60)).unwrap();
        socket.tx.reserve(1).unwrap().push(frame).unwrap();
        if number % 16 == 15 || number + 1 == count {
            until("the packets are sent", || {
                socket.tx.kick_if_needed().unwrap();
                socket.completion.reap_into(&mut pool, 64).unwrap();
                socket.tx.pending() == 0 && pool.len() == 1024
            });
        }
    }
}
