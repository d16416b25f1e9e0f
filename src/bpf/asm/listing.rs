//! Programs as text, in the syntax of the kernel's kernel/bpf/disasm.c, which `bpftool` shares.

use super::decode;
use super::flow::{CLASS, Flow, MAY_GOTO, OPERATION, target};
use super::helper::Helper;
use super::insn::Insn;
use super::label::Name;
use crate::error::{Error, Result};
use std::fmt;
use xsk_uapi::bpf::{
    BPF_ABS, BPF_ADD, BPF_ALU, BPF_ALU64, BPF_AND, BPF_ATOMIC, BPF_B, BPF_CALL, BPF_CMPXCHG,
    BPF_DIV, BPF_DW, BPF_END, BPF_EXIT, BPF_FETCH, BPF_H, BPF_IND, BPF_JA, BPF_JMP, BPF_JMP32,
    BPF_LD, BPF_LDX, BPF_LOAD_ACQ, BPF_MEM, BPF_MEMSX, BPF_MOD, BPF_MOV, BPF_NEG, BPF_OR,
    BPF_PSEUDO_CALL, BPF_PSEUDO_FUNC, BPF_PSEUDO_KFUNC_CALL, BPF_PSEUDO_MAP_FD,
    BPF_PSEUDO_MAP_VALUE, BPF_ST, BPF_STORE_REL, BPF_STX, BPF_TO_BE, BPF_W, BPF_X, BPF_XCHG,
    BPF_XOR,
};

/// The parts of the opcode of a load or store.
const MODE: u8 = 0xe0;
const SIZE: u8 = 0x18;

/// How many instructions are shown before and after one that is marked.
const BEFORE: usize = 5;
const AFTER: usize = 3;

/// A program as text: one line for each instruction, as `bpftool prog dump xlated` writes it, with
/// its number first. Where labels have names, a line has the name before the instruction, and jumps
/// have it at their end.
///
/// [`Code::listing`](super::Code::listing) gives one.
///
/// ```
/// use xsk::bpf::{Assembler, Cond, Insn, Reg};
///
/// # fn main() -> xsk::Result<()> {
/// let mut a = Assembler::new();
/// let pass = a.named("pass");
/// a.add(Insn::mov64_imm(Reg::R0, 2)).jump_if(Cond::Ne, Reg::R1, 0, pass);
/// a.add(Insn::mov64_imm(Reg::R0, 1)).place(pass).add(Insn::exit());
/// let text = "   0: (b7) r0 = 2
///    1: (55) if r1 != 0x0 goto pc+1 <pass>
///    2: (b7) r0 = 1
/// pass:
///    3: (95) exit
/// ";
/// assert_eq!(a.finish()?.listing().to_string(), text);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Listing<'a> {
    insns: Vec<Insn<'a>>,
    /// Names of labels by their places, in ascending order.
    names: &'a [(usize, Name)],
    /// The kernel's numbers of maps, by the numbers of their descriptors.
    ids: Vec<(i32, u32)>,
    /// Whether maps are named by the kernel's numbers, as in a dump.
    is_dump: bool,
}

