//! Groups 8 to 12: packet memory.

use crate::says;
use expect_test::expect;
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};
use std::ptr::NonNull;
use xsk::test_util::{FakeKernel, privileged};
use xsk::umem::UmemBuilder;
use xsk::{Error, Socket, Umem};

/// Asserts that `builder` fails with an error about the setting `name`.
#[track_caller]
fn refused(builder: UmemBuilder, name: &str) {
    let Err(error) = builder.build() else {
        panic!("taken");
    };
    assert!(matches!(error, Error::Setting { name: found, .. } if found == name), "{error}");
}

/// Builds a UMEM in memory of the test's own, `bytes` from `offset` on.
#[expect(unsafe_code, reason = "memory of the user's own")]
fn brought(offset: usize, bytes: usize, rights: ProtFlags) -> Result<Umem, Error> {
    const LEN: usize = 20 * 4096;
    struct Owner(usize);
    impl Drop for Owner {
        fn drop(&mut self) {
            // SAFETY: mapped below, and it has no user left.
            unsafe { munmap(std::ptr::with_exposed_provenance_mut(self.0), LEN) }.unwrap();
        }
    }
    assert!(offset + bytes <= LEN);
    // SAFETY: a new mapping at an address of the kernel's choice.
    let start = unsafe { mmap_anonymous(std::ptr::null_mut(), LEN, rights, MapFlags::PRIVATE) };
    let owner = Owner(start.unwrap().expose_provenance());
    let memory: *mut u8 = std::ptr::with_exposed_provenance_mut(owner.0 + offset);
    let memory = NonNull::slice_from_raw_parts(NonNull::new(memory).unwrap(), bytes);
    // SAFETY: exclusive, and mapped until `owner` is dropped. Where it may not be written, no byte
    // of it is touched.
    let built = unsafe { Umem::builder().chunk_count(16).build_in(memory, owner) };
    built.map(|(umem, _pool)| umem)
}

/// Group 8 of the table in tests/README.md.
#[test]
fn memory_begins_at_a_page_and_is_whole_chunks() {
    let all = ProtFlags::READ | ProtFlags::WRITE;
    for (offset, bytes) in [(64, 16 * 4096), (1, 16 * 4096), (0, 16 * 4096 - 1), (0, 0)] {
        let error = brought(offset, bytes, all).unwrap_err();
        assert!(matches!(error, Error::Setting { name: "memory", .. }), "{error}");
    }
    // Memory beyond what is needed is not used.
    assert_eq!(brought(4096, 17 * 4096, all).unwrap().chunk_count(), 16);
    for chunks in [0, (1 << 30) + 1, u32::MAX] {
        refused(Umem::builder().chunk_count(chunks), "number of chunks");
    }
}

/// Group 9 of the table in tests/README.md.
#[test]
fn chunks_are_a_power_of_two_from_2048_to_a_page() {
    for size in [0, 1000, 1024, 2047, 3000, 4001, 4097, 8192, u32::MAX] {
        refused(Umem::builder().chunk_count(4).chunk_size(size), "chunk size");
    }
    for size in [2048, 4096] {
        let builder = Umem::builder().chunk_count(4).chunk_size(size);
        assert_eq!(builder.build().unwrap().0.chunk_size(), size);
    }
}

/// Group 9 of the table in tests/README.md.
#[test]
fn unaligned_chunks_have_any_size_from_2048_to_a_page() {
    let builder = |size| Umem::builder().chunk_count(4).chunk_size(size).unaligned();
    for size in [0, 1, 1024, 2047, 4097, 8192, u32::MAX] {
        refused(builder(size), "chunk size");
    }
    let error = builder(4097).build().unwrap_err();
    says(
        &error,
        &expect![
            "chunk size 4097 is not possible: a possible one is from 2048 to the page size (4096 on most machines)"
        ],
    );
    let error = Umem::builder().chunk_count(4).chunk_size(3000).build().unwrap_err();
    says(
        &error,
        &expect![
            "chunk size 3000 is not possible: a possible one is a power of two from 2048 to the page size (4096 on most machines), or any number in this range with `UmemBuilder::unaligned`"
        ],
    );
    let root = privileged!();
    for size in (2048..2060).chain([2500, 3000, 3001, 3071, 4001]).chain(4090..=4096) {
        let (umem, pool) = builder(size).build().unwrap();
        assert_eq!((umem.chunk_size(), umem.chunk_count(), pool.len()), (size, 4, 4));
        if root {
            // The kernel takes each, too.
            drop(Socket::builder(&umem).open().unwrap());
        }
    }
}

