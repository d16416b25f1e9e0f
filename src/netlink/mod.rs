//! Netlink: messages and attributes, acknowledgements, conversations. Knows no interface.

pub(crate) mod ack;
pub(crate) mod conversation;
pub(crate) mod message;

pub(crate) use conversation::{Netlink, Refusal, Reply};
