//! What `replace_foreign` has taken off.

use crate::types::{AttachMethod, XdpMode};
use std::fmt;

/// A foreign program that was taken off for this crate's
/// ([`replace_foreign`](super::AttachmentBuilder::replace_foreign)), for a log.
///
/// ```no_run
/// # fn main() -> xsk::Result<()> {
/// let interface = xsk::Interface::by_name("eth1")?;
/// let attachment = xsk::Attachment::builder(&interface).replace_foreign(true).attach()?;
/// if let Some(replaced) = attachment.replaced() {
///     // Such as "program 123 (name xdp_foo, native mode, loaded by uid 1000)".
///     eprintln!("replaced {replaced}");
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReplacedProgram {
    /// Its id. The kernel frees a program that nothing holds any more.
    pub id: u32,
    /// Its name, where it has one and `CAP_SYS_ADMIN` allowed to read it.
    pub name: Option<String>,
    /// The mode that it was attached in.
    pub mode: XdpMode,
    /// What held it. A link is detached for all of its holders, but stays theirs.
    pub method: AttachMethod,
    /// The user who loaded it, as this process's user namespace numbers users, where
    /// `CAP_SYS_ADMIN` allowed to read it.
    pub created_by: Option<u32>,
}

impl fmt::Display for ReplacedProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "program {} (", self.id)?;
        if let Some(name) = &self.name {
            write!(f, "name {name}, ")?;
        }
        write!(f, "{} mode", self.mode)?;
        if self.method == AttachMethod::Link {
            f.write_str(", held by a link")?;
        }
        if let Some(uid) = self.created_by {
            write!(f, ", loaded by uid {uid}")?;
        }
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_has_what_is_known() {
        let mut replaced = ReplacedProgram {
            id: 123,
            name: Some("xdp_foo".to_owned()),
            mode: XdpMode::Native,
            method: AttachMethod::Netlink,
            created_by: Some(1000),
        };
        let text = "program 123 (name xdp_foo, native mode, loaded by uid 1000)";
        assert_eq!(replaced.to_string(), text);
        replaced.method = AttachMethod::Link;
        let text = "program 123 (name xdp_foo, native mode, held by a link, loaded by uid 1000)";
        assert_eq!(replaced.to_string(), text);
        replaced.name = None;
        replaced.created_by = None;
        replaced.mode = XdpMode::Generic;
        assert_eq!(replaced.to_string(), "program 123 (generic mode, held by a link)");
    }
}
