//! A queue: its kernel, and the one socket or the several sockets on it.

use crate::any::{AnyRx, AnyTx};
use xsk::socket::{PacketSocket, SharedCompletion};
use xsk::test_util::{FakeKernel, FakeRings, Index};
use xsk::{
    Completion, CompletionBatch, Fill, FramePool, RingError, SharedQueue, SharedSocket, Socket,
    Umem,
};

/// The first socket on a queue, with the rings that all of them share.
enum First {
    Alone(Box<Socket>),
    Sharing(Box<SharedQueue>),
    Packets(Box<PacketSocket>),
}

pub struct Port {
    pub kernel: FakeKernel,
    first: First,
    /// The other sockets, with their numbers at the kernel: those of dropped ones are not used
    /// again.
    added: Vec<(usize, SharedSocket)>,
    /// The number of the next one.
    next: usize,
}

/// A socket in a world: the number of its port, and its place among the sockets of that port.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub port: usize,
    pub at: usize,
}

impl Port {
    pub fn alone(umem: &Umem, rings: FakeRings) -> Self {
        let (kernel, socket) = FakeKernel::with(umem, rings).unwrap();
        Self { kernel, first: First::Alone(Box::new(socket)), added: Vec::new(), next: 1 }
    }

    /// Returns a queue with a socket for packets of several frames.
    pub fn packets(umem: &Umem, rings: FakeRings) -> Self {
        let (kernel, socket) = FakeKernel::multi_buffer(umem, rings).unwrap();
        Self { kernel, first: First::Packets(Box::new(socket)), added: Vec::new(), next: 1 }
    }

    /// Returns a queue on which sockets can be added.
    pub fn shared(umem: &Umem, rings: FakeRings) -> Self {
        let (kernel, socket) = FakeKernel::with(umem, rings).unwrap();
        let first = First::Sharing(Box::new(socket.share_queue()));
        Self { kernel, first, added: Vec::new(), next: 1 }
    }

    /// Adds a socket whose rings begin elsewhere, if the queue is a shared one.
    pub fn add(&mut self, rings: FakeRings) {
        let First::Sharing(queue) = &mut self.first else { return };
        let start = Index::new((self.next as u32 % 3).wrapping_mul(77).wrapping_sub(3));
        let rings = FakeRings { rx: rings.tx, tx: rings.rx, start, ..rings };
        let socket = self.kernel.add_socket(queue, rings).unwrap();
        self.added.push((self.next, socket));
        self.next += 1;
    }

    /// Drops the added socket at `at`, if it is there.
    pub fn drop_added(&mut self, at: usize) {
        if at >= self.sockets() || at == 0 {
            return;
        }
        let (_, mut socket) = self.added.swap_remove(at - 1);
        // Publishes what a forgotten guard wrote, and releases what one took: otherwise the rings
        // do not show where these chunks are. After a hostile step both may be refused.
        drop(socket.tx.reserve(0));
        drop(socket.rx.receive(0).map(IntoIterator::into_iter));
    }

    /// Returns whether the socket is one for packets of several frames.
    pub fn is_for_packets(&self) -> bool {
        matches!(self.first, First::Packets(_))
    }

    /// Returns the number of sockets.
    pub fn sockets(&self) -> usize {
        self.added.len() + 1
    }

    /// Returns the number of the socket at `at` at the kernel.
    fn number(&self, at: usize) -> usize {
        at.checked_sub(1).map_or(0, |at| self.added[at].0)
    }
}

/// What a call uses: what receives is of one socket, what sends of another one or of the same.
pub struct Parts<'a> {
    pub rx: AnyRx<'a>,
    pub completion: AnyCompletion<'a>,
    pub kernel: &'a mut FakeKernel,
    /// The receiving socket's number at the kernel.
    pub number: usize,
    pub tx: AnyTx<'a>,
}

/// Returns the parts of the receiving socket `from` and of the sending socket `to`, and the fill
/// ring of the latter.
pub fn parts(ports: &mut [Port], from: Place, to: Place) -> (Parts<'_>, &mut Fill) {
    let (mut receiving, mut sending, mut filling) = (None, None, None);
    for (number, port) in ports.iter_mut().enumerate() {
        let kernel_number = (number == from.port).then(|| port.number(from.at));
        let Port { kernel, first, added, .. } = port;
        let (rx, tx, fill, completion) = match first {
            First::Alone(socket) => {
                let Socket { rx, tx, fill, completion, .. } = &mut **socket;
                (AnyRx::Own(rx), AnyTx::Frames(tx), fill, AnyCompletion::Own(completion))
            }
            First::Packets(socket) => {
                let PacketSocket { rx, tx, fill, completion, .. } = &mut **socket;
                (AnyRx::Packets(rx), AnyTx::Packets(tx), fill, AnyCompletion::Own(completion))
            }
            First::Sharing(queue) => {
                let SharedQueue { rx, tx, fill, completion, .. } = &mut **queue;
                (AnyRx::Shared(rx), AnyTx::Frames(tx), fill, AnyCompletion::Shared(completion))
            }
        };
        let others = added
            .iter_mut()
            .map(|(_, SharedSocket { rx, tx, .. })| (AnyRx::Shared(rx), AnyTx::Frames(tx)));
        let mut of_from = None;
        for (at, (rx, tx)) in std::iter::once((rx, tx)).chain(others).enumerate() {
            let place = Place { port: number, at };
            if place == from {
                of_from = Some(rx);
            }
            if place == to {
                sending = Some(tx);
            }
        }
        if let (Some(rx), Some(kernel_number)) = (of_from, kernel_number) {
            receiving = Some((rx, completion, kernel, kernel_number));
        }
        if number == to.port {
            filling = Some(fill);
        }
    }
    let (rx, completion, kernel, number) = receiving.unwrap();
    (Parts { rx, completion, kernel, number, tx: sending.unwrap() }, filling.unwrap())
}

/// The completion ring of one socket, or of several.
pub enum AnyCompletion<'a> {
    Own(&'a mut Completion),
    Shared(&'a mut SharedCompletion),
}

impl<'a> AnyCompletion<'a> {
    pub fn reap(self, count: u32) -> Result<CompletionBatch<'a>, RingError> {
        match self {
            Self::Own(completion) => completion.reap(count),
            Self::Shared(completion) => completion.reap(count),
        }
    }

    pub fn reap_into(self, pool: &mut FramePool, count: u32) -> Result<u32, RingError> {
        match self {
            Self::Own(completion) => completion.reap_into(pool, count),
            Self::Shared(completion) => completion.reap_into(pool, count),
        }
    }
}
