//! Runs a program on a packet of the caller's, without any interface.

use super::program::Program;
use crate::error::{BpfOp, Result};
use crate::num::usize32;
use crate::sys;
use rustix::io::Errno;
use std::os::fd::AsFd;
use std::time::Duration;
use xsk_uapi::bpf::xdp_md;

/// By how many bytes a packet may grow: a program may put up to 256 bytes in front, and grow the
/// tail within a page.
const GROWTH: usize = 4096;

/// The outcome of [`Program::test_run`].
///
/// ```
/// use xsk::bpf::{Insn, Program, Reg};
///
/// # fn main() -> xsk::Result<()> {
/// # if !xsk::test_util::privileged("the documentation of TestRun") { return Ok(()); }
/// let insns = [Insn::mov64_imm(Reg::R0, 2), Insn::exit()]; // return XDP_PASS;
/// let run = Program::builder(&insns).load()?.test_run(&[0; 64], None)?;
/// assert_eq!((run.retval, run.data.len()), (2, 64));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TestRun {
    /// What the program returned: 0 `XDP_ABORTED`, 1 `XDP_DROP`, 2 `XDP_PASS`, 3 `XDP_TX`,
    /// 4 `XDP_REDIRECT`. A redirect is only chosen, not carried out.
    pub retval: u32,
    /// The packet afterwards.
    pub data: Vec<u8>,
    /// How long it took, in nanoseconds.
    pub duration: u32,
}

impl Program {
    /// Runs the program once on a packet of the caller's, without any interface.
    ///
    /// The kernel requires at least 14 bytes, an Ethernet header. Without a context the packet
    /// seems to come in on queue 0 of the namespace's loopback device; `ingress_ifindex` and
    /// `rx_queue_index` of a context choose another, `data_end` has to be the packet's length.
    /// A packet that does not fit a page beside the kernel's own data (some 3500 bytes) is refused before
    /// 5.18; since then the program sees its first part, also without
    /// [`ProgramBuilder::frags`](super::ProgramBuilder::frags), and the rest is in further frames.
    /// Needs no capability. Since 4.12; with a context since 5.15.
    ///
    /// # Errors
    /// [`Error::BpfObject`](crate::Error::BpfObject); `EINVAL` for a short packet or a context that
    /// fits no device.
    #[doc(alias = "BPF_PROG_TEST_RUN")]
    pub fn test_run(&self, data: &[u8], ctx: Option<&xdp_md>) -> Result<TestRun> {
        let mut out = vec![0; data.len().saturating_add(GROWTH)];
        let ran = self.run(data, &mut out, ctx, 1)?;
        out.truncate(usize32(ran.data_len));
        Ok(TestRun { retval: ran.retval, data: out, duration: ran.duration })
    }

    /// Runs the program so many times on a packet, as [`test_run`](Self::test_run) does, to measure
    /// it: returns its last verdict and the mean time of one run in whole nanoseconds, as the kernel
    /// measured it, its loop included. (The call takes longer: before and after the runs, the kernel
    /// waits until no processor uses its dispatcher, some 20 ms.) What the program does to the packet
    /// stays for the next run.
    ///
    /// # Errors
    /// As [`test_run`](Self::test_run).
    pub fn time_runs(&self, data: &[u8], repeat: u32) -> Result<(u32, Duration)> {
        let ran = self.run(data, &mut [], None, repeat)?;
        Ok((ran.retval, Duration::from_nanos(ran.duration.into())))
    }

    /// Returns the value that [`test_run`](Self::test_run) returns, alone.
    pub(super) fn verdict(&self, data: &[u8]) -> Result<u32> {
        Ok(self.run(data, &mut [], None, 1)?.retval)
    }

    fn run(
        &self,
        data: &[u8],
        out: &mut [u8],
        ctx: Option<&xdp_md>,
        repeat: u32,
    ) -> Result<sys::bpf::Ran> {
        loop {
            match sys::bpf::prog_test_run(self.as_fd(), data, out, ctx, repeat) {
                // A signal came in before the program ran.
                Err(Errno::INTR | Errno::AGAIN) => {}
                Err(errno) => return Err(self.failed(BpfOp::TestRun)(errno)),
                Ok(ran) => return Ok(ran),
            }
        }
    }
}
