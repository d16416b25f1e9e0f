//! The AF_XDP device plugin of Kubernetes: a worker in a pod gets the map of the pod's device.
//!
//! The plugin of `intel/afxdp-plugins-for-kubernetes` attaches a program to a device, moves the
//! device into the pod, and listens on a Unix socket that it mounts into the pod
//! (`/tmp/afxdp.sock`, or `/tmp/afxdp_dp/DEVICE/afxdp.sock`). A worker in the pod asks there for
//! the map of the program; DPDK does the same with `use_cni=1`. The worker opens its socket itself,
//! which takes `CAP_NET_RAW` in the pod, and puts it into the map, which takes nothing.
//!
//! Each request and each reply is a message of its own (`SOCK_SEQPACKET`) of a few words:
//!
//! | request | reply |
//! |---|---|
//! | `/connect,HOSTNAME` | `/host_ok`, or `/host_nak` |
//! | `/version` | the version |
//! | `/xsk_map_fd,DEVICE` | `/fd_ack` with the map's descriptor, or `/fd_nak` |
//! | `/config_busy_poll,MICROSECONDS,BUDGET` with the socket's descriptor | `/config_busy_poll_ack`, or `/config_busy_poll_nak` |
//! | `/fin` | `/fin_ack` |
//!
//! It replies `/nak` to what it does not know, and `/error` if it fails itself.

use super::channel::{self, Deadline};
use crate::bpf::XskMap;
use crate::error::{Error, HandoverFault, Result};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

/// The bytes that the plugin reads of a request.
const LONGEST_REQUEST: usize = 64;
/// The bytes of the longest reply, and some more.
const LONGEST_REPLY: usize = 128;
/// The pause between two tries to connect.
const PAUSE: Duration = Duration::from_millis(1);

/// A connection to the device plugin.
///
/// ```no_run
/// use std::time::{Duration, Instant};
/// use xsk::handover::device_plugin::Client;
/// use xsk::{Interface, Port};
///
/// # fn main() -> xsk::Result<()> {
/// let mut plugin = Client::connect("/tmp/afxdp.sock", "my-pod", Duration::from_secs(5))?;
/// let map = plugin.xsk_map("eth1")?;
/// plugin.finish()?;
/// let port = Port::open(&Interface::by_name("eth1")?, 0)?;
/// let slot = port.socket.register_in(&map, 0)?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Client {
    socket: OwnedFd,
    timeout: Duration,
    /// Replies to requests that were not waited for any longer: each comes before that to a later
    /// request, if it comes.
    overdue: u32,
}

/// What a reply says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reply {
    HostOk,
    FdAck,
    FinAck,
    BusyPollAck,
    /// `/host_nak`, `/fd_nak`, `/config_busy_poll_nak`, `/nak` or `/error`.
    Refusal,
    /// Anything else: the version, or nonsense.
    Other,
}

impl Reply {
    /// Reads a reply; one in C ends with a zero byte or not.
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        match text(bytes) {
            b"/host_ok" => Self::HostOk,
            b"/fd_ack" => Self::FdAck,
            b"/fin_ack" => Self::FinAck,
            b"/config_busy_poll_ack" => Self::BusyPollAck,
            b"/host_nak" | b"/fd_nak" | b"/config_busy_poll_nak" | b"/nak" | b"/error" => {
                Self::Refusal
            }
            _ => Self::Other,
        }
    }
}

/// Returns a reply without the zero bytes and white space at its end.
fn text(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    bytes.trim_ascii_end()
}

