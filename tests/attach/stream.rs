//! Numbered packets at a steady rate, and what the kernel's stack sees of them.

use crate::common::{AtCable, Cable, packet};
use rustix::net::{AddressFamily, Protocol, RecvFlags, SocketFlags, SocketType, recv, socket_with};
use std::num::NonZeroU32;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use xsk::Port;
use xsk::interface::Interface;

/// The bytes of a packet.
const LEN: usize = 60;
/// How many packets may be on their way: a veth has room for 256.
const WINDOW: u32 = 240;
/// The most packets that are sent at once: one kick takes them.
const BURST: u32 = 32;
/// The time from packet to packet: 100,000 a second.
const STEP: Duration = Duration::from_micros(10);

/// A thread that sends numbered packets from the right end of a cable to the left one.
pub(crate) struct Sender {
    pub(crate) sent: Arc<AtomicU32>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Sender {
    /// Starts it. It never is more than a window ahead of `received`, if that is given.
    pub(crate) fn start(cable: &Cable, received: Option<Arc<AtomicU32>>) -> Self {
        let (sent, stop) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
        let mut port = Port::right(cable);
        let (count, ends) = (Arc::clone(&sent), Arc::clone(&stop));
        let received = received.unwrap_or_else(|| Arc::clone(&sent));
        let thread = std::thread::spawn(move || {
            let mut due = Instant::now();
            let mut number = 0_u32;
            while !ends.load(Ordering::Relaxed) {
                port.socket.completion.reap_into(&mut port.pool, 64).unwrap();
                let ahead = number.wrapping_sub(received.load(Ordering::Relaxed));
                // What a loaded machine delays is made up for a little.
                due = due.max(Instant::now() - BURST * STEP);
                let mut slots =
                    port.socket.tx.reserve(BURST.min(WINDOW.saturating_sub(ahead))).unwrap();
                while slots.remaining() > 0 && due <= Instant::now() {
                    let mut frame = port.pool.take().expect("a chunk");
                    port.umem.write(&mut frame, &packet(number, LEN)).unwrap();
                    slots.push(frame).unwrap();
                    number += 1;
                    due += STEP;
                }
                drop(slots);
                while port.socket.tx.kick_if_needed().unwrap() == xsk::Kick::Again {}
                if number == count.swap(number, Ordering::Relaxed) {
                    std::thread::yield_now();
                }
            }
        });
        Self { sent, stop, thread }
    }

    /// Stops it; returns how many packets it has sent.
    pub(crate) fn stop(self) -> u32 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
        self.sent.load(Ordering::Relaxed)
    }
}

/// Returns the number in a packet, if it is one of the sender's.
pub(crate) fn number(bytes: &[u8]) -> Option<u32> {
    (bytes.get(12..14)? == [0x88, 0xb5]).then_some(())?;
    bytes.get(14..18)?.try_into().ok().map(u32::from_be_bytes)
}

/// A packet socket for what passes the XDP program.
pub(crate) struct Stack(OwnedFd);

impl Stack {
    /// Opens it in the calling thread's namespace.
    pub(crate) fn listen() -> Self {
        // It gets what is of this type on every interface of the namespace, from now on.
        let kind = u32::from(0x88b5_u16.to_be());
        let socket = socket_with(
            AddressFamily::PACKET,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            Some(Protocol::from_raw(NonZeroU32::new(kind).unwrap())),
        );
        Self(socket.unwrap())
    }

    /// Returns how many of the sender's packets came since the last call, as far as the socket has
    /// room for them.
    pub(crate) fn count(&self) -> u32 {
        let mut buffer = [0; 256];
        let next = || recv(&self.0, &mut buffer[..], RecvFlags::DONTWAIT).ok();
        u32::try_from(std::iter::from_fn(next).count()).unwrap()
    }
}

/// A thread that receives a sender's packets on queue 0 of `interface`, and checks that none is
/// missing.
pub(crate) struct Receiver {
    pub(crate) received: Arc<AtomicU32>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Port>,
}

impl Receiver {
    pub(crate) fn start(mut port: Port, received: Arc<AtomicU32>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (count, ends) = (Arc::clone(&received), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            while !ends.load(Ordering::Relaxed) {
                let umem = &port.umem;
                let mut expected = count.load(Ordering::Relaxed);
                for frame in port.socket.rx.receive(64).unwrap() {
                    if let Some(number) = number(umem.bytes(&frame)) {
                        assert_eq!(number, expected, "a packet is missing, or came twice");
                        expected += 1;
                    }
                    port.pool.put(frame);
                }
                if expected == count.load(Ordering::Relaxed) {
                    std::thread::yield_now();
                }
                count.store(expected, Ordering::Relaxed);
                port.socket.fill.fill_from(&mut port.pool, 64).unwrap();
            }
            port
        });
        Self { received, stop, thread }
    }

    /// Returns how many packets it has received.
    pub(crate) fn count(&self) -> u32 {
        assert!(!self.thread.is_finished(), "the receiver has found something");
        self.received.load(Ordering::Relaxed)
    }

    /// Stops it.
    pub(crate) fn stop(self) -> Port {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// Returns a port on queue 0 of the interface, in the calling thread's namespace, with half of its
/// chunks in the fill ring.
pub(crate) fn receiving_port(cable: &Cable, interface: &Interface) -> Port {
    let mut port = Port::at(&cable.left, interface, 0);
    port.fill();
    port
}
