//! An array map, whose value a program reaches without looking it up.
#![expect(unsafe_code, reason = "bpf(2), of which the C library has no function of its own")]

use std::ffi::c_long;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use xsk_uapi::bpf::{BPF_MAP_CREATE, BPF_MAP_TYPE_ARRAY, bpf_attr_map_create};
use zerocopy::FromZeros;

/// The number of bpf(2), as in the library's `src/sys/syscall.rs`.
const BPF: c_long = if cfg!(target_arch = "x86_64") {
    321
} else if cfg!(target_arch = "aarch64") {
    280
} else if cfg!(target_arch = "x86") {
    357
} else {
    386 // armv7
};

unsafe extern "C" {
    /// The function of the C library.
    fn syscall(number: c_long, ...) -> c_long;
}

/// Makes an array with one element of 16 bytes.
pub(crate) fn array() -> OwnedFd {
    let mut attr = bpf_attr_map_create::new_zeroed();
    attr.map_type = BPF_MAP_TYPE_ARRAY;
    attr.key_size = 4;
    attr.value_size = 16;
    attr.max_entries = 1;
    // SAFETY: the kernel reads the attribute, of the length that is given; it holds no pointer.
    let returned =
        unsafe { syscall(BPF, BPF_MAP_CREATE as c_long, &raw mut attr, size_of_val(&attr)) };
    let fd = i32::try_from(returned).unwrap();
    assert!(fd >= 0, "{}", io::Error::last_os_error());
    // SAFETY: the call made the descriptor, and nothing else has it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}
