//! Finds out whether a program has users: their marks, and the sockets in its map.

use super::lock::{Lock, MarkKind, registered_for};
use crate::bpf::{Program, SlotProbe, XskMap};
use crate::error::{Error, Result};
use rustix::io::Errno;

/// How often occupied slots without a mark are looked at before they count. One look is easily
/// wrong where registrations come and go all the time.
const SLOT_LOOKS: u32 = 16;

/// A program's map, and the probe of its slots.
#[derive(Debug)]
pub(super) struct MapAndProbe {
    pub(super) map: XskMap,
    /// `None` before 5.3, where no program may look into the map, and where the process may load
    /// none.
    pub(super) probe: Option<SlotProbe>,
}

/// The users of a program that are not this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Users {
    /// There are none.
    None,
    /// None of them will detach it.
    Guests,
    /// One of them will detach it, at least.
    Marked,
}

impl Users {
    /// Returns whether there are any.
    pub(super) fn any(self) -> bool {
        self != Self::None
    }
}

impl MapAndProbe {
    /// Loads a probe for `map` where the kernel and the process's capabilities allow it.
    ///
    /// # Errors
    /// [`Error::LoadProgram`] if memory or descriptors run out. Continuing without the probe would
    /// hide registered sockets.
    pub(super) fn new(map: XskMap) -> Result<Self> {
        let probe = unless_refused(SlotProbe::new(&map))?;
        Ok(Self { map, probe })
    }

    /// Looks for users of `program`, which uses this map, on the lock's interface.
    pub(super) fn users(&self, lock: &Lock, program: &Program) -> Result<Users> {
        let loader = Some(program.info()?.created_by);
        let is_marked = |kind| lock.is_marked(kind, program.id(), loader);
        if is_marked(MarkKind::User)? {
            return Ok(Users::Marked);
        }
        let guests = self.has_sockets(lock, loader)? || is_marked(MarkKind::Guest)?;
        Ok(if guests { Users::Guests } else { Users::None })
    }

    /// Returns whether the map has a socket that may be a user on the lock's interface: one that is
    /// not registered for another interface only.
    fn has_sockets(&self, lock: &Lock, loader: Option<u32>) -> Result<bool> {
        let Some(probe) = &self.probe else {
            return Ok(false);
        };
        // A slot without a mark counts. But a registration may have ended since the slots were
        // looked at, and a list can lack a mark while other sockets come and go.
        for _ in 0..SLOT_LOOKS {
            let occupied = probe.occupied()?;
            if occupied.is_empty() {
                return Ok(false);
            }
            let Some(names) = lock.names()? else {
                return Ok(true);
            };
            let mut all_marked = true;
            for slot in occupied {
                let interfaces = registered_for(&names, self.map.id(), slot, loader);
                if interfaces.contains(&lock.ifindex()) {
                    return Ok(true);
                }
                all_marked &= !interfaces.is_empty();
            }
            if all_marked {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Returns `None` if the verifier refuses the probe, as before 5.3, or the process may not load it.
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
            refused_at: None,
            listing: String::new(),
            bound_to: None,
            errno,
        }))
    }

    #[test]
    fn a_kernel_without_the_probe_is_no_reason_to_fail() {
        for errno in [Errno::INVAL, Errno::ACCESS, Errno::PERM] {
            assert!(matches!(refused(errno), Ok(None)), "{errno}");
        }
        for errno in [Errno::MFILE, Errno::NOMEM] {
            assert!(refused(errno).is_err(), "{errno}");
        }
    }
}
