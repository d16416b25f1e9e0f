//! Tries of prefixes, in which the longest one that matches is found.

use super::builder::MapBuilder;
use super::data::{MapData, size};
use super::keyed::{keyed_map, made};
use super::object::map_object;
use super::prefix::Prefix;
use super::raw::{RawMap, Shape};
use super::walk::{Entries, RawEntries};
use crate::error::{Error, MapKind, Result};
use rustix::io::Errno;
use std::marker::PhantomData;
use std::sync::OnceLock;
use xsk_uapi::bpf::{BPF_ANY, BPF_EXIST, BPF_NOEXIST};
use zerocopy::IntoBytes;

/// A BPF map from [prefixes](Prefix) to values: a look-up finds the longest prefix that the address
/// begins with.
///
/// In a program the key is a 32-bit number, the length in bits, and behind it the address as it lies
/// in a packet.
///
/// ```
/// use std::net::Ipv4Addr;
/// use xsk::bpf::{LpmTrie, Prefix};
///
/// # fn main() -> xsk::Result<()> {
/// # if !xsk::test_util::privileged("the documentation of LpmTrie") { return Ok(()); }
/// let routes = LpmTrie::<Prefix<4>, u32>::create("routes", 1000)?;
/// routes.insert(&Prefix::v4(Ipv4Addr::new(10, 0, 0, 0), 8)?, &1)?;
/// routes.insert(&Prefix::v4(Ipv4Addr::new(10, 9, 0, 0), 16)?, &2)?;
/// assert_eq!(routes.get(&Ipv4Addr::new(10, 1, 1, 1).into())?, Some(1));
/// assert_eq!(routes.get(&Ipv4Addr::new(10, 9, 1, 1).into())?, Some(2));
/// assert_eq!(routes.get(&Ipv4Addr::new(11, 1, 1, 1).into())?, None);
/// # Ok(())
/// # }
/// ```
///
/// While prefixes are inserted or removed during [`iter`](Self::iter), it may leave out others beside
/// them. Before 6.13 (and in stable kernels without its fixes) that is common. Since then it is rare:
/// the kernel walks without a lock (`trie_get_next_key` in `kernel/bpf/lpm_trie.c`), and passes over
/// the rest of a branch if a node on the way back up has just been exchanged. A list of a trie that no
/// one changes is complete.
#[doc(alias = "BPF_MAP_TYPE_LPM_TRIE")]
pub struct LpmTrie<K, V> {
    raw: RawMap,
    types: PhantomData<fn() -> (K, V)>,
}

map_object!(
    "LpmTrie", [const N: usize, V: MapData] LpmTrie<Prefix<N>, V>,
    Shape { kind: MapKind::LpmTrie, key_size: size::<Prefix<N>>(), value_size: size::<V>() }
);
keyed_map!(
    LpmTrie, [const N: usize,] Prefix<N>, by_buckets: false,
    get: "Returns the value of the longest prefix that is a beginning of `key`, or is `key`; `None` if \
        there is none.",
    errors: "[`Error::MapEntry`](crate::Error::MapEntry): `ENOSPC` if the map is full."
);
made!(
    [const N: usize, V: MapData] LpmTrie<Prefix<N>, V>,
    "Makes an empty trie for `entries` prefixes at the most."
);

/// Returns whether the kernel looks whether a prefix is there before it writes (6.13, and stable
/// kernels that have the fix): others write in any case.
fn looks_before_it_writes() -> Result<bool> {
    static LOOKS: OnceLock<bool> = OnceLock::new();
    if let Some(looks) = LOOKS.get() {
        return Ok(*looks);
    }
    let trie = LpmTrie::<Prefix<1>, u8>::create("probe", 1)?;
    let (key, value) = (Prefix::whole([0]), 0_u8);
    trie.insert(&key, &value)?;
    let again = trie.raw.fd.update(key.as_bytes(), value.as_bytes(), BPF_NOEXIST);
    Ok(*LOOKS.get_or_init(|| again == Err(Errno::EXIST)))
}

impl<const N: usize, V: MapData> LpmTrie<Prefix<N>, V> {
    /// Writes the value of a prefix that is not there, of this very length (6.13). Returns `false`,
    /// and changes nothing, if it is.
    ///
    /// # Errors
    /// As [`insert`](Self::insert); [`Error::NeedsKernel`] where the kernel would write in any case,
    /// which is found out with a small trie: [`Error::CreateMap`].
    #[doc(alias = "BPF_NOEXIST")]
    pub fn insert_new(&self, key: &Prefix<N>, value: &V) -> Result<bool> {
        self.write_if(key, value, BPF_NOEXIST)
    }

    /// Writes the value of a prefix that is there, of this very length (6.13). Returns `false`, and
    /// changes nothing, if it is not.
    ///
    /// # Errors
    /// As [`insert_new`](Self::insert_new).
    #[doc(alias = "BPF_EXIST")]
    pub fn replace(&self, key: &Prefix<N>, value: &V) -> Result<bool> {
        self.write_if(key, value, BPF_EXIST)
    }

    fn write_if(&self, key: &Prefix<N>, value: &V, flags: u64) -> Result<bool> {
        if !looks_before_it_writes()? {
            return Err(Error::NeedsKernel {
                feature: "writing a prefix that must, or must not, be there",
                version: "6.13",
            });
        }
        self.raw.write(key.as_bytes(), value.as_bytes(), flags)
    }
}
