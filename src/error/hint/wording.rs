//! The words that several hints share.

use crate::types::XdpMode;
use std::borrow::Cow;

pub(super) type Hint = Cow<'static, str>;

pub(super) const NO_HINT: Hint = Cow::Borrowed("");

pub(super) const NET_ADMIN: &str =
    "CAP_NET_ADMIN in the user namespace that owns this network namespace";

pub(super) fn needs(capability: &str) -> Hint {
    format!(
        "This needs {capability}: run it as root (`sudo`), or grant it (`setcap`, \
         AmbientCapabilities= in systemd)"
    )
    .into()
}

/// Returns iproute2's word for a mode.
pub(super) fn ip_word(mode: XdpMode) -> &'static str {
    match mode {
        XdpMode::Native => "xdpdrv",
        XdpMode::Generic => "xdpgeneric",
        XdpMode::Hardware => "xdpoffload",
    }
}
