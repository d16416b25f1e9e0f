//! A test bed: private network namespaces with virtual cables between them.
//!
//! Needs neither the `ip` command nor `/proc` or `/sys`. What it makes is gone when its owner is dropped,
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
//! let found = left.run(|| xsk::link::Interface::by_name(cable.a().name()))??;
//! assert_eq!(found.index(), cable.a().index());
//! # Ok(())
//! # }
//! ```

pub mod admin;
mod namespace;
mod privilege;
mod veth;

pub use namespace::{Inside, Namespace};
pub use privilege::privileged;
pub use veth::{VethBuilder, VethPair};
