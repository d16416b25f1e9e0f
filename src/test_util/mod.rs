//! Tools for tests: a fake kernel for tests without root, and private network namespaces with
//! virtual Ethernet pairs between them for tests with root.
//!
//! [`FakeKernel`] is the other side of a socket's rings, in plain memory. [`ChunkAudit`] checks
//! that every chunk is in exactly one place, [`Progress`] that a packet loop does not stand still.
//! With feature `proptest`, module `strategies` makes random programs of kernel steps, to check a
//! packet loop with.
//!
//! [`Namespace`] and [`VethPair`] need neither the `ip` command nor `/proc` or `/sys`. What they
//! make is removed when they are dropped, also by a panic; what a killed process leaves, the kernel
//! removes with the process's last descriptor.
//!
//! ```
//! use xsk::test_util::{Namespace, VethPair};
//! # fn main() -> xsk::Result<()> {
//! # if !xsk::test_util::privileged("the documentation of test_util") { return Ok(()); }
//! let (left, right) = (Namespace::new()?, Namespace::new()?);
//! let pair = VethPair::builder().queues(2).mtu(1500).build(&left, &right)?;
//! assert_eq!(pair.a().queues()?.current(), 2);
//! // An interface is looked up in the namespace of the calling thread.
//! let found = left.run(|| xsk::interface::Interface::by_name(pair.a().name()))??;
//! assert_eq!(found.index(), pair.a().index());
//! # Ok(())
//! # }
//! ```

mod chunk_audit;
mod fake_kernel;
mod fake_packets;
mod fake_rings;
mod fake_rx;
mod fake_sender;
#[doc(hidden)]
pub mod fuzz;
mod hostile;
pub mod ip;
mod kernel_step;
#[cfg(doctest)]
mod misuse;
mod namespace;
mod privilege;
mod progress;
mod ring_block;
mod ring_contents;
mod ring_program;
#[cfg(feature = "proptest")]
pub mod strategies;
mod team;
mod veth;

pub use crate::ring::Index;
pub use chunk_audit::{AuditError, ChunkAudit, ChunkHolder};
pub use fake_kernel::FakeKernel;
pub use fake_rings::FakeRings;
pub use hostile::Hostile;
pub use kernel_step::{KernelStep, StepOutcome};
pub use namespace::{Namespace, NetnsGuard};
#[doc(hidden)]
pub use privilege::enclosing_function;
#[doc(inline)]
pub use privilege::{privileged, test_name};
pub use progress::{Progress, ProgressError, Stall};
pub use ring_contents::RingContents;
#[doc(hidden)]
pub use ring_program::ring_program;
pub use veth::{VethBuilder, VethPair};
