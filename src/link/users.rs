//! Who uses a program.

use super::lock::{Kind, Lock};
use crate::Result;
use crate::program::{Census, XskMap};

/// A program's map, and a way to ask it.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) map: XskMap,
    /// `None` before 5.3, which lets no program look into the map, and where nothing may be loaded.
    pub(super) census: Option<Census>,
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

impl Parts {
    pub(super) fn users(&self, lock: &Lock, program: u32) -> Result<Users> {
        let occupied = match &self.census {
            Some(census) => !census.occupied()?.is_empty(),
            None => false,
        };
        Ok(Users {
            marked: lock.is_marked(Kind::User, program)?,
            others: occupied || lock.is_marked(Kind::Guest, program)?,
        })
    }
}
