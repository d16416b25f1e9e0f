//! Maps of network devices.

use super::object::map_object;
use super::raw::{Options, RawMap, Shape};
use crate::error::{MapKind, MapOp, Result};
use std::marker::PhantomData;
use xsk_uapi::bpf::BPF_ANY;

/// A BPF map whose slots name network devices: an XDP program redirects into it by a slot's number,
/// and the packet is sent by that device.
///
/// A slot is emptied when its device goes. Its values have four bytes, the device's index alone.
///
/// ```
/// use xsk::bpf::DevMap;
///
/// # fn main() -> xsk::Result<()> {
/// # if !xsk::test_util::privileged("the documentation of DevMap") { return Ok(()); }
/// let ports = DevMap::create("ports", 8)?;
/// let loopback = xsk::Interface::by_name("lo")?;
/// ports.set(3, loopback.index())?;
/// assert_eq!((ports.get(3)?, ports.get(4)?), (Some(loopback.index()), None));
/// ports.remove(3)?;
/// # Ok(())
/// # }
/// ```
#[doc(alias = "BPF_MAP_TYPE_DEVMAP")]
pub struct DevMap {
    raw: RawMap,
    types: PhantomData<()>,
}

map_object!("DevMap", [] DevMap, Shape { kind: MapKind::DevMap, key_size: 4, value_size: 4 });

impl DevMap {
    /// Makes a map with `slots` empty slots, numbered from 0.
    ///
    /// `name` is what `bpftool map` shows: at most 15 of `A-Za-z0-9_.`. Needs `CAP_BPF` and
    /// `CAP_NET_ADMIN` (5.8), before that `CAP_SYS_ADMIN`.
    ///
    /// # Errors
    /// [`Error::CreateMap`](crate::Error::CreateMap).
    #[doc(alias = "BPF_MAP_CREATE")]
    pub fn create(name: &str, slots: u32) -> Result<Self> {
        RawMap::create(Self::SHAPE, Options::new(name, slots)).map(Self::of)
    }

    /// Returns the index of the device in a slot, or `None` if the slot is empty or there is no such
    /// slot.
    ///
    /// # Errors
    /// [`Error::MapEntry`](crate::Error::MapEntry).
    pub fn get(&self, slot: u32) -> Result<Option<u32>> {
        let mut index = [0; 4];
        let found = self.raw.read(&slot.to_ne_bytes(), &mut index, Some(slot))?;
        Ok(found.then(|| u32::from_ne_bytes(index)))
    }

    /// Writes a device into a slot, whether the slot is empty or not. The device has this index in
    /// the network namespace of the calling thread; 0 empties the slot.
    ///
    /// # Errors
    /// [`Error::MapEntry`](crate::Error::MapEntry): `EINVAL` if there is no such device, `E2BIG` if
    /// there is no such slot.
    pub fn set(&self, slot: u32, index: u32) -> Result<()> {
        self.raw
            .fd
            .update(&slot.to_ne_bytes(), &index.to_ne_bytes(), BPF_ANY)
            .map_err(self.raw.failed(MapOp::Write, Some(slot)))
    }

    /// Empties a slot; emptying an empty one changes nothing.
    ///
    /// # Errors
    /// [`Error::MapEntry`](crate::Error::MapEntry): `EINVAL` if there is no such slot.
    pub fn remove(&self, slot: u32) -> Result<()> {
        let result = self.raw.fd.delete(&slot.to_ne_bytes());
        result.map_err(self.raw.failed(MapOp::Remove, Some(slot)))
    }
}
