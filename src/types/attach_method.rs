//! The ways to attach a program.

use std::fmt;

/// What holds a program on its interface.
///
/// ```no_run
/// # fn f(interface: &xsk::Interface) -> xsk::Result<()> {
/// // The kernel detaches the program if this process is killed.
/// let builder = xsk::Attachment::builder(interface).method(xsk::AttachMethod::Link);
/// let attachment = builder.attach()?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum AttachMethod {
    /// Attached by rtnetlink. If the process is killed, the program stays: the default one passes every
    /// packet to the kernel's stack then, and one of your own goes on to drop what it drops. The next process needs `CAP_SYS_ADMIN` to take it over.
    #[default]
    Netlink,
    /// Attached by a `bpf_link` (5.9). If the process is killed, the kernel detaches it.
    Link,
}

impl fmt::Display for AttachMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Netlink => "netlink",
            Self::Link => "link",
        })
    }
}
