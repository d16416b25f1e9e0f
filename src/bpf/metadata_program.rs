//! A program that hands over what the card knows of each packet.

use super::asm::{Alu, Assembler, Code, Cond, Helper, Insn, Reg, Size};
use super::btf::Btf;
use super::map::{ArrayMap, XskMap};
use super::program::Program;
use super::redirect::{RX_QUEUE_INDEX, XDP_PASS};
use crate::error::{Error, Result};
use crate::packet::RxRecord;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicU32, Ordering};

/// The kernel's functions for timestamp, hash and VLAN tag.
const FUNCTIONS: [&str; 3] =
    ["bpf_xdp_metadata_rx_timestamp", "bpf_xdp_metadata_rx_hash", "bpf_xdp_metadata_rx_vlan_tag"];

/// The error number that the program writes for a function that the kernel does not have.
const NOT_SUPPORTED: i32 = 95;

/// A program that redirects each packet to the socket in the slot of its queue, as the default program
/// does, and writes before it what the card knows of it: receive timestamp, hash and VLAN tag (6.3; the
/// VLAN tag 6.8).
///
/// It is bound to one interface and attached in native mode. After a kill, what netlink holds of it is
/// taken over by [`AttachmentBuilder::take_over`](crate::attach::AttachmentBuilder::take_over).
/// [`Rx::with_metadata`](crate::Rx::with_metadata) reads what it wrote. Packets of a queue without a
/// socket go on to the kernel's stack as they came.
///
/// A record of 32 bytes lies right before the packet, in the machine's byte order; a program of your
/// own may write the same, with [`key`](Self::key):
///
/// | bytes | content |
/// |---|---|
/// | 0-3 | the key of the slot |
/// | 4-7, 24-25 | hash, and its kind (`enum xdp_rss_hash_type`) |
/// | 8-15 | timestamp |
/// | 16-23 | sequence number of the packet among those of its slot, from 1 on |
/// | 26-27 | protocol of the VLAN tag, in network byte order; 0 if there is no tag |
/// | 28-29 | the tag's TCI; or the error number, if the protocol is 0 |
/// | 30, 31 | error number of timestamp and hash; 0 for none |
///
/// ```no_run
/// use xsk::bpf::{MetadataProgram, XskMap};
/// use xsk::{Attachment, Interface, Port, attach::AttachMode};
///
/// # fn main() -> xsk::Result<()> {
/// let interface = Interface::by_name("eth1")?;
/// let Port { umem, mut pool, socket, .. } = Port::open(&interface, 0)?;
/// let map = XskMap::create(XskMap::DEFAULT_NAME, 1)?;
/// let metadata = MetadataProgram::load(&map, interface.index())?;
/// let builder = Attachment::builder(&interface).mode(AttachMode::Native).take_over(true);
/// let attachment = builder.program(metadata.program()?, map).attach()?;
/// let _registration = socket.register(&attachment)?;
/// let mut rx = socket.rx.with_metadata(&metadata, 0)?;
/// for (frame, metadata) in rx.receive(64)? {
///     println!("{} bytes: {metadata:?}", umem.bytes(&frame).len());
///     pool.put(frame);
/// }
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct MetadataProgram {
    program: Program,
    /// Of each slot the sequence number of the last packet, and the key. The key is not in the
    /// instructions, which are the same for each program: so a later start knows one that was left.
    slots_state: ArrayMap<[u64; 2]>,
    slots: u32,
    number: u32,
}

