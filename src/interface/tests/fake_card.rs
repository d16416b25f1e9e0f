//! A card with flow rules and a receive hash, as drivers behave behind `net/ethtool/ioctl.c`.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "a part of the tests, with small numbers"
)]

use crate::interface::Interface;
use crate::sys::ethtool::tests::{Installed, install};
use rustix::io::Errno;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::mem::offset_of;
use std::rc::Rc;
use xsk_uapi::ethtool::*;
use zerocopy::{FromBytes, IntoBytes};

/// Places of its table of rules.
pub(in crate::interface) const PLACES: u32 = 8;
pub(in crate::interface) const QUEUES: u32 = 4;

#[derive(Default)]
pub(in crate::interface) struct Card {
    /// Whether it chooses the place of a rule.
    pub(in crate::interface) special: bool,
    /// Whether it refuses rules while the feature is off.
    pub(in crate::interface) needs_ntuple: bool,
    pub(in crate::interface) flags: u32,
    /// Whether it takes no notice of flags.
    pub(in crate::interface) ignores_flags: bool,
    pub(in crate::interface) rules: BTreeMap<u32, (ethtool_rx_flow_spec, u32)>,
    pub(in crate::interface) table: Vec<u32>,
    pub(in crate::interface) key: Vec<u8>,
    /// What it can do to the ends of a flow.
    pub(in crate::interface) transforms: u8,
    pub(in crate::interface) transform: u8,
    /// Whether the table was set, and is not the default.
    pub(in crate::interface) configured: bool,
    pub(in crate::interface) contexts: BTreeMap<u32, Vec<u32>>,
    /// Rules that another program adds before the list is asked for next.
    pub(in crate::interface) late: u32,
}

/// Returns an interface whose calls of this thread go to a card.
pub(in crate::interface) fn fake(card: Card) -> (Interface, Rc<RefCell<Card>>, Installed) {
    let card = Rc::new(RefCell::new(card));
    let driver = Rc::clone(&card);
    let installed = install(Box::new(move |argument| driver.borrow_mut().command(argument)));
    (Interface::by_name("lo").unwrap(), card, installed)
}

/// Reads the struct that `argument` begins with.
fn read<T: FromBytes>(argument: &[u8]) -> T {
    T::read_from_prefix(argument).unwrap().0
}

/// Writes the struct that `argument` begins with.
fn write<T: IntoBytes + zerocopy::Immutable>(argument: &mut [u8], value: &T) {
    argument[..size_of::<T>()].copy_from_slice(value.as_bytes());
}

impl Card {
    fn command(&mut self, argument: &mut [u8]) -> Result<(), Errno> {
        match read::<u32>(argument) {
            ETHTOOL_GCHANNELS => {
                let (max_combined, combined_count) = (QUEUES, QUEUES);
                let channels = ethtool_channels { max_combined, combined_count, ..read(argument) };
                write(argument, &channels);
            }
            ETHTOOL_GFLAGS => {
                write(argument, &ethtool_value { data: self.flags, ..read(argument) });
            }
            ETHTOOL_SFLAGS if self.ignores_flags => {}
            ETHTOOL_SFLAGS => self.flags = read::<ethtool_value>(argument).data,
            ETHTOOL_GRSSH => return self.get_hash(argument),
            ETHTOOL_SRSSH => return self.set_hash(argument),
            _ => return self.rule_command(argument),
        }
        Ok(())
    }

