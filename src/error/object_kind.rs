//! What an object has to be, as [`Error::WrongObject`](super::Error::WrongObject) names it.

use super::MapKind;
use std::fmt;

/// What an object that was handed over or looked up has to be.
///
/// ```
/// use std::os::fd::AsFd;
/// use xsk::bpf::{Program, XskMap};
/// use xsk::error::{Error, ObjectKind};
///
/// # fn main() -> xsk::Result<()> {
/// # if !xsk::test_util::privileged("the documentation of ObjectKind") { return Ok(()); }
/// let map = XskMap::create("xsks_map", 1)?;
/// let fd = map.as_fd().try_clone_to_owned().unwrap();
/// let error = Program::from_fd(fd).unwrap_err();
/// assert!(matches!(error, Error::WrongObject { wanted: ObjectKind::XdpProgram, .. }));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ObjectKind {
    /// A BPF map.
    AnyMap,
    /// A BPF map of type XSKMAP.
    XskMap,
    /// A BPF map of a type, and with keys and values of certain sizes.
    Map {
        /// The type.
        kind: MapKind,
        /// Bytes of a key.
        key_size: u32,
        /// Bytes of a value.
        value_size: u32,
    },
    /// A BPF program of type XDP.
    XdpProgram,
    /// A program that uses a map of the name asked for.
    ProgramWithMap,
    /// A BPF link that holds an XDP program.
    XdpLink,
    /// A program that uses the map which the sockets of an attachment are registered in.
    #[non_exhaustive]
    ProgramOfAttachment {
        /// The id of that map.
        map: u32,
    },
    /// An AF_XDP socket that can receive.
    SocketWithRxRing,
    /// An AF_XDP socket that was opened, and has neither packet memory nor rings nor a queue.
    FreshSocket,
}

impl fmt::Display for ObjectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AnyMap => "a BPF map",
            Self::Map { kind: MapKind::RingBuffer, .. } => "a BPF map of type ringbuf",
            Self::Map { kind, key_size, value_size } => {
                return write!(
                    f,
                    "a BPF map of type {kind} with keys of {key_size} and values of {value_size} \
                     bytes"
                );
            }
            Self::ProgramOfAttachment { map } => {
                return write!(f, "a program over map {map}, which the sockets are in");
            }
            Self::XskMap => "a map of type XSKMAP with keys and values of four bytes",
            Self::XdpProgram => "an XDP program",
            Self::ProgramWithMap => "a program with a map of the name asked for",
            Self::XdpLink => "a link of an XDP program",
            Self::SocketWithRxRing => "an AF_XDP socket with an RX ring",
            Self::FreshSocket => "an AF_XDP socket that was opened and not used",
        })
    }
}
