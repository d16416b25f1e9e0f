//! The kernel's type information, as far as programs need it: the numbers of its functions.

use crate::error::{BpfOp, Error, Result};
use crate::num::usize32;
use crate::sys::bpf as sys;
use rustix::io::Errno;
use std::ops::Range;
use xsk_uapi::btf::{
    BTF_KIND_ARRAY, BTF_KIND_DATASEC, BTF_KIND_DECL_TAG, BTF_KIND_ENUM, BTF_KIND_ENUM64,
    BTF_KIND_FLOAT, BTF_KIND_FUNC, BTF_KIND_FUNC_PROTO, BTF_KIND_FWD, BTF_KIND_INT, BTF_KIND_PTR,
    BTF_KIND_STRUCT, BTF_KIND_TYPE_TAG, BTF_KIND_UNION, BTF_KIND_VAR, BTF_MAGIC, btf_header,
};
use zerocopy::FromBytes;

/// Where the kernel also shows its type information.
const FILE: &str = "/sys/kernel/btf/vmlinux";
/// The name of the kernel's own type information, beside that of its modules.
const VMLINUX: &[u8] = b"vmlinux";
/// The bytes of `struct btf_type`, before the records of its kind.
const HEAD: usize = 12;

/// The type information of the running kernel (BTF), for calls of kernel functions from programs.
///
/// Looking up a function reads the types in order: keep the numbers, not this value, which holds
/// some megabytes.
///
/// ```
/// use xsk::bpf::Btf;
///
/// # fn main() -> xsk::Result<()> {
/// # if !xsk::test_util::privileged("the documentation of Btf") { return Ok(()); }
/// let btf = Btf::of_kernel()?;
/// // `None` before 6.3.
/// println!("{:?}", btf.function("bpf_xdp_metadata_rx_hash"));
/// assert_eq!(btf.function("no such function"), None);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Btf {
    bytes: Vec<u8>,
    types: Range<usize>,
    strings: Range<usize>,
}

impl Btf {
    /// Reads the type information of the running kernel, by `bpf(2)`, which takes `CAP_SYS_ADMIN`; or
    /// else from `/sys/kernel/btf/vmlinux`, if `/sys` is mounted.
    ///
    /// # Errors
    /// [`Error::BpfObject`] if neither is possible: also, with `ENOENT`, on a kernel that was built
    /// without it (`CONFIG_DEBUG_INFO_BTF`).
    #[doc(alias = "BPF_BTF_GET_NEXT_ID")]
    #[doc(alias = "BPF_BTF_GET_FD_BY_ID")]
    pub fn of_kernel() -> Result<Self> {
        let bytes = match read_from_kernel() {
            Ok(bytes) => bytes,
            Err((operation, errno)) => std::fs::read(FILE).map_err(|_| failed(operation, errno))?,
        };
        Self::parse(bytes).ok_or_else(unreadable)
    }

    /// Opens the type information with the number `id`: of a program, or a map. `None` if this
    /// process may not, or there is none.
    pub(super) fn by_id(id: u32) -> Option<Self> {
        let btf = sys::btf_by_id(id).ok()?;
        let size = sys::btf_info(&btf, &mut [0], &mut [0]).ok()?.btf_size;
        Self::parse(bytes_of(&btf, size).ok()?)
    }

    /// Takes type information of this machine's byte order; `None` if these bytes are none.
    #[must_use]
    pub fn parse(bytes: Vec<u8>) -> Option<Self> {
        let (head, _) = btf_header::read_from_prefix(&bytes).ok()?;
        let part = |offset: u32, len: u32| {
            let start = usize32(head.hdr_len).checked_add(usize32(offset))?;
            let part = start..start.checked_add(usize32(len))?;
            bytes.get(part.clone()).map(|_| part)
        };
        let types = part(head.type_off, head.type_len)?;
        let strings = part(head.str_off, head.str_len)?;
        (head.magic == BTF_MAGIC).then_some(Self { bytes, types, strings })
    }

    /// Returns the number of the kernel function of this name: what a call of it names
    /// ([`Insn::call_kernel`](super::Insn::call_kernel)). Functions of modules are not here, and none
    /// behind a type of a kind that this crate does not know.
    #[must_use]
    pub fn function(&self, name: &str) -> Option<u32> {
        self.find(name).ok().flatten()
    }

    /// As [`function`](Self::function), but refuses to say that there is no such function if it does
    /// not know how long a type is before the end, as one of a kind that a later kernel has.
    pub(crate) fn find(&self, name: &str) -> Result<Option<u32>> {
        self.search(name).ok_or_else(unreadable)
    }

    /// Returns `None` at a type whose length is not known.
    fn search(&self, name: &str) -> Option<Option<u32>> {
        let mut types = self.bytes.get(self.types.clone())?;
        let strings = self.bytes.get(self.strings.clone())?;
        for number in 1_u32.. {
            if types.is_empty() {
                break;
            }
            let (head, _) = <[u32; 3]>::read_from_prefix(types).ok()?;
            let [name_at, info, _] = head;
            let kind = (info >> 24 & 0x1f).to_le_bytes()[0];
            if kind == BTF_KIND_FUNC && is_string(strings, name_at, name) {
                return Some(Some(number));
            }
            let records = records(kind, usize32(info & 0xffff))?;
            types = types.get(HEAD.checked_add(records)?..)?;
        }
        Some(None)
    }
}

