//! XDP programs: typed instructions, maps, loading.
//!
//! The kernel runs an XDP program for every packet that an interface receives, before anything else
//! sees the packet; the program decides where the packet goes. For an AF_XDP socket to receive, a
//! program must redirect packets into an *XSKMAP*, a map whose slots name sockets. Most users need
//! nothing of this module, or a [filter](#filters): [`Attachment`](crate::attach) loads the default
//! program by itself.
//!
//! # The default program
//! [`redirect()`] loads it for a map: packets go to the socket in the slot of their queue, and to
//! the kernel's stack where that slot is empty. So a queue without a socket, and an interface whose
//! sockets are all gone, work as if no program were there. It needs Linux 5.3.
//!
//! # Filters
//! The default program takes all packets of a queue. A [`Filter`] is rules, of which each packet is for the
//! first whose [`Condition`] is true of it, and goes to a socket, to the kernel or nowhere
//! ([`Action`]). Conditions are Rust values, or text in the language of tcpdump. The filter is
//! compiled to one program, which is attached as one of your own:
//!
//! ```no_run
//! use xsk::bpf::{Action, Filter, XskMap};
//! use xsk::{AttachMethod, Attachment, Interface};
//!
//! # fn main() -> xsk::Result<()> {
//! let interface = Interface::by_name("eth1")?;
//! let filter = Filter::new()
//!     .rule("udp dst port 4789".parse()?, Action::Queue)
//!     .keep_management(interface.addresses()?, []); // ARP, neighbour discovery, DHCP, ssh
//! let map = XskMap::create(XskMap::DEFAULT_NAME, interface.max_queues()?)?;
//! let program = filter.load(&map)?.program().try_clone()?;
//! let attachment = Attachment::builder(&interface)
//!     .program(program, map)
//!     .method(AttachMethod::Link) // the kernel detaches it if this process is killed
//!     .attach()?;
//! # let _ = attachment;
//! # Ok(()) }
//! ```
//!
//! - [`Filter::matches`] tries it on a packet, and [`Filter::compile`] shows the program; neither needs
//!   rights.
//! - [`AddressSet`] and [`PortSet`] change while programs look into them.
//! - [`FilterProgram::counts`] returns the packets of each rule.
//! - Another filter takes the place of one that runs by
//!   [`Attachment::replace_program`](crate::Attachment::replace_program): load it for the same map.
//! - A program of `tcpdump -ddd` is translated by [`ClassicFilter`].
//! - A filter is killed with its process, or not, as [any program](crate::attach#when-the-process-is-killed).
//! - Where the MTU takes longer packets than a page holds, native mode needs [`Filter::frags`].
//!
//! # A program of your own
//! Compiled and pinned by any loader, or handed over as descriptors: [`Program::from_pin`],
//! [`Program::from_fd`], and the same for [`XskMap`]. Or written in Rust: an [`Assembler`] takes
//! instructions ([`Insn`]), and labels for jumps, and makes [`Code`] of them, which is loaded.
//!
//! ```
//! use xsk::bpf::{Alu, Assembler, Cond, Helper, Insn, Reg, Size, XskMap};
//!
//! # fn main() -> xsk::Result<()> {
//! # if !xsk::test_util::privileged("the documentation of bpf") { return Ok(()); }
//! use Reg::{R0, R1, R2, R3, R4};
//! let map = XskMap::create(XskMap::DEFAULT_NAME, 64)?;
//! let mut a = Assembler::new();
//! let pass = a.named("pass");
//! // IPv4 goes to the sockets, everything else to the kernel.
//! a.add([
//!     Insn::load(Size::Word, R2, R1, 0), // ctx->data
//!     Insn::load(Size::Word, R3, R1, 4), // ctx->data_end
//!     Insn::mov64_reg(R4, R2),
//!     Insn::alu64_imm(Alu::Add, R4, 14),
//! ]);
//! a.jump_if(Cond::Gt, R4, R3, pass); // shorter than an Ethernet header
//! a.add(Insn::load(Size::Half, R4, R2, 12));
//! a.jump_if(Cond::Ne, R4, i32::from(0x0800_u16.to_be()), pass);
//! a.add(Insn::load(Size::Word, R2, R1, 16)); // ctx->rx_queue_index
//! a.load_map(R1, &map);
//! a.add([
//!     Insn::mov64_imm(R3, 1), // an empty slot: XDP_DROP
//!     Insn::call(Helper::REDIRECT_MAP),
//!     Insn::exit(),
//! ]);
//! a.place(pass);
//! a.add([Insn::mov64_imm(R0, 2), Insn::exit()]); // XDP_PASS
//! let code = a.finish()?;
//!
//! let program = code.builder().name("ipv4").license(c"MIT").load()?;
//! let mut packet = [0; 64];
//! assert_eq!(program.test_run(&packet, None)?.retval, 2);
//! packet[12] = 8;
//! assert_eq!(program.test_run(&packet, None)?.retval, 1);
//! # Ok(())
//! # }
//! ```
//!
//! The fields of the context are those of [`xdp_md`](crate::uapi::bpf::xdp_md), the verdicts
//! [`XDP_PASS`](crate::uapi::bpf::XDP_PASS) and its sisters. `examples/echo.rs` in the repository
//! is a filter for one UDP port.
//!
//! ## What goes wrong
//! [`Assembler::finish`] refuses what every kernel refuses: labels that are missing or placed
//! twice, jumps that are too far or lead nowhere, instructions that nothing leads to, a program
//! that does not end, operands that no kernel takes
//! ([`AssemblyFault`](crate::error::AssemblyFault)). The rest is for the kernel's verifier: whether
//! the bytes of a packet were compared with its end, whether a loop ends, which arguments a helper
//! takes. If it refuses a program, [`Error::LoadProgram`](crate::Error::LoadProgram) has its log,
//! and shows the instruction that it stopped at among its neighbours.
//!
//! A [`Listing`] is a program as text, as `bpftool prog dump xlated` prints it.
//!
//! ## Maps
//! [`Code`] has descriptors of its own of the maps that it names, so that nothing else comes under
//! their numbers before it is loaded. A loaded program keeps its maps itself.
//!
//! What programs and processes share. Keys and values are types of yours that have no padding
//! ([`MapData`]): a wrong size is an error when the program is compiled, and a map that is opened by
//! a pin, an id or a descriptor is asked for its type and its sizes first. A program takes any of
//! them by [`Insn::load_map_fd`].
//!
//! | map | what it is |
//! |---|---|
//! | [`ArrayMap`] | values numbered from 0 on; [mapped into memory](ArrayMap::view) it is read without system calls |
//! | [`BpfHashMap`], [`LruHash`] | values of keys; the second is never full, it gives up old entries |
//! | [`LpmTrie`] | values of address [prefixes](Prefix), of which the longest that matches is found |
//! | [`PerCpuArray`], [`PerCpuHash`] | a value for each CPU: programs count without atomic instructions |
//! | [`RingBuffer`] | records that programs write, in their order |
//! | [`DevMap`], [`XskMap`] | network devices and AF_XDP sockets to redirect to |
//!
//! # Privileges
//! | call | needs |
//! |---|---|
//! | [`Filter::load`] of a filter that compares ports, counts, or computes with lengths or offsets | `CAP_BPF`, `CAP_NET_ADMIN` and `CAP_PERFMON`; before 5.8 `CAP_SYS_ADMIN` |
//! | `create` of [`ArrayMap`] and other maps but the next ones | `CAP_BPF`; before 5.8 `CAP_SYS_ADMIN` |
//! | [`XskMap::create`], [`DevMap::create`], [`ProgramBuilder::load`], other [`Filter`]s, [`redirect()`], [`Spread::load`], [`SlotProbe::new`] | `CAP_BPF` and `CAP_NET_ADMIN`; before 5.8 `CAP_SYS_ADMIN` |
//! | `from_id` of any map, [`Program::from_id`], [`Program::maps`], [`Program::xsk_map`], [`FilterProgram::from_program`] | `CAP_SYS_ADMIN` |
//! | [`Btf::of_kernel`] | `CAP_SYS_ADMIN`, or `/sys` mounted |
//! | `from_pin`, `pin`, [`Pins::find`] | the file's permissions |
//! | the rest, on descriptors that you have | nothing |

