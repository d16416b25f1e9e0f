//! The sizes of memory pages.

/// The size of the pages that packet memory is made of.
///
/// ```
/// use xsk::umem::PageSize;
///
/// let huge = xsk::Umem::builder().page_size(PageSize::Huge2M).build();
/// // The system may have no huge pages reserved.
/// let (umem, pool) = huge.or_else(|_| xsk::Umem::builder().build())?;
/// # Ok::<(), xsk::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum PageSize {
    /// The system's ordinary pages.
    #[default]
    Normal,
    /// Huge pages of 2 MiB, which the system must have reserved (`vm.nr_hugepages`).
    Huge2M,
    /// Huge pages of 1 GiB, which the system must have reserved, best at boot.
    Huge1G,
}