    fn rule_command(&mut self, argument: &mut [u8]) -> Result<(), Errno> {
        let mut info: ethtool_rxnfc = read(argument);
        let mut places = Vec::new();
        match info.cmd {
            ETHTOOL_GRXRINGS => info.data = QUEUES.into(),
            ETHTOOL_GRXCLSRLCNT => {
                info.rule_cnt = self.rules.len() as u32;
                info.data = if self.special { RX_CLS_LOC_SPECIAL.into() } else { 0 };
            }
            ETHTOOL_GRXCLSRLALL => {
                while self.late > 0 {
                    self.late -= 1;
                    self.rules.insert(self.late, Default::default());
                }
                if info.rule_cnt < self.rules.len() as u32 {
                    return Err(Errno::MSGSIZE);
                }
                places = self.rules.keys().copied().collect();
                (info.rule_cnt, info.data) = (places.len() as u32, PLACES.into());
            }
            ETHTOOL_GRXCLSRULE => {
                (info.fs, info.rule_cnt) =
                    *self.rules.get(&info.fs.location).ok_or(Errno::NOENT)?;
            }
            ETHTOOL_SRXCLSRLINS => {
                if self.needs_ntuple && self.flags & ETH_FLAG_NTUPLE == 0 {
                    return Err(Errno::OPNOTSUPP);
                }
                if info.fs.location == RX_CLS_LOC_ANY {
                    let free = (0..PLACES).find(|place| !self.rules.contains_key(place));
                    info.fs.location = free.filter(|_| self.special).ok_or(Errno::NOSPC)?;
                }
                self.rules.insert(info.fs.location, (info.fs, info.rule_cnt));
            }
            ETHTOOL_SRXCLSRLDEL => {
                self.rules.remove(&info.fs.location).ok_or(Errno::NOENT)?;
            }
            _ => return Err(Errno::OPNOTSUPP),
        }
        // The struct, and then the array, which begins before the struct's end.
        write(argument, &info);
        let (at, bytes) = (offset_of!(ethtool_rxnfc, rule_locs), places.as_bytes());
        argument[at..at + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    fn get_hash(&mut self, argument: &mut [u8]) -> Result<(), Errno> {
        let request: ethtool_rxfh = read(argument);
        let table = match request.rss_context {
            0 => &self.table,
            id => self.contexts.get(&id).ok_or(Errno::NOENT)?,
        };
        let sizes = (table.len() as u32, self.key.len() as u32);
        let (indir_size, key_size) = sizes;
        let (hfunc, input_xfrm) = (ETH_RSS_HASH_TOP, self.transform);
        write(argument, &ethtool_rxfh { indir_size, key_size, hfunc, input_xfrm, ..request });
        let wrong = |asked, there| asked != 0 && asked != there;
        if wrong(request.indir_size, indir_size) || wrong(request.key_size, key_size) {
            return Err(Errno::INVAL);
        }
        let mut config = Vec::new();
        if request.indir_size > 0 {
            config.extend(table.as_bytes());
        }
        if request.key_size > 0 {
            config.extend(&self.key);
        }
        argument[size_of::<ethtool_rxfh>()..].copy_from_slice(&config);
        Ok(())
    }

    fn set_hash(&mut self, argument: &mut [u8]) -> Result<(), Errno> {
        let mut request: ethtool_rxfh = read(argument);
        let (_, config) = argument.split_at(size_of::<ethtool_rxfh>());
        let size = request.indir_size;
        // Older kernels look for the key behind a table of the device's size, which is not there.
        assert!(size != 0 || request.key_size == 0, "a key, and the default in place of a table");
        if request.input_xfrm & !self.transforms != 0 {
            return Err(Errno::OPNOTSUPP);
        }
        let given = size != 0 && size != ETH_RXFH_INDIR_NO_CHANGE;
        if given && size as usize != self.table.len()
            || request.key_size != 0 && request.key_size as usize != self.key.len()
        {
            return Err(Errno::INVAL);
        }
        let (table, key) = config.split_at(if given { 4 * size as usize } else { 0 });
        let table = table.chunks_exact(4).map(read::<u32>).collect::<Vec<_>>();
        assert_eq!(key.len(), request.key_size as usize, "the buffer is as long as it says");
        if table.iter().any(|queue| *queue >= QUEUES) {
            return Err(Errno::INVAL);
        }
        match request.rss_context {
            0 => {
                if given {
                    (self.table, self.configured) = (table, true);
                } else if size == 0 {
                    self.configured = false;
                    let in_turn = (0..QUEUES).cycle();
                    self.table.iter_mut().zip(in_turn).for_each(|(entry, queue)| *entry = queue);
                }
                if !key.is_empty() {
                    self.key = key.to_vec();
                }
                self.transform = request.input_xfrm;
            }
            ETH_RXFH_CONTEXT_ALLOC => {
                request.rss_context = self.contexts.len() as u32 + 1;
                self.contexts.insert(request.rss_context, table);
            }
            id => {
                assert_eq!(size, 0, "contexts are only made and deleted");
                self.contexts.remove(&id).ok_or(Errno::NOENT)?;
            }
        }
        write(argument, &request);
        Ok(())
    }
}
