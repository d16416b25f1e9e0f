//! The calls of maps that have a value for a key.

/// Writes the calls of a map from keys to values: reading, writing, removing, listing.
///
/// The type has the calls of `map_object`. `$by_buckets` is whether batches of this type stand at a
/// bucket, so that what is removed meanwhile does not change the place.
macro_rules! keyed_map {
    (
        $map:ident, [$($key:tt)*] $k:ty, by_buckets: $by_buckets:literal,
        get: $get:literal, errors: $errors:literal
    ) => {
        impl<$($key)* V: MapData> $map<$k, V> {
            #[doc = $get]
            ///
            /// # Errors
            /// [`Error::MapEntry`](crate::Error::MapEntry).
            #[doc(alias = "BPF_MAP_LOOKUP_ELEM")]
            pub fn get(&self, key: &$k) -> Result<Option<V>> {
                let mut value = V::new_zeroed();
                let found = self.raw.read(key.as_bytes(), value.as_mut_bytes(), None)?;
                Ok(found.then_some(value))
            }

            /// Writes the value of a key, whether the key is there or not.
            ///
            /// # Errors
            #[doc = $errors]
            #[doc(alias = "BPF_MAP_UPDATE_ELEM")]
            pub fn insert(&self, key: &$k, value: &V) -> Result<()> {
                self.raw.write(key.as_bytes(), value.as_bytes(), BPF_ANY).map(drop)
            }

            /// Removes a key and its value. Returns whether it was there.
            ///
            /// # Errors
            /// [`Error::MapEntry`](crate::Error::MapEntry).
            #[doc(alias = "BPF_MAP_DELETE_ELEM")]
            pub fn remove(&self, key: &$k) -> Result<bool> {
                self.raw.remove(key.as_bytes())
            }

            /// Writes many entries, by few system calls where the kernel has batches for this type of
            /// map (5.6 and later).
            ///
            /// # Errors
            /// As [`insert`](Self::insert). The entries before the one that failed have been written.
            #[doc(alias = "BPF_MAP_UPDATE_BATCH")]
            pub fn insert_all<'e>(
                &self,
                entries: impl IntoIterator<Item = (&'e $k, &'e V)>,
            ) -> Result<()>
            where
                $k: 'e,
                V: 'e,
            {
                let entries = entries.into_iter();
                self.raw.write_all(entries.map(|(key, value)| (key.as_bytes(), value.as_bytes())))
            }

            /// Removes many keys, by few system calls where the kernel has batches for this type of
            /// map (5.6 and later). Returns how many of them were there.
            ///
            /// # Errors
            /// [`Error::MapEntry`](crate::Error::MapEntry). The keys before the one that failed have
            /// been removed.
            #[doc(alias = "BPF_MAP_DELETE_BATCH")]
            pub fn remove_all<'e>(&self, keys: impl IntoIterator<Item = &'e $k>) -> Result<u64>
            where
                $k: 'e,
            {
                self.raw.remove_all(keys.into_iter().map(|key| key.as_bytes()))
            }

            /// Returns an iterator over the keys and their values.
            ///
            /// The map may change meanwhile: programs, other processes, and the loop itself write
            /// and remove entries. Each key that is there from the beginning to the end comes once;
            /// one that is written or removed meanwhile comes once or not at all. An error ends the
            /// iterator: [`Error::MapEntry`](crate::Error::MapEntry), with `EAGAIN` if the map
            /// changes faster than it can be listed key by key.
            #[doc(alias = "BPF_MAP_LOOKUP_BATCH")]
            #[doc(alias = "BPF_MAP_GET_NEXT_KEY")]
            pub fn iter(&self) -> Entries<'_, $k, V> {
                Entries::new(RawEntries::new(&self.raw, $by_buckets))
            }

            /// Returns the keys that are there, as [`iter`](Self::iter) finds them.
            ///
            /// # Errors
            /// [`Error::MapEntry`](crate::Error::MapEntry), as the iterator's.
            pub fn keys(&self) -> Result<Vec<$k>> {
                self.iter().map(|entry| Ok(entry?.0)).collect()
            }
        }
    };
}

/// Writes the calls of a hash table that depend on whether a key is there.
macro_rules! conditional_writes {
    ($map:ident) => {
        impl<K: MapData, V: MapData> $map<K, V> {
            /// Writes the value of a key that is not there. Returns `false`, and changes nothing, if
            /// it is.
            ///
            /// # Errors
            /// As [`insert`](Self::insert).
            #[doc(alias = "BPF_NOEXIST")]
            pub fn insert_new(&self, key: &K, value: &V) -> Result<bool> {
                self.raw.write(key.as_bytes(), value.as_bytes(), BPF_NOEXIST)
            }

            /// Writes the value of a key that is there. Returns `false`, and changes nothing, if it
            /// is not.
            ///
            /// # Errors
            /// [`Error::MapEntry`](crate::Error::MapEntry).
            #[doc(alias = "BPF_EXIST")]
            pub fn replace(&self, key: &K, value: &V) -> Result<bool> {
                self.raw.write(key.as_bytes(), value.as_bytes(), BPF_EXIST)
            }
        }
    };
}

/// Writes how a map is made.
macro_rules! made {
    ([$($generics:tt)*] $map:ident<$($arguments:ty),*>, $what:literal) => {
        impl<$($generics)*> $map<$($arguments),*> {
            #[doc = $what]
            ///
            /// `name` is what `bpftool map` shows: at most 15 of `A-Za-z0-9_.`. Needs `CAP_BPF`
            /// (5.8), before that `CAP_SYS_ADMIN`. Before 5.11 the map's memory counts against
            /// `RLIMIT_MEMLOCK`, and the kernel reports too much of it as `EPERM`.
            ///
            /// # Errors
            /// [`Error::CreateMap`](crate::Error::CreateMap).
            #[doc(alias = "BPF_MAP_CREATE")]
            pub fn create(name: &str, entries: u32) -> Result<Self> {
                Self::builder(name, entries).create()
            }

            /// Returns a builder of a map with other than the usual properties.
            pub fn builder(name: &str, entries: u32) -> MapBuilder<'_, Self> {
                MapBuilder::new(name, entries)
            }
        }

        impl<$($generics)*> MapBuilder<'_, $map<$($arguments),*>> {
            /// Makes the map.
            ///
            /// # Errors
            /// [`Error::CreateMap`](crate::Error::CreateMap);
            /// [`Error::NeedsKernel`](crate::Error::NeedsKernel) for a property that the kernel does
            /// not know.
            pub fn create(self) -> Result<$map<$($arguments),*>> {
                RawMap::create($map::<$($arguments),*>::SHAPE, self.options).map($map::of)
            }
        }
    };
}

pub(super) use {conditional_writes, keyed_map, made};
