//! `xsk txonly`: send the same packet as fast as possible.

use crate::command_line::{PortArgs, TxonlyArgs};
use crate::demo::packet::ETHERNET_HEADER;
use crate::failure::{Failure, Result};
use crate::process::signals::Stop;
use crate::run::ended::Ended;
use crate::run::pace::{Pace, Padded, Work};
use crate::run::port::{self, ActiveProgram, DEFAULT_TX_BUDGET, kick};
use crate::run::queues::{Needs, Served};
use crate::run::session::Session;
use crate::run::side::Side;
use crate::run::sockets::{Sends, TxRing};
use crate::run::timed::Timed;
use crate::run::tx_times::TxTimes;
use std::time::Duration;
use xsk::{FramePool, Interface, Kick, PacketSocket, SocketHandle, TxSocket, Umem};

/// Ethernet, IPv4 and UDP headers.
const HEADERS: u32 = 42;
/// How long to sleep while the kernel takes nothing.
const BUSY: Duration = Duration::from_millis(1);

/// The longest IPv4 packet: its length has 16 bits.
const MAX_IP: u32 = u16::MAX as u32;

pub(crate) fn run(args: &TxonlyArgs, stop: &Stop) -> Result<Ended> {
    if args.tx_timestamps {
        run_with::<Timed>(args, stop)
    } else if args.port.frags {
        run_with::<PacketSocket>(args, stop)
    } else {
        run_with::<TxSocket>(args, stop)
    }
}

fn run_with<S: Sends>(args: &TxonlyArgs, stop: &Stop) -> Result<Ended> {
    let port = &args.port;
    let interface = port::interface(&port.interface)?;
    port::require_ethernet(&interface)?;
    let served = Served::of(port, &interface, Needs::Tx)?;
    let opened = served.each(|queue| bound::<S>(args, &interface, queue, stop))?;
    let (mut senders, handles): (Vec<_>, Vec<_>) =
        opened.into_iter().map(|(sender, handle)| (Padded(sender), handle)).unzip();
    let builder = || port::attachment(port, &interface);
    let program = ActiveProgram::to_send(builder, &interface, &handles, stop)?;
    if program.is_some() {
        port::wait_for_link(&interface, stop)?;
    }
    let attachment = program.as_ref().map(ActiveProgram::attachment);
    let title = port::title(port, &interface, &handles, attachment);
    let side = Side::new(port, interface, handles, title, None)?;
    let mut session = Session::new(port, stop, "txonly", vec![side])?;
    let outcome = session.begin().and_then(|()| served.run(port, &mut session, &mut senders));
    session.tx_times =
        TxTimes::of_all(senders.iter().filter_map(|Padded(sender)| sender.tx.times()));
    session.end(outcome, program)
}

/// Returns what sends on a queue.
fn bound<'a, S: Sends>(
    args: &'a TxonlyArgs,
    interface: &Interface,
    queue: u32,
    stop: &Stop,
) -> Result<(Sender<'a, S::Ring>, SocketHandle)> {
    let TxonlyArgs { port, tx, .. } = args;
    let (umem, mut pool) = S::memory(port::memory(port)).build()?;
    let mac = check_size(args, interface, &mut pool)?;
    let packet = packet(args.size, mac.unwrap_or([2, 0, 0, 0, 0, 1]));
    // Of a packet of several chunks, the others begin with headers as well: any payload will do.
    umem.for_each_free_chunk(&mut pool, |chunk| {
        let len = packet.len().min(chunk.len());
        chunk[..len].copy_from_slice(&packet[..len]);
    });
    let builder = S::sender(port::socket(port, &umem));
    let builder = builder.tx_size(tx.tx_ring).completion_size(tx.completion_ring);
    let unbound = port::patiently(builder, stop)?;
    let socket = port::bind(unbound, interface, queue, port.wait(), stop)?;
    let (tx, completion, handle) = S::into_parts(socket, &umem)?;
    let frames = frames(args, &tx, &umem, &mut pool)?;
    raise_tx_budget(port, &tx, &handle, frames)?;
    Ok((Sender { args, all: pool.len(), frames, back: 0, pool, tx, completion }, handle))
}

