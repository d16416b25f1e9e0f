//! Texts of errors about settings, packet memory and its registration.

use super::Texts;
use crate::error::Error;
use crate::types::PageSize;
use expect_test::expect;
use rustix::io::Errno;

#[test]
fn texts_are_as_pinned() {
    super::check(texts());
}

/// Returns the errors and their pinned texts.
// Not formatted: `UPDATE_EXPECT` does not find the texts where rustfmt puts them.
#[rustfmt::skip]
pub(super) fn texts() -> Texts {
    let setting = |name, value, rule| Error::Setting { name, value, rule };
    let allocate = |page_size, errno| Error::AllocateUmem {
        bytes: 3 << 20,
        page_size,
        errno,
    };
    let register = |headroom, memlock, errno| Error::RegisterUmem {
        bytes: 4 << 20,
        chunk_size: 2048,
        headroom,
        memlock,
        errno,
    };
    vec![
        (setting("chunk size", 3000, "is a power of two from 2048 to the page size (any such number if `unaligned`)"),
            expect!["chunk size 3000 is not possible: a possible one is a power of two from 2048 to the page size (any such number if `unaligned`)"]),
        (setting("number of chunks", 0, "is from 1 to 2^30"),
            expect!["number of chunks 0 is not possible: a possible one is from 1 to 2^30"]),
        (setting("headroom", 1792, "is below the chunk size less the kernel's 256 bytes"),
            expect!["headroom 1792 is not possible: a possible one is below the chunk size less the kernel's 256 bytes"]),
        (setting("memory", 4097, "begins at a page"),
            expect!["memory 4097 is not possible: a possible one begins at a page"]),
        (setting("memory", 4096, "has chunks x chunk size bytes at least"),
            expect!["memory 4096 is not possible: a possible one has chunks x chunk size bytes at least"]),
        (setting("memory", 4096, "has chunks x (chunk size + 1) bytes at least, as the chunk size is odd"),
            expect!["memory 4096 is not possible: a possible one has chunks x (chunk size + 1) bytes at least, as the chunk size is odd"]),
        (setting("size of the RX ring", 3, "is a power of two from 1 to 2^20"),
            expect!["size of the RX ring 3 is not possible: a possible one is a power of two from 1 to 2^20. The next one is 4"]),
        (setting("queue", 65536, "is below 65536"),
            expect!["queue 65536 is not possible: a possible one is below 65536"]),
        (allocate(PageSize::Normal, Errno::NOMEM),
            expect!["cannot map 3145728 bytes of packet memory: ENOMEM (Cannot allocate memory). There is not enough memory, or not enough is allowed (`ulimit -v`): ask for fewer chunks"]),
        (allocate(PageSize::Normal, Errno::AGAIN),
            expect!["cannot map 3145728 bytes of packet memory: EAGAIN (Resource temporarily unavailable)"]),
        (allocate(PageSize::Huge2M, Errno::NOMEM),
            expect!["cannot map 3145728 bytes of packet memory in huge pages of 2 MiB: ENOMEM (Cannot allocate memory). It takes 2 free huge page(s): as root, raise the number in `/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages` by that many; or use ordinary pages"]),
        (allocate(PageSize::Huge1G, Errno::NOMEM),
            expect!["cannot map 3145728 bytes of packet memory in huge pages of 1 GiB: ENOMEM (Cannot allocate memory). It takes 1 free huge page(s): as root, raise the number in `/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages` by that many; or use ordinary pages"]),
        (allocate(PageSize::Huge1G, Errno::INVAL),
            expect!["cannot map 3145728 bytes of packet memory in huge pages of 1 GiB: EINVAL (Invalid argument). This system has no huge pages of that size: use ordinary pages"]),
        (Error::UmemNumbers,
            expect!["this process has made 2^31 - 1 UMEMs, and has no number for another. Start the process again; and make UMEMs once, not for each packet or connection"]),
        (register(0, Some(65536), Errno::NOBUFS),
            expect!["cannot register 4194304 bytes of packet memory (chunks of 2048, headroom 0): ENOBUFS (No buffer space available). The memory is pinned, which counts against RLIMIT_MEMLOCK (it is 65536 bytes) for all processes of this user together: raise it (as root, `ulimit -l 4096` or more, LimitMEMLOCK= in systemd), or run with CAP_IPC_LOCK. Memory of a socket closed just now counts for some milliseconds more"]),
        (register(0, None, Errno::NOBUFS),
            expect!["cannot register 4194304 bytes of packet memory (chunks of 2048, headroom 0): ENOBUFS (No buffer space available). The memory is pinned, which counts against RLIMIT_MEMLOCK for all processes of this user together: raise it (as root, `ulimit -l 4096` or more, LimitMEMLOCK= in systemd), or run with CAP_IPC_LOCK. Memory of a socket closed just now counts for some milliseconds more"]),
        (register(1791, None, Errno::INVAL),
            expect!["cannot register 4194304 bytes of packet memory (chunks of 2048, headroom 1791): EINVAL (Invalid argument). Newer kernels (6.18.24 and later) take a headroom of 1344 bytes at the most with this chunk size, older ones one of 1791"]),
        (register(0, None, Errno::INVAL),
            expect!["cannot register 4194304 bytes of packet memory (chunks of 2048, headroom 0): EINVAL (Invalid argument)"]),
        (register(0, None, Errno::FAULT),
            expect!["cannot register 4194304 bytes of packet memory (chunks of 2048, headroom 0): EFAULT (Bad address). The memory must be mapped, readable and writable, and not a shared mapping of an ordinary file"]),
        (register(0, None, Errno::NOMEM),
            expect!["cannot register 4194304 bytes of packet memory (chunks of 2048, headroom 0): ENOMEM (Cannot allocate memory). The kernel cannot pin so much memory: ask for fewer chunks"]),
    ]
}
