//! Sets of IP addresses by their prefixes.

use super::next_number;
use super::table::{Full, Prefix4, Room, Table, mask, put};
use crate::bpf::map::{LpmTrie, Prefix, SharedValue};
use crate::error::{Error, FilterFault, Result};
use std::collections::BTreeSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// For so many IPv4 prefixes a set has room that was made without a number.
const USUAL_ROOM: u32 = 1024;
/// The most IPv6 prefixes of a set.
const MOST_V6: u32 = 1 << 20;

/// A set of IPv4 and IPv6 addresses, by thousands of prefixes if need be, for
/// [`Condition::address_in`](crate::bpf::Condition::address_in). It can be changed at any time, also
/// while programs use it: they see the change at once.
///
/// Clones are the same set. After `fork(2)` only the parent changes what programs see.
///
/// ```
/// use std::net::Ipv4Addr;
/// use xsk::bpf::{Action, AddressSet, Condition, Direction, Filter, XskMap};
///
/// # fn main() -> xsk::Result<()> {
/// let blocked = AddressSet::new("blocked");
/// blocked.insert(Ipv4Addr::new(198, 51, 100, 0), 24)?;
/// let filter = Filter::new()
///     .rule(Condition::address_in(Direction::Source, &blocked), Action::Drop);
/// assert!(blocked.contains(Ipv4Addr::new(198, 51, 100, 7)));
///
/// # if !xsk::test_util::privileged("the documentation of AddressSet") { return Ok(()); }
/// let map = XskMap::create(XskMap::DEFAULT_NAME, 4)?;
/// let program = filter.load(&map)?;
/// let mut packet = [0; 60];
/// packet[12..15].copy_from_slice(&[8, 0, 0x45]); // IPv4
/// packet[26..30].copy_from_slice(&[203, 0, 113, 5]); // its source
/// assert_eq!(program.program().test_run(&packet, None)?.retval, 2); // XDP_PASS
/// blocked.insert(Ipv4Addr::new(203, 0, 113, 5), 32)?;
/// assert_eq!(program.program().test_run(&packet, None)?.retval, 1); // XDP_DROP
/// # Ok(()) }
/// ```
///
/// # Cost
/// An IPv4 address costs at most three loads, however many prefixes there are; an IPv6 address a
/// look-up in a trie of the kernel (`BPF_MAP_TYPE_LPM_TRIE`), which takes longer the more there are.
///
/// # Room
/// Prefixes can be added without end until a filter with the set is first loaded. Its memory for IPv4
/// is fixed then: for the prefixes of that moment twice over, and for 1,024 in all at least, wherever
/// they are ([`with_room`](Self::with_room) for more). 1,024 take 1.3 MiB, 10,000 take 10.4 MiB, 65,536
/// take 66.3 MiB, and each million above 32 MB, in the kernel, and as much of the process's memory as is
/// written to. That is the worst case, in which each prefix is in a /16 network of its own:
/// a /16 network that has prefixes of more than 24 bits takes 1 KiB, and 32 bytes for each of its /24
/// networks with such; each other /16 network that has prefixes of more than 16 takes 32 bytes. So the
/// room may well be enough for many times as many. The most is 1 GiB; Linux 5.10 refuses more than 4
/// MiB (`E2BIG`), 6.1 does not.
///
/// Of IPv6 there are at most 1,048,576 prefixes, each of which takes memory when it is added.
#[derive(Clone)]
pub struct AddressSet(Arc<Shared>);

struct Shared {
    number: u64,
    name: String,
    /// For so many IPv4 prefixes there is room, wherever they are.
    room: u32,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    v4: BTreeSet<Prefix4>,
    v6: BTreeSet<(u128, u8)>,
    /// Once a filter is loaded, as what follows.
    table: Option<Table>,
    maps: Option<Arc<SetMaps>>,
}

/// What programs look into.
#[derive(Debug)]
pub(in super::super) struct SetMaps {
    pub(in super::super) table: SharedValue,
    pub(in super::super) trie: LpmTrie<Prefix<16>, u32>,
}

