//! Programs: loading, running, asking about them.

use super::call::{address, bpf, number, owned};
use super::object::{Name, by_id, obj_info};
use rustix::io::Errno;
use std::ffi::CStr;
use std::os::fd::{BorrowedFd, OwnedFd};
use xsk_uapi::bpf::{
    BPF_F_TEST_XDP_LIVE_FRAMES, BPF_LOG_LEVEL1, BPF_PROG_BIND_MAP, BPF_PROG_GET_FD_BY_ID,
    BPF_PROG_LOAD, BPF_PROG_TEST_RUN, BPF_PROG_TYPE_XDP, BPF_XDP, bpf_attr_prog_bind_map,
    bpf_attr_prog_load, bpf_attr_test_run, bpf_insn, bpf_prog_info, xdp_md,
};
use zerocopy::FromZeros;

/// What is to be loaded.
#[derive(Clone, Copy)]
pub(crate) struct Load<'a> {
    pub(crate) name: Name,
    pub(crate) insns: &'a [bpf_insn],
    pub(crate) license: &'a CStr,
    pub(crate) flags: u32,
    /// The interface that the program is bound to, or 0.
    pub(crate) ifindex: u32,
}

/// A refused program.
#[derive(Clone, Copy)]
pub(crate) struct Refused {
    pub(crate) errno: Errno,
    /// The bytes that the whole log takes, where the kernel reports it (6.4); else 0.
    pub(crate) log_true_size: u32,
}

/// `bpf(BPF_PROG_LOAD)` of an XDP program, with the verifier's log into `log` unless that is empty.
pub(crate) fn prog_load(load: Load<'_>, log: &mut [u8]) -> Result<OwnedFd, Refused> {
    let plain = |errno| Refused { errno, log_true_size: 0 };
    let mut attr = bpf_attr_prog_load::new_zeroed();
    attr.prog_type = BPF_PROG_TYPE_XDP;
    attr.insn_cnt = u32::try_from(load.insns.len()).map_err(|_| plain(Errno::TOOBIG))?;
    attr.insns = address(load.insns.as_ptr());
    attr.license = address(load.license.as_ptr());
    attr.prog_flags = load.flags;
    attr.prog_ifindex = load.ifindex;
    attr.prog_name = load.name;
    attr.expected_attach_type = BPF_XDP;
    if !log.is_empty() {
        attr.log_level = BPF_LOG_LEVEL1;
        attr.log_size = u32::try_from(log.len()).map_err(|_| plain(Errno::INVAL))?;
        attr.log_buf = address(log.as_mut_ptr());
    }
    // SAFETY: the kernel reads `insn_cnt` instructions at `insns` and a NUL-ended string at
    // `license`, and writes at most `log_size` bytes at `log_buf`; all are borrowed until after the
    // call. The verifier checks a program before it can touch anything.
    let result = unsafe { bpf(BPF_PROG_LOAD, &mut attr) };
    match result.and_then(owned) {
        Ok(fd) => Ok(fd),
        Err(errno) => Err(Refused { errno, log_true_size: attr.log_true_size }),
    }
}

/// The outcome of a test run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ran {
    pub(crate) retval: u32,
    /// The packet's length afterwards, which may be more than the output buffer took.
    pub(crate) data_len: u32,
    pub(crate) duration: u32,
}

/// `bpf(BPF_PROG_TEST_RUN)`: runs a program `repeat` times on `data`; the packet afterwards goes to `out` as
/// far as it fits.
pub(crate) fn prog_test_run(
    prog: BorrowedFd<'_>,
    data: &[u8],
    out: &mut [u8],
    ctx: Option<&xdp_md>,
    repeat: u32,
) -> Result<Ran, Errno> {
    let mut attr = test_run(prog, data, ctx, repeat)?;
    if !out.is_empty() {
        attr.data_size_out = u32::try_from(out.len()).map_err(|_| Errno::INVAL)?;
        attr.data_out = address(out.as_mut_ptr());
    }
    // SAFETY: the kernel reads `data_size_in` bytes at `data_in` and `ctx_size_in` at `ctx_in`, and
    // writes at most `data_size_out` bytes at `data_out`; all are borrowed until after the call.
    let result = unsafe { bpf(BPF_PROG_TEST_RUN, &mut attr) };
    match result {
        // The buffer for the packet was too small: it has been filled, and the program has run.
        Err(Errno::NOSPC) if !out.is_empty() => {}
        other => other.map(drop)?,
    }
    Ok(Ran { retval: attr.retval, data_len: attr.data_size_out, duration: attr.duration })
}

