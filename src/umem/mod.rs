//! Packet memory: the area, the owned handles to its chunks, and pools of free ones.

mod area;
pub(crate) mod bounds;
mod builder;
mod frame;
mod judge;
mod ledger;
mod number;
mod pool;

pub use area::Umem;
pub use builder::UmemBuilder;
pub use frame::{Frame, Outside};
pub(crate) use judge::Judge;
pub use ledger::{Census, Place};
pub use pool::Pool;

/// The pages that packet memory is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pages {
    /// The system's ordinary pages.
    #[default]
    Normal,
    /// Huge pages of 2 MiB, which the system must have reserved (`vm.nr_hugepages`).
    Huge2M,
    /// Huge pages of 1 GiB, which the system must have reserved, best at boot.
    Huge1G,
}
