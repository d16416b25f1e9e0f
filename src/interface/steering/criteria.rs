//! What a flow rule compares, as the kernel has it: values and masks over the bytes of a header.

use super::fields::{Field, Fields};
use crate::error::{Error, Result};
use std::mem::offset_of;
use xsk_uapi::ethtool::{
    ETH_RX_NFC_IP4, FLOW_EXT, FLOW_MAC_EXT, FLOW_RSS, IPV4_USER_FLOW, ethtool_flow_ext,
    ethtool_rx_flow_spec, ethtool_usrip4_spec,
};

/// The identifier of a VLAN in its tag.
const VLAN_ID: u16 = 0x0fff;
/// The priority in the tag of a VLAN.
const VLAN_PRIORITY: u16 = 0xe000;

/// Bytes of the widest header, `ethtool_rx_flow_spec::h_u`.
const WIDTH: usize = 52;

/// The parts of a flow's kind that are flags.
const FLAGS: u32 = FLOW_EXT | FLOW_MAC_EXT | FLOW_RSS;

/// What is compared. A bit that the mask does not have is zero in the value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Criteria {
    /// Without flags.
    pub(super) flow: u32,
    value: [u8; WIDTH],
    mask: [u8; WIDTH],
    /// The tag, and the mask over it.
    pub(super) vlan: (u16, u16),
    pub(super) destination_mac: Option<[u8; 6]>,
    /// The first mistake in making it.
    fault: Option<Fault>,
}

/// A value that no rule can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Fault {
    name: &'static str,
    value: u64,
    rule: &'static str,
}

impl Criteria {
    /// Returns those of any packet of this kind.
    pub(super) fn any(flow: u32) -> Self {
        let (value, mask) = ([0; WIDTH], [0; WIDTH]);
        Self { flow, value, mask, vlan: (0, 0), destination_mac: None, fault: None }
    }

    pub(super) fn fields(&self) -> Fields {
        Fields::of(self.flow).unwrap_or_default()
    }

    /// Compares a field.
    pub(super) fn set(&mut self, field: Option<Field>, value: &[u8], mask: &[u8]) {
        let Some(Field { at, .. }) = field else { return };
        let value = value.iter().zip(mask).map(|(value, mask)| value & mask);
        self.value.iter_mut().skip(at).zip(value).for_each(|(to, from)| *to = from);
        self.mask.iter_mut().skip(at).zip(mask).for_each(|(to, from)| *to = *from);
    }

    /// Returns the value of a field and the mask over it, if any bit of it is compared.
    pub(super) fn get(&self, field: Option<Field>) -> Option<(&[u8], &[u8])> {
        let Field { at, bytes } = field?;
        let range = at..at.saturating_add(bytes);
        let (value, mask) = (self.value.get(range.clone())?, self.mask.get(range)?);
        mask.iter().any(|byte| *byte != 0).then_some((value, mask))
    }

    pub(super) fn vlan(&mut self, id: u16) {
        self.wrong_unless(id < VLAN_ID, "VLAN", id.into(), "goes from 0 to 4094");
        self.tag(id, VLAN_ID);
    }

    pub(super) fn vlan_priority(&mut self, priority: u8) {
        self.wrong_unless(priority < 8, "VLAN priority", priority.into(), "goes from 0 to 7");
        self.tag(u16::from(priority & 7) << 13, VLAN_PRIORITY);
    }

    fn tag(&mut self, value: u16, mask: u16) {
        let (value_before, mask_before) = self.vlan;
        self.vlan = ((value_before & !mask) | (value & mask), mask_before | mask);
    }

    /// Returns the identifier of the VLAN that is compared.
    pub(super) fn vlan_id(&self) -> Option<u16> {
        (self.vlan.1 & VLAN_ID != 0).then_some(self.vlan.0 & VLAN_ID)
    }

    /// Returns the priority in the VLAN's tag that is compared.
    pub(super) fn priority(&self) -> Option<u16> {
        (self.vlan.1 & VLAN_PRIORITY != 0).then_some(self.vlan.0 >> 13)
    }

    /// Remembers a mistake, if it is the first one.
    pub(super) fn wrong_unless(
        &mut self,
        right: bool,
        name: &'static str,
        value: u64,
        rule: &'static str,
    ) {
        if !right {
            self.fault.get_or_insert(Fault { name, value, rule });
        }
    }