impl Client {
    /// Connects to the plugin's socket at `path` as the pod of this host name, which the plugin
    /// compares with the pods that have its devices. Each request, this one included, waits for its
    /// reply not longer than `timeout`. A reply that comes later is not taken for that to another
    /// request: it is passed over.
    ///
    /// The plugin takes one connection at a time, and, in the versions known here, one in all.
    ///
    /// # Errors
    /// [`Error::Handover`]: with `ENOENT` or `ECONNREFUSED` if nothing listens there, with
    /// [`HandoverFault::Refused`] if the plugin does not know the host name, with
    /// [`HandoverFault::TimedOut`], [`HandoverFault::Closed`] or [`HandoverFault::Unexpected`] if
    /// it does not reply as it should. [`Error::Setting`] for a host name that is empty, too long
    /// for a request, or has a comma or a zero byte in it.
    pub fn connect(path: impl AsRef<Path>, hostname: &str, timeout: Duration) -> Result<Self> {
        let operation = "connect to the device plugin";
        let request = request("/connect", "length of the host name", hostname)?;
        let failed = |errno| Error::Handover { operation, fault: HandoverFault::Socket { errno } };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket =
            socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).map_err(failed)?;
        let address = SocketAddrUnix::new(path.as_ref()).map_err(failed)?;
        let start = Instant::now();
        loop {
            match connect(&socket, &address) {
                Ok(()) => break,
                Err(Errno::INTR) => {}
                // As many wait already as may. Nothing wakes those who wait for room.
                Err(Errno::AGAIN) if start.elapsed() < timeout => std::thread::sleep(PAUSE),
                Err(Errno::AGAIN) => {
                    let fault = HandoverFault::TimedOut { waited: start.elapsed() };
                    return Err(Error::Handover { operation, fault });
                }
                Err(errno) => return Err(failed(errno)),
            }
        }
        let mut client = Self { socket, timeout, overdue: 0 };
        client.ask(operation, &request, &[], Reply::HostOk)?;
        Ok(client)
    }

    /// Sets how long each later request waits for its reply.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    /// Returns the version of the plugin's protocol: `0.1` in those known here.
    ///
    /// # Errors
    /// [`Error::Handover`].
    pub fn version(&mut self) -> Result<String> {
        let operation = "ask the device plugin for its version";
        let (reply, _) = self.ask(operation, "/version", &[], Reply::Other)?;
        if reply.is_empty() || reply.starts_with('/') {
            let request = "/version".to_owned();
            let fault = HandoverFault::Unexpected { request, reply };
            return Err(Error::Handover { operation, fault });
        }
        Ok(reply)
    }

    /// Returns the map of the program on a device of this pod.
    ///
    /// # Errors
    /// [`Error::Handover`]: with [`HandoverFault::Refused`] if it is not the pod's device, with
    /// [`HandoverFault::Descriptors`] if no descriptor came, or more than one.
    /// [`Error::WrongObject`] or [`Error::BpfObject`] if the descriptor is no XSKMAP's.
    /// [`Error::Setting`] for a name that cannot be in a request, as [`connect`](Self::connect).
    pub fn xsk_map(&mut self, device: &str) -> Result<XskMap> {
        let operation = "ask the device plugin for a map";
        let request = request("/xsk_map_fd", "length of the device's name", device)?;
        let (_, descriptors) = self.ask(operation, &request, &[], Reply::FdAck)?;
        let found = descriptors.len();
        let [map] = <[OwnedFd; 1]>::try_from(descriptors).map_err(|_| Error::Handover {
            operation,
            fault: HandoverFault::Descriptors { found, wanted: 1, cut: false },
        })?;
        XskMap::check(map, || format!("what the device plugin sent for {device}"))
    }

    /// Has the plugin switch busy polling on for a socket (`SO_PREFER_BUSY_POLL`, 5.11), which
    /// takes `CAP_NET_ADMIN`: a system call looks for packets itself for so many microseconds, and
    /// takes `budget` of them at once.
    ///
    /// The plugin gets a descriptor of the socket, which stays open until it closes it.
    ///
    /// # Errors
    /// [`Error::Handover`]: with [`HandoverFault::Refused`] if the kernel or the plugin refuses.
    #[doc(alias = "SO_PREFER_BUSY_POLL")]
    pub fn set_busy_poll(
        &mut self,
        socket: impl AsFd,
        microseconds: u32,
        budget: u16,
    ) -> Result<()> {
        let operation = "have the device plugin switch busy polling on";
        let request = format!("/config_busy_poll,{microseconds},{budget}");
        self.ask(operation, &request, &[socket.as_fd()], Reply::BusyPollAck).map(drop)
    }

    /// Ends the connection in order: the plugin stops listening for this pod then.
    ///
    /// # Errors
    /// [`Error::Handover`].
    pub fn finish(mut self) -> Result<()> {
        self.ask("end the connection to the device plugin", "/fin", &[], Reply::FinAck).map(drop)
    }

    /// Sends a request with descriptors and waits for its reply, which has to be `wanted`. Returns
    /// the reply's text, and the descriptors that came with it.
    fn ask(
        &mut self,
        operation: &'static str,
        request: &str,
        sent: &[BorrowedFd<'_>],
        wanted: Reply,
    ) -> Result<(String, Vec<OwnedFd>)> {
        let failed = |fault| Error::Handover { operation, fault };
        let deadline = Deadline::after(Some(self.timeout));
        let socket = self.socket.as_fd();
        channel::send_all(socket, request.as_bytes(), sent, deadline).map_err(failed)?;
        let mut buffer = [0; LONGEST_REPLY];
        let mut descriptors = Vec::new();
        let received = loop {
            let received = match channel::receive(socket, &mut buffer, &mut descriptors, deadline) {
                Ok(received) => received,
                Err(fault) => {
                    self.overdue = self.overdue.saturating_add(1);
                    return Err(failed(fault));
                }
            };
            if received.bytes == 0 {
                return Err(failed(HandoverFault::Closed { bytes: 0 }));
            }
            let Some(overdue) = self.overdue.checked_sub(1) else { break received };
            self.overdue = overdue;
            descriptors.clear();
        };
        let reply = buffer.get(..received.bytes).unwrap_or_default();
        let shown = text(reply).escape_ascii().to_string();
        let request = request.to_owned();
        match Reply::parse(reply) {
            Reply::Refusal => Err(failed(HandoverFault::Refused { request, reply: shown })),
            found if found == wanted && !received.cut => {
                if received.descriptors_cut {
                    let found = descriptors.len();
                    let fault = HandoverFault::Descriptors { found, wanted: 1, cut: true };
                    return Err(failed(fault));
                }
                Ok((shown, descriptors))
            }
            _ => Err(failed(HandoverFault::Unexpected { request, reply: shown })),
        }
    }
}

/// Returns a request about `object`. The plugin takes a request apart at its commas, takes spaces
/// out, and reads no more than [`LONGEST_REQUEST`] bytes.
fn request(command: &str, name: &'static str, object: &str) -> Result<String> {
    let request = format!("{command},{object}");
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b',';
    if object.is_empty() || !object.bytes().all(plain) || request.len() > LONGEST_REQUEST {
        let value = crate::num::u64_of(object.len());
        let rule = "is that of a word without a comma, which fits a request of 64 bytes";
        return Err(Error::Setting { name, value, rule });
    }
    Ok(request)
}