/// Refuses a size that cannot be sent; returns the interface's address.
fn check_size(
    args: &TxonlyArgs,
    interface: &Interface,
    pool: &mut FramePool,
) -> Result<Option<[u8; 6]>> {
    let TxonlyArgs { port, size, .. } = args;
    let info = interface.info()?;
    let by_mtu = info.mtu.min(MAX_IP).saturating_add(ETHERNET_HEADER);
    let chunk = room(pool);
    let most = if port.frags { by_mtu } else { by_mtu.min(chunk) };
    if (HEADERS..=most).contains(size) {
        return Ok(info.mac);
    }
    let cure = match size {
        _ if port.frags || args.tx_timestamps => String::new(),
        size if *size > most && most < by_mtu => {
            format!("; packets of several chunks (-F) can have {by_mtu}")
        }
        _ => String::new(),
    };
    let chunks = match () {
        () if port.frags => String::new(),
        () if args.tx_timestamps => {
            format!(", chunks with {chunk} beside the request for the timestamp")
        }
        () => format!(", chunks of {chunk}"),
    };
    Err(Failure::Text(format!(
        "packets of {size} bytes cannot be sent on {}: they have {HEADERS} bytes at least \
         (Ethernet, IPv4 and UDP headers), and {most} at the most (MTU {} with the Ethernet header{chunks}){cure}",
        info.name, info.mtu
    )))
}

/// Returns how many bytes of a chunk a packet can have.
fn room(pool: &mut FramePool) -> u32 {
    let Some(frame) = pool.take() else { return 0 };
    let room = frame.len();
    pool.put(frame);
    room
}

/// Returns how many frames a packet has.
fn frames(args: &TxonlyArgs, tx: &impl TxRing, umem: &Umem, pool: &mut FramePool) -> Result<u32> {
    let (size, chunk, most) = (args.size, umem.chunk_size(), tx.max_frames());
    let refused = |why: String| {
        Failure::Text(format!("packets of {size} bytes cannot be sent in chunks of {chunk}: {why}"))
    };
    let packet = pool.take_packet(size.into());
    let packet = packet.ok_or_else(|| refused("there are too few (--chunks)".to_owned()))?;
    let frames = packet.frames().len() as u32;
    pool.extend(packet);
    if frames > most {
        let why = format!(
            "they take {frames}, and a packet here can have {most} (larger chunks, -f, or, if these \
             have fewer entries, larger rings: --tx-ring, --completion-ring)"
        );
        return Err(refused(why));
    }
    Ok(frames)
}

