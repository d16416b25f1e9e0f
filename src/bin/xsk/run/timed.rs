//! A TX ring that asks for the time at which each packet is sent.

use crate::run::counts::chunk_step;
use crate::run::sockets::{Parts, Sends, TxRing};
use crate::run::tx_times::TxTimes;
use std::collections::VecDeque;
use xsk::packet::{TxClock, TxMetadata};
use xsk::socket::{MetadataCompletion, MetadataTx, SocketBuilder};
use xsk::umem::UmemBuilder;
use xsk::{Frame, FramePool, Kick, RingError, TxSocket, Umem};

/// Sends packets of one frame by a [`TxSocket`], and collects when they were sent.
#[derive(Debug)]
pub(crate) enum Timed {}

impl Sends for Timed {
    type Socket = TxSocket;
    type Ring = TimedTx;

    fn memory(builder: UmemBuilder) -> UmemBuilder {
        builder.tx_metadata()
    }

    fn sender(builder: SocketBuilder) -> SocketBuilder<TxSocket> {
        builder.tx_only()
    }

    fn into_parts(socket: TxSocket, umem: &Umem) -> xsk::Result<Parts<TimedTx>> {
        let TxSocket { tx, completion, handle, .. } = socket;
        let (tx, completion) = tx.with_metadata(completion)?;
        let clock = if handle.is_zero_copy() { TxClock::Card } else { TxClock::Tai };
        Ok((TimedTx::new(tx, umem, clock), completion, handle))
    }
}

/// The TX ring.
#[derive(Debug)]
pub(crate) struct TimedTx {
    tx: MetadataTx,
    times: TxTimes,
    step: u64,
    /// The chunks of the packets in the ring, by their numbers, the oldest one first.
    queued: VecDeque<usize>,
    /// For each chunk, when the kick was made that had the kernel take its packet, in nanoseconds
    /// of `CLOCK_TAI`: 0 while the packet is in the ring.
    kicks: Vec<u64>,
    /// When the last kick was made.
    last_kick: u64,
}

impl TimedTx {
    fn new(tx: MetadataTx, umem: &Umem, clock: TxClock) -> Self {
        Self {
            tx,
            times: TxTimes::new(clock),
            step: chunk_step(umem),
            queued: VecDeque::new(),
            kicks: vec![0; umem.chunk_count()],
            last_kick: 0,
        }
    }

    /// Makes a kick, and notes for the packets that the kernel took when it was made.
    #[inline]
    fn timed(
        &mut self,
        kick: impl FnOnce(&mut MetadataTx) -> xsk::Result<Kick>,
    ) -> xsk::Result<Kick> {
        self.last_kick = tai();
        let result = kick(&mut self.tx);
        let taken = self.queued.len().saturating_sub(self.tx.pending() as usize);
        for chunk in self.queued.drain(..taken) {
            self.kicks[chunk] = self.last_kick;
        }
        result
    }
}

impl TxRing for TimedTx {
    type Completion = MetadataCompletion;

    fn max_frames(&self) -> u32 {
        1
    }

    #[inline]
    fn send_from(&mut self, pool: &mut FramePool, most: u32, len: u32) -> Result<u32, RingError> {
        self.send_each(pool, most, len, |_| ())
    }

    #[inline]
    fn send_each(
        &mut self,
        pool: &mut FramePool,
        most: u32,
        len: u32,
        mut write: impl FnMut(&mut [Frame]),
    ) -> Result<u32, RingError> {
        let Self { tx, step, queued, kicks, .. } = self;
        let mut slots = tx.reserve(most)?;
        let mut sent = 0;
        while slots.remaining() > 0 {
            let Some(mut frame) = pool.take() else { break };
            // It fits.
            let _ = frame.truncate(len);
            write(std::slice::from_mut(&mut frame));
            let chunk = (frame.address() / *step) as usize;
            if let Err(refused) = slots.push_with(frame, TxMetadata::new().timestamp()) {
                debug_assert!(false, "{refused}");
                pool.put(refused.frame);
                break;
            }
            kicks[chunk] = 0;
            queued.push_back(chunk);
            sent += 1;
        }
        Ok(sent)
    }