mod asm;
mod btf;
mod builder;
mod dispatcher;
mod filter;
mod info;
mod links;
mod map;
mod metadata_program;
pub(crate) mod pin;
mod pins;
mod program;
mod redirect;
mod refusal;
mod slot_probe;
mod spread;
mod test_run;

pub use asm::{
    Alu, Assembler, Atomic, Code, Cond, Helper, Insn, Label, Listing, Narrow, Operand, Reg, Size,
    Width,
};
pub use btf::Btf;
pub use builder::ProgramBuilder;
#[cfg(feature = "test-util")]
pub(crate) use builder::log_text;
pub(crate) use dispatcher::dispatcher;
pub use filter::{
    Action, AddressSet, ClassicFilter, CompiledFilter, Condition, Direction, Filter, FilterCounts,
    FilterProgram, FilterRule, Flow, PacketCopy, PortSet, Ports, RuleCount, Tap, TapCounts,
    TapProgram, TapReader, Verdict,
};
pub use info::{MapInfo, ProgramInfo};
pub(crate) use links::{Hold, LinkRecord, links};
pub use map::{
    ArrayMap, ArrayView, BpfHashMap, DevMap, Entries, LpmTrie, LruHash, MapBuilder, MapData,
    PerCpuArray, PerCpuEntries, PerCpuHash, Prefix, RingBuffer, RingReader, XskMap, possible_cpus,
};
pub use metadata_program::MetadataProgram;
pub use pins::{Pin, PinnedObject, Pins};
pub use program::Program;
pub use redirect::redirect;
pub(crate) use redirect::{load_redirect, redirect_takes_frags};
#[cfg(feature = "test-util")]
pub(crate) use refusal::refused_at;
pub use slot_probe::SlotProbe;
pub use spread::{Spread, spread};
pub use test_run::TestRun;
