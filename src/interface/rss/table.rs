//! The receive hash as a value: table, key, function.

use std::collections::BTreeSet;
use xsk_uapi::ethtool::{
    ETH_RSS_HASH_CRC32, ETH_RSS_HASH_NO_CHANGE, ETH_RSS_HASH_TOP, ETH_RSS_HASH_XOR,
    RXH_XFRM_SYM_OR_XOR, RXH_XFRM_SYM_XOR, ethtool_rxfh,
};

/// The key of Toeplitz that hashes both directions of a flow to the same value, and is repeated.
const SYMMETRIC_KEY: [u8; 2] = [0x6d, 0x5a];

/// The receive hash of a card (RSS): a function of the fields of a packet, and a table that turns
/// its low bits into a queue.
///
/// ```no_run
/// # fn main() -> xsk::Result<()> {
/// let interface = xsk::Interface::by_name("eth1")?;
/// let mut rss = interface.rss()?.expect("a card");
/// rss.spread_over(&[0, 1]);
/// let guard = interface.set_rss(&rss)?;
/// # guard.restore()?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[doc(alias = "ethtool_rxfh")]
pub struct Rss {
    /// The RX queue for each value of the hash's low bits. Empty for a driver that does not report
    /// it.
    pub table: Vec<u32>,
    /// The key of the hash function. Empty for a driver that does not report it.
    pub key: Vec<u8>,
    /// The hash function, where the driver reports it.
    pub function: Option<HashFunction>,
    /// What is done to the two ends of a flow before they are hashed, if anything (6.8).
    pub symmetry: Option<Symmetry>,
}

/// A hash function (`ETH_RSS_HASH_*`).
///
/// ```no_run
/// # fn main() -> xsk::Result<()> {
/// # let interface = xsk::Interface::by_name("eth1")?;
/// use xsk::interface::HashFunction;
/// let toeplitz = interface.rss()?.is_some_and(|rss| rss.function == Some(HashFunction::Toeplitz));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HashFunction {
    /// Toeplitz, which nearly all cards have.
    Toeplitz,
    /// XOR.
    Xor,
    /// CRC-32.
    Crc32,
    /// Another one, by its bit.
    Other(u8),
}

/// What is done to the two ends of a flow, so that both directions have the same hash
/// (`RXH_XFRM_*`, 6.8).
///
/// ```no_run
/// # fn main() -> xsk::Result<()> {
/// # let interface = xsk::Interface::by_name("eth1")?;
/// use xsk::interface::Symmetry;
/// let symmetric = interface.rss()?.is_some_and(|rss| rss.symmetry == Some(Symmetry::Xor));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Symmetry {
    /// They are joined by XOR.
    Xor,
    /// They are joined by OR, and by XOR (6.16).
    OrXor,
    /// Anything else, by its bits.
    Other(u8),
}

impl HashFunction {
    fn read(code: u8) -> Option<Self> {
        match code {
            ETH_RSS_HASH_NO_CHANGE => None,
            ETH_RSS_HASH_TOP => Some(Self::Toeplitz),
            ETH_RSS_HASH_XOR => Some(Self::Xor),
            ETH_RSS_HASH_CRC32 => Some(Self::Crc32),
            other => Some(Self::Other(other)),
        }
    }

    pub(super) fn code(self) -> u8 {
        match self {
            Self::Toeplitz => ETH_RSS_HASH_TOP,
            Self::Xor => ETH_RSS_HASH_XOR,
            Self::Crc32 => ETH_RSS_HASH_CRC32,
            Self::Other(code) => code,
        }
    }
}

impl Symmetry {
    fn read(code: u8) -> Option<Self> {
        match code {
            0 => None,
            RXH_XFRM_SYM_XOR => Some(Self::Xor),
            RXH_XFRM_SYM_OR_XOR => Some(Self::OrXor),
            other => Some(Self::Other(other)),
        }
    }

    pub(super) fn code(symmetry: Option<Self>) -> u8 {
        match symmetry {
            None => 0,
            Some(Self::Xor) => RXH_XFRM_SYM_XOR,
            Some(Self::OrXor) => RXH_XFRM_SYM_OR_XOR,
            Some(Self::Other(code)) => code,
        }
    }
}

