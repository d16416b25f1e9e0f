//! The interface that is looked at, with what several checks need to know of it.

use crate::failure::{Result, quoted};
use xsk::interface::{Driver, InterfaceInfo, Queues, XdpFeatures};
use xsk::{Interface, XdpMode};

/// An interface and its state.
#[derive(Debug)]
pub(super) struct Subject {
    pub(super) interface: Interface,
    pub(super) info: InterfaceInfo,
    pub(super) queues: Queues,
    /// `None` where the kernel does not report one.
    pub(super) driver: Option<Driver>,
    /// `None` where the kernel does not report them: before 6.3.
    pub(super) features: Option<XdpFeatures>,
    /// The other end of a virtual cable.
    pub(super) peer: Peer,
}

/// The other end of a virtual cable.
#[derive(Debug)]
pub(super) enum Peer {
    /// It is in this network namespace.
    Here(Box<Subject>),
    /// It is in another one, or it cannot be looked at.
    Elsewhere,
    /// The interface is no virtual cable.
    None,
}

impl Subject {
    pub(super) fn new(interface: Interface) -> Result<Self> {
        let mut subject = Self::alone(interface)?;
        subject.peer = match (subject.info.kind.as_deref(), subject.info.lower) {
            (Some("veth"), Some(index)) if !subject.info.lower_is_elsewhere => {
                let peer = Interface::by_index(index).ok().and_then(|peer| Self::alone(peer).ok());
                peer.map_or(Peer::Elsewhere, |peer| Peer::Here(Box::new(peer)))
            }
            (Some("veth"), _) => Peer::Elsewhere,
            _ => Peer::None,
        };
        Ok(subject)
    }

    fn alone(interface: Interface) -> Result<Self> {
        Ok(Self {
            info: interface.info()?,
            queues: interface.queues()?,
            driver: interface.driver()?,
            features: interface.xdp_features()?,
            peer: Peer::None,
            interface,
        })
    }

    /// Returns its name, for people.
    pub(super) fn name(&self) -> &str {
        &self.info.name
    }

    /// Returns its name as a shell takes it.
    pub(super) fn word(&self) -> String {
        quoted(&self.info.os_name.to_string_lossy())
    }

    /// Returns whether there is a native mode that serves sockets; `None` if it is not known.
    pub(super) fn has_native_mode(&self) -> Option<bool> {
        self.features.map(|features| features.native() && features.redirect())
    }

    /// Returns whether there is a zero-copy mode; `None` if it is not known.
    pub(super) fn has_zero_copy_mode(&self) -> Option<bool> {
        self.features.map(|features| features.zero_copy())
    }

    /// Returns whether programs run in generic mode here: one does, or there is no native mode.
    /// `None` if it is not known.
    pub(super) fn is_generic(&self) -> Option<bool> {
        let runs = |mode| self.info.programs.program(mode).is_some();
        let is_bond = self.info.kind.as_deref() == Some("bond");
        match self.has_native_mode() {
            _ if runs(XdpMode::Generic) || is_bond => Some(true),
            _ if runs(XdpMode::Native) => Some(false),
            has_native => has_native.map(|has_native| !has_native),
        }
    }
}
