//! The two ends of a latency measurement: AF_XDP sockets, and UDP sockets.

use crate::command_line::{LatencyArgs, Profile};
use crate::failure::{Failure, Result};
use crate::process::signals::Stop;
use crate::run::port::{ActiveProgram, BIND_SLICE, attach, bind, patiently};
use crate::run::sockets::{RxRing, TxRing};
use crate::traffic::l2fwd::swap_addresses;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::OnceLock;
use std::time::Duration;
use xsk::socket::{AppliedProfile, BusyPollEffect, NapiProfile};
use xsk::{Attachment, FramePool, Interface, Socket, Umem};

/// Chunks of each end, and entries of its rings.
const CHUNKS: u32 = 64;
/// Packets that are looked at at once.
const BATCH: u32 = 64;
/// How long to wait for the queue of the measurement before: the kernel frees it some time after
/// its socket.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(10);

/// Ethernet header, and what a UDP packet's headers take more.
const ETHERNET: usize = 14;
pub(crate) const HEADERS: u32 = 42;
/// "Local experimental", which no protocol uses (IEEE 802).
const ETHERTYPE: [u8; 2] = [0x88, 0xb5];
/// A mark, the number of the process, the number of the packet, the time.
const MARK: [u8; 4] = *b"xskl";
const PAYLOAD: usize = 24;
/// The shortest UDP packet that has room for it.
pub(crate) const LEAST_UDP: u32 = HEADERS + PAYLOAD as u32;

/// A socket that sends packets with a number and a time, and sends received ones back.
pub(crate) trait End {
    /// Sends packet `number` with the time that `now` returns; returns whether it was sent.
    fn send(&mut self, number: u64, now: impl FnOnce() -> u64) -> Result<bool>;
    /// Shows number and time of each packet that came to `look`; returns how many packets came.
    fn receive(&mut self, look: impl FnMut(u64, u64)) -> Result<u32>;
    /// Sends what came back; returns how many packets.
    fn echo(&mut self) -> Result<u32>;
    /// Sleeps until packets come, or the time is over.
    fn wait(&mut self, most: Duration) -> Result<()>;
}

/// Returns the number of this process, which takes a system call only once: the calls lie within
/// the time that is measured.
fn own_process() -> [u8; 4] {
    static OWN: OnceLock<[u8; 4]> = OnceLock::new();
    *OWN.get_or_init(|| std::process::id().to_le_bytes())
}

/// Writes what a packet carries.
fn write(payload: &mut [u8], number: u64, time: u64) {
    if let Some(payload) = payload.first_chunk_mut::<PAYLOAD>() {
        payload[..4].copy_from_slice(&MARK);
        payload[4..8].copy_from_slice(&own_process());
        payload[8..16].copy_from_slice(&number.to_le_bytes());
        payload[16..].copy_from_slice(&time.to_le_bytes());
    }
}

/// Returns the number and the time of a packet of this process.
fn read(payload: &[u8]) -> Option<(u64, u64)> {
    let payload = payload.first_chunk::<PAYLOAD>()?;
    let number = |from: usize| u64::from_le_bytes(std::array::from_fn(|i| payload[from + i]));
    let own = payload[..4] == MARK && payload[4..8] == own_process();
    own.then(|| (number(8), number(16)))
}

/// An AF_XDP socket with its program.
#[derive(Debug)]
pub(crate) struct XskEnd {
    umem: Umem,
    pool: FramePool,
    socket: Socket,
    /// The addresses and the type of each frame that it sends.
    header: [u8; ETHERNET],
    size: u32,
    /// Turns in which nothing came since the last [`upkeep`](Self::upkeep).
    idle: u32,
    /// Whether a call polls the queue, and how often that is looked at yet.
    polls: bool,
    looks: u32,
    profile: Option<AppliedProfile>,
    program: Option<ActiveProgram>,
}

impl XskEnd {
    /// Binds a socket to the interface, and attaches a program.
    pub(crate) fn new(
        args: &LatencyArgs,
        interface: &Interface,
        to: [u8; 6],
        stop: &Stop,
    ) -> Result<Self> {
        let (umem, mut pool) = Umem::builder().chunk_count(CHUNKS).build()?;
        let builder = Socket::builder(&umem).bind_timeout(BIND_SLICE);
        let builder = builder.rx_size(CHUNKS).tx_size(CHUNKS).fill_size(CHUNKS);
        let mut unbound = patiently(builder.completion_size(CHUNKS), stop)?;
        unbound.fill.fill_from(&mut pool, CHUNKS / 2)?;
        let socket = bind(unbound, interface, args.queue, QUEUE_TIMEOUT, stop)?;
        let builder = || {
            Attachment::builder(interface).mode(args.mode.choice()).replace_foreign(args.replace)
        };
        let attachment = attach(builder, interface, stop)?;
        let registration = socket.register(&attachment)?;
        let from = interface.info()?.mac.unwrap_or([2; 6]);
        let mut header = [0; ETHERNET];
        header[..6].copy_from_slice(&to);
        header[6..12].copy_from_slice(&from);
        header[12..].copy_from_slice(&ETHERTYPE);
        Ok(Self {
            umem,
            pool,
            socket,
            header,
            size: args.size,
            idle: 0,
            polls: false,
            looks: 2,
            profile: None,
            program: Some(ActiveProgram::new(attachment, registration)),
        })
    }