fn failed(operation: BpfOp, errno: Errno) -> Error {
    Error::BpfObject { operation, object: "the kernel's type information".to_owned(), errno }
}

/// Returns the error for type information that this crate does not understand.
fn unreadable() -> Error {
    failed(BpfOp::Info, Errno::BADMSG)
}

/// Returns how many bytes follow a type of this kind with so many records; `None` for a kind that is
/// not known.
fn records(kind: u8, count: usize) -> Option<usize> {
    match kind {
        BTF_KIND_PTR | BTF_KIND_FWD..=BTF_KIND_FUNC | BTF_KIND_FLOAT | BTF_KIND_TYPE_TAG => Some(0),
        BTF_KIND_INT | BTF_KIND_VAR | BTF_KIND_DECL_TAG => Some(4),
        BTF_KIND_ARRAY => Some(12),
        BTF_KIND_ENUM | BTF_KIND_FUNC_PROTO => count.checked_mul(8),
        BTF_KIND_STRUCT | BTF_KIND_UNION | BTF_KIND_DATASEC | BTF_KIND_ENUM64 => {
            count.checked_mul(12)
        }
        _ => None,
    }
}

/// Returns whether the string that begins at `at` is `name`.
fn is_string(strings: &[u8], at: u32, name: &str) -> bool {
    let tail = strings.get(usize32(at)..).unwrap_or_default();
    let rest = tail.strip_prefix(name.as_bytes());
    rest.is_some_and(|rest| rest.first() == Some(&0))
}

/// Reads the kernel's own type information, whichever number it has.
fn read_from_kernel() -> Result<Vec<u8>, (BpfOp, Errno)> {
    let mut id = 0;
    loop {
        let next = sys::btf_next_id(id).map_err(|errno| (BpfOp::NextBtfId, errno))?;
        id = next.ok_or((BpfOp::NextBtfId, Errno::NOENT))?;
        let btf = match sys::btf_by_id(id) {
            Ok(btf) => btf,
            // It has gone meanwhile.
            Err(Errno::NOENT) => continue,
            Err(errno) => return Err((BpfOp::BtfById, errno)),
        };
        let failed = |errno| (BpfOp::Info, errno);
        let mut name = [0; 16];
        let info = sys::btf_info(&btf, &mut name, &mut []).map_err(failed)?;
        if info.kernel_btf == 0 || name.split(|byte| *byte == 0).next() != Some(VMLINUX) {
            continue;
        }
        return bytes_of(&btf, info.btf_size).map_err(failed);
    }
}

/// Reads type information that has `size` bytes.
fn bytes_of(btf: &sys::TypeInfo, size: u32) -> Result<Vec<u8>, Errno> {
    let mut bytes = vec![0; usize32(size)];
    // The kernel refuses room for a name that has no bytes.
    sys::btf_info(btf, &mut [0], &mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::Btf;

    /// Type information with these types after the header, and these strings.
    fn bytes(types: &[u32], strings: &[u8]) -> Vec<u8> {
        let types: Vec<u8> = types.iter().flat_map(|word| word.to_ne_bytes()).collect();
        let mut bytes = 0xeb9f_u16.to_ne_bytes().to_vec();
        bytes.extend([1, 0]);
        let len = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap();
        for word in [24, 0, len(&types), len(&types), len(strings)] {
            bytes.extend(word.to_ne_bytes());
        }
        bytes.extend(types);
        bytes.extend(strings);
        bytes
    }

    const FUNC: u32 = 12 << 24;
    const STRUCT: u32 = 4 << 24;

    #[test]
    fn a_function_is_found_by_its_whole_name() {
        let types = [1, STRUCT | 1, 8, 9, 9, 9, 5, FUNC, 1, 1, FUNC, 1];
        let btf = Btf::parse(bytes(&types, b"\0one\0other\0")).unwrap();
        assert_eq!((btf.function("other"), btf.function("one")), (Some(2), Some(3)));
        assert_eq!(
            (btf.function("on"), btf.function("othe"), btf.function("")),
            (None, None, None)
        );
    }

    #[test]
    fn what_is_cut_off_or_not_known_ends_the_search() {
        let types = [1, STRUCT | 9, 8, 5, FUNC, 1];
        assert_eq!(Btf::parse(bytes(&types, b"\0one\0two\0")).unwrap().function("two"), None);
        let types = [1, FUNC, 1, 1, 31 << 24, 8, 5, FUNC, 1];
        let btf = Btf::parse(bytes(&types, b"\0one\0two\0")).unwrap();
        assert_eq!((btf.function("one"), btf.function("two")), (Some(1), None));
        // That is no reason to say that there is none.
        assert!(matches!(btf.find("one"), Ok(Some(1))));
        assert_eq!(btf.find("two").unwrap_err().errno(), Some(rustix::io::Errno::BADMSG));
        let btf = Btf::parse(bytes(&types[..3], b"\0one\0two\0")).unwrap();
        assert!(matches!(btf.find("two"), Ok(None)));
        // The string has no end, or is not there.
        let btf = Btf::parse(bytes(&[1, FUNC, 1, 99, FUNC, 1], b"\0one")).unwrap();
        assert_eq!(btf.function("one"), None);
        let whole = bytes(&[1, FUNC, 1], b"\0one\0");
        for len in 0..whole.len() {
            assert!(Btf::parse(whole[..len].to_vec()).is_none(), "{len}");
        }
        let mut other = whole;
        other.swap(0, 1);
        assert!(Btf::parse(other).is_none(), "another byte order");
    }
}
