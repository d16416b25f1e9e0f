//! AF_XDP sockets in pure Rust.

mod error;
pub mod link;
mod num;
pub mod program;
pub mod ring;
pub mod socket;
mod sys;
#[cfg(feature = "test-util")]
pub mod test_util;
pub mod umem;

pub use error::{Error, Result};
pub use link::{Attachment, Interface, Method, Mode, ModeChoice, Registration};
pub use ring::Fault;
pub use socket::{
    Completion, CopyMode, Fill, Kick, Received, Rx, RxSocket, Socket, SocketInfo, Statistics, Tx,
    TxSocket, wait,
};
pub use umem::{Frame, Pool, Umem};
pub use xsk_uapi as uapi;