    /// Sets a profile, if one is wanted.
    pub(crate) fn apply(&mut self, interface: &Interface, profile: Profile) -> Result<()> {
        let profile = match profile {
            Profile::None => return Ok(()),
            Profile::Throughput => NapiProfile::Throughput,
            Profile::Latency => NapiProfile::Latency,
        };
        self.profile = Some(profile.apply(interface, &self.socket.handle)?);
        Ok(())
    }

    pub(crate) fn socket(&self) -> &Socket {
        &self.socket
    }

    pub(crate) fn attachment(&self) -> Option<&Attachment> {
        self.program.as_ref().map(ActiveProgram::attachment)
    }

    /// Returns whether busy polling does something; before Linux 6.14 only once packets have come.
    pub(crate) fn effect(&self) -> Result<BusyPollEffect> {
        match self.socket.handle.busy_poll_effect() {
            // What the kernel does not have is off.
            Err(xsk::Error::NeedsKernel { .. }) => Ok(BusyPollEffect::Off),
            effect => Ok(effect?),
        }
    }

    /// Restores the settings, and detaches the program.
    pub(crate) fn close(mut self) -> Result<()> {
        let restored = self.profile.take().map_or(Ok(()), AppliedProfile::restore);
        let closed = self.program.take().map_or(Ok(()), ActiveProgram::close);
        closed.and(Ok(restored?))
    }

    /// Polls the queue, if that does something.
    #[inline]
    fn poll(&mut self) -> Result<()> {
        if self.polls {
            self.socket.handle.poll_queue()?;
        } else {
            self.socket.fill.kick_if_needed()?;
        }
        Ok(())
    }

    /// Looks again whether polling does something: the first packet may show the kernel how.
    fn look_at_effect(&mut self) -> Result<()> {
        if self.profile.is_some() && self.looks > 0 {
            self.looks -= 1;
            self.polls = matches!(self.effect()?, BusyPollEffect::Polls { .. });
        }
        Ok(())
    }

    /// Returns whether it is time for [`upkeep`](Self::upkeep) in a loop that spins. Not in each
    /// turn: what it reads the kernel writes for the other end's packets, and would have to fetch
    /// back.
    #[inline]
    fn is_long_idle(&mut self) -> bool {
        self.idle = self.idle.wrapping_add(1);
        self.idle % 256 == 0
    }

    /// Wakes the kernel where it waits for that.
    fn upkeep(&mut self) -> Result<()> {
        self.poll()?;
        if self.socket.tx.pending() > 0 { self.kick() } else { Ok(()) }
    }

    /// Gives chunks that were sent back for receiving.
    fn recycle(&mut self) -> Result<()> {
        let Socket { completion, fill, .. } = &mut self.socket;
        completion.reap(BATCH)?.recycle(fill)?;
        Ok(())
    }

    /// Has the kernel send. An interface that is down sends what is in the ring later.
    fn kick(&mut self) -> Result<()> {
        match self.socket.tx.kick_if_needed() {
            Err(error) if error.is_down() => Ok(()),
            result => Ok(result.map(drop)?),
        }
    }
}

impl End for XskEnd {
    fn send(&mut self, number: u64, now: impl FnOnce() -> u64) -> Result<bool> {
        // Not with the first packet: nothing has come yet.
        if number > 0 {
            self.look_at_effect()?;
        }
        let Self { umem, pool, socket, header, size, .. } = self;
        TxRing::reap_into(&mut socket.tx, &mut socket.completion, pool, BATCH)?;
        let mut now = Some(now);
        let sent = TxRing::send_each(&mut socket.tx, pool, 1, *size, |frames| {
            if let ([frame], Some(now)) = (frames, now.take()) {
                let (head, payload) = umem.bytes_mut(frame).split_at_mut(ETHERNET);
                head.copy_from_slice(header);
                write(payload, number, now());
            }
        })?;
        self.kick()?;
        Ok(sent > 0)
    }

