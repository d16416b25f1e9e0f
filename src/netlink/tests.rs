//! Netlink's format, with recorded messages.

use super::ack::Ack;
use super::conversation::Conversation;
use super::message::{Attributes, Malformed, Request, messages};
use super::recorded::{ACK, DONE, REFUSED, REFUSED_WITH_ECHO, VETH, bytes};
use rustix::io::Errno;
use xsk_uapi::if_link::{IFLA_IFNAME, IFLA_LINKINFO, IFLA_MTU};
use xsk_uapi::netlink::{NLA_F_NESTED, NLMSG_DONE};
use xsk_uapi::rtnetlink::{RTM_GETLINK, RTM_NEWLINK, ifinfomsg};

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
fn an_attribute_that_is_too_long_is_not_sent() {
    let longest = usize::from(u16::MAX) - 4;
    let mut request = Request::new(RTM_GETLINK, 0, &ifinfomsg::default());
    assert!(request.attribute(1, &vec![0; longest]).finish(1).is_some());
    assert!(request.clone().attribute(1, &vec![0; longest + 1]).finish(1).is_none());
    let nested = request.nest(1, |inner| {
        inner.attribute(1, &vec![0; longest]);
    });
    assert!(nested.finish(1).is_none(), "the nest with its header is too long");
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
fn a_conversation_ends_with_its_own_ack() {
    let mut conversation = Conversation::new(3, false);
    let mut stale = bytes(ACK);
    stale[8] = 2;
    assert_eq!(conversation.read(&stale), Ok(None), "the reply to an earlier request");
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
fn wrong_lengths_are_malformed() {
    for length in [0_u32, 15, 0x500, u32::MAX] {
        let mut spoilt = bytes(VETH);
        spoilt[..4].copy_from_slice(&length.to_ne_bytes());
        assert_eq!(messages(&spoilt).next().unwrap().unwrap_err(), Malformed, "{length}");
        assert_eq!(messages(&spoilt).count(), 1, "parsing ends there");
    }
    for length in [0_u16, 3, 9, u16::MAX] {
        let mut attribute = [8_u16, 1, 0, 0].map(u16::to_ne_bytes).concat();
        attribute[..2].copy_from_slice(&length.to_ne_bytes());
        let read: Vec<_> = Attributes::new(&attribute).collect();
        assert!(matches!(read[..], [Err(Malformed)]), "{length}");
    }
}