/// Lets one wake-up send a whole batch (6.17). Where it sends 32 frames, the TX ring fills up, and
/// every chunk has left the processor's cache before it is used again.
pub(crate) fn raise_tx_budget(
    port: &PortArgs,
    tx: &impl TxRing,
    handle: &SocketHandle,
    frames: u32,
) -> Result<()> {
    let (size, batch) = (tx.capacity(), port.batch.saturating_mul(frames));
    if batch <= DEFAULT_TX_BUDGET || size < DEFAULT_TX_BUDGET {
        return Ok(());
    }
    match handle.set_tx_budget(batch.min(size)) {
        Ok(()) | Err(xsk::Error::NeedsKernel { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// What sends, and how.
struct Sender<'a, T: TxRing> {
    args: &'a TxonlyArgs,
    /// How many chunks there are.
    all: usize,
    /// How many frames a packet has.
    frames: u32,
    /// Frames that came back of a packet of which others did not.
    back: u32,
    pool: FramePool,
    tx: T,
    completion: T::Completion,
}

impl<T: TxRing> Work for Sender<'_, T> {
    fn run(&mut self, pace: &mut impl Pace) -> Result<()> {
        let port = &self.args.port;
        while pace.goes_on()? {
            let mut sent = 0;
            if pace.is_ready() {
                let most = pace.claim();
                sent = self.submit(most)?;
                pace.done(most, sent);
                self.wake(pace)?;
            } else {
                pace.look_at_link()?;
            }
            let back = self.take_back(self.frames.saturating_mul(port.batch), pace)?;
            if port.poll && sent == 0 && back == 0 {
                // Not by poll(2): that would send what is in the ring, and hide what is dropped.
                pace.nap(BUSY);
            }
        }
        pace.drain(|pace| {
            if pace.is_ready() {
                self.wake(pace)?;
            }
            let back = self.take_back(u32::MAX, pace)?;
            Ok((back > 0, self.pending()))
        })
    }

    /// Returns how many packets are not back as a whole.
    fn pending(&self) -> u64 {
        ((self.all - self.pool.len()) as u64).div_ceil(self.frames.into())
    }
}

impl<T: TxRing> Sender<'_, T> {
    /// Puts up to `most` packets into the TX ring; returns how many.
    #[inline(always)]
    fn submit(&mut self, most: u32) -> Result<u32> {
        let Self { args, pool, tx, .. } = self;
        Ok(match self.frames {
            1 => tx.send_from(pool, most, args.size)?,
            _ => tx.send_each(pool, most, args.size, |_| ())?,
        })
    }

    /// Takes up to `most` chunks back; returns how many. A packet is sent when all of its chunks
    /// are back.
    #[inline(always)]
    fn take_back(&mut self, most: u32, pace: &mut impl Pace) -> Result<u32> {
        let back = self.tx.reap_into(&mut self.completion, &mut self.pool, most)?;
        let all = self.back + back;
        let packets = all / self.frames;
        self.back = all % self.frames;
        pace.counts().sent(packets, u64::from(packets) * u64::from(self.args.size));
        Ok(back)
    }

    /// Wakes the kernel for the TX ring.
    #[inline(always)]
    fn wake(&mut self, pace: &mut impl Pace) -> Result<()> {
        let result = kick(&self.args.port, &mut self.tx);
        if let Ok(Kick::Busy) = result {
            pace.counts().dropped_bytes += u64::from(self.args.size);
        }
        pace.kicked(result)
    }
}

/// Returns a UDP packet to the discard port in a network that is reserved for benchmarks
/// (RFC 2544). `size` goes from [`HEADERS`] to [`MAX_IP`] and an Ethernet header.
fn packet(size: u32, from: [u8; 6]) -> Vec<u8> {
    let len = |headers: u32| (size - headers) as u16;
    let mut ip = vec![0x45, 0];
    ip.extend(len(ETHERNET_HEADER).to_be_bytes());
    ip.extend([0, 0, 0x40, 0, 64, 17, 0, 0]);
    ip.extend([198, 18, 0, 1, 198, 18, 0, 2]);
    let words = ip.chunks_exact(2).map(|word| u16::from_be_bytes([word[0], word[1]]));
    let sum: u32 = words.map(u32::from).sum();
    // Twice: adding the carry may carry again.
    let carried = |sum: u32| (sum & 0xffff) + (sum >> 16);
    let sum = !(carried(carried(sum)) as u16);
    ip[10..12].copy_from_slice(&sum.to_be_bytes());
    let mut packet = vec![2, 0, 0, 0, 0, 2];
    packet.extend(from);
    packet.extend([8, 0]);
    packet.extend(ip);
    packet.extend([0x10, 0, 0, 9]);
    packet.extend(len(34).to_be_bytes());
    packet.extend([0, 0]);
    packet.resize(size as usize, b'x');
    packet
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command_line::{Cli, Command};
    use clap::Parser;
    use xsk::test_util::{FakeKernel, FakeRings};

    #[test]
    fn a_packet_of_several_frames_counts_once() {
        let cli = Cli::parse_from(["xsk", "txonly", "-i", "eth1", "-F", "-s", "9000"]);
        let Command::Txonly(args) = &cli.command else { panic!("{cli:?}") };
        let (umem, mut pool) = Umem::builder().chunk_count(16).build().unwrap();
        let (mut kernel, socket) = FakeKernel::multi_buffer(&umem, FakeRings::default()).unwrap();
        let (tx, completion, _) = PacketSocket::into_parts(socket, &umem).unwrap();
        assert_eq!(frames(args, &tx, &umem, &mut pool).unwrap(), 3);
        let mut sender = Sender { args, all: 16, frames: 3, back: 0, pool, tx, completion };
        // For a sixth one there are too few chunks.
        assert_eq!((sender.submit(2).unwrap(), sender.pending()), (2, 2));
        assert_eq!((sender.submit(64).unwrap(), sender.pending()), (3, 5));
        kick(&args.port, &mut sender.tx).unwrap();
        let sent: Vec<usize> = std::iter::from_fn(|| kernel.transmit()).map(|p| p.len()).collect();
        assert_eq!(sent, [9000; 5]);
        kernel.complete(u32::MAX);
        // A part of the first one, which is not back before its last chunk is.
        assert_eq!(sender.completion.reap_into(&mut sender.pool, 2), Ok(2));
        assert_eq!(sender.pending(), 5);
        assert_eq!(sender.completion.reap_into(&mut sender.pool, 2), Ok(2));
        assert_eq!(sender.pending(), 4);
    }

    #[test]
    fn the_packet_is_as_long_as_asked_and_its_header_adds_up() {
        for size in [42, 60, 1514, 9014, MAX_IP + 14] {
            let packet = packet(size, [2; 6]);
            assert_eq!(packet.len(), size as usize);
            let words = packet[14..34].chunks(2);
            let sum: u32 = words.map(|w| u32::from(w[0]) * 256 + u32::from(w[1])).sum();
            assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff);
        }
    }
}
