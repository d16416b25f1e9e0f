//! Netlink's format: recorded messages of Linux 6.18, and what is left of them when they are cut or spoilt.

use super::InterfaceInfo;
use super::features::{XdpFeatures, family, family_id};
use crate::netlink::ack::Ack;
use crate::netlink::conversation::{Conversation, Refusal};
use crate::netlink::message::{Attributes, Malformed, Request, messages};
#[cfg(feature = "test-util")]
use crate::test_util::fuzz::netlink as parse_any;
use crate::types::XdpMode;
use rustix::io::Errno;
use xsk_uapi::if_link::{IFLA_IFNAME, IFLA_LINKINFO, IFLA_MTU};
use xsk_uapi::netlink::{NLA_F_NESTED, NLMSG_DONE};
use xsk_uapi::rtnetlink::{RTM_GETLINK, RTM_NEWLINK, ifinfomsg};

/// `RTM_NEWLINK` of a veth with two queues and a native program, asked for with number 3.
const VETH: &str = include_str!("recorded/veth.hex");
/// `NLMSG_ERROR`, not capped, with text: MTU 2^32-1 for `lo`, number 9.
const REFUSED_WITH_ECHO: &str = include_str!("recorded/refused_with_echo.hex");
/// `NLMSG_ERROR`, capped, with text: the same.
const REFUSED: &str = include_str!("recorded/refused.hex");
/// `NLMSG_ERROR` with 0, number 3: an ack.
const ACK: &str = include_str!("recorded/ack.hex");
/// `NLMSG_DONE`, number 11.
const DONE: &str = include_str!("recorded/done.hex");
/// `NEWFAMILY`, cut after the number, 20.
const FAMILY: &str = include_str!("recorded/family.hex");
/// `NLMSG_ERROR` with `ENOENT`, number 6: asked for a generic netlink family that the kernel does not have (`netdex`).
const NO_FAMILY: &str = include_str!("recorded/no_family.hex");
/// `NETDEV_CMD_DEV_GET` of a veth: XDP features 0x23.
const FEATURES: &str = include_str!("recorded/features.hex");

/// The fuzz entry point is a part of feature `test-util`.
#[cfg(not(feature = "test-util"))]
fn parse_any(_: &[u8]) {}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<char> = hex.chars().filter(char::is_ascii_hexdigit).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap())
        .collect()
}

fn all_recorded() -> Vec<Vec<u8>> {
    [VETH, REFUSED_WITH_ECHO, REFUSED, ACK, DONE, FAMILY, NO_FAMILY, FEATURES].map(bytes).to_vec()
}

