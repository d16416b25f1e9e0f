//! Parsing of netlink messages: recorded ones, whole, cut and spoilt.

pub(super) mod fake_card;

use super::InterfaceInfo;
use super::features::{XdpFeatures, family, family_id};
use super::queue_state::{QueueSide, QueueState, queue_side};
use super::xdp_socket::XdpSocketInfo;
use crate::netlink::conversation::{Conversation, Refusal};
use crate::netlink::message::{Malformed, Message, Request, messages};
use crate::netlink::recorded::{
    ACK, DONE, FAMILY, FEATURES, NO_FAMILY, REFUSED, REFUSED_WITH_ECHO, VETH, bytes,
};
#[cfg(feature = "test-util")]
use crate::test_util::fuzz::netlink as parse_any;
use crate::types::XdpMode;
use rustix::io::Errno;
use xsk_uapi::genetlink::genlmsghdr;
use xsk_uapi::if_link::{IFLA_IFNAME, IFLA_LINKINFO};
use xsk_uapi::netdev::{
    NETDEV_A_DEV_XDP_FEATURES, NETDEV_A_QUEUE_ID, NETDEV_A_QUEUE_NAPI_ID, NETDEV_A_QUEUE_TYPE,
};
use xsk_uapi::rtnetlink::{RTM_NEWLINK, ifinfomsg};
use xsk_uapi::unix_diag::SOCK_DIAG_BY_FAMILY;
use xsk_uapi::xdp_diag::{
    XDP_DIAG_INFO, XDP_DIAG_RX_RING, XDP_DIAG_STATS, XDP_DIAG_UID, XDP_DIAG_UMEM,
    XDP_DIAG_UMEM_FILL_RING, XDP_DU_F_ZEROCOPY, xdp_diag_info, xdp_diag_msg, xdp_diag_stats,
    xdp_diag_umem,
};
use zerocopy::IntoBytes;

/// The fuzz entry point is a part of feature `test-util`.
#[cfg(not(feature = "test-util"))]
fn parse_any(_: &[u8]) {}

fn all_recorded() -> Vec<Vec<u8>> {
    [VETH, REFUSED_WITH_ECHO, REFUSED, ACK, DONE, FAMILY, NO_FAMILY, FEATURES].map(bytes).to_vec()
}

#[test]
fn what_is_written_is_read_back() {
    let mut request =
        Request::new(RTM_NEWLINK, 0, &ifinfomsg { ifi_index: 7, ..ifinfomsg::default() });
    request.string(IFLA_IFNAME, "veth0").nest(IFLA_LINKINFO, |info| {
        info.string(1, "bridge").attribute(2, &[]);
    });
    let written = request.finish(5).unwrap();
    let message = messages(&written).next().unwrap().unwrap();
    assert_eq!((message.kind, message.sequence), (RTM_NEWLINK, 5));
    let info = InterfaceInfo::read(&message).unwrap().unwrap();
    assert_eq!(
        (info.index, info.name.as_str(), info.kind.as_deref()),
        (7, "veth0", Some("bridge"))
    );
}

#[test]
fn an_interface_is_understood() {
    let veth = bytes(VETH);
    let message = messages(&veth).next().unwrap().unwrap();
    let info = InterfaceInfo::read(&message).unwrap().unwrap();
    assert_eq!((info.name.as_str(), info.index, info.mtu), ("v0", 3, 1500));
    assert_eq!((info.rx_queues, info.tx_queues), (2, 2));
    assert_eq!(info.mac, Some([0xc2, 0x6a, 0x28, 0xaa, 0x80, 0x5d]));
    assert_eq!(info.kind.as_deref(), Some("veth"));
    assert_eq!((info.up, info.carrier, info.running, info.master), (false, false, false, None));
    assert_eq!(info.programs.programs().collect::<Vec<_>>(), [(XdpMode::Native, 0x23c)]);
}

#[test]
fn generic_netlink_is_understood() {
    let (family, features) = (bytes(FAMILY), bytes(FEATURES));
    assert_eq!(family_id(&messages(&family).next().unwrap().unwrap()), Ok(Some(20)));
    let features = XdpFeatures::read(&messages(&features).next().unwrap().unwrap()).unwrap();
    assert!(
        features.native()
            && features.redirect()
            && !features.zero_copy()
            && features.receive_segments()
    );
    assert_eq!((features.bits(), features.zero_copy_max_segments()), (0x23, None));
}

#[test]
fn before_6_3_there_is_no_family_and_nothing_is_claimed() {
    let mut conversation = Conversation::new(6, false);
    let end = conversation.read(&bytes(NO_FAMILY)).unwrap().unwrap();
    let refused = |errno| {
        let text = end.text.clone();
        family(Err(Refusal { errno, text }))
    };
    assert_eq!(refused(end.errno.unwrap()), Ok(None));
    let other = refused(Errno::PERM).unwrap_err();
    assert_eq!(other.errno, Errno::PERM, "not an old kernel");

    let mut conversation = Conversation::new(5, false);
    assert_eq!(conversation.read(&bytes(FAMILY)), Ok(None));
    assert_eq!(family(Ok(conversation.replies().to_vec())), Ok(Some(20)));
    assert!(family(Ok(Vec::new())).is_err(), "an acknowledgement without a reply");
}

