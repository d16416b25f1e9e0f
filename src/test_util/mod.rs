//! A test bed: a fake kernel for tests without root, and private network namespaces with virtual cables
//! between them for tests with it.
//!
//! [`FakeKernel`] is the other side of a socket's rings, in plain memory. [`ChunkAudit`] finds out
//! whether every chunk is somewhere, and none in two places. With feature `proptest`, module `strategies`
//! makes random programs of the kernel's steps, to check your own loop with.
//!
//! The namespaces need neither the `ip` command nor `/proc` or `/sys`. What it makes is gone when its owner is dropped,
//! also by a panic; what a killed process leaves, the kernel removes with the process's last descriptor.
//!
//! ```
//! use xsk::test_util::{Namespace, VethPair, privileged};
//! # fn main() -> xsk::Result<()> {
//! # if !privileged("the documentation of test_util") { return Ok(()); }
//! let (left, right) = (Namespace::new()?, Namespace::new()?);
//! let cable = VethPair::builder().queues(2).mtu(1500).build(&left, &right)?;
//! assert_eq!(cable.a().queues()?.current(), 2);
//! // An interface is found in the namespace of the thread that asks.
//! let found = left.run(|| xsk::interface::Interface::by_name(cable.a().name()))??;
//! assert_eq!(found.index(), cable.a().index());
//! # Ok(())
//! # }
//! ```

mod chunk_audit;
mod fake_kernel;
mod fake_rings;
#[doc(hidden)]
pub mod fuzz;
mod hostile;
pub mod ip;
mod kernel_step;
#[cfg(doctest)]
mod misuse;
mod namespace;
mod privilege;
mod ring_block;
mod ring_contents;
mod ring_program;
#[cfg(feature = "proptest")]
pub mod strategies;
mod veth;

pub use crate::ring::Index;
pub use chunk_audit::{AuditError, ChunkAudit, ChunkHolder};
pub use fake_kernel::FakeKernel;
pub use fake_rings::FakeRings;
pub use hostile::Hostile;
pub use kernel_step::{KernelStep, StepOutcome};
pub use namespace::{Namespace, NetnsGuard};
pub use privilege::privileged;
pub use ring_contents::RingContents;
#[doc(hidden)]
pub use ring_program::ring_program;
pub use veth::{VethBuilder, VethPair};
