//! The calls of maps that have a value for a key.

/// Writes the calls of a map from keys to values: reading, writing, removing, listing.
///
/// The type has the calls of `map_object`. `$by_buckets` is whether batches of this type stand at a
/// bucket, so that what is removed meanwhile does not change the place.
macro_rules! keyed_map {
    ($map:ident, [$($key:tt)*] $k:ty, $by_buckets:literal, $full:literal) => {
        impl<$($key)* V: MapData> $map<$k, V> {
            /// Returns the value of a key, or `None` if it is not there.
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
            #[doc = $full]
            #[doc(alias = "BPF_MAP_UPDATE_ELEM")]
            pub fn insert(&self, key: &$k, value: &V) -> Result<()> {
                self.raw.write(key.as_bytes(), value.as_bytes(), BPF_ANY).map(drop)
            }

            /// Writes the value of a key that is not there. Returns `false`, and changes nothing, if
            /// it is.
            ///
            /// # Errors
            /// As [`insert`](Self::insert).
            #[doc(alias = "BPF_NOEXIST")]
            pub fn insert_new(&self, key: &$k, value: &V) -> Result<bool> {
                self.raw.write(key.as_bytes(), value.as_bytes(), BPF_NOEXIST)
            }

            /// Writes the value of a key that is there. Returns `false`, and changes nothing, if it
            /// is not.
            ///
            /// # Errors
            /// [`Error::MapEntry`](crate::Error::MapEntry).
            #[doc(alias = "BPF_EXIST")]
            pub fn replace(&self, key: &$k, value: &V) -> Result<bool> {
                self.raw.write(key.as_bytes(), value.as_bytes(), BPF_EXIST)
            }

            /// Removes a key and its value. Returns whether it was there.
            ///
            /// # Errors
            /// [`Error::MapEntry`](crate::Error::MapEntry).
            #[doc(alias = "BPF_MAP_DELETE_ELEM")]
            pub fn remove(&self, key: &$k) -> Result<bool> {
                self.raw.remove(key.as_bytes())
            }

            /// Writes many entries, by one system call where the kernel has batches (5.6).
            ///
            /// # Errors
            /// As [`insert`](Self::insert). What is before the entry that failed has been written.
            #[doc(alias = "BPF_MAP_UPDATE_BATCH")]
            pub fn insert_all<'e>(
                &self,
                entries: impl IntoIterator<Item = (&'e $k, &'e V)>,
            ) -> Result<()>
            where
                $k: 'e,
                V: 'e,
            {
                let entries = entries.into_iter().map(|(key, value)| (key.as_bytes(), value.as_bytes()));
                self.raw.write_all(entries)
            }

            /// Removes many keys, by one system call where the kernel has batches (5.6). Returns how
            /// many of them were there.
            ///
            /// # Errors
            /// [`Error::MapEntry`](crate::Error::MapEntry). What is before the key that failed has
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
            /// one that is written or removed meanwhile comes once or not at all.
            #[doc(alias = "BPF_MAP_LOOKUP_BATCH")]
            #[doc(alias = "BPF_MAP_GET_NEXT_KEY")]
            pub fn iter(&self) -> Entries<'_, $k, V> {
                Entries::new(RawEntries::new(&self.raw, $by_buckets))
            }

            /// Returns the keys that are there, as [`iter`](Self::iter) finds them.
            ///
            /// # Errors
            /// [`Error::MapEntry`](crate::Error::MapEntry): `EAGAIN` if the map changes faster than
            /// it can be listed.
            pub fn keys(&self) -> Result<Vec<$k>> {
                self.iter().map(|entry| Ok(entry?.0)).collect()
            }
        }
    };
}

pub(super) use keyed_map;