/// This crate refuses what no kernel accepts. What some kernels accept, the kernel refuses; its
/// limit is one of the two that are known, so that the text is right.
///
/// Group 10 of the table in tests/README.md.
#[test]
fn headroom_has_the_limits_that_the_text_names() {
    let builder = |size, unaligned| {
        let builder = Umem::builder().chunk_count(4).chunk_size(size);
        if unaligned { builder.unaligned() } else { builder }
    };
    let sizes = [(2048, false), (4096, false), (2048, true), (3001, true)];
    for (size, unaligned) in sizes {
        let builder = || builder(size, unaligned);
        for headroom in [size - 256, size - 1, size, u32::MAX] {
            refused(builder().headroom(headroom), "headroom");
        }
        drop(builder().headroom(size - 257).build().unwrap());
    }
    if !privileged!() {
        return;
    }
    for (size, unaligned) in sizes {
        let open = |headroom| {
            let (umem, _pool) = builder(size, unaligned).headroom(headroom).build().unwrap();
            Socket::builder(&umem).open().map(drop)
        };
        open(size - 704).unwrap();
        let (less, more) = (open(size - 703), open(size - 257));
        assert_eq!(less.is_ok(), more.is_ok(), "the limit is neither of the two known ones");
        for error in [less.err(), more.err()].into_iter().flatten() {
            assert_eq!(error.errno(), Some(Errno::INVAL));
            let text = error.to_string();
            for limit in [size - 704, size - 257] {
                assert!(text.contains(&limit.to_string()), "{text}");
            }
        }
    }
}

/// Group 12 of the table in tests/README.md.
#[test]
fn memory_that_cannot_be_written_is_refused_by_the_kernel() {
    if !privileged!() {
        return;
    }
    let open = |rights| {
        let umem = brought(0, 16 * 4096, rights).unwrap();
        Socket::builder(&umem).open().unwrap_err()
    };
    let error = open(ProtFlags::READ);
    assert_eq!(error, open(ProtFlags::empty()));
    says(
        &error,
        &expect![[r#"
        cannot register 65536 bytes of packet memory (chunks of 4096, headroom 0): EFAULT (Bad address).
        The memory must be mapped, readable and writable, and not a shared mapping of an ordinary file"#]],
    );
}

/// The ledger knows that a chunk is received into, not by which of two kernels.
#[test]
fn sockets_of_the_kernel_and_of_a_fake_kernel_do_not_share_memory() {
    if !privileged!() {
        return;
    }
    let (umem, _pool) = Umem::builder().chunk_count(16).build().unwrap();
    let _fake = FakeKernel::new(&umem).unwrap();
    let _second = FakeKernel::new(&umem).unwrap();
    let error = Socket::builder(&umem).open().unwrap_err();
    assert!(matches!(error, Error::Setting { name: "socket of UMEM", .. }), "{error}");
    // A socket that was refused decides nothing.
    let (umem, _pool) = Umem::builder().chunk_count(16).build().unwrap();
    assert!(Socket::builder(&umem).rx_size(3).open().is_err());
    let _real = Socket::builder(&umem).open().unwrap();
    let error = FakeKernel::new(&umem).unwrap_err();
    assert!(matches!(error, Error::Setting { name: "socket of UMEM", .. }), "{error}");
}
