//! A program that copies packets into a ring buffer, and passes them on.

use super::super::asm::{self, Alu, Assembler, Cond, Helper, Insn, Label, Reg, Size};
use super::super::map::{PerCpuArray, RingBuffer};
use super::super::program::Program;
use super::super::redirect::{RX_QUEUE_INDEX, XDP_PASS};
use super::action::Action;
use super::condition::Condition;
use super::filter::Filter;
use super::filter_program::FilterProgram;
use super::tap_program::{LOSSES, NAME, TapProgram};
use super::tap_reader::HEAD;
use crate::error::{Error, Result};
use rustix::io::Errno;
use std::collections::BTreeSet;

/// The sizes of records, without their head: the kernel reserves room of a constant size.
const SIZES: [u32; 12] = [64, 128, 256, 512, 1024, 1600, 2048, 4096, 8192, 16384, 32768, 65535];
/// `BPF_RB_NO_WAKEUP` (linux/bpf.h).
const NO_WAKEUP: i32 = 1;

/// Copies the packets of which a condition is true, and passes all packets on to the kernel's stack
/// (5.18).
///
/// The program writes a record for each packet into a ring buffer: when it ran, how long the packet is,
/// on which queue it came, and its first bytes. No socket is needed. What finds no room is not copied,
/// and is counted. Nothing wakes the reader, which would cost more than the copy: it has to look from
/// time to time, as often as the ring may be full.
///
/// Packets in several frames are copied as well, but the condition sees the first frame only. A VLAN
/// tag that the card has taken out of a packet is not in the copy.
///
/// ```
/// use xsk::bpf::Tap;
///
/// # fn main() -> xsk::Result<()> {
/// # if !xsk::test_util::privileged("the documentation of Tap") { return Ok(()); }
/// let tap = Tap::new("arp".parse()?).ring_bytes(1 << 16).load()?;
/// let mut packet = [0; 60];
/// packet[12..14].copy_from_slice(&[8, 6]); // ARP
/// for packet in [packet, [0; 60]] {
///     assert_eq!(tap.program().test_run(&packet, None)?.retval, 2, "XDP_PASS");
/// }
///
/// let mut reader = tap.reader()?;
/// let copy = reader.read()?.expect("a packet was copied");
/// assert_eq!((copy.bytes, copy.length), (&packet[..], 60));
/// assert!(reader.read()?.is_none());
/// let counts = tap.counts()?;
/// assert_eq!((counts.matched.packets, counts.others.packets, counts.lost), (1, 1, 0));
/// # Ok(()) }
/// ```
///
/// [`TapProgram::program`] is attached as any program is, with an XSKMAP that stays empty.
#[derive(Debug, Clone)]
pub struct Tap {
    condition: Condition,
    snaplen: u32,
    ring_bytes: u32,
    queues: Option<BTreeSet<u32>>,
}

impl Tap {
    /// The most bytes of a packet that can be copied.
    pub const MAX_SNAPLEN: u32 = 65535;

    /// Returns a tap for the packets of which `condition` is true:
    /// [`Condition::every_packet`] for all.
    #[must_use]
    pub fn new(condition: Condition) -> Self {
        Self { condition, snaplen: Self::MAX_SNAPLEN, ring_bytes: 1 << 22, queues: None }
    }

    /// Sets how many bytes of a packet are copied at the most: from 1 to
    /// [`MAX_SNAPLEN`](Self::MAX_SNAPLEN), which is the default.
    #[must_use]
    pub fn snaplen(mut self, bytes: u32) -> Self {
        self.snaplen = bytes;
        self
    }

    /// Sets the bytes of the ring buffer: a power of two, and a page at least; 4 MiB by default.
    #[must_use]
    pub fn ring_bytes(mut self, bytes: u32) -> Self {
        self.ring_bytes = bytes;
        self
    }

