//! Runs XDP programs without the kernel, as strictly as its verifier: registers and the stack are
//! read only after they were written, pointers are no numbers, and nothing is read outside.
//!
//! It knows the instructions that the compilers of filters write; others are an error.

use xsk_uapi::bpf::{self as b, bpf_insn};

/// What a register holds.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Value {
    Unset,
    Number(u64),
    Context,
    /// So many bytes behind the packet's beginning.
    Packet(i64),
    PacketEnd,
    /// So many bytes above the stack's lowest one.
    Stack(i64),
    Map(u32),
    /// The value with this number in a map, and the offset in it.
    InMap(u32, usize, i64),
}

use Value::{Context, InMap, Map, Number, Packet, PacketEnd, Stack, Unset};

const STACK: usize = 512;

/// The maps of a program, by the numbers that the program has in place of descriptors.
pub(crate) trait Maps {
    /// Finds a key, which is the first of these bytes; returns the value's number.
    fn find(&mut self, map: u32, key: &[u8]) -> Option<usize>;
    fn value(&mut self, map: u32, number: usize) -> &mut [u8];
    /// Whether there is a socket in a slot.
    fn has_socket(&self, map: u32, slot: u64) -> bool;
}

/// A program that is decoded.
pub(crate) struct Interpreter {
    insns: Vec<Decoded>,
}

#[derive(Debug, Clone, Copy)]
struct Decoded {
    code: u8,
    dst: usize,
    src: usize,
    off: i64,
    imm: i32,
}

impl Interpreter {
    pub(crate) fn new(program: &[bpf_insn]) -> Self {
        let decode = |insn: &bpf_insn| {
            let (low, high) = (usize::from(insn.regs & 15), usize::from(insn.regs >> 4));
            let (dst, src) = if cfg!(target_endian = "little") { (low, high) } else { (high, low) };
            Decoded { code: insn.code, dst, src, off: insn.off.into(), imm: insn.imm }
        };
        Self { insns: program.iter().map(decode).collect() }
    }

    /// Runs the program on a packet of this queue. Returns the verdict, or what is wrong and where.
    pub(crate) fn run(
        &self,
        packet: &[u8],
        queue: u32,
        maps: &mut dyn Maps,
    ) -> Result<u32, String> {
        let mut run = Run {
            regs: [Unset; 11],
            stack: [0; STACK],
            written: [false; STACK],
            packet,
            queue,
            maps,
        };
        run.regs[1] = Context;
        run.regs[10] = Stack(STACK as i64);
        let mut at = 0;
        // Programs of filters have no loops.
        for _ in 0..=self.insns.len() {
            let Some(insn) = self.insns.get(at) else {
                return Err(format!("there is no instruction {at}"));
            };
            let failed = |what: String| format!("instruction {at}, {insn:?}: {what}");
            if insn.code == b::BPF_JMP | b::BPF_EXIT {
                return match run.regs[0] {
                    Number(verdict) => Ok(verdict as u32),
                    other => Err(failed(format!("it returns {other:?}"))),
                };
            }
            let high = self.insns.get(at + 1).map_or(0, |next| next.imm);
            let skipped = run.step(*insn, high).map_err(failed)?;
            at = (at as i64 + 1 + skipped) as usize;
        }
        Err("it does not end".to_owned())
    }
}

struct Run<'a> {
    regs: [Value; 11],
    stack: [u8; STACK],
    written: [bool; STACK],
    packet: &'a [u8],
    queue: u32,
    maps: &'a mut dyn Maps,
}

