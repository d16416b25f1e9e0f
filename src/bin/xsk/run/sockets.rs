//! Sockets whose packets have one frame, and those whose packets have several, by the same calls.
//!
//! The calls of a loop are `inline(always)`: each loop is compiled twice, for one queue and for
//! several, and the compiler would make functions of what both have.

use crate::run::tx_times::TxTimes;
use xsk::socket::{
    MemorySharingBuilder, PacketRx, PacketTx, RefusalReason, SocketBuilder, SocketKind,
};
use xsk::umem::UmemBuilder;
use xsk::{
    Attachment, Completion, Fill, Frame, FramePool, Kick, PacketSocket, Registration, RingError,
    Rx, RxSocket, Socket, SocketHandle, Tx, TxSocket, Umem,
};

/// An RX ring.
pub(crate) trait RxRing: Send {
    /// The TX ring that its packets can be sent by.
    type Tx: TxRing;

    /// Shows the frames of each of up to `most` packets to `look`, then gives their chunks to the
    /// fill ring; returns how many packets.
    fn recycle_each(
        &mut self,
        most: u32,
        fill: &mut Fill,
        look: impl FnMut(&mut [Frame]),
    ) -> Result<u32, RingError>;

    /// Has `edit` edit the frames of each of up to `most` packets, and sends it; returns how many
    /// packets.
    fn forward_each(
        &mut self,
        most: u32,
        tx: &mut Self::Tx,
        edit: impl FnMut(&mut [Frame]),
    ) -> Result<u32, RingError>;
}

/// A TX ring.
pub(crate) trait TxRing: Send {
    /// The completion ring of its socket.
    type Completion: Send;

    /// Returns how many frames a packet can have.
    fn max_frames(&self) -> u32;

    /// Sends up to `most` packets of one frame of `len` bytes, which are what is in the chunks of
    /// `pool`; returns how many.
    fn send_from(&mut self, pool: &mut FramePool, most: u32, len: u32) -> Result<u32, RingError>;

    /// Sends up to `most` packets of `len` bytes, whose frames `write` fills; returns how many.
    /// `len` is no more than [`max_frames`](Self::max_frames) chunks hold.
    fn send_each(
        &mut self,
        pool: &mut FramePool,
        most: u32,
        len: u32,
        write: impl FnMut(&mut [Frame]),
    ) -> Result<u32, RingError>;

    /// Puts up to `most` chunks that came back into `pool`; returns how many.
    fn reap_into(
        &mut self,
        completion: &mut Self::Completion,
        pool: &mut FramePool,
        most: u32,
    ) -> Result<u32, RingError>;

    /// Has the kernel send what is in the ring, if it asks for it.
    fn kick_if_needed(&mut self) -> xsk::Result<Kick>;

    /// Has the kernel send what is in the ring.
    fn kick(&mut self) -> xsk::Result<Kick>;

    /// Returns how many frames are in the ring.
    fn pending(&self) -> u32;

    /// Returns the ring's number of entries.
    fn capacity(&self) -> u32;

    /// Returns when packets were sent, if that is collected.
    fn times(&self) -> Option<&TxTimes> {
        None
    }
}

/// Packets that are to be sent, one after the other.
pub(crate) trait Supply {
    /// Returns the bytes of the next packet, which are not 0 and fit the frames that a packet can
    /// have; `None` if nothing is to be sent at the moment.
    fn next_len(&mut self) -> Option<u32>;

    /// Writes that packet, whose frames hold as many bytes; the one after it is the next then.
    fn write(&mut self, frames: &mut [Frame]);
}

/// A TX ring that takes packets of different lengths.
pub(crate) trait SupplyRing: TxRing {
    /// Sends up to `most` packets of `supply`; returns how many.
    fn send_supply(
        &mut self,
        pool: &mut FramePool,
        most: u32,
        supply: &mut impl Supply,
    ) -> Result<u32, RingError>;
}

impl SupplyRing for Tx {
    #[inline(always)]
    fn send_supply(
        &mut self,
        pool: &mut FramePool,
        most: u32,
        supply: &mut impl Supply,
    ) -> Result<u32, RingError> {
        let mut slots = self.reserve(most)?;
        let mut sent = 0;
        while slots.remaining() > 0 {
            let Some(len) = supply.next_len() else { break };
            let Some(mut frame) = pool.take() else { break };
            // It fits.
            let _ = frame.truncate(len);
            supply.write(std::slice::from_mut(&mut frame));
            if let Err(refused) = slots.push(frame) {
                debug_assert!(false, "a slot was left");
                pool.put(refused);
                break;
            }
            sent += 1;
        }
        Ok(sent)
    }
}