    /// Copies and counts the packets of these queues only; by default those of all.
    #[must_use]
    pub fn queues(mut self, queues: impl IntoIterator<Item = u32>) -> Self {
        self.queues = Some(queues.into_iter().collect());
        self
    }

    /// Loads the program. Needs what [`ProgramBuilder::load`](super::super::ProgramBuilder::load)
    /// does, and `CAP_PERFMON` for most conditions ([`CompiledFilter::load`](super::CompiledFilter::load)).
    ///
    /// # Errors
    /// [`Error::Setting`] for a [`snaplen`](Self::snaplen) out of its range; [`Error::NeedsKernel`]
    /// before 5.18; those of [`Filter::compile`], of [`RingBuffer::create`] and of
    /// [`CompiledFilter::load`](super::CompiledFilter::load).
    pub fn load(&self) -> Result<TapProgram> {
        if !(1..=Self::MAX_SNAPLEN).contains(&self.snaplen) {
            let rule = "is from 1 to 65535";
            return Err(Error::Setting { name: "snaplen", value: self.snaplen.into(), rule });
        }
        let filter = Filter::new().rule(self.condition.clone(), Action::Queue);
        let compiled = filter.take_everything(true).counters(true).frags(true).compile()?;
        let ring = RingBuffer::create(NAME, self.ring_bytes)?;
        let losses: PerCpuArray<u64> = PerCpuArray::create(LOSSES, 1)?;
        let (chosen, copy) = (self.chosen(), self.copy(&ring, &losses)?);
        let (program, counters) = compiled.with_end(copy.insns(), |insns| {
            let insns: Vec<Insn> = chosen.iter().chain(insns).copied().collect();
            let builder = Program::builder(&insns).name(NAME).license(c"Dual MIT/GPL");
            match builder.frags(true).load() {
                // It does not have the flag, or the helpers.
                Err(Error::LoadProgram { errno: Errno::INVAL, .. }) if !takes_frags() => {
                    Err(Error::NeedsKernel { feature: "a copy of packets", version: "5.18" })
                }
                loaded => loaded,
            }
        })?;
        Ok(TapProgram::new(FilterProgram::new(program, Some(counters), None), ring, losses))
    }

    /// Returns what passes on the packets of queues that were not chosen, before they are looked at or
    /// counted; the context is in R1, and stays there.
    fn chosen(&self) -> Vec<Insn<'static>> {
        use Reg::{R0, R1, R2};
        let Some(queues) = &self.queues else { return Vec::new() };
        // No queue has the last number: the program has a way past this if none was chosen, too.
        let queues: Vec<u32> = queues.iter().copied().chain([u32::MAX]).collect();
        let mut insns = vec![Insn::load(Size::Word, R2, R1, RX_QUEUE_INDEX)];
        for (queue, jumps) in queues.iter().zip((1..=queues.len()).rev()) {
            let queue = i32::from_ne_bytes(queue.to_ne_bytes());
            // Over the other jumps and the two instructions below.
            let offset = i16::try_from(jumps.saturating_add(1)).unwrap_or(i16::MAX);
            insns.push(Insn::jump32_imm(Cond::Eq, R2, queue, offset));
        }
        insns.extend([Insn::mov64_imm(R0, XDP_PASS), Insn::exit()]);
        insns
    }

    /// Writes what copies a packet whose context is in R6, and passes it on.
    ///
    /// R7 is its length, R8 how much of it is copied, R9 the record. The time is at R10 - 16.
    fn copy<'a>(&self, ring: &'a RingBuffer, losses: &'a PerCpuArray<u64>) -> Result<asm::Code> {
        use Reg::{R0, R1, R2, R6, R7, R8, R10};
        let mut a = Assembler::new();
        let [lost, pass] = [a.named("lost"), a.named("pass")];
        a.add([Insn::call(Helper::KTIME_GET_NS), Insn::store(Size::Double, R10, -16, R0)]);
        a.add([
            Insn::mov64_reg(R1, R6),
            Insn::call(Helper::XDP_GET_BUFF_LEN),
            Insn::mov32_reg(R7, R0),
            Insn::mov64_reg(R8, R7),
        ]);
        // The verifier wants to know that there is a byte.
        a.jump_if(Cond::Eq, R8, 0, pass);
        let snaplen = i32::try_from(self.snaplen).unwrap_or_default();
        let whole = a.named("whole");
        a.jump_if(Cond::Le, R8, snaplen, whole);
        a.add([Insn::mov64_imm(R8, snaplen)]);
        a.place(whole);
        let sizes = SIZES.iter().copied().filter(|size| *size < self.snaplen);
        for size in sizes {
            let next = a.label();
            a.jump_if(Cond::Gt, R8, i32::try_from(size).unwrap_or_default(), next);
            record(&mut a, ring, size, [lost, pass]);
            a.place(next);
        }
        record(&mut a, ring, self.snaplen, [lost, pass]);
        a.place(lost).add([
            Insn::store_imm(Size::Word, R10, -4, 0),
            Insn::mov64_reg(R2, R10),
            Insn::alu64_imm(Alu::Add, R2, -4),
        ]);
        a.load_map(R1, losses);
        a.add([Insn::call(Helper::MAP_LOOKUP_ELEM)]);
        a.jump_if(Cond::Eq, R0, 0, pass);
        a.add([
            Insn::load(Size::Double, R1, R0, 0),
            Insn::alu64_imm(Alu::Add, R1, 1),
            Insn::store(Size::Double, R0, 0, R1),
        ]);
        a.place(pass).add([Insn::mov64_imm(R0, XDP_PASS), Insn::exit()]);
        a.finish()
    }
}

