//! The maps of programs that only redirect.

use crate::interpreter::Maps;

/// Sockets in slot 3, and nothing else.
pub(crate) struct OneSocket;

impl Maps for OneSocket {
    fn find(&mut self, _: u32, _: &[u8]) -> Option<usize> {
        None
    }

    fn value(&mut self, _: u32, _: usize) -> &mut [u8] {
        &mut []
    }

    fn has_socket(&self, _: u32, slot: u64) -> bool {
        slot == 3
    }
}
