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
        (error("restore the channels of", Errno::CANCELED, Some("another value was set since, which stays")),
            expect![[r#"cannot restore the channels of interface eth1: errno 125 (Operation canceled), "another value was set since, which stays""#]]),
    ]
}
