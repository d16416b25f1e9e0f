//! Datagrams from the kernel, long ones too, and from other processes.

use super::*;
use rustix::net::getsockname;
use xsk_uapi::netlink::{NLM_F_ACK, NLM_F_REQUEST, NLMSG_ERROR, NLMSG_NOOP, nlmsghdr};
use zerocopy::{FromBytes, IntoBytes};

/// Returns a message of type `kind` that asks for a reply, with a payload of `payload` zeros.
fn message(kind: u16, sequence: u32, payload: usize) -> Vec<u8> {
    let len = payload.saturating_add(size_of::<nlmsghdr>());
    let header = nlmsghdr {
        nlmsg_len: u32::try_from(len).unwrap(),
        nlmsg_type: kind,
        nlmsg_flags: NLM_F_REQUEST | NLM_F_ACK,
        nlmsg_seq: sequence,
        nlmsg_pid: 0,
    };
    let mut bytes = header.as_bytes().to_vec();
    bytes.resize(len, 0);
    bytes
}

#[test]
fn a_datagram_longer_than_usual_is_read_whole() {
    let fd = open(Family::Route).unwrap();
    // Without this an error contains the whole request.
    sockopt::set(fd.as_fd(), SOL_NETLINK, NETLINK_CAP_ACK, &0_i32).unwrap();
    let mut buffer = Vec::new();
    for payload in [0, 40_000, 16, 100_000] {
        let mut request = message(u16::MAX, 7, payload);
        if let Some(last) = request.last_mut() {
            *last = 9;
        }
        send(fd.as_fd(), &request).unwrap();
        receive(fd.as_fd(), &mut buffer).unwrap();
        let (header, _) = nlmsghdr::read_from_prefix(&buffer).unwrap();
        assert_eq!(header.nlmsg_type, NLMSG_ERROR);
        let echo = &buffer[size_of::<nlmsghdr>() + 4..][..request.len()];
        assert!(echo == request, "{payload}");
    }
}

/// Only root may send to another process's netlink socket.
#[cfg(feature = "test-util")]
#[test]
fn what_another_process_sent_is_thrown_away() {
    /// The payload of an acknowledgement: an error number and the request's header.
    const PAYLOAD: usize = 4 + size_of::<nlmsghdr>();
    if !crate::test_util::privileged!() {
        return;
    }
    let (fd, other) = (open(Family::Route).unwrap(), open(Family::Route).unwrap());
    let address = SocketAddrNetlink::try_from(getsockname(&fd).unwrap()).unwrap();
    assert_ne!(address.pid(), 0);
    for payload in [0, 40_000] {
        let forged = message(NLMSG_ERROR, 5, payload);
        assert_eq!(sendto(&other, &forged, SendFlags::empty(), &address), Ok(forged.len()));
    }
    send(fd.as_fd(), &message(NLMSG_NOOP, 5, 0)).unwrap();
    let mut buffer = Vec::new();
    receive(fd.as_fd(), &mut buffer).unwrap();
    let (header, rest) = nlmsghdr::read_from_prefix(&buffer).unwrap();
    assert_eq!((header.nlmsg_type, header.nlmsg_pid), (NLMSG_ERROR, address.pid()));
    assert_eq!(rest.len(), PAYLOAD);
}
