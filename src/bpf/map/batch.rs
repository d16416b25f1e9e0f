//! Many entries at once, where the kernel can.

use super::raw::RawMap;
use crate::error::Result;
use crate::num::usize32;
use rustix::io::Errno;
use xsk_uapi::bpf::BPF_ANY;

/// Linux's own number for "not supported", which kernels pass on for batches of a type of map that
/// has none (`ENOTSUPP` of include/linux/errno.h).
const ENOTSUPP: i32 = 524;

/// Returns whether the kernel has no batches, or not for this type of map: it does not know the
/// command (before 5.6) or the type's function.
pub(super) fn has_no_batches(errno: Errno) -> bool {
    errno == Errno::INVAL || errno.raw_os_error() == ENOTSUPP || errno == Errno::OPNOTSUPP
}

/// Entries that are written or removed by one system call.
pub(super) const BATCH: usize = 4096;

impl RawMap {
    /// Writes entries, many at once where the kernel can.
    pub(super) fn write_all<'e>(
        &self,
        entries: impl Iterator<Item = (&'e [u8], &'e [u8])>,
    ) -> Result<()> {
        let mut entries = entries.peekable();
        let mut batches = true;
        while entries.peek().is_some() {
            let (mut keys, mut values) = (Vec::new(), Vec::new());
            for (key, value) in entries.by_ref().take(BATCH) {
                keys.extend_from_slice(key);
                values.extend_from_slice(value);
            }
            let mut done = 0;
            if batches {
                match self.fd.update_batch(&keys, &values, BPF_ANY) {
                    (_, Ok(())) => continue,
                    (count, Err(errno)) => {
                        batches = !(count == 0 && has_no_batches(errno));
                        done = usize32(count);
                    }
                }
            }
            // Also after a failure: it reports the error of the very entry.
            let keys = keys.chunks(self.fd.key_len());
            for (key, value) in keys.zip(values.chunks(self.fd.value_len())).skip(done) {
                self.write(key, value, BPF_ANY)?;
            }
        }
        Ok(())
    }

    /// Removes keys, many at once where the kernel can; returns how many of them were there.
    pub(super) fn remove_all<'e>(&self, keys: impl Iterator<Item = &'e [u8]>) -> Result<u64> {
        let mut keys = keys.peekable();
        let mut removed = 0_u64;
        let mut batches = true;
        while keys.peek().is_some() {
            let mut batch = Vec::new();
            for key in keys.by_ref().take(BATCH) {
                batch.extend_from_slice(key);
            }
            let mut rest = batch.as_slice();
            while !rest.is_empty() {
                let mut done = 0;
                if batches {
                    let (count, result) = self.fd.delete_batch(rest);
                    if let Err(errno) = result {
                        batches = !(count == 0 && has_no_batches(errno));
                    }
                    done = usize32(count).saturating_mul(self.fd.key_len());
                    removed = removed.saturating_add(count.into());
                }
                // The batch ends at a key that is not there, or at an error, which is reported here.
                let (key, after) = rest
                    .get(done..)
                    .unwrap_or_default()
                    .split_at(self.fd.key_len().min(rest.len().saturating_sub(done)));
                if !key.is_empty() {
                    removed = removed.saturating_add(self.remove(key)?.into());
                }
                rest = after;
            }
        }
        Ok(removed)
    }
}