impl Run<'_> {
    /// Runs an instruction. Returns how many of the next ones are left out.
    fn step(&mut self, insn: Decoded, high: i32) -> Result<i64, String> {
        let Decoded { code, dst, src, off, imm } = insn;
        let (class, size) = (code & 7, bytes(code));
        match class {
            b::BPF_LD if code == b::BPF_LD | b::BPF_IMM | b::BPF_DW => {
                self.regs[dst] = match src {
                    0 => Number(u64::from(imm as u32) | u64::from(high as u32) << 32),
                    _ if src == usize::from(b::BPF_PSEUDO_MAP_FD) => Map(imm as u32),
                    _ => return Err("values of maps are not known".to_owned()),
                };
                return Ok(1);
            }
            b::BPF_LDX if code & 0xe0 == b::BPF_MEM => {
                self.regs[dst] = self.load(src, off, size)?
            }
            b::BPF_STX if code & 0xe0 == b::BPF_MEM => {
                let Number(value) = self.regs[src] else {
                    return Err(format!("it stores {:?}", self.regs[src]));
                };
                self.store(dst, off, &value.to_ne_bytes(), size)?;
            }
            b::BPF_ST if code & 0xe0 == b::BPF_MEM => {
                self.store(dst, off, &i64::from(imm).to_ne_bytes(), size)?;
            }
            b::BPF_ALU | b::BPF_ALU64 => self.regs[dst] = self.compute(insn)?,
            b::BPF_JMP if code == b::BPF_JMP | b::BPF_JA => return Ok(off),
            b::BPF_JMP if code == b::BPF_JMP | b::BPF_CALL && src == 0 => self.call(imm)?,
            b::BPF_JMP | b::BPF_JMP32 => {
                return Ok(if self.compare(insn)? { off } else { 0 });
            }
            _ => return Err("it is not known".to_owned()),
        }
        Ok(0)
    }

    fn operand(&self, insn: Decoded) -> Result<Value, String> {
        if insn.code & b::BPF_X == 0 {
            return Ok(Number(i64::from(insn.imm) as u64));
        }
        match self.regs[insn.src] {
            Unset => Err(format!("r{} holds nothing", insn.src)),
            value => Ok(value),
        }
    }

    fn load(&mut self, src: usize, off: i64, size: usize) -> Result<Value, String> {
        let outside = |what: &str, at: i64| Err(format!("{what} is read at {at}"));
        let bytes: &[u8] = match self.regs[src] {
            Context => {
                return match (off, size) {
                    (0, 4) => Ok(Packet(0)),
                    (4, 4) => Ok(PacketEnd),
                    (16, 4) => Ok(Number(self.queue.into())),
                    _ => outside("the context", off),
                };
            }
            Packet(at) => match slice(self.packet, at + off, size) {
                Some(bytes) => bytes,
                None => return outside("the packet", at + off),
            },
            Stack(at) => {
                let written = slice(&self.written, at + off, size);
                if !written.is_some_and(|bytes| bytes.iter().all(|written| *written)) {
                    return outside("the stack", at + off);
                }
                slice(&self.stack, at + off, size).unwrap()
            }
            InMap(map, number, at) => match slice(self.maps.value(map, number), at + off, size) {
                Some(bytes) => bytes,
                None => return outside("a map's value", at + off),
            },
            other => return Err(format!("{other:?} is read")),
        };
        Ok(Number(match *bytes {
            [one] => one.into(),
            [a, b] => u16::from_ne_bytes([a, b]).into(),
            [a, b, c, d] => u32::from_ne_bytes([a, b, c, d]).into(),
            _ => u64::from_ne_bytes(bytes.try_into().unwrap()),
        }))
    }

    fn store(&mut self, dst: usize, off: i64, value: &[u8; 8], size: usize) -> Result<(), String> {
        let value =
            if cfg!(target_endian = "little") { &value[..size] } else { &value[8 - size..] };
        let (memory, at): (&mut [u8], i64) = match self.regs[dst] {
            Stack(at) => {
                let start = usize::try_from(at + off).map_err(|error| error.to_string())?;
                let written = self.written.get_mut(start..start + size);
                written.ok_or("the stack is written outside")?.fill(true);
                (&mut self.stack, at + off)
            }
            InMap(map, number, at) => (self.maps.value(map, number), at + off),
            other => return Err(format!("{other:?} is written")),
        };
        let at = usize::try_from(at).map_err(|error| error.to_string())?;
        memory.get_mut(at..at + size).ok_or("it writes outside")?.copy_from_slice(value);
        Ok(())
    }

    fn compute(&self, insn: Decoded) -> Result<Value, String> {
        let Decoded { code, dst, imm, .. } = insn;
        let is_wide = code & 7 == b::BPF_ALU64;
        let operation = code & 0xf0;
        let left = self.regs[dst];
        if operation == b::BPF_END || operation == b::BPF_NEG {
            let Number(value) = left else { return Err(format!("of {left:?}")) };
            return Ok(Number(match (operation, imm) {
                (b::BPF_NEG, _) if is_wide => value.wrapping_neg(),
                (b::BPF_NEG, _) => (value as u32).wrapping_neg().into(),
                (_, 16) if !is_wide && code & b::BPF_TO_BE != 0 => (value as u16).to_be().into(),
                (_, 32) if !is_wide && code & b::BPF_TO_BE != 0 => (value as u32).to_be().into(),
                (_, 64) if !is_wide && code & b::BPF_TO_BE != 0 => value.to_be(),
                _ => return Err("it is not known".to_owned()),
            }));
        }
        let right = self.operand(insn)?;
        match (operation, left, right) {
            (b::BPF_MOV, _, Number(right)) if is_wide => return Ok(Number(right)),
            (b::BPF_MOV, _, Number(right)) => return Ok(Number(u64::from(right as u32))),
            (b::BPF_MOV, _, pointer) if is_wide => return Ok(pointer),
            // Arithmetic with pointers.
            (b::BPF_ADD, Packet(at), Number(n)) if is_wide => return Ok(Packet(at + n as i64)),
            (b::BPF_ADD, Number(n), Packet(at)) if is_wide => return Ok(Packet(at + n as i64)),
            (b::BPF_SUB, Packet(at), Number(n)) if is_wide => return Ok(Packet(at - n as i64)),
            (b::BPF_ADD, Stack(at), Number(n)) if is_wide => return Ok(Stack(at + n as i64)),
            (b::BPF_SUB, PacketEnd, Packet(at)) if is_wide => {
                return Ok(Number((self.packet.len() as i64 - at) as u64));
            }
            _ => {}
        }
        let (Number(left), Number(right)) = (left, right) else {
            return Err(format!("of {left:?} and {right:?}"));
        };
        Ok(Number(if is_wide {
            wide(operation, left, right)?
        } else {
            narrow(operation, left as u32, right as u32)?.into()
        }))
    }

    fn compare(&self, insn: Decoded) -> Result<bool, String> {
        let (left, right) = (self.regs[insn.dst], self.operand(insn)?);
        let is_wide = insn.code & 7 == b::BPF_JMP;
        let end = self.packet.len() as i64;
        // Of pointers into the packet the offsets are compared.
        let offset = |value| match value {
            Packet(at) => Some(at as u64),
            PacketEnd => Some(end as u64),
            _ => None,
        };
        let (a, b) = match (left, right) {
            (Number(a), Number(b)) => (a, b),
            (InMap(..), Number(0)) if is_wide => (1, 0),
            _ => match (offset(left), offset(right)) {
                (Some(a), Some(b)) if is_wide => (a, b),
                _ => return Err(format!("{left:?} is compared with {right:?}")),
            },
        };
        let (a, b) = if is_wide { (a, b) } else { (a & 0xffff_ffff, b & 0xffff_ffff) };
        Ok(match insn.code & 0xf0 {
            b::BPF_JEQ => a == b,
            b::BPF_JNE => a != b,
            b::BPF_JGT => a > b,
            b::BPF_JGE => a >= b,
            b::BPF_JLT => a < b,
            b::BPF_JLE => a <= b,
            b::BPF_JSET => a & b != 0,
            _ => return Err("it is not known".to_owned()),
        })
    }

    fn call(&mut self, helper: i32) -> Result<(), String> {
        let [_, map, second, third, ..] = self.regs;
        let Map(map) = map else { return Err(format!("r1 is {map:?}, no map")) };
        self.regs[0] = match (helper, second, third) {
            (b::BPF_FUNC_map_lookup_elem, Stack(at), _) => {
                let from = usize::try_from(at).map_err(|error| error.to_string())?;
                let unwritten = self.written.iter().skip(from).position(|written| !written);
                let until = unwritten.map_or(STACK, |count| from + count);
                match self.maps.find(map, &self.stack[from..until]) {
                    Some(number) => InMap(map, number, 0),
                    None => Number(0),
                }
            }
            (b::BPF_FUNC_redirect_map, Number(slot), Number(flags)) => {
                Number(if self.maps.has_socket(map, slot) { 4 } else { flags & 3 })
            }
            _ => return Err(format!("helper {helper} with {second:?} and {third:?}")),
        };
        self.regs[1..6].fill(Unset);
        Ok(())
    }
}