#[test]
fn a_request_is_laid_out_as_the_kernel_reads_it() {
    let mut request =
        Request::new(RTM_NEWLINK, 0x600, &ifinfomsg { ifi_index: 7, ..ifinfomsg::default() });
    request.string(IFLA_IFNAME, "veth0").u32(IFLA_MTU, 1500).nest(IFLA_LINKINFO, |info| {
        info.attribute(1, b"ab");
    });
    let mut expected = vec![];
    expected.extend(64_u32.to_ne_bytes());
    expected.extend([RTM_NEWLINK, 0x605].map(u16::to_ne_bytes).concat());
    expected.extend([0x0102_0304_u32, 0, 0, 7, 0, 0].map(u32::to_ne_bytes).concat());
    expected.extend([10, IFLA_IFNAME].map(u16::to_ne_bytes).concat());
    expected.extend(b"veth0\0\0\0");
    expected.extend([8, IFLA_MTU].map(u16::to_ne_bytes).concat());
    expected.extend(1500_u32.to_ne_bytes());
    expected.extend([12, IFLA_LINKINFO | NLA_F_NESTED].map(u16::to_ne_bytes).concat());
    expected.extend([6, 1].map(u16::to_ne_bytes).concat());
    expected.extend(b"ab\0\0");
    assert_eq!(request.finish(0x0102_0304), Some(expected));
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
fn an_attribute_that_is_too_long_is_not_sent() {
    let longest = usize::from(u16::MAX) - 4;
    let mut request = Request::new(RTM_GETLINK, 0, &ifinfomsg::default());
    assert!(request.attribute(1, &vec![0; longest]).finish(1).is_some());
    assert!(request.clone().attribute(1, &vec![0; longest + 1]).finish(1).is_none());
    let nested = request.nest(1, |inner| {
        inner.attribute(1, &vec![0; longest]);
    });
    assert!(nested.finish(1).is_none(), "the nest is longer than what is in it");
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
fn a_refusal_is_understood_with_and_without_echo() {
    for refused in [REFUSED, REFUSED_WITH_ECHO] {
        let refused = bytes(refused);
        let ack = Ack::of_error(&messages(&refused).next().unwrap().unwrap()).unwrap();
        assert_eq!(ack.errno, Some(Errno::INVAL));
        assert_eq!(ack.text.as_deref(), Some("mtu less than device minimum"));
    }
    let ack = bytes(ACK);
    let ack = Ack::of_error(&messages(&ack).next().unwrap().unwrap()).unwrap();
    assert_eq!(ack, Ack { errno: None, text: None });
}

#[test]
fn a_number_that_is_no_error_number_is_malformed() {
    for error in [1, i32::MAX, i32::MIN, -4096] {
        let mut spoilt = bytes(ACK);
        spoilt[16..20].copy_from_slice(&error.to_ne_bytes());
        assert_eq!(
            Ack::of_error(&messages(&spoilt).next().unwrap().unwrap()),
            Err(Malformed),
            "{error}"
        );
    }
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
    assert!(family(Ok(Vec::new())).is_err(), "an answer without a reply");
}

#[test]
fn a_conversation_ends_with_its_own_ack() {
    let mut conversation = Conversation::new(3, false);
    let mut stale = bytes(ACK);
    stale[8] = 2;
    assert_eq!(conversation.read(&stale), Ok(None), "an answer to an earlier request");
    assert_eq!(conversation.read(&bytes(VETH)), Ok(None));
    assert_eq!(conversation.read(&bytes(ACK)), Ok(Some(Ack { errno: None, text: None })));
    assert_eq!(conversation.replies().len(), 1);
}

#[test]
fn a_dump_may_come_in_one_datagram_or_many() {
    let mut part = bytes(VETH);
    part[8] = 11;
    let mut conversation = Conversation::new(11, true);
    assert_eq!(conversation.read(&[part.clone(), part.clone()].concat()), Ok(None));
    assert_eq!(
        conversation.read(&[part.clone(), bytes(DONE)].concat()),
        Ok(Some(Ack { errno: None, text: None }))
    );
    assert_eq!(conversation.replies().len(), 3);
    assert!(!conversation.interrupted());

    let mut conversation = Conversation::new(11, true);
    part[6] |= 0x10;
    assert_eq!(conversation.read(&part), Ok(None));
    assert!(conversation.interrupted(), "NLM_F_DUMP_INTR");
}

#[test]
fn a_done_may_carry_an_error() {
    let mut done = bytes(DONE);
    done[16..20].copy_from_slice(&(-16_i32).to_ne_bytes());
    let message = messages(&done).next().unwrap().unwrap();
    assert_eq!(
        (message.kind, Ack::of_done(&message).unwrap().errno),
        (NLMSG_DONE, Some(Errno::BUSY))
    );
}

#[test]
fn lengths_that_lie_are_malformed() {
    for length in [0_u32, 15, 0x500, u32::MAX] {
        let mut spoilt = bytes(VETH);
        spoilt[..4].copy_from_slice(&length.to_ne_bytes());
        assert_eq!(messages(&spoilt).next().unwrap().unwrap_err(), Malformed, "{length}");
        assert_eq!(messages(&spoilt).count(), 1, "no reading on after that");
    }
    for length in [0_u16, 3, 9, u16::MAX] {
        let mut attribute = [8_u16, 1, 0, 0].map(u16::to_ne_bytes).concat();
        attribute[..2].copy_from_slice(&length.to_ne_bytes());
        let read: Vec<_> = Attributes::new(&attribute).collect();
        assert!(matches!(read[..], [Err(Malformed)]), "{length}");
    }
}

#[test]
fn cut_messages_are_malformed() {
    for whole in all_recorded() {
        for length in 1..whole.len() {
            let cut = &whole[..length];
            assert_eq!(messages(cut).next().unwrap().unwrap_err(), Malformed);
            parse_any(cut);
            // The same, with a length that fits what is left.
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
    // A fixed walk through single and double spoilt bytes (xorshift).
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
