//! Calls on the rings that the user writes.

use super::{World, edit, end, exchange, upto};
use crate::op::{Edit, End};
use crate::oracle::CHUNK;
use xsk::{Frame, Kick};

impl World {
    pub(super) fn fill_push(&mut self, reserve: u32, push: u32, how: End) {
        let oracle = &mut self.oracle;
        let mut guard = self.socket.fill.reserve(reserve).unwrap();
        let mut left = oracle.fill.free().min(reserve as usize);
        for _ in upto(push) {
            assert_eq!(guard.remaining() as usize, left);
            let Some(frame) = self.held.pop_front() else {
                break;
            };
            if let Err(frame) = guard.push(frame) {
                assert_eq!(left, 0);
                self.held.push_front(frame);
                break;
            }
            left = left.checked_sub(1).unwrap();
            let (address, _) = oracle.held.pop_front().unwrap();
            oracle.fill.written.push_back((address, 0));
        }
        end(guard, how);
        oracle.fill.end(how);
    }

    pub(super) fn tx_push(&mut self, reserve: u32, push: u32, how: End) {
        let oracle = &mut self.oracle;
        let mut guard = self.socket.tx.reserve(reserve).unwrap();
        let mut left = oracle.tx.free().min(reserve as usize);
        for _ in upto(push) {
            assert_eq!(guard.remaining() as usize, left);
            let Some(frame) = self.held.pop_front() else {
                break;
            };
            if let Err(frame) = guard.push(frame) {
                assert_eq!(left, 0);
                self.held.push_front(frame);
                break;
            }
            left = left.checked_sub(1).unwrap();
            oracle.tx.written.push_back(oracle.held.pop_front().unwrap());
        }
        end(guard, how);
        oracle.tx.end(how);
    }

    pub(super) fn send_each(&mut self, want: u32, how: &Edit, on: bool) {
        let (held, umem) = (&mut self.held, &self.umem);
        let mut edits = Vec::new();
        let write = |frame: &mut Frame| {
            exchange(on, edits.len(), frame, held);
            edits.push(edit(umem, frame, how));
        };
        let count = self.socket.tx.send_each(&mut self.pool, want, write).unwrap();
        let oracle = &mut self.oracle;
        let moved = oracle.tx.free().min(oracle.pool.len()).min(want as usize);
        let mut expected = Vec::new();
        for number in 0..moved {
            let mut entry = (oracle.pool.pop().unwrap(), CHUNK as u32);
            exchange(on, number, &mut entry, &mut oracle.held);
            expected.push(oracle.edit(&mut entry, how));
            oracle.tx.written.push_back(entry);
        }
        oracle.tx.end(End::Drop);
        assert_eq!((count as usize, edits), (moved, expected));
    }

    pub(super) fn expect_kick(&mut self, asked: bool, kick: Kick) {
        assert_eq!(kick, if asked { Kick::Done } else { Kick::NotNeeded });
        self.kicks += u64::from(asked);
        assert_eq!(self.kernel.kicks(), self.kicks);
    }
}