impl AddressSet {
    /// Makes an empty set, with room for 1,024 IPv4 prefixes wherever they are. Errors and the text of
    /// conditions call it `name`.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self::with_room(name, USUAL_ROOM)
    }

    /// Makes an empty set as [`new`](Self::new) does, with room for so many IPv4 prefixes wherever they
    /// are, while programs use it. What that [costs](Self#room) is memory, and no time of packets.
    ///
    /// ```
    /// # fn main() -> xsk::Result<()> {
    /// use std::net::Ipv4Addr;
    /// use xsk::bpf::{Action, AddressSet, Condition, Direction, Filter};
    ///
    /// let blocked = AddressSet::with_room("blocked", 100_000);
    /// let filter = Filter::new()
    ///     .rule(Condition::address_in(Direction::Source, &blocked), Action::Drop);
    /// let compiled = filter.compile()?; // from here on the room is fixed
    /// blocked.insert(Ipv4Addr::new(198, 51, 100, 7), 32)?;
    /// # let _ = compiled;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn with_room(name: &str, prefixes: u32) -> Self {
        let (name, room) = (name.to_owned(), prefixes);
        Self(Arc::new(Shared { number: next_number(), name, room, state: Mutex::default() }))
    }

    /// Returns the set's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Returns how many prefixes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        let state = self.state();
        state.v4.len().saturating_add(state.v6.len())
    }

    /// Returns whether there are no prefixes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns whether an address is in the set.
    pub fn contains(&self, address: impl Into<IpAddr>) -> bool {
        let state = self.state();
        match address.into() {
            IpAddr::V4(address) => {
                let address = u32::from(address);
                (0..=32).any(|len| state.v4.contains(&(address & mask(len), len)))
            }
            IpAddr::V6(address) => {
                let address = u128::from(address);
                (0..=128).any(|len| state.v6.contains(&(address & mask6(len), len)))
            }
        }
    }

    /// Adds the addresses whose first `len` bits are those of `address`. Returns `false` if the
    /// prefix was there.
    ///
    /// # Errors
    /// [`Error::Setting`] if `len` is above 32 (IPv4) or 128 (IPv6); [`Error::Filter`] if programs
    /// use the set and there is no more [room](Self#room), counted as if the prefix did not lie in
    /// a shorter one, which may be removed; [`Error::MapEntry`](crate::Error::MapEntry).
    pub fn insert(&self, address: impl Into<IpAddr>, len: u8) -> Result<bool> {
        self.change(address.into(), len, true)
    }

    /// Removes a prefix; others that have addresses of it stay. Returns `false` if it was not there.
    /// There is always room for that.
    ///
    /// # Errors
    /// [`Error::Setting`] as for [`insert`](Self::insert); of IPv6
    /// [`Error::MapEntry`](crate::Error::MapEntry).
    pub fn remove(&self, address: impl Into<IpAddr>, len: u8) -> Result<bool> {
        self.change(address.into(), len, false)
    }

    fn change(&self, address: IpAddr, len: u8, add: bool) -> Result<bool> {
        let most = if address.is_ipv4() { 32 } else { 128 };
        if len > most {
            let rule = "has at most 32 bits of IPv4, or 128 of IPv6";
            return Err(Error::Setting { name: "prefix length", value: len.into(), rule });
        }
        let mut state = self.state();
        match address {
            IpAddr::V4(address) => {
                let prefix = (u32::from(address) & mask(len), len);
                state.change(prefix, add).map_err(|Full| {
                    let bytes = state.table.as_ref().map_or(0, Table::bytes);
                    let fault = FilterFault::SetFull { set: self.name().to_owned(), bytes };
                    Error::Filter { fault }
                })
            }
            IpAddr::V6(address) => {
                let prefix = (u128::from(address) & mask6(len), len);
                let changed = put(&mut state.v6, prefix, add);
                let maps = state.maps.clone();
                if let Some(maps) = maps.filter(|_| changed) {
                    let key = Prefix::new(address.octets(), len.into())?;
                    let done = if add {
                        maps.trie.insert(&key, &1)
                    } else {
                        maps.trie.remove(&key).map(drop)
                    };
                    if let Err(error) = done {
                        put(&mut state.v6, prefix, !add);
                        return Err(error);
                    }
                }
                Ok(changed)
            }
        }
    }

    /// Returns how many bytes the table has that programs look into, or would have if a filter were
    /// loaded.
    pub(in super::super) fn table_bytes(&self) -> u32 {
        let state = self.state();
        let room = || Room::new(&state.v4, self.0.room).bytes();
        state.table.as_ref().map_or_else(room, Table::bytes)
    }

    /// Returns what programs look into; makes it for the first of them.
    pub(in super::super) fn maps(&self) -> Result<Arc<SetMaps>> {
        let mut state = self.state();
        if let Some(maps) = &state.maps {
            return Ok(Arc::clone(maps));
        }
        let State { v4, v6, .. } = &*state;
        let mut words = Table::new(Room::new(v4, self.0.room));
        let bytes = words.bytes();
        let table = SharedValue::create("xsk_addresses", bytes)?;
        let trie = LpmTrie::create("xsk_addresses6", MOST_V6)?;
        for (address, len) in v6 {
            trie.insert(&Prefix::new(address.to_be_bytes(), (*len).into())?, &1)?;
        }
        if words.fill(v4) == Err(Full) {
            let fault = FilterFault::SetFull { set: self.name().to_owned(), bytes };
            return Err(Error::Filter { fault });
        }
        for (offset, word) in words.words() {
            table.write(offset, word);
        }
        let maps = Arc::new(SetMaps { table, trie });
        state.table = Some(words);
        state.maps = Some(Arc::clone(&maps));
        Ok(maps)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Adds a prefix or removes it, also in the table if programs look into it. Returns `false` if that
    /// changes nothing.
    fn change(&mut self, prefix: Prefix4, add: bool) -> Result<bool, Full> {
        let Self { v4, table, maps, .. } = self;
        let (Some(table), Some(maps)) = (table, maps) else { return Ok(put(v4, prefix, add)) };
        table.change(v4, prefix, add, &mut |offset, word| maps.table.write(offset, word))
    }
}

fn mask6(len: u8) -> u128 {
    u128::MAX.checked_shl(128_u32.saturating_sub(len.into())).unwrap_or(0)
}

impl PartialEq for AddressSet {
    fn eq(&self, other: &Self) -> bool {
        self.0.number == other.0.number
    }
}

impl Eq for AddressSet {}

impl Hash for AddressSet {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.number.hash(state);
    }
}

impl fmt::Debug for AddressSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, prefixes) = (self.name(), self.len());
        f.debug_struct("AddressSet").field("name", &name).field("prefixes", &prefixes).finish()
    }
}
