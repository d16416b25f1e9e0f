//! Netlink: messages and attributes, acknowledgements, conversations. Knows no interface.

pub(crate) mod ack;
pub(crate) mod conversation;
pub(crate) mod message;
#[cfg(test)]
pub(crate) mod recorded;
#[cfg(test)]
mod tests;

pub(crate) use conversation::{Netlink, Refusal, Reply};
