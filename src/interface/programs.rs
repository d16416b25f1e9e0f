//! The XDP programs on an interface, as netlink tells of them.

use crate::netlink::message::{Attributes, Malformed};
use crate::types::XdpMode;
use xsk_uapi::if_link::{
    IFLA_XDP_ATTACHED, IFLA_XDP_DRV_PROG_ID, IFLA_XDP_HW_PROG_ID, IFLA_XDP_PROG_ID,
    IFLA_XDP_SKB_PROG_ID, XDP_ATTACHED_DRV, XDP_ATTACHED_HW, XDP_ATTACHED_SKB,
};

/// The ids of the XDP programs on an interface (`IFLA_XDP`).
///
/// A card may run one in hardware besides another. Programs attached by a link are counted too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AttachedPrograms {
    native: Option<u32>,
    generic: Option<u32>,
    hardware: Option<u32>,
}

impl AttachedPrograms {
    /// The id of the program attached in `mode`.
    #[must_use]
    pub fn program(&self, mode: XdpMode) -> Option<u32> {
        match mode {
            XdpMode::Native => self.native,
            XdpMode::Generic => self.generic,
            XdpMode::Hardware => self.hardware,
        }
    }

    /// The modes in which there is a program, with its id.
    pub fn programs(&self) -> impl Iterator<Item = (XdpMode, u32)> + use<> {
        let all = [
            (XdpMode::Native, self.native),
            (XdpMode::Generic, self.generic),
            (XdpMode::Hardware, self.hardware),
        ];
        all.into_iter().filter_map(|(mode, id)| id.map(|id| (mode, id)))
    }

    /// Whether there is no program at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn read(attributes: Attributes<'_>) -> Result<Self, Malformed> {
        let mut state = Self::default();
        let (mut attached, mut single) = (0_u8, None);
        for attribute in attributes {
            let attribute = attribute?;
            match attribute.kind {
                IFLA_XDP_ATTACHED => attached = attribute.value()?,
                IFLA_XDP_PROG_ID => single = Some(attribute.value()?),
                IFLA_XDP_DRV_PROG_ID => state.native = Some(attribute.value()?),
                IFLA_XDP_SKB_PROG_ID => state.generic = Some(attribute.value()?),
                IFLA_XDP_HW_PROG_ID => state.hardware = Some(attribute.value()?),
                _ => {}
            }
        }
        // Kernels before 4.19 give one id, and say apart from it in which mode.
        match attached {
            XDP_ATTACHED_DRV => state.native = state.native.or(single),
            XDP_ATTACHED_SKB => state.generic = state.generic.or(single),
            XDP_ATTACHED_HW => state.hardware = state.hardware.or(single),
            _ => {}
        }
        Ok(state)
    }
}
