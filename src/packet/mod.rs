//! Finishes checksums that the sender of a packet left to the network card; and what the card knows of
//! a received packet ([`RxMetadata`]), or is asked for one that is sent
//! ([`TxMetadata`]).
//!
//! # Why checksums are missing
//!
//! The kernel leaves the checksums of TCP and UDP to the network card where the card can compute
//! them, and a virtual interface says that it can (`ethtool -k`: `tx-checksumming: on`). Of a
//! packet that comes through a veth pair from a container, a namespace or a virtual machine on the
//! same host, only the pseudo-header was summed; its sum is in the checksum field, and no card ever
//! does the rest. The kernel knows that of its own packets (`CHECKSUM_PARTIAL`, called *partial*
//! here); an XDP program and an AF_XDP socket see the bytes alone.
//!
//! If such a packet is sent on, its receiver drops it, and counts it (`nstat -az TcpInCsumErrors
//! UdpInCsumErrors`). ICMP is never left to the card, so `ping` works and TCP does not. There are
//! two cures: [`finish_checksum`] on each packet that is sent on; or the sender computes its
//! checksums itself, which takes `ethtool -K INTERFACE tx off` at every far end.
//!
//! # Packets longer than the MTU
//!
//! Cutting TCP's data into packets is left to the card, too. A program in native mode on one end of
//! a veth pair switches that off at the other end. In generic mode nothing does: packets of up to
//! 64 KiB come, and those longer than a chunk has room for are dropped
//! ([`Statistics::rx_dropped`](crate::Statistics::rx_dropped)). The cure is
//! `ethtool -K INTERFACE tso off gso off` at every far end.

mod checksum;
mod headers;
mod rx_metadata;
mod sum;
mod tx_metadata;

pub use checksum::{Checksum, finish_checksum};
pub(crate) use rx_metadata::RxRecord;
pub use rx_metadata::{Property, RxHash, RxMetadata, VlanTag};
#[cfg(feature = "test-util")]
pub(crate) use sum::write_checksum;
pub use tx_metadata::{TxClock, TxMetadata, TxTimestamp};