impl Rss {
    pub(super) fn read(header: &ethtool_rxfh, table: Vec<u32>, key: Vec<u8>) -> Self {
        let function = HashFunction::read(header.hfunc);
        Self { table, key, function, symmetry: Symmetry::read(header.input_xfrm) }
    }

    /// Returns the queues in the table.
    #[must_use]
    pub fn queues(&self) -> BTreeSet<u32> {
        self.table.iter().copied().collect()
    }

    /// Fills the table with these queues in turn. Without any, the table stays as it is.
    ///
    /// A queue that is named twice gets twice as much.
    pub fn spread_over(&mut self, queues: &[u32]) {
        let in_turn = queues.iter().cycle();
        self.table.iter_mut().zip(in_turn).for_each(|(entry, queue)| *entry = *queue);
    }

    /// Gives the share of a queue to the others in the table, in turn. Returns `false`, and changes
    /// nothing, if there is no other.
    #[must_use = "it is refused for the only queue in the table"]
    pub fn remove_queue(&mut self, queue: u32) -> bool {
        let mut others = self.queues();
        let was_there = others.remove(&queue);
        if was_there && others.is_empty() {
            return false;
        }
        let freed = self.table.iter_mut().filter(|entry| **entry == queue);
        freed.zip(others.iter().cycle()).for_each(|(entry, other)| *entry = *other);
        true
    }

    /// Sets the key by which Toeplitz has the same value for both directions of a flow: 0x6d5a,
    /// repeated. Returns `false`, and changes nothing, for another function, and where the driver
    /// reports no key.
    #[must_use = "it is refused where it would not work"]
    pub fn set_symmetric_key(&mut self) -> bool {
        let takes = !self.key.is_empty() && self.function == Some(HashFunction::Toeplitz);
        if takes {
            let repeated = SYMMETRIC_KEY.iter().cycle();
            self.key.iter_mut().zip(repeated).for_each(|(byte, new)| *byte = *new);
        }
        takes
    }

    /// Returns whether the table is that of `ethtool_rxfh_indir_default` (linux/ethtool.h): all
    /// queues in turn.
    pub(super) fn is_default(&self, queues: u64) -> bool {
        let in_turn = (0..queues).cycle();
        queues > 0
            && self.table.iter().zip(in_turn).all(|(entry, queue)| u64::from(*entry) == queue)
    }
}

#[cfg(test)]
mod tests {
    use super::{HashFunction, Rss};

    fn rss(table: &[u32]) -> Rss {
        let function = Some(HashFunction::Toeplitz);
        Rss { table: table.to_vec(), key: vec![1; 5], function, symmetry: None }
    }

    #[test]
    fn a_queue_is_taken_out_and_its_share_spread() {
        let mut four = rss(&[0, 1, 2, 3, 0, 1, 2, 3]);
        assert!(four.remove_queue(1));
        assert_eq!(four.table, [0, 0, 2, 3, 0, 2, 2, 3]);
        assert!(four.remove_queue(7), "it is not in the table");
        assert!(four.remove_queue(0) && four.remove_queue(3));
        assert_eq!(four.table, [2; 8]);
        assert!(!four.remove_queue(2), "the last one");
        assert_eq!(four.table, [2; 8]);
    }

    #[test]
    fn queues_are_taken_in_turn() {
        let mut table = rss(&[0; 5]);
        table.spread_over(&[2, 1, 2]);
        assert_eq!(table.table, [2, 1, 2, 2, 1]);
        table.spread_over(&[]);
        assert_eq!(table.table, [2, 1, 2, 2, 1]);
        assert!(rss(&[0, 1, 2, 0]).is_default(3) && !rss(&[0, 1, 2, 0]).is_default(4));
        assert!(!rss(&[0, 0, 1, 1]).is_default(2) && !rss(&[]).is_default(0));
    }

    #[test]
    fn the_symmetric_key_is_for_toeplitz() {
        let mut keyed = rss(&[0]);
        assert!(keyed.set_symmetric_key());
        assert_eq!(keyed.key, [0x6d, 0x5a, 0x6d, 0x5a, 0x6d]);
        let mut other = Rss { function: Some(HashFunction::Xor), ..rss(&[0]) };
        let mut none = Rss { key: Vec::new(), ..rss(&[0]) };
        assert!(!other.set_symmetric_key() && !none.set_symmetric_key());
        assert_eq!(other.key, [1; 5]);
    }
}