impl SupplyRing for PacketTx {
    #[inline(always)]
    fn send_supply(
        &mut self,
        pool: &mut FramePool,
        most: u32,
        supply: &mut impl Supply,
    ) -> Result<u32, RingError> {
        let mut slots = self.reserve(u32::MAX)?;
        let mut sent = 0;
        while sent < most {
            let Some(len) = supply.next_len() else { break };
            let Some(mut packet) = pool.take_packet(len.into()) else { break };
            // What is written is sent.
            if packet.frames().len() > slots.remaining() as usize {
                pool.extend(packet);
                break;
            }
            supply.write(packet.frames_mut());
            if let Err(refused) = slots.push(packet) {
                debug_assert!(matches!(refused.reason, RefusalReason::NoRoom { .. }));
                pool.extend(refused.packet);
                break;
            }
            sent += 1;
        }
        Ok(sent)
    }
}

/// A socket that receives.
pub(crate) trait Receives: SocketKind {
    type Ring: RxRing;

    /// Returns the builder of such a socket.
    fn receiver(builder: SocketBuilder) -> SocketBuilder<Self>;
    /// Puts the socket into the slot of its queue.
    fn register(&self, program: &Attachment) -> xsk::Result<Registration>;
    /// Returns the rings for receiving, and the handle.
    fn into_parts(self) -> (Self::Ring, Fill, SocketHandle);
}

/// A way of sending.
pub(crate) trait Sends {
    type Socket: SocketKind;
    type Ring: TxRing;

    /// Returns the builder of the packet memory that it needs.
    fn memory(builder: UmemBuilder) -> UmemBuilder {
        builder
    }

    /// Returns the builder of the socket.
    fn sender(builder: SocketBuilder) -> SocketBuilder<Self::Socket>;
    /// Returns the rings for sending, and the handle, of a socket over `umem`.
    fn into_parts(socket: Self::Socket, umem: &Umem) -> xsk::Result<Parts<Self::Ring>>;
}

/// The rings of a socket that sends, and its handle.
pub(crate) type Parts<T> = (T, <T as TxRing>::Completion, SocketHandle);

/// A socket that sends what it receives, or what another one receives.
pub(crate) trait Forwards: SocketKind + Send {
    type Ring: RxRing;

    /// Returns the builder of such a socket.
    fn forwarder(builder: SocketBuilder) -> SocketBuilder<Self>;
    /// Returns the builder of such a socket over the packet memory of another one.
    fn sharing(builder: MemorySharingBuilder) -> MemorySharingBuilder<Self>;
    /// Puts the socket into the slot of its queue.
    fn register(&self, program: &Attachment) -> xsk::Result<Registration>;
    fn handle(&self) -> &SocketHandle;
    /// Returns all rings.
    fn rings(&mut self) -> Rings<'_, Self::Ring>;
}

/// The rings of a socket that receives and sends.
pub(crate) struct Rings<'a, R: RxRing> {
    pub(crate) rx: &'a mut R,
    pub(crate) tx: &'a mut R::Tx,
    pub(crate) fill: &'a mut Fill,
    pub(crate) completion: &'a mut Completion,
}

/// Returns the bytes of a packet.
#[inline]
pub(crate) fn bytes_of(frames: &[Frame]) -> u64 {
    frames.iter().map(|frame| u64::from(frame.len())).sum()
}

impl RxRing for Rx {
    type Tx = Tx;

    #[inline(always)]
    fn recycle_each(
        &mut self,
        most: u32,
        fill: &mut Fill,
        mut look: impl FnMut(&mut [Frame]),
    ) -> Result<u32, RingError> {
        self.receive(most)?.recycle_each(fill, |frame| look(std::slice::from_mut(frame)))
    }

    #[inline(always)]
    fn forward_each(
        &mut self,
        most: u32,
        tx: &mut Tx,
        mut edit: impl FnMut(&mut [Frame]),
    ) -> Result<u32, RingError> {
        self.receive(most)?.forward_each(tx, |frame| edit(std::slice::from_mut(frame)))
    }
}

impl RxRing for PacketRx {
    type Tx = PacketTx;

    #[inline(always)]
    fn recycle_each(
        &mut self,
        most: u32,
        fill: &mut Fill,
        look: impl FnMut(&mut [Frame]),
    ) -> Result<u32, RingError> {
        self.receive(most)?.recycle_each(fill, look)
    }

    #[inline(always)]
    fn forward_each(
        &mut self,
        most: u32,
        tx: &mut PacketTx,
        edit: impl FnMut(&mut [Frame]),
    ) -> Result<u32, RingError> {
        self.receive(most)?.forward_each(tx, edit)
    }
}

