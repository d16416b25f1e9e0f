//! Reads which XDP programs are on an interface.

use crate::netlink::message::{Attributes, Malformed};
use crate::types::XdpMode;
use xsk_uapi::if_link::{
    IFLA_XDP_ATTACHED, IFLA_XDP_DRV_PROG_ID, IFLA_XDP_HW_PROG_ID, IFLA_XDP_PROG_ID,
    IFLA_XDP_SKB_PROG_ID, XDP_ATTACHED_DRV, XDP_ATTACHED_HW, XDP_ATTACHED_SKB,
};

/// The ids of the XDP programs on an interface (`IFLA_XDP`).
///
/// A card may run one in hardware besides another. Programs attached by a link are among them.
///
/// ```
/// use xsk::{Interface, XdpMode};
/// # fn main() -> xsk::Result<()> {
/// let programs = Interface::by_name("lo")?.attached_programs()?;
/// if let Some(id) = programs.program(XdpMode::Generic) {
///     println!("program {id} runs in generic mode");
/// }
/// for (mode, id) in programs.programs() {
///     println!("{mode}: program {id}");
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AttachedPrograms {
    native: Option<u32>,
    generic: Option<u32>,
    hardware: Option<u32>,
}

impl AttachedPrograms {
    /// Returns the id of the program attached in `mode`.
    #[must_use]
    pub fn program(&self, mode: XdpMode) -> Option<u32> {
        match mode {
            XdpMode::Native => self.native,
            XdpMode::Generic => self.generic,
            XdpMode::Hardware => self.hardware,
        }
    }

    /// Returns the modes in which there is a program, each with the program's id.
    pub fn programs(&self) -> impl Iterator<Item = (XdpMode, u32)> + use<> {
        let all = [
            (XdpMode::Native, self.native),
            (XdpMode::Generic, self.generic),
            (XdpMode::Hardware, self.hardware),
        ];
        all.into_iter().filter_map(|(mode, id)| id.map(|id| (mode, id)))
    }

    /// Returns whether there is no program at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Reads the attributes inside `IFLA_XDP`.
    pub(crate) fn read(attributes: Attributes<'_>) -> Result<Self, Malformed> {
        let mut programs = Self::default();
        let (mut attached, mut single) = (0_u8, None);
        for attribute in attributes {
            let attribute = attribute?;
            match attribute.kind {
                IFLA_XDP_ATTACHED => attached = attribute.value()?,
                IFLA_XDP_PROG_ID => single = Some(attribute.value()?),
                IFLA_XDP_DRV_PROG_ID => programs.native = Some(attribute.value()?),
                IFLA_XDP_SKB_PROG_ID => programs.generic = Some(attribute.value()?),
                IFLA_XDP_HW_PROG_ID => programs.hardware = Some(attribute.value()?),
                _ => {}
            }
        }
        // Kernels before 4.19 report one id, and its mode in another attribute.
        match attached {
            XDP_ATTACHED_DRV => programs.native = programs.native.or(single),
            XDP_ATTACHED_SKB => programs.generic = programs.generic.or(single),
            XDP_ATTACHED_HW => programs.hardware = programs.hardware.or(single),
            _ => {}
        }
        Ok(programs)
    }
}