impl MetadataProgram {
    /// Loads the program for a map, bound to an interface of the calling thread's network namespace,
    /// by its index.
    ///
    /// # Errors
    /// [`Error::NeedsKernel`] before 6.3; [`Error::BpfObject`] if the kernel's type information cannot
    /// be read ([`Btf::of_kernel`]), with `EBADMSG` if it has types of a kind that this crate does not
    /// know; [`Error::CreateMap`]; [`Error::LoadProgram`] with `EOPNOTSUPP` if the interface's driver
    /// takes no bound programs, with `EINVAL` if there is no such interface.
    pub fn load(map: &XskMap, interface_index: u32) -> Result<Self> {
        let btf = Btf::of_kernel()?;
        let functions = FUNCTIONS.map(|name| btf.function(name));
        if functions == [None; 3] {
            // A later kernel may have types of a kind that is not known here: so this looks whether
            // all were read. No function is without a name.
            btf.find("")?;
            return Err(Error::NeedsKernel {
                feature: "what the card knows of a received packet",
                version: "6.3",
            });
        }
        let (slots, number) = (map.entries(), next_number());
        let slots_state = ArrayMap::create("xsk_metadata", slots)?;
        for slot in 0..slots {
            let key = number.wrapping_add(slot);
            slots_state.set(slot, &[0, key.into()])?;
        }
        let code = instructions(map.as_fd(), slots_state.as_fd(), functions)?;
        let program = code
            .builder()
            .name("xsk_metadata")
            .license(c"Dual MIT/GPL")
            .bound_to(interface_index)
            .load()?;
        Ok(Self { program, slots_state, slots, number })
    }

    /// Returns the program, to be attached.
    ///
    /// # Errors
    /// [`Error::BpfObject`] if the process has too many open files.
    pub fn program(&self) -> Result<Program> {
        self.program.try_clone()
    }

    /// Returns the key of a slot's records: no other slot and no other program of this process has it.
    #[must_use]
    pub fn key(&self, slot: u32) -> u32 {
        self.number.wrapping_add(slot)
    }

    /// Returns the key of a slot's records, and the sequence number that its last packet had.
    pub(crate) fn position(&self, slot: u32) -> Result<(u32, u64)> {
        if slot >= self.slots {
            let rule = "is below the number of the map's entries";
            return Err(Error::Setting { name: "slot", value: slot.into(), rule });
        }
        let [sequence, _] = self.slots_state.get(slot)?.unwrap_or_default();
        Ok((self.key(slot), sequence))
    }
}

/// Returns a number that is as far as possible from those of the other programs of this process, and
/// by chance from those of others.
fn next_number() -> u32 {
    static LAST: AtomicU32 = AtomicU32::new(0);
    if LAST.load(Ordering::Relaxed) == 0 {
        let id = rustix::process::getpid().as_raw_nonzero().get().unsigned_abs();
        // Twice at once is no harm: the number is one of this process all the same.
        LAST.fetch_add(id.wrapping_mul(0x85eb_ca6b), Ordering::Relaxed);
    }
    LAST.fetch_add(0x9e37_79b1, Ordering::Relaxed)
}