impl<'a> Listing<'a> {
    /// Returns the listing of some instructions.
    ///
    /// ```
    /// use xsk::bpf::{Insn, Listing, Reg, Size};
    /// let insns = [Insn::load(Size::Word, Reg::R2, Reg::R1, 16)];
    /// assert_eq!(Listing::new(&insns).to_string(), "   0: (61) r2 = *(u32 *)(r1 +16)\n");
    /// ```
    #[must_use]
    pub fn new(insns: &[Insn<'a>]) -> Self {
        Self { insns: insns.to_vec(), names: &[], ids: Vec::new(), is_dump: false }
    }

    /// Returns the listing of what the kernel reports of a loaded program, in its form of 8 bytes
    /// for each slot: the file that `bpftool prog dump xlated id ID file FILE` writes. In it maps
    /// are named by the kernel's numbers for them.
    ///
    /// # Errors
    /// [`Error::Assemble`] if the bytes are no multiple of eight.
    pub fn of_dump(bytes: &[u8]) -> Result<Self> {
        let raw = decode::raw(bytes).map_err(|fault| Error::Assemble { fault })?;
        let insns = raw.into_iter().map(Insn::of).collect();
        Ok(Self { insns, names: &[], ids: Vec::new(), is_dump: true })
    }

    /// Adds names of labels, and the kernel's numbers of maps.
    pub(super) fn with(mut self, names: &'a [(usize, Name)], ids: Vec<(i32, u32)>) -> Self {
        self.names = names;
        self.ids = ids;
        self
    }

    /// Returns the lines around an instruction, which is marked by `>`; empty if there is no such
    /// instruction.
    ///
    /// ```
    /// use xsk::bpf::{Insn, Listing, Reg};
    /// let insns = [Insn::mov64_reg(Reg::R0, Reg::R7), Insn::exit()];
    /// let marked = Listing::new(&insns).around(0);
    /// assert_eq!(marked, ">   0: (bf) r0 = r7\n    1: (95) exit\n");
    /// ```
    #[must_use]
    pub fn around(&self, at: usize) -> String {
        if at >= self.insns.len() {
            return String::new();
        }
        let (first, last) = (at.saturating_sub(BEFORE), at.saturating_add(AFTER));
        let lines = self.lines().skip_while(|(slot, _)| *slot < first);
        let lines = lines.take_while(|(slot, _)| *slot <= last);
        lines.fold(String::new(), |text, (slot, line)| {
            let mark = if slot == at && !line.ends_with(':') { '>' } else { ' ' };
            format!("{text}{mark}{line}\n")
        })
    }

    /// Returns each line, with the number of its instruction.
    fn lines(&self) -> impl Iterator<Item = (usize, String)> + '_ {
        let mut is_after_first = false;
        let all = self.insns.iter().enumerate().filter_map(move |(at, insn)| {
            let is_second = is_after_first && insn.raw().code == 0;
            is_after_first = insn.is_wide();
            (!is_second).then_some((at, *insn))
        });
        all.flat_map(|(at, insn)| {
            let name = self.name(at).map(|name| (at, format!("{name}:")));
            let number = format!(" {at}");
            let line = format!("{number:>4}: {}", Line { insn, at, listing: Some(self) });
            name.into_iter().chain([(at, line)])
        })
    }

    fn name(&self, at: usize) -> Option<&Name> {
        let found = self.names.binary_search_by_key(&at, |(place, _)| *place).ok()?;
        self.names.get(found).map(|(_, name)| name)
    }

    /// Returns the kernel's number of a map by the number that an instruction has.
    fn map_id(&self, number: i32) -> Option<u32> {
        if self.is_dump {
            return u32::try_from(number).ok();
        }
        self.ids.iter().find(|(fd, _)| *fd == number).map(|(_, id)| *id)
    }
}

impl fmt::Display for Listing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines().try_for_each(|(_, line)| writeln!(f, "{line}"))
    }
}

/// The instruction alone: a 16-byte load shows the lower half of its number, and a map the number
/// of its descriptor.
impl fmt::Display for Insn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Line { insn: *self, at: 0, listing: None }.fmt(f)
    }
}

/// An instruction, and the listing that it is in.
struct Line<'a> {
    insn: Insn<'a>,
    at: usize,
    listing: Option<&'a Listing<'a>>,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.insn.raw().code;
        write!(f, "({code:02x}) ")?;
        match code & CLASS {
            BPF_ALU | BPF_ALU64 => self.arithmetic(f),
            BPF_LD => self.load_number(f),
            BPF_LDX => self.load(f),
            BPF_ST | BPF_STX => self.store(f),
            BPF_JMP | BPF_JMP32 => self.jump(f),
            _ => unknown(f),
        }
    }
}