#[test]
fn cut_messages_are_malformed() {
    for whole in all_recorded() {
        for length in 1..whole.len() {
            let cut = &whole[..length];
            assert_eq!(messages(cut).next().unwrap().unwrap_err(), Malformed);
            parse_any(cut);
            // The same, with a length field that fits.
            let mut fitted = cut.to_vec();
            if let Some(field) = fitted.first_chunk_mut::<4>() {
                *field = u32::try_from(length).unwrap().to_ne_bytes();
            }
            parse_any(&fitted);
        }
    }
}

#[test]
fn spoilt_messages_do_no_harm() {
    // One or two spoilt bytes in each, at random places from a fixed seed (xorshift).
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for whole in all_recorded() {
        for _ in 0..20_000 {
            let mut spoilt = whole.clone();
            for _ in 0..2 {
                let at = random() % u64::try_from(spoilt.len()).unwrap();
                let at = usize::try_from(at).unwrap();
                spoilt[at] = random().to_le_bytes()[0];
            }
            parse_any(&spoilt);
        }
    }
}

/// Returns a message of another family as it is received, with `fixed` before the attributes that
/// `fill` appends.
fn with_message(
    kind: u16,
    fixed: &[u8],
    fill: impl FnOnce(&mut Request),
    read: impl FnOnce(&Message<'_>),
) {
    let mut request = Request::new(kind, 0, &());
    request.append(fixed);
    fill(&mut request);
    let bytes = request.finish(1).unwrap();
    read(&messages(&bytes).next().unwrap().unwrap());
}

#[test]
fn a_socket_of_another_process_is_understood() {
    let head = xdp_diag_msg { xdiag_ino: 4711, xdiag_cookie: [7, 1], ..Default::default() };
    let fill = |request: &mut Request| {
        let umem = xdp_diag_umem {
            size: 1 << 20,
            id: 3,
            chunk_size: 2048,
            headroom: 16,
            flags: XDP_DU_F_ZEROCOPY,
            ..Default::default()
        };
        let stats = xdp_diag_stats { n_rx_dropped: 5, n_tx_ring_empty: 6, ..Default::default() };
        let info = xdp_diag_info { ifindex: 9, queue_id: 2 };
        request.attribute(XDP_DIAG_INFO, info.as_bytes()).u32(XDP_DIAG_UID, 1000);
        request.u32(XDP_DIAG_RX_RING, 512).u32(XDP_DIAG_UMEM_FILL_RING, 1024);
        request.attribute(XDP_DIAG_UMEM, umem.as_bytes());
        request.attribute(XDP_DIAG_STATS, stats.as_bytes());
    };
    with_message(SOCK_DIAG_BY_FAMILY, head.as_bytes(), fill, |message| {
        let socket = XdpSocketInfo::read(message).unwrap();
        assert_eq!((socket.interface_index, socket.queue, socket.inode), (9, 2, 4711));
        assert_eq!((socket.cookie, socket.uid), (1 << 32 | 7, Some(1000)));
        let umem = socket.umem.unwrap();
        assert_eq!((umem.id, umem.bytes, umem.chunk_size, umem.headroom), (3, 1 << 20, 2048, 16));
        assert!(umem.zero_copy);
        assert_eq!((socket.rx_ring, socket.tx_ring), (Some(512), None));
        assert_eq!((socket.fill_ring, socket.completion_ring), (Some(1024), None));
        let counters = socket.counters.unwrap();
        assert_eq!((counters.rx_dropped, counters.tx_ring_empty), (5, 6));
    });
}

#[test]
fn a_kernel_that_reports_no_sockets_is_not_taken_for_free_queues() {
    let fill = |request: &mut Request| {
        request
            .u32(NETDEV_A_QUEUE_ID, 3)
            .u32(NETDEV_A_QUEUE_TYPE, 1)
            .u32(NETDEV_A_QUEUE_NAPI_ID, 8);
    };
    with_message(20, genlmsghdr::default().as_bytes(), fill, |message| {
        for (too_old, has_socket) in [(true, None), (false, Some(false))] {
            let (queue, kind, side) = queue_side(message, too_old).unwrap();
            assert_eq!((queue, kind, side.napi, side.has_socket), (3, 1, Some(8), has_socket));
        }
    });
    let sides = |rx, tx| QueueState {
        rx: Some(QueueSide { has_socket: rx, ..QueueSide::default() }),
        tx: Some(QueueSide { has_socket: tx, ..QueueSide::default() }),
        ..QueueState::default()
    };
    assert_eq!(sides(Some(false), Some(true)).has_socket(), Some(true));
    assert_eq!(sides(None, Some(true)).has_socket(), Some(true));
    assert_eq!(sides(Some(false), None).has_socket(), None);
    assert_eq!(sides(Some(false), Some(false)).has_socket(), Some(false));
    assert_eq!(QueueState::default().has_socket(), None);
}

#[test]
fn bits_without_a_name_are_shown_as_a_number() {
    let fill = |request: &mut Request| {
        request.attribute(NETDEV_A_DEV_XDP_FEATURES, &0x8000_0001_u64.to_ne_bytes());
    };
    with_message(20, genlmsghdr::default().as_bytes(), fill, |message| {
        let features = XdpFeatures::read(message).unwrap();
        let text = format!("{features:?}");
        assert!(text.contains("xdp: BASIC | 0x80000000, "), "{text}");
        assert!(text.contains("rx_metadata: None, xsk: None"), "{text}");
        assert_eq!((features.rx_hash(), features.tx_metadata_bits()), (None, None));
        assert!(!features.tx_checksum());
    });
}