    /// Returns the first mistake.
    pub(super) fn check(&self) -> Result<()> {
        match self.fault {
            Some(Fault { name, value, rule }) => Err(Error::Setting { name, value, rule }),
            None => Ok(()),
        }
    }

    /// Returns the kernel's form, without action and location.
    pub(super) fn write(&self) -> ethtool_rx_flow_spec {
        let mut spec = ethtool_rx_flow_spec {
            flow_type: self.flow,
            h_u: self.value,
            m_u: self.mask,
            ..ethtool_rx_flow_spec::default()
        };
        if self.flow == IPV4_USER_FLOW {
            let at = offset_of!(ethtool_usrip4_spec, ip_ver);
            spec.h_u.iter_mut().skip(at).take(1).for_each(|version| *version = ETH_RX_NFC_IP4);
        }
        let (tag, mask) = self.vlan;
        if mask != 0 {
            spec.flow_type |= FLOW_EXT;
            spec.h_ext.vlan_tci = tag.to_be_bytes();
            spec.m_ext.vlan_tci = mask.to_be_bytes();
        }
        if let Some(address) = self.destination_mac {
            spec.flow_type |= FLOW_MAC_EXT;
            spec.h_ext.h_dest = address;
            spec.m_ext.h_dest = [0xff; 6];
        }
        spec
    }

    /// Reads the kernel's form; `None` if it compares anything that this crate has no word for.
    pub(super) fn read(spec: &ethtool_rx_flow_spec) -> Option<Self> {
        let mut read = Self::any(spec.flow_type & !FLAGS);
        let fields = Fields::of(read.flow)?;
        for field in fields.all() {
            let bytes = field.at..field.at.saturating_add(field.bytes);
            let (value, mask) = (spec.h_u.get(bytes.clone())?, spec.m_u.get(bytes)?);
            read.set(Some(field), value, mask);
        }
        // Bits outside of the fields, and masks over addresses with a hole.
        if read.mask != spec.m_u || !read.is_whole(&fields) {
            return None;
        }
        let mut rest = spec.m_ext;
        if spec.flow_type & FLOW_EXT != 0 {
            let mask = u16::from_be_bytes(rest.vlan_tci);
            let whole = |part| mask & part == 0 || mask & part == part;
            if mask & !(VLAN_ID | VLAN_PRIORITY) != 0 || !whole(VLAN_ID) || !whole(VLAN_PRIORITY) {
                return None;
            }
            read.vlan = (u16::from_be_bytes(spec.h_ext.vlan_tci) & mask, mask);
            rest.vlan_tci = [0; 2];
        }
        if spec.flow_type & FLOW_MAC_EXT != 0 {
            match rest.h_dest {
                [0xff, 0xff, 0xff, 0xff, 0xff, 0xff] => {
                    read.destination_mac = Some(spec.h_ext.h_dest);
                }
                [0, 0, 0, 0, 0, 0] => {}
                _ => return None,
            }
            rest.h_dest = [0; 6];
        }
        (spec.flow_type & FLOW_EXT == 0 || rest == ethtool_flow_ext::default()).then_some(read)
    }

    /// Returns whether the masks over all fields but ports are prefixes, and those over hardware
    /// addresses, protocols and ethertypes whole.
    fn is_whole(&self, fields: &Fields) -> bool {
        let Fields { source, destination, .. } = *fields;
        let Fields { protocol, source_mac, destination_mac, ethertype, .. } = *fields;
        let prefix = |field| self.get(field).is_none_or(|(_, mask)| prefix_of(mask).is_some());
        let whole =
            |field| self.get(field).is_none_or(|(_, mask)| mask.iter().all(|byte| *byte == 0xff));
        prefix(source)
            && prefix(destination)
            && [protocol, source_mac, destination_mac, ethertype].into_iter().all(whole)
    }
}

/// Returns how many bits a mask has, if there is no hole between them.
pub(super) fn prefix_of(mask: &[u8]) -> Option<u32> {
    let ones = |bytes: &[u8]| bytes.iter().map(|byte| byte.count_ones()).sum::<u32>();
    let length = ones(mask);
    let rest = mask.iter().skip_while(|byte| **byte == 0xff);
    let leading: u32 = rest.clone().take(1).map(|byte| byte.leading_ones()).sum();
    let full = mask.iter().take_while(|byte| **byte == 0xff);
    let prefix: u32 = full.map(|byte| byte.count_ones()).sum::<u32>().saturating_add(leading);
    (prefix == length).then_some(length)
}