/// Writes a record for a packet of which `size` bytes are copied at the most.
fn record<'a>(a: &mut Assembler<'a>, ring: &'a RingBuffer, size: u32, [lost, pass]: [Label; 2]) {
    use Reg::{R0, R1, R2, R3, R4, R6, R7, R8, R9, R10};
    let bytes = i32::try_from(size.saturating_add(HEAD)).unwrap_or_default();
    let head = i32::try_from(HEAD).unwrap_or_default();
    let discard = a.label();
    a.load_map(R1, ring);
    a.add([
        Insn::mov64_imm(R2, bytes),
        Insn::mov64_imm(R3, 0),
        Insn::call(Helper::RINGBUF_RESERVE),
    ]);
    a.jump_if(Cond::Eq, R0, 0, lost);
    a.add([
        Insn::mov64_reg(R9, R0),
        Insn::load(Size::Double, R1, R10, -16),
        Insn::store(Size::Double, R9, 0, R1),
        Insn::store(Size::Word, R9, 8, R7),
        Insn::store(Size::Word, R9, 12, R8),
        Insn::load(Size::Word, R1, R6, RX_QUEUE_INDEX),
        Insn::store(Size::Word, R9, 16, R1),
        Insn::store_imm(Size::Word, R9, 20, 0),
        Insn::mov64_reg(R1, R6),
        Insn::mov64_imm(R2, 0),
        Insn::mov64_reg(R3, R9),
        Insn::alu64_imm(Alu::Add, R3, head),
        Insn::mov64_reg(R4, R8),
        Insn::call(Helper::XDP_LOAD_BYTES),
        Insn::mov64_reg(R1, R9),
        Insn::mov64_imm(R2, NO_WAKEUP),
    ]);
    a.jump_if(Cond::Ne, R0, 0, discard);
    a.add([Insn::call(Helper::RINGBUF_SUBMIT)]);
    a.goto(pass);
    a.place(discard).add([Insn::call(Helper::RINGBUF_DISCARD)]);
    a.goto(lost);
}

/// Returns whether the kernel has programs for packets in several frames.
fn takes_frags() -> bool {
    let pass = [Insn::mov64_imm(Reg::R0, XDP_PASS), Insn::exit()];
    Program::builder(&pass).license(c"Dual MIT/GPL").frags(true).load().is_ok()
}
