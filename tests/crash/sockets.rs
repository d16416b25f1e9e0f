//! The sockets of a user: one, or three on one queue.

use std::any::Any;
use xsk::attach::{Attachment, Registration};
use xsk::{Fill, FramePool, Result, RxBatch, SharedQueue, SharedSocket, Socket, Tx};

/// Entries of a batch.
const BATCH: u32 = 64;

pub(crate) enum Sockets {
    One(Socket),
    Three(SharedQueue, Box<[SharedSocket; 2]>),
}

impl Sockets {
    /// Adds two sockets on the queue of one.
    pub(crate) fn three(first: Socket) -> Result<Self> {
        let mut queue = first.share_queue();
        let mut add = || queue.add_socket().rx_size(64).tx_size(64).bind();
        let added = Box::new([add()?, add()?]);
        Ok(Self::Three(queue, added))
    }

    /// Puts the first into the queue's slot, and the others into the last slots of the program,
    /// which no packet of these tests comes to.
    pub(crate) fn register(&self, queue: u32, program: &Attachment) -> Result<Vec<Registration>> {
        match self {
            Self::One(socket) => Ok(vec![socket.register(program)?]),
            Self::Three(first, added) => {
                let mut slots = vec![first.register(program, queue)?];
                for (slot, socket) in (0..program.map().entries()).rev().zip(&**added) {
                    // In a slot of another queue, which the sockets' own method refuses: no packets come
                    // there.
                    slots.push(program.register(slot, socket)?);
                }
                Ok(slots)
            }
        }
    }

    pub(crate) fn reap_into(&mut self, pool: &mut FramePool) {
        match self {
            Self::One(socket) => socket.completion.reap_into(pool, BATCH),
            Self::Three(first, _) => first.completion.reap_into(pool, BATCH),
        }
        .unwrap();
    }

    pub(crate) fn fill(&mut self) -> &mut Fill {
        match self {
            Self::One(socket) => &mut socket.fill,
            Self::Three(first, _) => &mut first.fill,
        }
    }

    /// Calls `work` with a batch of each socket.
    pub(crate) fn each_batch(&mut self, mut work: impl FnMut(RxBatch<'_>)) {
        match self {
            Self::One(socket) => work(socket.rx.receive(BATCH).unwrap()),
            Self::Three(first, added) => {
                work(first.rx.receive(BATCH).unwrap());
                added.iter_mut().for_each(|socket| work(socket.rx.receive(BATCH).unwrap()));
            }
        }
    }

    /// Calls `work` with the TX ring of each socket, and how many there are from that one on.
    pub(crate) fn each_tx(&mut self, mut work: impl FnMut(&mut Tx, u32)) {
        match self {
            Self::One(socket) => work(&mut socket.tx, 1),
            Self::Three(first, added) => {
                work(&mut first.tx, 3);
                added.iter_mut().zip([2, 1]).for_each(|(socket, left)| work(&mut socket.tx, left));
            }
        }
    }

    /// Returns all parts, to be dropped in any order.
    pub(crate) fn into_parts(self) -> Vec<Box<dyn Any>> {
        match self {
            Self::One(Socket { rx, tx, fill, completion, handle, .. }) => vec![
                Box::new(rx),
                Box::new(tx),
                Box::new(fill),
                Box::new(completion),
                Box::new(handle),
            ],
            Self::Three(SharedQueue { rx, tx, fill, completion, handle, .. }, added) => {
                let mut parts: Vec<Box<dyn Any>> = vec![
                    Box::new(rx),
                    Box::new(tx),
                    Box::new(fill),
                    Box::new(completion),
                    Box::new(handle),
                ];
                for SharedSocket { rx, tx, handle, .. } in *added {
                    parts.push(Box::new(rx));
                    parts.push(Box::new(tx));
                    parts.push(Box::new(handle));
                }
                parts
            }
        }
    }
}
