//! Packet memory: the area, its frames and pools of them.

/// The pages that packet memory is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pages {
    /// The system's ordinary pages.
    #[default]
    Normal,
    /// Huge pages of 2 MiB, from the pool of `vm.nr_hugepages`.
    Huge2M,
    /// Huge pages of 1 GiB.
    Huge1G,
}
