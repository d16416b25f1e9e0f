//! Who uses a program.

use super::lock::{Lock, MarkKind};
use crate::bpf::{SlotProbe, XskMap};
use crate::error::{Error, Result};
use rustix::io::Errno;

/// A program's map, and a way to ask it.
#[derive(Debug)]
pub(super) struct MapAndProbe {
    pub(super) map: XskMap,
    /// `None` before 5.3, which lets no program look into the map, and where nothing may be loaded.
    pub(super) probe: Option<SlotProbe>,
}

/// Who uses a program, other than the one who asks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Users {
    /// One who will detach it.
    pub(super) marked: bool,
    /// One who will not.
    others: bool,
}

impl Users {
    pub(super) fn any(self) -> bool {
        self.marked || self.others
    }
}

impl MapAndProbe {
    /// A map, and a census of it where the kernel has one for us.
    ///
    /// # Errors
    /// [`Error::LoadProgram`] for want of memory or descriptors: a census that is missing for that would be
    /// missed.
    pub(super) fn new(map: XskMap) -> Result<Self> {
        let probe = unless_refused(SlotProbe::new(&map))?;
        Ok(Self { map, probe })
    }

    pub(super) fn users(&self, lock: &Lock, program: u32) -> Result<Users> {
        let occupied = match &self.probe {
            Some(probe) => !probe.occupied()?.is_empty(),
            None => false,
        };
        Ok(Users {
            marked: lock.is_marked(MarkKind::User, program)?,
            others: occupied || lock.is_marked(MarkKind::Guest, program)?,
        })
    }
}

/// `None` for what the verifier refuses, as before 5.3, or the process may not load.
fn unless_refused(probe: Result<SlotProbe>) -> Result<Option<SlotProbe>> {
    match probe {
        Ok(probe) => Ok(Some(probe)),
        Err(Error::LoadProgram { errno: Errno::INVAL | Errno::ACCESS | Errno::PERM, .. }) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(errno: Errno) -> Result<Option<SlotProbe>> {
        unless_refused(Err(Error::LoadProgram {
            name: String::new(),
            instructions: 0,
            log: String::new(),
            errno,
        }))
    }

    #[test]
    fn a_kernel_without_census_is_no_reason_to_fail() {
        for errno in [Errno::INVAL, Errno::ACCESS, Errno::PERM] {
            assert!(matches!(refused(errno), Ok(None)), "{errno}");
        }
        for errno in [Errno::MFILE, Errno::NOMEM] {
            assert!(refused(errno).is_err(), "{errno}");
        }
    }
}
