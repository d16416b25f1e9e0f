//! RX rings with what the card knows of each packet.

use crate::bpf::MetadataProgram;
use crate::error::Result;
use crate::socket::{MetadataRx, Rx};

impl Rx {
    /// Returns the ring such that each packet comes with what the card knows of it, if `program`
    /// redirected it to the socket's slot.
    ///
    /// Packets that are in the ring already come without it.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for a slot that the program's map does not have;
    /// [`Error::BpfObject`](crate::Error::BpfObject) if the kernel refuses to say how many packets
    /// were redirected so far. The ring is lost then, as if it had been dropped.
    pub fn with_metadata(self, program: &MetadataProgram, slot: u32) -> Result<MetadataRx> {
        let (key, last) = program.position(slot)?;
        Ok(MetadataRx::new(self, key, last))
    }
}
