//! Both worlds side by side.

use super::{World, entry};
use crate::op::{End, Op};
use crate::oracle::Entry;
use xsk::test_util::ChunkAudit;

impl World {
    /// After every step, where that is not a lot of work.
    pub(crate) fn compare_if_small(&self) {
        if self.umem.chunk_count() <= 256 {
            self.compare();
        }
    }

    /// Everything there is, in both worlds.
    pub(crate) fn compare(&self) {
        let oracle = &self.oracle;
        assert!(self.pool.addresses().eq(oracle.pool.iter().copied()), "pool");
        assert_eq!(self.pool.len(), oracle.pool.len());
        assert!(self.held.iter().map(entry).eq(oracle.held.iter().copied()), "frames");
        for frame in &self.held {
            assert_eq!(self.umem.bytes(frame), oracle.bytes(entry(frame)));
        }
        let rings = self.kernel.ring_contents();
        let addresses = |entries: &[u64]| entries.iter().map(|address| (*address, 0)).collect();
        let fill: Vec<Entry> = addresses(&rings.fill);
        assert_eq!(oracle.fill.published, fill, "fill ring");
        let completion: Vec<Entry> = addresses(&rings.completion);
        assert_eq!(completion, oracle.completion.memory(), "completion ring");
        let rx: Vec<Entry> = rings.rx.iter().map(|desc| (desc.addr, desc.len)).collect();
        assert_eq!(rx, oracle.rx.memory(), "RX ring");
        let tx: Vec<Entry> = rings.tx.iter().map(|desc| (desc.addr, desc.len)).collect();
        assert_eq!(oracle.tx.published, tx, "TX ring");
        assert!(rings.tx.iter().all(|desc| desc.options == 0));
        assert_eq!(oracle.kernel, rings.kernel, "kernel");
        let pending = |out: &crate::oracle::Out| out.published.len() + out.written.len();
        assert_eq!(self.socket.fill.pending() as usize, pending(&oracle.fill));
        assert_eq!(self.socket.tx.pending() as usize, pending(&oracle.tx));
    }

    /// Ends every forgotten guard's delay, and asks where the chunks are.
    pub(crate) fn settle(&mut self) {
        let none = Op::Receive { want: 0, take: 0, end: End::Drop };
        self.step(&none);
        self.step(&Op::Reap { want: 0, take: 0, end: End::Drop });
        self.step(&Op::FillPush { reserve: 0, push: 0, end: End::Drop });
        self.step(&Op::TxPush { reserve: 0, push: 0, end: End::Drop });
        self.compare();
        let found = ChunkAudit::of(&self.umem)
            .pool(&self.pool)
            .frames(&self.held)
            .rings(&self.kernel)
            .check();
        found.unwrap();
    }
}