/// The calls of a TX ring that are the same for all.
macro_rules! calls_of_tx {
    ($tx:ty) => {
        type Completion = Completion;

        #[inline(always)]
        fn reap_into(
            &mut self,
            completion: &mut Completion,
            pool: &mut FramePool,
            most: u32,
        ) -> Result<u32, RingError> {
            completion.reap_into(pool, most)
        }

        #[inline(always)]
        fn send_from(
            &mut self,
            pool: &mut FramePool,
            most: u32,
            len: u32,
        ) -> Result<u32, RingError> {
            <$tx>::send_from(self, pool, most, len)
        }

        #[inline(always)]
        fn kick_if_needed(&mut self) -> xsk::Result<Kick> {
            <$tx>::kick_if_needed(self)
        }

        fn kick(&mut self) -> xsk::Result<Kick> {
            <$tx>::kick(self)
        }

        #[inline(always)]
        fn pending(&self) -> u32 {
            <$tx>::pending(self)
        }

        fn capacity(&self) -> u32 {
            <$tx>::capacity(self)
        }
    };
}

impl TxRing for Tx {
    calls_of_tx!(Tx);

    fn max_frames(&self) -> u32 {
        1
    }

    #[inline(always)]
    fn send_each(
        &mut self,
        pool: &mut FramePool,
        most: u32,
        len: u32,
        mut write: impl FnMut(&mut [Frame]),
    ) -> Result<u32, RingError> {
        Tx::send_each(self, pool, most, |frame| {
            // It fits.
            let _ = frame.truncate(len);
            write(std::slice::from_mut(frame));
        })
    }
}

impl TxRing for PacketTx {
    calls_of_tx!(PacketTx);

    fn max_frames(&self) -> u32 {
        PacketTx::max_frames(self)
    }

    #[inline(always)]
    fn send_each(
        &mut self,
        pool: &mut FramePool,
        most: u32,
        len: u32,
        mut write: impl FnMut(&mut [Frame]),
    ) -> Result<u32, RingError> {
        let mut slots = self.reserve(u32::MAX)?;
        let mut sent = 0;
        while sent < most {
            let Some(mut packet) = pool.take_packet(len.into()) else { break };
            // What is written is sent.
            if packet.frames().len() > slots.remaining() as usize {
                pool.extend(packet);
                break;
            }
            write(packet.frames_mut());
            match slots.push(packet) {
                Ok(()) => sent += 1,
                Err(refused) => {
                    debug_assert!(matches!(refused.reason, RefusalReason::NoRoom { .. }));
                    pool.extend(refused.packet);
                    break;
                }
            }
        }
        Ok(sent)
    }
}

impl Receives for RxSocket {
    type Ring = Rx;

    fn receiver(builder: SocketBuilder) -> SocketBuilder<Self> {
        builder.rx_only()
    }

    fn register(&self, program: &Attachment) -> xsk::Result<Registration> {
        RxSocket::register(self, program)
    }

    fn into_parts(self) -> (Rx, Fill, SocketHandle) {
        (self.rx, self.fill, self.handle)
    }
}

impl Receives for PacketSocket {
    type Ring = PacketRx;

    fn receiver(builder: SocketBuilder) -> SocketBuilder<Self> {
        builder.multi_buffer().tx_size(1).completion_size(1)
    }

    fn register(&self, program: &Attachment) -> xsk::Result<Registration> {
        PacketSocket::register(self, program)
    }

    fn into_parts(self) -> (PacketRx, Fill, SocketHandle) {
        (self.rx, self.fill, self.handle)
    }
}

impl Sends for TxSocket {
    type Socket = Self;
    type Ring = Tx;

    fn sender(builder: SocketBuilder) -> SocketBuilder<Self> {
        builder.tx_only()
    }

    fn into_parts(socket: Self, _: &Umem) -> xsk::Result<Parts<Tx>> {
        Ok((socket.tx, socket.completion, socket.handle))
    }
}

impl Sends for PacketSocket {
    type Socket = Self;
    type Ring = PacketTx;

    fn sender(builder: SocketBuilder) -> SocketBuilder<Self> {
        builder.multi_buffer().rx_size(1)
    }

    fn into_parts(socket: Self, _: &Umem) -> xsk::Result<Parts<PacketTx>> {
        Ok((socket.tx, socket.completion, socket.handle))
    }
}

/// What a socket with all four rings does, whatever its packets are.
macro_rules! forwards {
    ($socket:ty, $rx:ty, $builder:ident => $kind:expr) => {
        impl Forwards for $socket {
            type Ring = $rx;

            fn forwarder($builder: SocketBuilder) -> SocketBuilder<Self> {
                $kind
            }

            fn sharing($builder: MemorySharingBuilder) -> MemorySharingBuilder<Self> {
                $kind
            }

            fn register(&self, program: &Attachment) -> xsk::Result<Registration> {
                <$socket>::register(self, program)
            }

            fn handle(&self) -> &SocketHandle {
                &self.handle
            }

            fn rings(&mut self) -> Rings<'_, $rx> {
                let Self { rx, tx, fill, completion, .. } = self;
                Rings { rx, tx, fill, completion }
            }
        }
    };
}

forwards!(Socket, Rx, builder => builder);
forwards!(PacketSocket, PacketRx, builder => builder.multi_buffer());
