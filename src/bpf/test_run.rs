//! Runs a program on a packet of the caller's: to see what it decides, or to have that done.

use super::asm::{Insn, Reg};
use super::program::Program;
use crate::error::{BpfOp, Error, Result};
use crate::num::usize32;
use crate::sys;
use rustix::io::Errno;
use std::os::fd::AsFd;
use std::time::Duration;
use xsk_uapi::bpf::xdp_md;

/// By how many bytes a packet may grow: a program may put up to 256 bytes in front, and grow the
/// tail within a page.
const GROWTH: usize = 4096;

const XDP_DROP: i32 = 1;
const LIVE_FRAMES: &str = "a run that sends packets (BPF_F_TEST_XDP_LIVE_FRAMES)";
/// The room in front of a packet (`XDP_PACKET_HEADROOM`) without the kernel's `struct xdp_frame` of 40
/// bytes, which kernels before 2026 forget.
const MOST_LIVE_METADATA: u32 = 256 - 40;

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
    /// [`Error::BpfObject`](crate::Error::BpfObject); `EINVAL` for a short packet, for a context that
    /// does not fit it or whose interface does not have the queue, and for a program that is bound to a
    /// device; `ENODEV` for an interface that there is not.
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

    /// Makes `count` frames of a packet, runs the program on each, and carries out what it decides: a
    /// frame is redirected to an interface or a socket, sent out of the interface on which it seems to
    /// come in (`XDP_TX`), passed to that interface's stack, or dropped.
    ///
    /// So packets are sent as fast as the kernel makes them, without a socket
    /// (`examples/send_frames.rs`). They arrive at the other end of a veth pair without a socket buffer,
    /// as packets that another interface redirected; that end needs an XDP program in native mode, or
    /// GRO (`ethtool -K IF gro on`;
    /// [`XdpFeatures::redirect_target`](crate::interface::XdpFeatures::redirect_target)). An interface
    /// takes them while it is up, up to its MTU; that one could not be sent is no error, and shows only
    /// in its counter `tx_packets`. A call for more than one frame takes some 20 ms besides: make many in
    /// one call. It runs in the kernel until all are made, or until a signal comes that the calling
    /// thread takes (also SIGSTOP). A `count` of 0 is 1.
    ///
    /// The packet has 14 bytes at least, and has to fit a page beside the kernel's own data: some 3300
    /// bytes with pages of 4 KiB, also for a program with
    /// [`frags`](super::ProgramBuilder::frags). Without a context it seems to come in on the
    /// namespace's loopback device; `ingress_ifindex` of a context chooses another interface, `data_end`
    /// has to be the packet's length. The program always sees queue 0, so that of the sockets of an
    /// [`XskMap`](super::XskMap) only one on queue 0 of that interface gets frames.
    ///
    /// Frames are used again: what the program or a receiver wrote into a frame is still there when the
    /// program is run on it again. A program keeps state between frames in a map. Frames that wait in
    /// the buffer of a socket that is not read keep their memory after the call, and the kernel's log
    /// reports them each minute (`page_pool`).
    ///
    /// Needs no capability; before 5.19 that, too, only if `kernel.unprivileged_bpf_disabled` is 0,
    /// otherwise `CAP_BPF`. Since 5.18 (`bpf_test_run_xdp_live` of net/bpf/test_run.c).
    ///
    /// ```
    /// use xsk::bpf::{Insn, Program, Reg};
    ///
    /// # fn main() -> xsk::Result<()> {
    /// # if !xsk::test_util::privileged("the documentation of run_live") { return Ok(()); }
    /// let insns = [Insn::mov64_imm(Reg::R0, 1), Insn::exit()]; // return XDP_DROP;
    /// match Program::builder(&insns).load()?.run_live(&[0; 64], None, 1000) {
    ///     Err(xsk::Error::NeedsKernel { version, .. }) => assert_eq!(version, "5.18"),
    ///     result => result?,
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`test_run`](Self::test_run), and [`Error::NeedsKernel`]; `EINVAL` also for a packet that is
    /// too long, and for metadata (`data` of a context) of more than 216 bytes, for which not every
    /// kernel has room. `EINTR`: a signal came; how many frames were made is not known.
    #[doc(alias = "BPF_F_TEST_XDP_LIVE_FRAMES")]
    pub fn run_live(&self, data: &[u8], ctx: Option<&xdp_md>, count: u32) -> Result<()> {
        let errno = if ctx.is_some_and(|ctx| ctx.data > MOST_LIVE_METADATA) {
            Errno::INVAL
        } else {
            match sys::bpf::prog_run_live(self.as_fd(), data, ctx, count) {
                Ok(()) => return Ok(()),
                Err(errno) => errno,
            }
        };
        // Kernels without live frames refuse each call.
        if errno == Errno::INVAL && has_live_frames() == Some(false) {
            return Err(Error::NeedsKernel { feature: LIVE_FRAMES, version: "5.18" });
        }
        Err(self.failed(BpfOp::TestRun)(errno))
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

/// Tries whether the kernel has live frames. `None` if that cannot be tried.
fn has_live_frames() -> Option<bool> {
    let drop = [Insn::mov64_imm(Reg::R0, XDP_DROP), Insn::exit()];
    let program = Program::builder(&drop).load().ok()?;
    match sys::bpf::prog_run_live(program.as_fd(), &[0; 64], None, 1) {
        Ok(()) => Some(true),
        Err(Errno::INVAL) => Some(false),
        Err(_) => None,
    }
}
