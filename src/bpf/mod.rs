//! XDP programs: typed instructions, maps, loading.
//!
//! The kernel runs an XDP program for every packet that an interface receives, before anything else
//! sees the packet; the program decides where the packet goes. For an AF_XDP socket to receive, a
//! program must redirect packets into an *XSKMAP*, a map whose slots name sockets. Most users need
//! nothing of this module: [`Attachment`](crate::attach) loads the default program by itself.
//!
//! # The default program
//! [`redirect()`] loads it for a map: packets go to the socket in the slot of their queue, and to
//! the kernel's stack where that slot is empty. So a queue without a socket, and an interface whose
//! sockets are all gone, work as if no program were there. It needs Linux 5.3.
//!
//! # A program of your own
//! Compiled and pinned by any loader, or handed over as descriptors: [`Program::from_pin`],
//! [`Program::from_fd`], and the same for [`XskMap`]. Or written in place
//! (`examples/echo.rs` in the repository is a filter for one UDP port, with bounds checks):
//!
//! ```
//! use std::os::fd::AsFd;
//! use xsk::bpf::{Helper, Insn, Program, Reg, Size, XskMap};
//!
//! # fn main() -> xsk::Result<()> {
//! # if !xsk::test_util::privileged("the documentation of bpf") { return Ok(()); }
//! let map = XskMap::create(XskMap::DEFAULT_NAME, 64)?;
//! let [map_low, map_high] = Insn::load_map_fd(Reg::R1, map.as_fd());
//! let insns = [
//!     Insn::load(Size::Word, Reg::R2, Reg::R1, 16), // ctx->rx_queue_index
//!     map_low,
//!     map_high,
//!     Insn::mov64_imm(Reg::R3, 1),                  // an empty slot: XDP_DROP
//!     Insn::call(Helper::REDIRECT_MAP),
//!     Insn::exit(),
//! ];
//! let program = Program::builder(&insns).name("to_sockets").license(c"MIT").load()?;
//! assert_eq!(program.test_run(&[0; 64], None)?.retval, 1);
//! # Ok(())
//! # }
//! ```
//!
//! The fields of the context are those of [`xdp_md`](crate::uapi::bpf::xdp_md), the verdicts
//! [`XDP_PASS`](crate::uapi::bpf::XDP_PASS) and its sisters. A filter with bounds checks, in which
//! labels are computed, is in `examples/echo.rs`.
//!
//! If the verifier refuses a program, [`Error::LoadProgram`](crate::Error::LoadProgram) has the
//! verifier's log.
//!
//! # Privileges
//! | call | needs |
//! |---|---|
//! | [`XskMap::create`], [`ProgramBuilder::load`], [`redirect()`], [`Spread::load`], [`SlotProbe::new`] | `CAP_BPF` and `CAP_NET_ADMIN`; before 5.8 `CAP_SYS_ADMIN` |
//! | [`XskMap::from_id`], [`Program::from_id`], [`Program::maps`], [`Program::xsk_map`] | `CAP_SYS_ADMIN` |
//! | [`Btf::of_kernel`] | `CAP_SYS_ADMIN`, or `/sys` mounted |
//! | `from_pin`, `pin` | the file's permissions |
//! | the rest, on descriptors that you have | nothing |

mod assembler;
mod btf;
mod builder;
mod filter;
mod info;
mod insn;
mod metadata_program;
mod operand;
pub(crate) mod pin;
mod program;
mod redirect;
mod slot_probe;
mod spread;
mod test_run;
mod xsk_map;

pub use btf::Btf;
pub use builder::ProgramBuilder;
#[cfg(feature = "test-util")]
pub(crate) use builder::log_text;
pub use filter::{
    Action, CompiledFilter, Condition, Direction, Filter, FilterProgram, Ports, Verdict,
};
pub use info::{MapInfo, ProgramInfo};
pub use insn::Insn;
pub use metadata_program::MetadataProgram;
pub use operand::{Alu, Cond, Helper, Reg, Size, Width};
pub use program::Program;
pub use redirect::redirect;
pub(crate) use redirect::{load_redirect, redirect_takes_frags};
pub use slot_probe::SlotProbe;
pub use spread::{Spread, spread};
pub use test_run::TestRun;
pub use xsk_map::XskMap;
