//! Reads the kernel's acknowledgement of a request: an error number, and a text.

use super::message::{Attributes, Malformed, Message};
use crate::num::usize32;
use rustix::io::Errno;
use xsk_uapi::netlink::{NLM_F_ACK_TLVS, NLM_F_CAPPED, NLMSG_ALIGNTO, NLMSGERR_ATTR_MSG, nlmsghdr};
use zerocopy::FromBytes;

/// The end of the replies to a request (`NLMSG_ERROR`, `NLMSG_DONE`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ack {
    /// The error, or `None` for success.
    pub(crate) errno: Option<Errno>,
    /// `NLMSGERR_ATTR_MSG`: the kernel's text; with success, a warning.
    pub(crate) text: Option<String>,
}

impl Ack {
    /// Reads an `NLMSG_ERROR`: an error number, the request's header, the request if it is echoed,
    /// attributes.
    pub(crate) fn of_error(message: &Message<'_>) -> Result<Self, Malformed> {
        let (error, rest) = i32::read_from_prefix(message.payload).map_err(|_| Malformed)?;
        let (echo, _) = nlmsghdr::read_from_prefix(rest).map_err(|_| Malformed)?;
        let skip = if message.flags & NLM_F_CAPPED == 0 && error != 0 {
            usize32(echo.nlmsg_len)
                .max(size_of::<nlmsghdr>())
                .checked_next_multiple_of(NLMSG_ALIGNTO)
                .ok_or(Malformed)?
        } else {
            size_of::<nlmsghdr>()
        };
        Self::new(error, message.flags, rest.get(skip..))
    }

    /// Reads an `NLMSG_DONE`: an error number, which very old kernels leave out, and attributes.
    pub(crate) fn of_done(message: &Message<'_>) -> Result<Self, Malformed> {
        match i32::read_from_prefix(message.payload) {
            Ok((error, rest)) => Self::new(error, message.flags, Some(rest)),
            Err(_) => Ok(Self { errno: None, text: None }),
        }
    }

    fn new(error: i32, flags: u16, attributes: Option<&[u8]>) -> Result<Self, Malformed> {
        let errno = match error {
            0 => None,
            // The kernel's numbers are -4095..=-1.
            -4095..0 => Some(Errno::from_raw_os_error(error.wrapping_neg())),
            _ => return Err(Malformed),
        };
        let mut text = None;
        if flags & NLM_F_ACK_TLVS != 0 {
            for attribute in Attributes::new(attributes.unwrap_or_default()) {
                // An error with a malformed text is still that error.
                let Ok(attribute) = attribute else { break };
                if attribute.kind == NLMSGERR_ATTR_MSG {
                    text = Some(attribute.text());
                }
            }
        }
        Ok(Self { errno, text })
    }
}

#[cfg(test)]
mod tests {
    use super::Ack;
    use crate::netlink::message::{Malformed, Message};
    use xsk_uapi::netlink::NLMSG_ERROR;

    /// On a 32-bit machine the next multiple of four of the largest length does not exist.
    #[test]
    fn an_echoed_length_that_cannot_be_has_no_text() {
        let mut payload = (-22_i32).to_ne_bytes().to_vec();
        payload.extend(u32::MAX.to_ne_bytes());
        payload.extend([0; 12]);
        let message = Message { kind: NLMSG_ERROR, flags: 0, sequence: 1, payload: &payload };
        match Ack::of_error(&message) {
            Ok(ack) => assert!(ack.errno.is_some() && ack.text.is_none()),
            Err(malformed) => assert_eq!(malformed, Malformed),
        }
    }
}
