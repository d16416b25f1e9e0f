//! The places where an XDP program runs.

use std::fmt;

/// Where in the receive path a program runs.
///
/// ```no_run
/// # fn f(attachment: &xsk::Attachment) {
/// if attachment.mode() == xsk::XdpMode::Generic {
///     println!("slow: {}", attachment.reason());
/// }
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum XdpMode {
    /// In the driver (`XDP_FLAGS_DRV_MODE`).
    Native,
    /// In the network stack, after an skb was made (`XDP_FLAGS_SKB_MODE`).
    Generic,
    /// On the card (`XDP_FLAGS_HW_MODE`).
    Hardware,
}

impl fmt::Display for XdpMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Native => "native",
            Self::Generic => "generic",
            Self::Hardware => "hardware",
        })
    }
}