    #[inline]
    fn reap_into(
        &mut self,
        completion: &mut MetadataCompletion,
        pool: &mut FramePool,
        most: u32,
    ) -> Result<u32, RingError> {
        let mut back = 0;
        for (frame, sent) in completion.reap(most)? {
            let kick = match self.kicks[(frame.address() / self.step) as usize] {
                // The kernel has not published that it took the packet: the device dropped it.
                0 => self.last_kick,
                kick => kick,
            };
            self.times.note(sent, kick);
            pool.put(frame);
            back += 1;
        }
        Ok(back)
    }

    #[inline]
    fn kick_if_needed(&mut self) -> xsk::Result<Kick> {
        self.timed(MetadataTx::kick_if_needed)
    }

    fn kick(&mut self) -> xsk::Result<Kick> {
        self.timed(MetadataTx::kick)
    }

    #[inline]
    fn pending(&self) -> u32 {
        self.tx.pending()
    }

    fn capacity(&self) -> u32 {
        self.tx.capacity()
    }

    fn times(&self) -> Option<&TxTimes> {
        Some(&self.times)
    }
}

/// Returns the time of `CLOCK_TAI` in nanoseconds, which all kernels with TX metadata have.
#[inline]
fn tai() -> u64 {
    TxClock::Tai.now().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use xsk::test_util::FakeKernel;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_packet_is_timed_from_the_kick_that_had_the_kernel_take_it() {
        let (umem, mut pool) = Umem::builder().chunk_count(8).tx_metadata().build().unwrap();
        let (mut kernel, socket) = FakeKernel::new(&umem).unwrap();
        let (tx, mut completion) = socket.tx.with_metadata(socket.completion).unwrap();
        let mut tx = TimedTx::new(tx, &umem, TxClock::Tai);

        // The first kick has the kernel take two of three, the second one the third.
        let mut round = |count: u32, later: u64| {
            assert_eq!(tx.send_from(&mut pool, count, 60), Ok(count));
            let before = tai();
            tx.kick_if_needed().unwrap();
            let sent = tai() + later;
            kernel.set_tx_time(sent);
            for _ in 0..count {
                assert_eq!(kernel.transmit().map(|packet| packet.len()), Some(60));
            }
            later..=sent - before
        };
        let [first, second] = [round(2, SECOND), round(1, 10 * SECOND)];
        assert_eq!(kernel.complete(3), 3);
        assert_eq!(tx.reap_into(&mut completion, &mut pool, 8), Ok(3));

        assert_eq!((pool.len(), tx.queued.len()), (8, 0));
        let times = tx.times().unwrap().json();
        assert_eq!((&times["packets"], &times["before_kick"]), (&3.into(), &0.into()));
        let [min, max] = ["min_ns", "max_ns"].map(|name| times[name].as_u64().unwrap());
        assert!(first.contains(&min) && second.contains(&max), "{times}");
    }

    #[test]
    fn no_more_is_sent_than_there_is_room_for() {
        let (umem, mut pool) = Umem::builder().chunk_count(8).tx_metadata().build().unwrap();
        let (_kernel, socket) = FakeKernel::new(&umem).unwrap();
        let (tx, _completion) = socket.tx.with_metadata(socket.completion).unwrap();
        let mut tx = TimedTx::new(tx, &umem, TxClock::Tai);
        let mut written = 0;
        let sent = tx.send_each(&mut pool, 5, 100, |frames| {
            assert_eq!((frames.len(), frames[0].len()), (1, 100));
            written += 1;
        });
        assert_eq!((sent, written, pool.len()), (Ok(5), 5, 3));
        assert_eq!(tx.send_from(&mut pool, 5, 100), Ok(3));
        assert_eq!((tx.send_from(&mut pool, 5, 100), tx.pending()), (Ok(0), 8));
    }
}
