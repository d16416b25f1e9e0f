//! A cable whose right end never stops sending.

use crate::common::{Cable, packet, until};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::ScopedJoinHandle;
use std::time::Duration;
use xsk::test_util::Namespace;
use xsk::{CopyMode, Interface, Socket, TxSocket, Umem};

/// A cable with so many queues that a map with a slot for each can only be this process's.
pub(crate) struct Fixture {
    pub(crate) cable: Cable,
    pub(crate) brand: u32,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let brand = 9 + std::process::id() % 16;
        Self { cable: Cable::new(brand), brand }
    }

    /// The namespace of the sockets, the programs and the other processes.
    pub(crate) fn near(&self) -> &Namespace {
        &self.cable.left
    }

    pub(crate) fn interface(&self) -> &Interface {
        self.cable.veth.a()
    }

    /// Runs `work` while packets arrive on queues 0 and 1.
    pub(crate) fn with_traffic<T>(&self, work: impl FnOnce() -> T) -> T {
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let feeder: ScopedJoinHandle<'_, ()> = scope.spawn(|| self.feed(&stop));
            let _stopper = Stopper(&stop);
            let result = work();
            drop(_stopper);
            feeder.join().unwrap();
            result
        })
    }

    fn feed(&self, stop: &AtomicBool) {
        // In generic mode veth delivers on queue 0 what was sent on its queue 1, and on queue 1
        // what was sent on 2.
        let mut senders = [0, 1, 2].map(|queue| {
            let (umem, pool) = Umem::builder().chunk_count(64).build().unwrap();
            let bind = || {
                let builder = Socket::builder(&umem).copy_mode(CopyMode::Copy);
                builder.tx_only().tx_size(64).completion_size(64).bind(self.cable.veth.b(), queue)
            };
            let socket: TxSocket = self.cable.right.run(bind).unwrap().unwrap();
            (umem, pool, socket)
        });
        let mut number = 0;
        while !stop.load(Ordering::Relaxed) {
            for (umem, pool, socket) in &mut senders {
                socket.completion.reap_into(pool, 64).unwrap();
                let mut slots = socket.tx.reserve(16).unwrap();
                while slots.remaining() > 0 {
                    let Some(mut frame) = pool.take() else { break };
                    umem.write(&mut frame, &packet(number, 60)).unwrap();
                    slots.push(frame).unwrap();
                    number += 1;
                }
                drop(slots);
                socket.tx.kick_if_needed().unwrap();
            }
            // The pace of the load; no test waits for it.
            std::thread::sleep(Duration::from_micros(300));
        }
    }

    /// Waits until nothing is attached.
    #[track_caller]
    pub(crate) fn wait_vacant(&self) {
        until("the interface is vacant", || {
            self.interface().attached_programs().unwrap().is_empty()
        });
    }
}

/// Ends the traffic, also on a panic.
struct Stopper<'a>(&'a AtomicBool);

impl Drop for Stopper<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