    fn receive(&mut self, mut look: impl FnMut(u64, u64)) -> Result<u32> {
        if self.polls {
            self.poll()?;
        }
        let Self { umem, socket, .. } = self;
        let mut came = 0;
        RxRing::recycle_each(&mut socket.rx, BATCH, &mut socket.fill, |frames| {
            let [frame] = frames else { return };
            let payload = umem.bytes(frame).get(ETHERNET..).unwrap_or_default();
            if let Some((number, time)) = read(payload) {
                came += 1;
                look(number, time);
            }
        })?;
        if came == 0 && self.is_long_idle() {
            self.upkeep()?;
        }
        Ok(came)
    }

    fn echo(&mut self) -> Result<u32> {
        if self.polls {
            self.poll()?;
        }
        let Self { umem, socket, .. } = self;
        let count = RxRing::forward_each(&mut socket.rx, BATCH, &mut socket.tx, |frames| {
            if let [frame] = frames {
                swap_addresses(umem.bytes_mut(frame));
            }
        })?;
        if count > 0 {
            self.kick()?;
            self.recycle()?;
            self.look_at_effect()?;
        } else if self.is_long_idle() {
            self.upkeep()?;
            self.recycle()?;
        }
        Ok(count)
    }

    fn wait(&mut self, most: Duration) -> Result<()> {
        self.upkeep()?;
        xsk::wait(&[&self.socket.rx], Some(most))?;
        Ok(())
    }
}

/// A UDP socket of the kernel's network stack.
#[derive(Debug)]
pub(crate) struct UdpEnd {
    socket: UdpSocket,
    buffer: Vec<u8>,
    size: usize,
}

impl UdpEnd {
    /// Binds a socket in the calling thread's namespace.
    pub(crate) fn new(args: &LatencyArgs, own: SocketAddr, other: SocketAddr) -> Result<Self> {
        let open = || -> io::Result<UdpSocket> {
            let socket = UdpSocket::bind(own)?;
            socket.connect(other)?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        };
        let socket = open().map_err(of_udp)?;
        let size = (args.size.max(LEAST_UDP) - HEADERS) as usize;
        Ok(Self { socket, buffer: vec![0; 2048], size })
    }

    /// Receives one packet; returns its length.
    fn next(&mut self) -> Result<Option<usize>> {
        match self.socket.recv(&mut self.buffer) {
            Ok(len) => Ok(Some(len)),
            Err(error) => nothing(error).map(|()| None),
        }
    }
}

/// Returns an error, unless it only says that there is nothing to do now, or that the other end was
/// not there for an earlier packet.
fn nothing(error: io::Error) -> Result<()> {
    match error.kind() {
        io::ErrorKind::WouldBlock
        | io::ErrorKind::Interrupted
        | io::ErrorKind::ConnectionRefused => Ok(()),
        _ => Err(of_udp(error)),
    }
}

/// Returns what an error of a UDP socket is: not one of the output.
fn of_udp(error: io::Error) -> Failure {
    Failure::Text(format!("a UDP socket failed: {error}"))
}

impl End for UdpEnd {
    fn send(&mut self, number: u64, now: impl FnOnce() -> u64) -> Result<bool> {
        let payload = &mut self.buffer[..self.size];
        write(payload, number, now());
        match self.socket.send(payload) {
            Ok(_) => Ok(true),
            Err(error) => nothing(error).map(|()| false),
        }
    }

    fn receive(&mut self, mut look: impl FnMut(u64, u64)) -> Result<u32> {
        let mut came = 0;
        while let Some(len) = self.next()? {
            if let Some((number, time)) = read(&self.buffer[..len]) {
                came += 1;
                look(number, time);
            }
        }
        Ok(came)
    }

    fn echo(&mut self) -> Result<u32> {
        let mut came = 0;
        while let Some(len) = self.next()? {
            came += 1;
            self.socket.send(&self.buffer[..len]).map(drop).or_else(nothing)?;
        }
        Ok(came)
    }

    fn wait(&mut self, most: Duration) -> Result<()> {
        xsk::wait(&[&self.socket], Some(most))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{PAYLOAD, nothing, read, write};
    use std::io;

    #[test]
    fn an_error_of_a_udp_socket_is_not_called_one_of_the_output() {
        assert!(nothing(io::ErrorKind::WouldBlock.into()).is_ok());
        let text = nothing(io::ErrorKind::NetworkUnreachable.into()).unwrap_err().to_string();
        assert!(text.contains("UDP socket") && !text.contains("output"), "{text}");
    }

    #[test]
    fn number_and_time_are_read_as_they_were_written_and_nothing_else_is() {
        let mut payload = [0; 46];
        assert_eq!(read(&payload), None);
        write(&mut payload, 77, u64::MAX - 1);
        assert_eq!(read(&payload), Some((77, u64::MAX - 1)));
        assert_eq!(read(&payload[..PAYLOAD - 1]), None);
        payload[5] ^= 1;
        assert_eq!(read(&payload), None, "of another process");
    }
}