fn bytes(code: u8) -> usize {
    match code & 0x18 {
        b::BPF_B => 1,
        b::BPF_H => 2,
        b::BPF_W => 4,
        _ => 8,
    }
}

fn slice<T>(memory: &[T], at: i64, size: usize) -> Option<&[T]> {
    let at = usize::try_from(at).ok()?;
    memory.get(at..at + size)
}

fn wide(operation: u8, a: u64, b: u64) -> Result<u64, String> {
    Ok(match operation {
        b::BPF_ADD => a.wrapping_add(b),
        b::BPF_SUB => a.wrapping_sub(b),
        b::BPF_MUL => a.wrapping_mul(b),
        b::BPF_DIV => a.checked_div(b).unwrap_or(0),
        b::BPF_MOD => a.checked_rem(b).unwrap_or(a),
        b::BPF_AND => a & b,
        b::BPF_OR => a | b,
        b::BPF_XOR => a ^ b,
        b::BPF_LSH if b < 64 => a << b,
        b::BPF_RSH if b < 64 => a >> b,
        _ => return Err(format!("of {a:#x} and {b:#x}")),
    })
}

fn narrow(operation: u8, a: u32, b: u32) -> Result<u32, String> {
    Ok(match operation {
        b::BPF_ADD => a.wrapping_add(b),
        b::BPF_SUB => a.wrapping_sub(b),
        b::BPF_MUL => a.wrapping_mul(b),
        b::BPF_DIV => a.checked_div(b).unwrap_or(0),
        b::BPF_MOD => a.checked_rem(b).unwrap_or(a),
        b::BPF_AND => a & b,
        b::BPF_OR => a | b,
        b::BPF_XOR => a ^ b,
        b::BPF_LSH if b < 32 => a << b,
        b::BPF_RSH if b < 32 => a >> b,
        _ => return Err(format!("of {a:#x} and {b:#x}")),
    })
}
