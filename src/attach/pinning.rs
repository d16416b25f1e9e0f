//! Attaches by a link that is pinned, with the map of its program beside it.

use super::lock::Lock;
use super::method_reason::MethodReason;
use super::ownership::Ownership;
use super::pin::{PinPath, Pinned};
use super::protocol::Attached;
use crate::bpf::XskMap;
use crate::error::Result;

/// Attaches, and pins the link and the map. A path that is no good is found before: to attach may
/// reset the card.
pub(super) fn attach_and_pin(
    path: &PinPath,
    map: &XskMap,
    lock: &Lock,
    attach: impl FnOnce() -> Result<Attached>,
) -> Result<Attached> {
    let pin = PinOfMap::make(path, map)?;
    let mut attached = attach()?;
    // Other users may be there, whose map is another one.
    let pin = match &attached.slots {
        Some(slots) => {
            drop(pin);
            PinOfMap::make(path, &slots.map)?
        }
        None => pin,
    };
    if let Ownership::Link { link, pin, .. } = &mut attached.ownership {
        *pin = Some(Pinned::create(path.clone(), lock, link)?);
    }
    pin.keep();
    Ok(Attached { method_reason: MethodReason::Pinned, ..attached })
}

/// The pin of a map whose link is not pinned yet: removed when this is dropped.
struct PinOfMap<'a> {
    path: &'a PinPath,
    /// The id of the map; `None` once its link is pinned.
    map: Option<u32>,
}

impl<'a> PinOfMap<'a> {
    fn make(path: &'a PinPath, map: &XskMap) -> Result<Self> {
        path.pin_map(map)?;
        Ok(Self { path, map: Some(map.id()) })
    }

    /// Leaves the pin where it is.
    fn keep(mut self) {
        self.map = None;
    }
}

impl Drop for PinOfMap<'_> {
    fn drop(&mut self) {
        if let Some(map) = self.map {
            // One that stays is in the way of the next process, which names it.
            let _ = self.path.unpin_map(map);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attach::protocol::Request;
    use crate::error::Error;
    use crate::test_util::{Namespace, VethPair, privileged};
    use rustix::io::Errno;
    use rustix::mount::{
        FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen,
    };
    use std::fs::remove_file;
    use std::os::fd::AsRawFd;
    use std::path::PathBuf;

    #[test]
    fn what_another_process_has_pinned_meanwhile_stays() {
        if !privileged!() {
            return;
        }
        let context = fsopen("bpf", FsOpenFlags::FSOPEN_CLOEXEC).unwrap();
        fsconfig_create(&context).unwrap();
        let mount =
            fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty()).unwrap();
        let link = PathBuf::from(format!("/proc/self/fd/{}/link", mount.as_raw_fd()));
        let path = PinPath::new(&link).unwrap();
        let beside = PathBuf::from(format!("{}-map", link.display()));
        let namespace = Namespace::new().unwrap();
        let pair = VethPair::builder().build(&namespace, &namespace).unwrap();
        let lock = namespace.run(|| Request::new(pair.a()).lock()).unwrap().unwrap();
        let (own, others) =
            (XskMap::create("own", 1).unwrap(), XskMap::create("others", 1).unwrap());
        let why = || Error::Netlink { operation: "look", errno: Errno::NOBUFS };

        let failed = attach_and_pin(&path, &own, &lock, || {
            // As after `rm`, or where this process has removed it to pin another one.
            remove_file(&beside).unwrap();
            others.pin(&beside)?;
            Err(why())
        });
        assert_eq!(failed.err(), Some(why()));
        assert_eq!(path.map().unwrap().map(|map| map.id()), Some(others.id()));

        remove_file(&beside).unwrap();
        let failed = attach_and_pin(&path, &own, &lock, || Err(why()));
        assert_eq!(failed.err(), Some(why()));
        assert!(path.map().unwrap().is_none(), "its own goes");
    }
}
