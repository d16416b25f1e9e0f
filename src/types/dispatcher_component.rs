//! One program of a dispatcher's chain.

use super::ChainActions;
use std::fmt;

/// A program in the chain of libxdp's [`Dispatcher`](super::Dispatcher).
///
/// Its place, priority and chain actions are from the dispatcher's configuration; which program it
/// is, from the links of programs that replace functions of the dispatcher (5.13), or from libxdp's
/// pins on an older kernel. A place without a program passes packets on to the next one.
///
/// ```
/// # fn main() -> xsk::Result<()> {
/// for program in xsk::Interface::by_name("lo")?.programs()? {
///     for component in program.dispatcher.iter().flat_map(|of| of.components.iter().flatten()) {
///         // Such as "xdp_pass (priority 50)", and "XDP_PASS".
///         println!("{component}, goes on after {}", component.chain_actions);
///     }
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DispatcherComponent {
    /// Its place in the chain, from 0 on: the first one stands for the dispatcher's function
    /// `prog0`, or for all of the dispatcher where it is the only one.
    pub place: usize,
    /// The kernel's number for it. `None` if no program was found in the place.
    pub id: Option<u32>,
    /// Its name, which the kernel cuts after 15 bytes. `None` as for `id`, or if it has none.
    pub name: Option<String>,
    /// The hash of its instructions. `None` as for `id`.
    pub tag: Option<[u8; 8]>,
    /// The number of the link that holds it in its place. `None` as for `id`, and before 5.13.
    pub link: Option<u32>,
    /// Its run priority: the dispatcher runs programs of lower numbers first.
    pub priority: u32,
    /// The verdicts after which the next program runs.
    pub chain_actions: ChainActions,
    /// The flags that it was loaded with, such as
    /// [`BPF_F_XDP_HAS_FRAGS`](crate::uapi::bpf::BPF_F_XDP_HAS_FRAGS). `None` in the chain of a
    /// dispatcher of version 1.
    pub flags: Option<u32>,
}

impl DispatcherComponent {
    /// Returns a place of the chain of which no program is known yet.
    pub(crate) fn new(
        place: usize,
        priority: u32,
        chain_actions: ChainActions,
        flags: Option<u32>,
    ) -> Self {
        let (id, name, tag, link) = (None, None, None, None);
        Self { place, id, name, tag, link, priority, chain_actions, flags }
    }
}

impl fmt::Display for DispatcherComponent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.name, self.id) {
            (Some(name), _) => f.write_str(name)?,
            (None, Some(id)) => write!(f, "program {id}")?,
            (None, None) => f.write_str("an unknown program")?,
        }
        write!(f, " (priority {})", self.priority)
    }
}
