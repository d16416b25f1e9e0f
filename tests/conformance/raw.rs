//! A sender without this crate: it can publish descriptors that the crate's cannot.
#![expect(unsafe_code, reason = "rings are shared with the kernel")]

use crate::common::until;
use crate::packets::Packet;
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use rustix::net::xdp::{
    SocketAddrXdp, SocketAddrXdpFlags, XDP_PGOFF_TX_RING, XDP_UMEM_PGOFF_COMPLETION_RING,
    XdpRingOffset, XdpUmemReg, XdpUmemRegFlags,
};
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, bind, socket_with, sockopt};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU32, Ordering};
use xsk::Interface;

const RING: u32 = 2048;

/// A descriptor to be published, valid or not.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Desc {
    pub(crate) address: u64,
    pub(crate) len: u32,
}

pub(crate) struct RawSender {
    fd: OwnedFd,
    tx: Ring,
    completion: Ring,
    memory: Vec<u8>,
    /// Where the packet memory begins: at a page.
    start: usize,
}

/// A mapped ring, as words.
struct Ring {
    words: &'static [AtomicU32],
    producer: usize,
    consumer: usize,
    entries: usize,
}

impl RawSender {
    /// Binds to queue 0 in the calling thread's namespace.
    pub(crate) fn new(
        interface: &Interface,
        chunks: usize,
        chunk_size: u32,
        unaligned: bool,
    ) -> Self {
        let family = AddressFamily::XDP;
        let fd = socket_with(family, SocketType::RAW, SocketFlags::CLOEXEC, None).unwrap();
        let len = chunks * chunk_size as usize;
        let memory = vec![0_u8; len + 4096];
        let address = memory.as_ptr().expose_provenance();
        let start = address.next_multiple_of(4096) - address;
        let area = XdpUmemReg {
            addr: (address + start) as u64,
            len: len as u64,
            chunk_size,
            headroom: 0,
            flags: if unaligned {
                XdpUmemRegFlags::XDP_UMEM_UNALIGNED_CHUNK_FLAG
            } else {
                XdpUmemRegFlags::empty()
            },
            tx_metadata_len: 0,
        };
        sockopt::set_xdp_umem_reg(&fd, area).unwrap();
        sockopt::set_xdp_umem_fill_ring_size(&fd, 64).unwrap();
        sockopt::set_xdp_umem_completion_ring_size(&fd, RING).unwrap();
        sockopt::set_xdp_tx_ring_size(&fd, RING).unwrap();
        let offsets = sockopt::xdp_mmap_offsets(&fd).unwrap();
        let tx = Ring::map(&fd, XDP_PGOFF_TX_RING, &offsets.tx, 16);
        let completion = Ring::map(&fd, XDP_UMEM_PGOFF_COMPLETION_RING, &offsets.cr, 8);
        let address = SocketAddrXdp::new(SocketAddrXdpFlags::XDP_COPY, interface.index(), 0);
        // The kernel releases a queue a little later than its socket.
        until("a free queue", || bind(&fd, &address) != Err(Errno::BUSY));
        Self { fd, tx, completion, memory, start }
    }

    /// Puts a packet at an address.
    pub(crate) fn write(&mut self, address: u64, packet: Packet) {
        self.write_bytes(address, &packet.bytes());
    }

    /// Puts bytes at an address.
    pub(crate) fn write_bytes(&mut self, address: u64, bytes: &[u8]) {
        let at = self.start + address as usize;
        self.memory[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// Publishes `descs` together and wakes the kernel until it has taken all; returns what came
    /// back.
    pub(crate) fn send(&mut self, descs: &[Desc]) -> Vec<u64> {
        let without_options = |desc: &Desc| (*desc, 0);
        self.send_with_options(&descs.iter().map(without_options).collect::<Vec<_>>())
    }

    /// As [`send`](Self::send), each descriptor with its options.
    pub(crate) fn send_with_options(&mut self, descs: &[(Desc, u32)]) -> Vec<u64> {
        let Ring { words, producer, .. } = self.tx;
        let next = words[producer].load(Ordering::Relaxed);
        for (at, (desc, options)) in (next..).zip(descs) {
            let slot = self.tx.entries + (at % RING) as usize * 4;
            let address: [u32; 2] = zerocopy::transmute!(desc.address);
            let values = [address[0], address[1], desc.len, *options];
            for (word, value) in words[slot..].iter().zip(values) {
                word.store(value, Ordering::Relaxed);
            }
        }
        words[producer].store(next.wrapping_add(descs.len() as u32), Ordering::Release);
        let mut back = Vec::new();
        until("the kernel takes all descriptors", || {
            match rustix::net::send(&self.fd, &[], SendFlags::DONTWAIT) {
                Ok(_) | Err(Errno::AGAIN | Errno::BUSY | Errno::NOBUFS) => {}
                Err(errno) => panic!("{errno}"),
            }
            self.reap(&mut back);
            self.tx.pending() == 0
        });
        back
    }

    /// Takes what is in the completion ring.
    pub(crate) fn reap(&self, back: &mut Vec<u64>) {
        let ring = &self.completion;
        let there = ring.pending();
        let next = ring.words[ring.consumer].load(Ordering::Relaxed);
        for at in (0..there).map(|step| next.wrapping_add(step)) {
            let slot = ring.entries + (at % RING) as usize * 2;
            let address = [slot, slot + 1].map(|word| ring.words[word].load(Ordering::Relaxed));
            back.push(zerocopy::transmute!(address));
        }
        ring.words[ring.consumer].store(next.wrapping_add(there), Ordering::Release);
    }

    /// Returns how many descriptors the kernel refused.
    pub(crate) fn refused(&self) -> u64 {
        sockopt::xdp_statistics(&self.fd).unwrap().tx_invalid_descs
    }
}

impl Ring {
    fn map(fd: &OwnedFd, page: u64, offsets: &XdpRingOffset, entry: usize) -> Self {
        let [producer, consumer, entries] =
            [offsets.producer, offsets.consumer, offsets.desc].map(|bytes| bytes as usize / 4);
        let words = entries + RING as usize * entry / 4;
        let (all, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED);
        // SAFETY: a new mapping at an address of the kernel's choice.
        let start = unsafe { mmap(std::ptr::null_mut(), words * 4, all, flags, fd, page) };
        let start = start.unwrap().cast::<AtomicU32>();
        // SAFETY: valid as long as the mapping, which is unmapped when the slice has no user left;
        // atomics may be written by others.
        let words = unsafe { std::slice::from_raw_parts(start, words) };
        Self { words, producer, consumer, entries }
    }

    /// Returns how many entries the consumer has not taken.
    fn pending(&self) -> u32 {
        let [producer, consumer] =
            [self.producer, self.consumer].map(|word| self.words[word].load(Ordering::Acquire));
        producer.wrapping_sub(consumer)
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        let (start, len) = (self.words.as_ptr(), size_of_val(self.words));
        // SAFETY: mapped by `map`, and only this value uses the slice, which ends here.
        unsafe { munmap(start.cast_mut().cast(), len) }.unwrap();
    }
}
