//! Writes and reads netlink messages and attributes.
//!
//! The reader is total: for any bytes it returns parts of them or [`Malformed`].

use crate::num::usize32;
use rustix::io::Errno;
use xsk_uapi::netlink::{
    NLA_ALIGNTO, NLA_F_NESTED, NLA_TYPE_MASK, NLM_F_ACK, NLM_F_REQUEST, NLMSG_ALIGNTO, nlattr,
    nlmsghdr,
};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Messages and attributes begin at multiples of this.
const ALIGN: usize = NLMSG_ALIGNTO;
static_assertions::const_assert_eq!(NLMSG_ALIGNTO, NLA_ALIGNTO);

/// Bytes that break netlink's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

impl From<Malformed> for Errno {
    fn from(_: Malformed) -> Self {
        Self::BADMSG
    }
}

/// A request under construction: header, fixed part, attributes.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    bytes: Vec<u8>,
    kind: u16,
    flags: u16,
    /// An attribute was too long for its 16-bit length.
    overflow: bool,
}

impl Request {
    /// Makes a request of type `kind` with an acknowledgement. `fixed` is the part after the
    /// header.
    pub(crate) fn new<T: IntoBytes + Immutable>(kind: u16, flags: u16, fixed: &T) -> Self {
        let flags = flags | NLM_F_REQUEST | NLM_F_ACK;
        let mut request =
            Self { bytes: nlmsghdr::default().as_bytes().to_vec(), kind, flags, overflow: false };
        request.append(fixed.as_bytes());
        request
    }

    /// Appends an attribute.
    pub(crate) fn attribute(&mut self, kind: u16, payload: &[u8]) -> &mut Self {
        let start = self.begin(kind);
        self.append(payload);
        self.end(start, payload.len());
        self
    }

    /// Appends a 32-bit attribute.
    pub(crate) fn u32(&mut self, kind: u16, value: u32) -> &mut Self {
        self.attribute(kind, &value.to_ne_bytes())
    }

    /// Appends a signed 32-bit attribute.
    pub(crate) fn i32(&mut self, kind: u16, value: i32) -> &mut Self {
        self.attribute(kind, &value.to_ne_bytes())
    }

    /// Appends a string with its final zero byte.
    pub(crate) fn string(&mut self, kind: u16, value: impl AsRef<[u8]>) -> &mut Self {
        let value = value.as_ref();
        let start = self.begin(kind);
        let length = value.len().saturating_add(1);
        self.bytes.extend_from_slice(value);
        self.append(&[0]);
        self.end(start, length);
        self
    }

    /// Appends an attribute whose payload is what `fill` appends.
    pub(crate) fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Self)) -> &mut Self {
        let start = self.begin(kind | NLA_F_NESTED);
        let before = self.bytes.len();
        fill(self);
        let length = self.bytes.len().saturating_sub(before);
        self.end(start, length);
        self
    }

    /// Appends bytes that are no attribute: the fixed part of a message, also of one inside an
    /// attribute. Pads them.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(bytes);
        self.bytes.resize(self.bytes.len().next_multiple_of(ALIGN), 0);
        self
    }

    /// Returns the request's flags (`NLM_F_*`).
    pub(crate) fn flags(&self) -> u16 {
        self.flags
    }

    /// Returns the finished message with sequence number `sequence`, or `None` if an attribute was
    /// too long.
    pub(crate) fn finish(&self, sequence: u32) -> Option<Vec<u8>> {
        let header = nlmsghdr {
            nlmsg_len: u32::try_from(self.bytes.len()).ok()?,
            nlmsg_type: self.kind,
            nlmsg_flags: self.flags,
            nlmsg_seq: sequence,
            nlmsg_pid: 0,
        };
        let mut bytes = self.bytes.clone();
        header.write_to_prefix(&mut bytes).ok()?;
        (!self.overflow).then_some(bytes)
    }

    fn begin(&mut self, kind: u16) -> usize {
        let start = self.bytes.len();
        self.append(nlattr { nla_len: 0, nla_type: kind }.as_bytes());
        start
    }

    fn end(&mut self, start: usize, payload: usize) {
        let length =
            payload.checked_add(size_of::<nlattr>()).and_then(|length| u16::try_from(length).ok());
        self.overflow |= length.is_none();
        let length = length.unwrap_or(0).to_ne_bytes();
        if let Some(field) =
            self.bytes.get_mut(start..).and_then(|rest| rest.first_chunk_mut::<2>())
        {
            *field = length;
        }
    }
}

