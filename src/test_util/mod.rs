//! Test bed: private namespaces, veth pairs, and a fake kernel.

mod fake_kernel;
mod fake_rings;
mod hostile;

pub use crate::ring::Index;
pub use fake_kernel::{FakeKernel, FakeRings};
pub use hostile::Hostile;