impl Line<'_> {
    fn arithmetic(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let raw = self.insn.raw();
        let (dst, src) = (self.insn.dst(), self.insn.src());
        let is_wide = raw.code & CLASS == BPF_ALU64;
        let letter = if is_wide { 'r' } else { 'w' };
        match raw.code & OPERATION {
            BPF_END if is_wide => return write!(f, "r{dst} = bswap{} r{dst}", raw.imm),
            BPF_END => {
                let order = if raw.code & BPF_X == BPF_TO_BE { "be" } else { "le" };
                return write!(f, "r{dst} = {order}{} r{dst}", raw.imm);
            }
            BPF_NEG => return write!(f, "{letter}{dst} = -{letter}{dst}"),
            _ => {}
        }
        let Some(operation) = arithmetic(raw.code & OPERATION, raw.off) else { return unknown(f) };
        if raw.code & BPF_X == 0 {
            return write!(f, "{letter}{dst} {operation} {}", raw.imm);
        }
        let sign = match (raw.code & OPERATION, raw.off) {
            (BPF_MOV, 8) => "(s8)",
            (BPF_MOV, 16) => "(s16)",
            (BPF_MOV, 32) => "(s32)",
            _ => "",
        };
        write!(f, "{letter}{dst} {operation} {sign}{letter}{src}")
    }

    fn load_number(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let raw = self.insn.raw();
        let size = size(raw.code);
        match raw.code & MODE {
            BPF_ABS => return write!(f, "r0 = *({size} *)skb[{}]", raw.imm),
            BPF_IND => {
                return write!(f, "r0 = *({size} *)skb[r{} + {}]", self.insn.src(), raw.imm);
            }
            _ if !self.insn.is_wide() => return unknown(f),
            _ => {}
        }
        write!(f, "r{} = ", self.insn.dst())?;
        let second = self.listing.and_then(|listing| listing.insns.get(self.at.wrapping_add(1)));
        let high = second.map_or(0, |insn| insn.raw().imm);
        match self.insn.src() {
            BPF_PSEUDO_MAP_FD => self.map(f, raw.imm),
            BPF_PSEUDO_MAP_VALUE => {
                self.map(f, raw.imm)?;
                write!(f, "[0]+{}", unsigned(high))
            }
            BPF_PSEUDO_FUNC => {
                write!(f, "subprog[{:+}]", raw.imm)?;
                self.name(f)
            }
            _ => {
                let (low, high) = (unsigned(raw.imm), unsigned(high));
                write!(f, "{:#x}", u64::from(high) << 32 | u64::from(low))
            }
        }
    }

    fn map(&self, f: &mut fmt::Formatter<'_>, number: i32) -> fmt::Result {
        match self.listing.and_then(|listing| listing.map_id(number)) {
            Some(id) => write!(f, "map[id:{id}]"),
            None => write!(f, "map[fd:{number}]"),
        }
    }

    fn load(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let raw = self.insn.raw();
        let size = match (raw.code & MODE, raw.code & SIZE) {
            (BPF_MEM, _) => size(raw.code),
            (BPF_MEMSX, BPF_W) => "s32",
            (BPF_MEMSX, BPF_H) => "s16",
            (BPF_MEMSX, BPF_B) => "s8",
            _ => return unknown(f),
        };
        write!(f, "r{} = *({size} *)(r{} {:+})", self.insn.dst(), self.insn.src(), raw.off)
    }

    fn store(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let raw = self.insn.raw();
        let (dst, src, size) = (self.insn.dst(), self.insn.src(), size(raw.code));
        let place = format!("*({size} *)(r{dst} {:+})", raw.off);
        match (raw.code & CLASS, raw.code & MODE) {
            (BPF_ST, BPF_MEM) => return write!(f, "{place} = {}", raw.imm),
            (BPF_STX, BPF_MEM) => return write!(f, "{place} = r{src}"),
            (BPF_STX, BPF_ATOMIC) => {}
            _ => return unknown(f),
        }
        let bits = if raw.code & SIZE == BPF_DW { "64" } else { "" };
        let pointer = |base| format!("({size} *)(r{base} {:+})", raw.off);
        match raw.imm {
            BPF_LOAD_ACQ => return write!(f, "r{dst} = load_acquire({})", pointer(src)),
            BPF_STORE_REL => return write!(f, "store_release({}, r{src})", pointer(dst)),
            _ => {}
        }
        let pointer = pointer(dst);
        match (raw.imm, atomic(raw.imm & !BPF_FETCH)) {
            (BPF_CMPXCHG, _) => write!(f, "r0 = atomic{bits}_cmpxchg({pointer}, r0, r{src})"),
            (BPF_XCHG, _) => write!(f, "r{src} = atomic{bits}_xchg({pointer}, r{src})"),
            (imm, Some((_, name))) if imm & BPF_FETCH != 0 => {
                write!(f, "r{src} = atomic{bits}_fetch_{name}({pointer}, r{src})")
            }
            (_, Some((sign, _))) => write!(f, "lock {place} {sign} r{src}"),
            _ => unknown(f),
        }
    }

    fn jump(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let raw = self.insn.raw();
        let is_wide = raw.code & CLASS == BPF_JMP;
        match raw.code & OPERATION {
            BPF_CALL if is_wide => return self.call(f),
            BPF_EXIT if is_wide => return f.write_str("exit"),
            BPF_JA if is_wide => write!(f, "goto pc{:+}", raw.off)?,
            BPF_JA => write!(f, "gotol pc{:+}", raw.imm)?,
            MAY_GOTO if is_wide => write!(f, "may_goto pc{:+}", raw.off)?,
            operation => {
                let Some(sign) = comparison(operation) else { return unknown(f) };
                let letter = if is_wide { 'r' } else { 'w' };
                write!(f, "if {letter}{} {sign} ", self.insn.dst())?;
                if raw.code & BPF_X == 0 {
                    write!(f, "{:#x}", raw.imm)?;
                } else {
                    write!(f, "{letter}{}", self.insn.src())?;
                }
                write!(f, " goto pc{:+}", raw.off)?;
            }
        }
        self.name(f)
    }

    fn call(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.insn.raw().imm;
        match self.insn.src() {
            BPF_PSEUDO_CALL => {
                write!(f, "call pc{number:+}")?;
                self.name(f)
            }
            BPF_PSEUDO_KFUNC_CALL => write!(f, "call kernel-function#{number}"),
            _ => {
                write!(f, "call {}#{number}", Helper(number).name().unwrap_or("unknown"))
            }
        }
    }

    /// Writes the name of the label that the instruction goes to, if it has one.
    fn name(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let to = Flow::of(self.insn).distance().and_then(|distance| target(self.at, distance));
        let names = self.listing.zip(to);
        match names.and_then(|(listing, to)| listing.name(to)) {
            Some(name) => write!(f, " <{name}>"),
            None => Ok(()),
        }
    }
}

