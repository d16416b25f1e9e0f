//! Messages recorded from Linux 6.18, as hexadecimal text: for the tests of this module and of
//! `interface`.

/// `RTM_NEWLINK` of a veth with two queues and a native program, asked for with sequence number 3.
pub(crate) const VETH: &str = include_str!("recorded/veth.hex");
/// `NLMSG_ERROR`, not capped, with text: MTU 2^32-1 for `lo`, sequence number 9.
pub(crate) const REFUSED_WITH_ECHO: &str = include_str!("recorded/refused_with_echo.hex");
/// `NLMSG_ERROR`, capped, with text: the same.
pub(crate) const REFUSED: &str = include_str!("recorded/refused.hex");
/// `NLMSG_ERROR` with 0, sequence number 3: an ack.
pub(crate) const ACK: &str = include_str!("recorded/ack.hex");
/// `NLMSG_DONE`, sequence number 11.
pub(crate) const DONE: &str = include_str!("recorded/done.hex");
/// `NEWFAMILY`, cut after the family's id, 20.
pub(crate) const FAMILY: &str = include_str!("recorded/family.hex");
/// `NLMSG_ERROR` with `ENOENT`, sequence number 6: the kernel does not have the generic netlink
/// family that was asked for (`netdex`).
pub(crate) const NO_FAMILY: &str = include_str!("recorded/no_family.hex");
/// `NETDEV_CMD_DEV_GET` of a veth: XDP features 0x23.
pub(crate) const FEATURES: &str = include_str!("recorded/features.hex");

/// The bytes of a recorded message.
pub(crate) fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<char> = hex.chars().filter(char::is_ascii_hexdigit).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap())
        .collect()
}
