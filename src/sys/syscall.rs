//! Numbers and registers of the system calls that `rustix` does not make.
//!
//! These are `bpf(2)`, the `SOL_XDP` socket options in the exact lengths that old and new kernels
//! want, `sched_getaffinity(2)` with a mask of any length, and two `ioctl(2)` requests.
//!
//! # Safety
//! Promises: `syscall` changes no register and no stack that the compiler relies on. Needs: from
//! its caller, arguments that are valid for the call.

use crate::num::{errno_of, register_of};
use rustix::io::Errno;

/// Numbers of the calls made here, from the kernel's `asm/unistd_64.h` (x86-64),
/// `asm-generic/unistd.h` (aarch64), `asm/unistd_32.h` (i686; the socket calls have numbers of
/// their own since 4.3) and `asm/unistd-eabi.h` (armv7).
pub(super) mod nr {
    #[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
    mod arch {
        pub(in crate::sys) const IOCTL: usize = 16;
        pub(in crate::sys) const SETSOCKOPT: usize = 54;
        pub(in crate::sys) const GETSOCKOPT: usize = 55;
        pub(in crate::sys) const SCHED_GETAFFINITY: usize = 204;
        pub(in crate::sys) const BPF: usize = 321;
    }
    #[cfg(all(target_arch = "aarch64", target_pointer_width = "64"))]
    mod arch {
        pub(in crate::sys) const IOCTL: usize = 29;
        pub(in crate::sys) const SETSOCKOPT: usize = 208;
        pub(in crate::sys) const GETSOCKOPT: usize = 209;
        pub(in crate::sys) const SCHED_GETAFFINITY: usize = 123;
        pub(in crate::sys) const BPF: usize = 280;
    }
    #[cfg(target_arch = "x86")]
    mod arch {
        pub(in crate::sys) const IOCTL: usize = 54;
        pub(in crate::sys) const SCHED_GETAFFINITY: usize = 242;
        pub(in crate::sys) const BPF: usize = 357;
        pub(in crate::sys) const GETSOCKOPT: usize = 365;
        pub(in crate::sys) const SETSOCKOPT: usize = 366;
    }
    #[cfg(target_arch = "arm")]
    mod arch {
        pub(in crate::sys) const IOCTL: usize = 54;
        pub(in crate::sys) const SETSOCKOPT: usize = 294;
        pub(in crate::sys) const GETSOCKOPT: usize = 295;
        pub(in crate::sys) const SCHED_GETAFFINITY: usize = 242;
        pub(in crate::sys) const BPF: usize = 386;
    }
    pub(in crate::sys) use arch::*;
}

#[cfg(not(any(
    all(target_arch = "x86_64", target_pointer_width = "64"),
    all(target_arch = "aarch64", target_pointer_width = "64"),
    target_arch = "x86",
    target_arch = "arm"
)))]
compile_error!("xsk knows the system call convention of x86_64, aarch64, i686 and armv7");

/// Makes one system call of up to five arguments.
///
/// # Safety
/// Every argument that the kernel takes for an address must be valid for what the call `number`
/// reads and writes there, and the call must not change what safe code relies on.
pub(super) unsafe fn syscall(number: usize, args: [usize; 5]) -> Result<usize, Errno> {
    let [a, b, c, d, e] = args;
    let result: isize;
    #[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
    // SAFETY: the register assignment is that of the x86-64 system call convention; rcx and r11 are
    // declared clobbered and flags are not preserved. Memory effects are the caller's contract.
    unsafe {
        core::arch::asm!("syscall", inlateout("rax") number => result, in("rdi") a, in("rsi") b,
            in("rdx") c, in("r10") d, in("r8") e, lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    #[cfg(all(target_arch = "aarch64", target_pointer_width = "64"))]
    // SAFETY: the registers are those of the aarch64 convention, which preserves all but x0 and,
    // with SVE, the predicates and the vectors above their lower 128 bits: these are declared
    // clobbered. Memory effects are the caller's contract.
    unsafe {
        core::arch::asm!("svc #0", in("x8") number, inlateout("x0") a => result, in("x1") b,
            in("x2") c, in("x3") d, in("x4") e,
            out("v0") _, out("v1") _, out("v2") _, out("v3") _, out("v4") _, out("v5") _,
            out("v6") _, out("v7") _, out("v8") _, out("v9") _, out("v10") _, out("v11") _,
            out("v12") _, out("v13") _, out("v14") _, out("v15") _, out("v16") _, out("v17") _,
            out("v18") _, out("v19") _, out("v20") _, out("v21") _, out("v22") _, out("v23") _,
            out("v24") _, out("v25") _, out("v26") _, out("v27") _, out("v28") _, out("v29") _,
            out("v30") _, out("v31") _,
            out("p0") _, out("p1") _, out("p2") _, out("p3") _, out("p4") _, out("p5") _,
            out("p6") _, out("p7") _, out("p8") _, out("p9") _, out("p10") _, out("p11") _,
            out("p12") _, out("p13") _, out("p14") _, out("p15") _, out("ffr") _,
            options(nostack));
    }
    #[cfg(target_arch = "x86")]
    // SAFETY: the registers are those of `int 0x80`, which preserves all but eax. The compiler
    // reserves ebx and esi: the block saves them, and takes the arguments from the array that edi
    // points to, which outlives it. Memory effects are the caller's contract.
    unsafe {
        let args = [a, b, c, d, e];
        core::arch::asm!("push ebx", "push esi", "mov ebx, [edi]", "mov ecx, [edi + 4]", "mov edx, [edi + 8]",
            "mov esi, [edi + 12]", "mov edi, [edi + 16]", "int 0x80", "pop esi", "pop ebx",
            inlateout("eax") number => result, inout("edi") args.as_ptr() => _, out("ecx") _, out("edx") _);
    }
    #[cfg(target_arch = "arm")]
    // SAFETY: the register assignment is that of the EABI, which preserves all registers but r0.
    // The compiler may reserve r7 (in Thumb code), so it is saved in another. Memory effects are
    // the caller's contract.
    unsafe {
        core::arch::asm!("mov {saved}, r7", "mov r7, {number}", "svc #0", "mov r7, {saved}",
            number = in(reg) number, saved = out(reg) _, inlateout("r0") a => result, in("r1") b, in("r2") c,
            in("r3") d, in("r4") e, options(nostack));
    }
    match usize::try_from(result) {
        Ok(value) => Ok(value),
        Err(_) => Err(Errno::from_raw_os_error(errno_of(result))),
    }
}

/// Returns a file descriptor as a system call argument.
pub(super) fn fd_arg(fd: std::os::fd::BorrowedFd<'_>) -> usize {
    use std::os::fd::AsRawFd;
    register_of(fd.as_raw_fd())
}