/// Writes what is not known here.
fn unknown(f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("BUG_unknown")
}

/// Returns the bits of an immediate value as a number without a sign.
fn unsigned(imm: i32) -> u32 {
    u32::from_ne_bytes(imm.to_ne_bytes())
}

/// Returns how much a load or store moves.
fn size(code: u8) -> &'static str {
    match code & SIZE {
        BPF_B => "u8",
        BPF_H => "u16",
        BPF_W => "u32",
        _ => "u64",
    }
}

/// Returns the sign of an arithmetic operation; a division with an offset is signed.
fn arithmetic(operation: u8, off: i16) -> Option<&'static str> {
    let signs = ["+=", "-=", "*=", "/=", "|=", "&=", "<<=", ">>=", "", "%=", "^=", "=", "s>>="];
    match (operation, off) {
        (BPF_DIV, 1) => Some("s/="),
        (BPF_MOD, 1) => Some("s%="),
        _ => signs.get(usize::from(operation >> 4)).copied(),
    }
}

/// Returns the sign and the name of an atomic operation.
fn atomic(imm: i32) -> Option<(&'static str, &'static str)> {
    let known = [(BPF_ADD, "+=", "add"), (BPF_OR, "|=", "or"), (BPF_AND, "&=", "and")];
    let mut known = known.into_iter().chain([(BPF_XOR, "^=", "xor")]);
    known.find(|(bits, ..)| i32::from(*bits) == imm).map(|(_, sign, name)| (sign, name))
}

/// Returns the sign of a comparison.
fn comparison(operation: u8) -> Option<&'static str> {
    let signs = ["", "==", ">", ">=", "&", "!=", "s>", "s>=", "", "", "<", "<=", "s<", "s<="];
    signs.get(usize::from(operation >> 4)).copied().filter(|sign| !sign.is_empty())
}
