//! The dispatcher of libxdp: a program that runs others in a chain.

use super::DispatcherComponent;
use std::fmt;

/// libxdp's dispatcher, an XDP program that runs up to ten others one after another.
///
/// An interface takes one program; `xdp-loader` and other users of libxdp share it by this one. It
/// is called `xdp_dispatcher`, has a configuration in its read-only data, and functions that the
/// programs of its chain replace. [`Interface::programs`](crate::Interface::programs) reads it, and
/// [`Error::ForeignProgram`](crate::Error::ForeignProgram) has it. This crate's programs do not
/// join its chain.
///
/// Printed, it is such as "libxdp's dispatcher with xdp_pass (priority 50)".
///
/// ```
/// # fn main() -> xsk::Result<()> {
/// for program in xsk::Interface::by_name("lo")?.programs()? {
///     if let Some(dispatcher) = &program.dispatcher {
///         println!("{} mode: {dispatcher}", program.mode);
///     }
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dispatcher {
    /// The version of its configuration: 1, 2 or 3 are known.
    pub version: u8,
    /// Whether it takes packets in several buffers. `None` in version 1, which does not say.
    pub frags: Option<bool>,
    /// The programs of its chain, in the order in which they run. `None` in a version that this
    /// crate does not know.
    pub components: Option<Vec<DispatcherComponent>>,
}

impl Dispatcher {
    pub(crate) fn new(
        version: u8,
        frags: Option<bool>,
        components: Option<Vec<DispatcherComponent>>,
    ) -> Self {
        Self { version, frags, components }
    }
}

impl fmt::Display for Dispatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("libxdp's dispatcher")?;
        match self.components.as_deref() {
            None => write!(f, " of version {}, whose chain is not known", self.version),
            Some([]) => f.write_str(" without programs"),
            Some(components) => {
                let mut between = " with ";
                for component in components {
                    write!(f, "{between}{component}")?;
                    between = ", ";
                }
                Ok(())
            }
        }
    }
}
