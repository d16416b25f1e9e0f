//! Texts of errors about settings of a device.

use super::Texts;
use crate::error::Error;
use expect_test::expect;
use rustix::io::Errno;

#[test]
fn texts_are_as_pinned() {
    super::check(texts());
}

/// Returns the errors and their pinned texts.
// Not formatted: `UPDATE_EXPECT` does not find the texts where rustfmt puts them.
#[rustfmt::skip]
pub(super) fn texts() -> Texts {
    let error = |operation, errno, message: Option<&str>| Error::Interface {
        name: "eth1".to_owned(),
        operation,
        errno,
        message: message.map(str::to_owned),
    };
    vec![
        (error("set the channels of", Errno::INVAL, None),
            expect!["cannot set the channels of interface eth1: EINVAL (Invalid argument). Perhaps a queue that would go has an AF_XDP socket on it, or the RSS table or a flow rule brings packets to it: close the socket, or take the queue out of them first"]),
        (error("set the channels of", Errno::INVAL, Some("5 RX channels, of which it has at most 4")),
            expect![[r#"cannot set the channels of interface eth1: EINVAL (Invalid argument), "5 RX channels, of which it has at most 4""#]]),
        (error("set the channels of", Errno::OPNOTSUPP, None),
            expect!["cannot set the channels of interface eth1: EOPNOTSUPP (Operation not supported). Either its driver has no channels, or their number is fixed: `ethtool -l` shows those that there are"]),
        (error("set the ring sizes of", Errno::OPNOTSUPP, None),
            expect!["cannot set the ring sizes of interface eth1: EOPNOTSUPP (Operation not supported). Either its driver has no rings of its own, as those of virtual devices, or their size is fixed: `ethtool -g` shows those that there are"]),
        (error("set the ring sizes of", Errno::INVAL, Some("an RX ring of 9 entries, where it can have at most 8")),
            expect![[r#"cannot set the ring sizes of interface eth1: EINVAL (Invalid argument), "an RX ring of 9 entries, where it can have at most 8""#]]),
        (error("add a flow rule to", Errno::OPNOTSUPP, None),
            expect!["cannot add a flow rule to interface eth1: EOPNOTSUPP (Operation not supported). Its driver has no flow rules, or not of this kind: virtual devices have none, and a card compares only some fields, with some masks. Choose the packets by an XDP program of your own instead"]),
        (error("add a flow rule to", Errno::OPNOTSUPP, Some("its feature ntuple-filters is off")),
            expect![[r#"cannot add a flow rule to interface eth1: EOPNOTSUPP (Operation not supported), "its feature ntuple-filters is off". `ethtool -K eth1 ntuple on` switches it on (`Interface::set_ntuple(true)`); it fails for a driver without flow rules"#]]),
        (error("add a flow rule to", Errno::INVAL, Some("RX queue 2, of 2 that are numbered from 0")),
            expect![[r#"cannot add a flow rule to interface eth1: EINVAL (Invalid argument), "RX queue 2, of 2 that are numbered from 0""#]]),
        (error("add a flow rule to", Errno::NOSPC, Some("all 16 places of its table are taken")),
            expect![[r#"cannot add a flow rule to interface eth1: ENOSPC (No space left on device), "all 16 places of its table are taken""#]]),
        (error("add a flow rule to", Errno::INVAL, None),
            expect!["cannot add a flow rule to interface eth1: EINVAL (Invalid argument). The driver cannot compare these fields, or not with these masks: many want certain fields of a packet together, and one mask for all rules; the kernel's log may say more"]),
        (error("remove a flow rule from", Errno::CANCELED, Some("another rule, or none, is at its place, which stays so")),
            expect![[r#"cannot remove a flow rule from interface eth1: ECANCELED (Operation canceled), "another rule, or none, is at its place, which stays so""#]]),
        (error("list the flow rules of", Errno::OPNOTSUPP, None),
            expect!["cannot list the flow rules of interface eth1: EOPNOTSUPP (Operation not supported). Its driver has no flow rules, or not of this kind: virtual devices have none, and a card compares only some fields, with some masks. Choose the packets by an XDP program of your own instead"]),
        (error("switch the feature ntuple-filters of", Errno::OPNOTSUPP, None),
            expect!["cannot switch the feature ntuple-filters of interface eth1: EOPNOTSUPP (Operation not supported). Its driver does not have this feature, or not as one to be switched: `ethtool -k` shows it"]),
        (error("set the receive hash of", Errno::OPNOTSUPP, None),
            expect!["cannot set the receive hash of interface eth1: EOPNOTSUPP (Operation not supported). Its driver has no receive hash that can be changed, or not in this way: `ethtool -x` shows what there is"]),
        (error("set the receive hash of", Errno::INVAL, Some("queue 3 is the only one in its table")),
            expect![[r#"cannot set the receive hash of interface eth1: EINVAL (Invalid argument), "queue 3 is the only one in its table""#]]),
        (error("set the hash fields of", Errno::INVAL, None),
            expect!["cannot set the hash fields of interface eth1: EINVAL (Invalid argument). The driver cannot hash such packets by these fields: most can change those of UDP only, and have the addresses always and the two ports together"]),
        (error("set the hash fields of", Errno::PERM, None),
            expect!["cannot set the hash fields of interface eth1: EPERM (Operation not permitted). This needs CAP_NET_ADMIN in the user namespace that owns this network namespace: run it as root (`sudo`), or grant it (`setcap`, AmbientCapabilities= in systemd)"]),
        (error("restore the channels of", Errno::CANCELED, Some("another value was set since, which stays")),
            expect![[r#"cannot restore the channels of interface eth1: ECANCELED (Operation canceled), "another value was set since, which stays""#]]),
    ]
}
