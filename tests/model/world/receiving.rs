//! Calls on the rings that the user reads.

use super::{World, end, entry, exchange, upto};
use crate::op::{Edit, End};
use crate::oracle::{CHUNK, chunk};

impl World {
    pub(super) fn receive(&mut self, want: u32, take: u32, how: End) {
        let oracle = &mut self.oracle;
        let mut frames = self.socket.rx.receive(want).unwrap().into_iter();
        let mut left = oracle.rx.there.len().min(want as usize);
        for _ in upto(take) {
            assert_eq!(frames.remaining() as usize, left);
            let frame = frames.next();
            let expected = if left == 0 { None } else { oracle.rx.take() };
            assert_eq!(frame.as_ref().map(entry), expected);
            let Some(frame) = frame else { break };
            left -= 1;
            assert_eq!(self.umem.bytes(&frame), oracle.bytes(entry(&frame)));
            oracle.held.push_back(entry(&frame));
            self.held.push_back(frame);
        }
        end(frames, how);
        oracle.rx.end(how);
    }

    pub(super) fn reap(&mut self, want: u32, take: u32, how: End) {
        let oracle = &mut self.oracle;
        let mut frames = self.socket.completion.reap(want).unwrap().into_iter();
        let mut left = oracle.completion.there.len().min(want as usize);
        for _ in upto(take) {
            let frame = frames.next();
            let taken = if left == 0 { None } else { oracle.completion.take() };
            let expected = taken.map(|(address, _)| (chunk(address), CHUNK as u32));
            assert_eq!(frame.as_ref().map(entry), expected);
            let Some(frame) = frame else { break };
            left -= 1;
            assert_eq!(self.umem.bytes(&frame), oracle.bytes(entry(&frame)));
            oracle.held.push_back(entry(&frame));
            self.held.push_back(frame);
        }
        end(frames, how);
        oracle.completion.end(how);
    }

    pub(super) fn expect_recycled(&mut self, want: u32, count: u32, on: bool) {
        let oracle = &mut self.oracle;
        let moved = oracle.fill.free().min(oracle.rx.there.len()).min(want as usize);
        for number in 0..moved {
            let mut entry = oracle.rx.take().unwrap();
            exchange(on, number, &mut entry, &mut oracle.held);
            oracle.fill.written.push_back((entry.0, 0));
        }
        oracle.rx.end(End::Drop);
        oracle.fill.end(End::Drop);
        assert_eq!(count as usize, moved);
    }

    pub(super) fn expect_forwarded(
        &mut self,
        want: u32,
        count: u32,
        how: Option<&Edit>,
        on: bool,
    ) -> Vec<bool> {
        let oracle = &mut self.oracle;
        let moved = oracle.tx.free().min(oracle.rx.there.len()).min(want as usize);
        let mut edits = Vec::new();
        for number in 0..moved {
            let mut entry = oracle.rx.take().unwrap();
            exchange(on, number, &mut entry, &mut oracle.held);
            edits.extend(how.map(|how| oracle.edit(&mut entry, how)));
            oracle.tx.written.push_back(entry);
        }
        oracle.rx.end(End::Drop);
        oracle.tx.end(End::Drop);
        assert_eq!(count as usize, moved);
        edits
    }
}
