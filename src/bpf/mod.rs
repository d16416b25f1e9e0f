//! XDP programs: typed instructions, maps, loading.
//!
//! An XDP program is run by the kernel for every packet that an interface receives, before anything else
//! sees the packet, and decides where it goes. For an AF_XDP socket to receive, a program must redirect
//! packets into an *XSKMAP*, a map whose slots name sockets. Most users need nothing of this module:
//! [`Attachment`](crate::attach) loads the default program by itself.
//!
//! # The default program
//! [`redirect()`] loads it for a map: packets go to the socket in the slot of their queue, and to the kernel's
//! stack where that slot is empty. So a queue without a socket, and an interface whose sockets have all
//! gone, work as if no program were there. It needs Linux 5.3.
//!
//! # A program of your own
//! Compiled and pinned by any loader, or handed over as descriptors: [`Program::from_pin`],
//! [`Program::from_fd`], and the same for [`XskMap`]. Or written in place:
//!
//! ```no_run
//! use xsk::bpf::{Cond, Helper, Insn, Program, Reg, Size, XskMap};
//! use std::os::fd::AsFd;
//!
//! # fn main() -> xsk::Result<()> {
//! let map = XskMap::create(XskMap::DEFAULT_NAME, 64)?;
//! let [map_low, map_high] = Insn::load_map_fd(Reg::R1, map.as_fd());
//! let program = Program::load(
//!     "to_sockets",
//!     &[
//!         Insn::load(Size::Word, Reg::R2, Reg::R1, 16), // ctx->rx_queue_index
//!         map_low,
//!         map_high,
//!         Insn::mov64_imm(Reg::R3, 1),                  // an empty slot: XDP_DROP
//!         Insn::call(Helper::REDIRECT_MAP),
//!         Insn::exit(),
//!     ],
//!     c"MIT",
//!     0,
//! )?;
//! assert_eq!(program.test_run(&[0; 64], None)?.retval, 1);
//! # Ok(())
//! # }
//! ```
//!
//! A program that the verifier refuses comes back as [`Error::LoadProgram`](crate::Error::LoadProgram) with
//! what the verifier said.
//!
//! # Privileges
//! | call | needs |
//! |---|---|
//! | [`XskMap::create`], [`Program::load`], [`redirect()`], [`SlotProbe::new`] | `CAP_BPF` and `CAP_NET_ADMIN`; before 5.8 `CAP_SYS_ADMIN` |
//! | [`XskMap::from_id`], [`Program::from_id`], [`Program::maps`], [`Program::xsk_map`] | `CAP_SYS_ADMIN` |
//! | `from_pin`, `pin` | the file's permissions |
//! | the rest, on descriptors that one has | nothing |

mod insn;
mod operand;
mod pin;
mod program;
mod redirect;
mod slot_probe;
mod xsk_map;

pub use insn::Insn;
pub use operand::{Alu, Cond, Helper, Reg, Size, Width};
pub use program::{MapInfo, Program, ProgramInfo, TestRun};
pub use redirect::redirect;
pub(crate) use redirect::{REDIRECT_NAME, load_redirect};
pub use slot_probe::SlotProbe;
pub use xsk_map::XskMap;

/// The error of a program that was refused with `log` in the verifier's buffer: the entry point of a fuzz target.
#[doc(hidden)]
#[must_use]
pub fn refused_with(log: &[u8]) -> crate::error::Error {
    crate::error::Error::LoadProgram {
        name: "fuzzed".into(),
        instructions: log.len(),
        log: program::text_of(log),
        errno: rustix::io::Errno::INVAL,
    }
}