/// One received message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Message<'a> {
    /// Its type.
    pub(crate) kind: u16,
    /// `NLM_F_*`.
    pub(crate) flags: u16,
    /// The sequence number of the request that it replies to.
    pub(crate) sequence: u32,
    /// What follows the header.
    pub(crate) payload: &'a [u8],
}

/// The messages of a datagram. The iterator ends after a malformed one.
#[derive(Debug, Clone)]
pub(crate) struct Messages<'a>(&'a [u8]);

/// Reads a datagram.
pub(crate) fn messages(datagram: &[u8]) -> Messages<'_> {
    Messages(datagram)
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<Message<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        next_part(&mut self.0, |header: &nlmsghdr| usize32(header.nlmsg_len)).map(|part| {
            part.map(|(header, payload)| Message {
                kind: header.nlmsg_type,
                flags: header.nlmsg_flags,
                sequence: header.nlmsg_seq,
                payload,
            })
        })
    }
}

impl<'a> Message<'a> {
    /// Returns the fixed part, and the attributes after it.
    pub(crate) fn split<T: FromBytes>(&self) -> Result<(T, Attributes<'a>), Malformed> {
        split(self.payload)
    }
}

/// Returns a fixed part, and the attributes after it.
pub(crate) fn split<T: FromBytes>(payload: &[u8]) -> Result<(T, Attributes<'_>), Malformed> {
    let (fixed, _) = T::read_from_prefix(payload).map_err(|_| Malformed)?;
    let rest = payload.get(size_of::<T>().next_multiple_of(ALIGN)..).unwrap_or_default();
    Ok((fixed, Attributes(rest)))
}

/// One received attribute.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attribute<'a> {
    /// Its type, without the flags.
    pub(crate) kind: u16,
    /// Its bytes, without padding.
    pub(crate) payload: &'a [u8],
}

impl<'a> Attribute<'a> {
    /// Returns the payload as a number, or another plain value; a longer payload is cut, as the
    /// kernel does.
    pub(crate) fn value<T: FromBytes>(&self) -> Result<T, Malformed> {
        T::read_from_prefix(self.payload).map(|(value, _)| value).map_err(|_| Malformed)
    }

    /// Returns the payload as text up to its zero byte.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(self.bytes_to_zero()).into_owned()
    }

    /// Returns the payload up to its first zero byte.
    pub(crate) fn bytes_to_zero(&self) -> &'a [u8] {
        self.payload.split(|byte| *byte == 0).next().unwrap_or_default()
    }

    /// Returns the attributes inside.
    pub(crate) fn nested(&self) -> Attributes<'a> {
        Attributes(self.payload)
    }
}

/// A sequence of attributes. The iterator ends after a malformed one.
#[derive(Debug, Clone)]
pub(crate) struct Attributes<'a>(&'a [u8]);

impl<'a> Attributes<'a> {
    /// Reads a sequence of attributes.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Result<Attribute<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        next_part(&mut self.0, |header: &nlattr| usize::from(header.nla_len)).map(|part| {
            part.map(|(header, payload)| Attribute {
                kind: header.nla_type & NLA_TYPE_MASK,
                payload,
            })
        })
    }
}

/// Cuts the next part with a header `H`, whose length counts the header, off `rest`.
fn next_part<'a, H: FromBytes>(
    rest: &mut &'a [u8],
    length: impl FnOnce(&H) -> usize,
) -> Option<Result<(H, &'a [u8]), Malformed>> {
    let all = std::mem::take(rest);
    if all.is_empty() {
        return None;
    }
    let part = H::read_from_prefix(all).ok().and_then(|(header, _)| {
        let length = length(&header);
        let payload = all.get(size_of::<H>()..length)?;
        // The last part may lack its padding.
        *rest = all.get(length.next_multiple_of(ALIGN)..).unwrap_or_default();
        Some((header, payload))
    });
    Some(part.ok_or(Malformed))
}