/// Makes the record on the stack and copies it before the packet.
///
/// R6 is the context, R7 the queue. The record is at R10 - 32, the kind of hash at R10 - 40, the key
/// of maps at R10 - 44.
fn instructions<'a>(
    map: BorrowedFd<'a>,
    slots_state: BorrowedFd<'a>,
    [timestamp, hash, vlan]: [Option<u32>; 3],
) -> Result<Code> {
    use Reg::{R0, R1, R2, R3, R4, R6, R7, R10};
    let mut a = Assembler::default();
    let [pass, redirect] = [a.label(), a.label()];
    let stack = |register, offset| {
        [Insn::mov64_reg(register, R10), Insn::alu64_imm(Alu::Add, register, offset)]
    };
    a.add([
        Insn::mov64_reg(R6, R1),
        Insn::load(Size::Word, R7, R1, RX_QUEUE_INDEX),
        Insn::store(Size::Word, R10, -44, R7),
    ]);
    a.add([-40, -32, -24, -16, -8].map(|offset| Insn::store_imm(Size::Double, R10, offset, 0)));
    // A packet that no socket gets is not touched.
    a.add(Insn::load_map_fd(R1, map));
    a.add(stack(R2, -44));
    a.add([Insn::call(Helper::MAP_LOOKUP_ELEM)]);
    a.jump(Insn::jump_imm(Cond::Eq, R0, 0, 0), pass);

    if let Some(timestamp) = timestamp {
        a.add([Insn::mov64_reg(R1, R6)]);
        a.add(stack(R2, -24));
        a.add([
            Insn::call_kernel(timestamp),
            Insn::neg32(R0),
            Insn::store(Size::Byte, R10, -2, R0),
        ]);
    } else {
        a.add([Insn::store_imm(Size::Byte, R10, -2, NOT_SUPPORTED)]);
    }
    if let Some(hash) = hash {
        a.add([Insn::mov64_reg(R1, R6)]);
        a.add(stack(R2, -28));
        a.add(stack(R3, -40));
        a.add([
            Insn::call_kernel(hash),
            Insn::neg32(R0),
            Insn::store(Size::Byte, R10, -1, R0),
            Insn::load(Size::Word, R1, R10, -40),
            Insn::store(Size::Half, R10, -8, R1),
        ]);
    } else {
        a.add([Insn::store_imm(Size::Byte, R10, -1, NOT_SUPPORTED)]);
    }
    if let Some(vlan) = vlan {
        let known = a.label();
        a.add([Insn::mov64_reg(R1, R6)]);
        a.add(stack(R2, -6));
        a.add(stack(R3, -4));
        a.add([Insn::call_kernel(vlan), Insn::neg32(R0)]);
        a.jump(Insn::jump_imm(Cond::Eq, R0, 0, 0), known);
        a.add([Insn::store_imm(Size::Half, R10, -6, 0), Insn::store(Size::Half, R10, -4, R0)]);
        a.place(known);
    } else {
        a.add([Insn::store_imm(Size::Half, R10, -4, NOT_SUPPORTED)]);
    }

    // A queue is served by one processor at a time: nothing else counts its slot.
    a.add(Insn::load_map_fd(R1, slots_state));
    a.add(stack(R2, -44));
    a.add([Insn::call(Helper::MAP_LOOKUP_ELEM)]);
    a.jump(Insn::jump_imm(Cond::Eq, R0, 0, 0), redirect);
    a.add([
        Insn::load(Size::Double, R1, R0, 0),
        Insn::alu64_imm(Alu::Add, R1, 1),
        Insn::store(Size::Double, R0, 0, R1),
        Insn::store(Size::Double, R10, -16, R1),
        Insn::load(Size::Double, R1, R0, 8),
        Insn::store(Size::Word, R10, -32, R1),
    ]);

    let len = i32::try_from(RxRecord::LEN).unwrap_or_default();
    a.add([
        Insn::mov64_reg(R1, R6),
        Insn::mov64_imm(R2, len.wrapping_neg()),
        Insn::call(Helper::XDP_ADJUST_META),
    ]);
    a.jump(Insn::jump_imm(Cond::Ne, R0, 0, 0), redirect);
    a.add([
        Insn::load(Size::Word, R2, R6, 8),
        Insn::load(Size::Word, R3, R6, 0),
        Insn::mov64_reg(R4, R2),
        Insn::alu64_imm(Alu::Add, R4, len),
    ]);
    a.jump(Insn::jump_reg(Cond::Gt, R4, R3, 0), redirect);
    for (from, to) in [(-32, 0), (-24, 8), (-16, 16), (-8, 24)] {
        a.add([Insn::load(Size::Double, R1, R10, from), Insn::store(Size::Double, R2, to, R1)]);
    }
    a.place(redirect);
    a.add(Insn::load_map_fd(R1, map));
    a.add([
        Insn::mov64_reg(R2, R7),
        Insn::mov64_imm(R3, XDP_PASS),
        Insn::call(Helper::REDIRECT_MAP),
        Insn::exit(),
    ]);
    a.place(pass);
    a.add([Insn::mov64_imm(R0, XDP_PASS), Insn::exit()]);
    a.finish()
}