/// `bpf(BPF_PROG_TEST_RUN)` with `BPF_F_TEST_XDP_LIVE_FRAMES` (5.18): what the program decides is
/// carried out, `repeat` times. Older kernels refuse it: they know no size of a batch.
pub(crate) fn prog_run_live(
    prog: BorrowedFd<'_>,
    data: &[u8],
    ctx: Option<&xdp_md>,
    repeat: u32,
) -> Result<(), Errno> {
    let mut attr = test_run(prog, data, ctx, repeat)?;
    attr.flags = BPF_F_TEST_XDP_LIVE_FRAMES;
    attr.batch_size = LIVE_BATCH;
    // SAFETY: the kernel reads `data_size_in` bytes at `data_in` and `ctx_size_in` at `ctx_in`, which are
    // borrowed until after the call, and writes nothing but `attr`.
    unsafe { bpf(BPF_PROG_TEST_RUN, &mut attr) }.map(drop)
}

/// How many frames the kernel makes at once by default (`bpf_prog_test_run_xdp` of net/bpf/test_run.c).
const LIVE_BATCH: u32 = 64;

/// Returns the attribute of a test run without output.
fn test_run(
    prog: BorrowedFd<'_>,
    data: &[u8],
    ctx: Option<&xdp_md>,
    repeat: u32,
) -> Result<bpf_attr_test_run, Errno> {
    let mut attr = bpf_attr_test_run::new_zeroed();
    attr.prog_fd = number(prog);
    attr.data_size_in = u32::try_from(data.len()).map_err(|_| Errno::INVAL)?;
    attr.data_in = address(data.as_ptr());
    attr.repeat = repeat;
    if let Some(ctx) = ctx {
        attr.ctx_size_in = u32::try_from(size_of_val(ctx)).map_err(|_| Errno::INVAL)?;
        attr.ctx_in = address(std::ptr::from_ref(ctx));
    }
    Ok(attr)
}

/// `bpf(BPF_PROG_BIND_MAP)` (5.10): the program keeps a map that its instructions do not name.
pub(crate) fn prog_bind_map(prog: BorrowedFd<'_>, map: BorrowedFd<'_>) -> Result<(), Errno> {
    let mut attr = bpf_attr_prog_bind_map::new_zeroed();
    attr.prog_fd = number(prog);
    attr.map_fd = number(map);
    // SAFETY: the attribute holds no pointer.
    unsafe { bpf(BPF_PROG_BIND_MAP, &mut attr) }.map(drop)
}

/// `bpf(BPF_PROG_GET_FD_BY_ID)`: needs `CAP_SYS_ADMIN`.
pub(crate) fn prog_by_id(id: u32) -> Result<OwnedFd, Errno> {
    by_id(BPF_PROG_GET_FD_BY_ID, id)
}

/// `bpf(BPF_OBJ_GET_INFO_BY_FD)` of a program, with the ids of its maps into `map_ids` as far as
/// they fit. Also returns the length of the kernel's struct, which distinguishes a program from a
/// map.
pub(crate) fn prog_info(
    fd: BorrowedFd<'_>,
    map_ids: &mut [u32],
) -> Result<(bpf_prog_info, u32), Errno> {
    let mut info = bpf_prog_info::new_zeroed();
    info.nr_map_ids = u32::try_from(map_ids.len()).map_err(|_| Errno::INVAL)?;
    if !map_ids.is_empty() {
        info.map_ids = address(map_ids.as_mut_ptr());
    }
    // SAFETY: of the pointers in the info only `map_ids` can be other than null, and its count is
    // the length of a slice that is exclusively borrowed until after the call. With an empty slice
    // the info is zero, as for a descriptor of any kind; with another one, `fd` is a program's.
    let len = unsafe { obj_info(fd, &mut info) }?;
    Ok((info, len))
}
