//! Parsing of netlink messages: recorded ones, whole, cut and spoilt.

pub(super) mod fake_card;

use super::InterfaceInfo;
use super::features::{XdpFeatures, family, family_id};
use crate::netlink::conversation::{Conversation, Refusal};
use crate::netlink::message::{Malformed, Request, messages};
use crate::netlink::recorded::{
    ACK, DONE, FAMILY, FEATURES, NO_FAMILY, REFUSED, REFUSED_WITH_ECHO, VETH, bytes,
};
#[cfg(feature = "test-util")]
use crate::test_util::fuzz::netlink as parse_any;
use crate::types::XdpMode;
use rustix::io::Errno;
use xsk_uapi::if_link::{IFLA_IFNAME, IFLA_LINKINFO};
use xsk_uapi::rtnetlink::{RTM_NEWLINK, ifinfomsg};

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
