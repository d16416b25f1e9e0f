//! Classic instructions, decoded.

use super::super::expr::Operator;
use crate::error::ClassicFault as Fault;
use crate::num::u64_of;
use xsk_uapi::bpf::{
    BPF_ABS, BPF_ADD, BPF_ALU, BPF_AND, BPF_B, BPF_DIV, BPF_H, BPF_IMM, BPF_IND, BPF_JA, BPF_JEQ,
    BPF_JGE, BPF_JGT, BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_LDX, BPF_LSH, BPF_MEM, BPF_MOD,
    BPF_MUL, BPF_NEG, BPF_OR, BPF_RSH, BPF_ST, BPF_STX, BPF_SUB, BPF_W, BPF_X, BPF_XOR,
};
use xsk_uapi::filter::{
    BPF_A, BPF_LEN, BPF_MEMWORDS, BPF_MISC, BPF_MSH, BPF_RET, BPF_TAX, BPF_TXA, SKF_AD_ALU_XOR_X,
    SKF_AD_CPU, SKF_AD_HATYPE, SKF_AD_IFINDEX, SKF_AD_MARK, SKF_AD_NLATTR, SKF_AD_NLATTR_NEST,
    SKF_AD_OFF, SKF_AD_PAY_OFFSET, SKF_AD_PKTTYPE, SKF_AD_PROTOCOL, SKF_AD_QUEUE, SKF_AD_RANDOM,
    SKF_AD_RXHASH, SKF_AD_VLAN_TAG, SKF_AD_VLAN_TAG_PRESENT, SKF_AD_VLAN_TPID, SKF_LL_OFF,
    SKF_NET_OFF, sock_filter,
};

/// Bytes of the Ethernet header, of which the last two are the type.
const ETHERNET: u32 = 14;

/// The registers: the accumulator, and the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Register {
    A,
    X,
}

/// What a register is set to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Value {
    Number(u32),
    Register(Register),
    /// A word of memory, which has been written.
    Word(u8),
    /// The length of the packet.
    Length,
}

/// The second operand: a constant, or X.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Operand {
    Number(u32),
    X,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Relation {
    Equal,
    Greater,
    GreaterOrEqual,
    AnyBit,
}

/// An instruction that is possible. Jumps have the numbers of the instructions that they lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Op {
    /// A is the number in so many bytes of the packet, from `start` on; with X added, if `indexed`.
    Load {
        start: u32,
        bytes: u8,
        indexed: bool,
    },
    /// X is four times the low half of a byte of the packet.
    LoadHeaderLength {
        start: u32,
    },
    Set(Register, Value),
    Store(Register, u8),
    /// `a = a operator operand`
    Compute(Operator, Operand),
    /// `a = -a`
    Negate,
    Jump(usize),
    /// Compares A.
    Branch {
        relation: Relation,
        operand: Operand,
        yes: usize,
        no: usize,
    },
    Return(u32),
    ReturnA,
}

impl Op {
    /// Decodes the instruction with this number, of so many.
    pub(super) fn decode(raw: sock_filter, at: usize, count: usize) -> Result<Self, Fault> {
        let sock_filter { code, jt, jf, k } = raw;
        let unknown = Fault::Opcode { code };
        let Ok(opcode) = u8::try_from(code) else { return Err(unknown) };
        let (class, mode, size) = (opcode & 7, opcode & 0xe0, opcode & 0x18);
        let operand = if opcode & BPF_X == 0 { Operand::Number(k) } else { Operand::X };
        Ok(match class {
            BPF_LD => match (mode, bytes(size)) {
                (BPF_ABS, Some(bytes)) => absolute(k, bytes)?,
                (BPF_IND, Some(bytes)) => Self::Load { start: place(k)?, bytes, indexed: true },
                _ if size != BPF_W => return Err(unknown),
                (BPF_IMM, _) => Self::Set(Register::A, Value::Number(k)),
                (BPF_MEM, _) => Self::Set(Register::A, Value::Word(word(k)?)),
                (BPF_LEN, _) => Self::Set(Register::A, Value::Length),
                _ => return Err(unknown),
            },
            BPF_LDX => match (mode, size) {
                (BPF_MSH, BPF_B) => Self::LoadHeaderLength { start: place(k)? },
                (BPF_IMM, BPF_W) => Self::Set(Register::X, Value::Number(k)),
                (BPF_MEM, BPF_W) => Self::Set(Register::X, Value::Word(word(k)?)),
                (BPF_LEN, BPF_W) => Self::Set(Register::X, Value::Length),
                _ => return Err(unknown),
            },
            _ if opcode == BPF_ST => Self::Store(Register::A, word(k)?),
            _ if opcode == BPF_STX => Self::Store(Register::X, word(k)?),
            _ if opcode == BPF_ALU | BPF_NEG => Self::Negate,
            BPF_ALU => {
                let operator = operator(opcode & 0xf0).ok_or(unknown)?;
                match (operator, operand) {
                    (Operator::Divide | Operator::Remainder, Operand::Number(0)) => {
                        return Err(Fault::Division);
                    }
                    (Operator::ShiftLeft | Operator::ShiftRight, Operand::Number(bits))
                        if bits >= 32 =>
                    {
                        return Err(Fault::Shift { bits });
                    }
                    _ => Self::Compute(operator, operand),
                }
            }
            _ if opcode == BPF_JMP | BPF_JA => match i64::from(signed(k)) {
                back if back < 0 => {
                    let at = i64::try_from(at).unwrap_or(i64::MAX);
                    return Err(Fault::Back { to: at.saturating_add(1).saturating_add(back) });
                }
                _ => Self::Jump(target(at, k, count)?),
            },
            BPF_JMP => {
                let relation = match opcode & 0xf0 {
                    BPF_JEQ => Relation::Equal,
                    BPF_JGT => Relation::Greater,
                    BPF_JGE => Relation::GreaterOrEqual,
                    BPF_JSET => Relation::AnyBit,
                    _ => return Err(unknown),
                };
                let (yes, no) = (target(at, jt.into(), count)?, target(at, jf.into(), count)?);
                Self::Branch { relation, operand, yes, no }
            }
            _ if opcode == BPF_RET | BPF_K => Self::Return(k),
            _ if opcode == BPF_RET | BPF_A => Self::ReturnA,
            _ if opcode == BPF_MISC | BPF_TAX => {
                Self::Set(Register::X, Value::Register(Register::A))
            }
            _ if opcode == BPF_MISC | BPF_TXA => {
                Self::Set(Register::A, Value::Register(Register::X))
            }
            _ => return Err(unknown),
        })
    }

    /// Returns the numbers of the instructions that can be next.
    pub(super) fn next(self, at: usize) -> [Option<usize>; 2] {
        match self {
            Self::Jump(to) => [Some(to), None],
            Self::Branch { yes, no, .. } => [Some(yes), Some(no)],
            Self::Return(_) | Self::ReturnA => [None, None],
            _ => [at.checked_add(1), None],
        }
    }
}

fn bytes(size: u8) -> Option<u8> {
    match size {
        BPF_W => Some(4),
        BPF_H => Some(2),
        BPF_B => Some(1),
        _ => None,
    }
}

fn operator(bits: u8) -> Option<Operator> {
    Some(match bits {
        BPF_ADD => Operator::Add,
        BPF_SUB => Operator::Subtract,
        BPF_MUL => Operator::Multiply,
        BPF_DIV => Operator::Divide,
        BPF_MOD => Operator::Remainder,
        BPF_AND => Operator::And,
        BPF_OR => Operator::Or,
        BPF_XOR => Operator::Xor,
        BPF_LSH => Operator::ShiftLeft,
        BPF_RSH => Operator::ShiftRight,
        _ => return None,
    })
}

fn word(k: u32) -> Result<u8, Fault> {
    u8::try_from(k).ok().filter(|_| k < BPF_MEMWORDS).ok_or(Fault::Memory { word: k })
}

/// Returns the number of the instruction that a jump leads to.
fn target(at: usize, skipped: u32, count: usize) -> Result<usize, Fault> {
    let to = u64_of(at).saturating_add(1).saturating_add(u64::from(skipped));
    usize::try_from(to).ok().filter(|to| *to < count).ok_or(Fault::Jump { to })
}

/// Returns a load at a constant offset, which may be one of what the kernel knows of a packet.
fn absolute(k: u32, bytes: u8) -> Result<Op, Fault> {
    let none = Op::Set(Register::A, Value::Number(0));
    match signed(k).checked_sub(SKF_AD_OFF).filter(|known| *known >= 0 && signed(k) < 0) {
        None => Ok(Op::Load { start: place(k)?, bytes, indexed: false }),
        Some(SKF_AD_PROTOCOL) => {
            Ok(Op::Load { start: ETHERNET.saturating_sub(2), bytes: 2, indexed: false })
        }
        Some(SKF_AD_ALU_XOR_X) => Ok(Op::Compute(Operator::Xor, Operand::X)),
        // An XDP program sees the tags in the packet.
        Some(SKF_AD_VLAN_TAG | SKF_AD_VLAN_TAG_PRESENT | SKF_AD_VLAN_TPID) => Ok(none),
        Some(other) => Err(Fault::Ancillary { what: ancillary(other) }),
    }
}

/// Returns how many bytes behind the packet's beginning something is. Offsets that mean nothing are
/// behind every packet.
fn place(k: u32) -> Result<u32, Fault> {
    let part = match signed(k) {
        SKF_AD_OFF..0 => {
            let known = signed(k).saturating_sub(SKF_AD_OFF);
            return Err(Fault::Ancillary { what: ancillary(known) });
        }
        SKF_NET_OFF..SKF_AD_OFF => (SKF_NET_OFF, ETHERNET),
        SKF_LL_OFF..SKF_NET_OFF => (SKF_LL_OFF, 0),
        _ => return Ok(k),
    };
    let (from, start) = part;
    Ok(signed(k).abs_diff(from).saturating_add(start))
}

fn signed(k: u32) -> i32 {
    i32::from_ne_bytes(k.to_ne_bytes())
}

fn ancillary(known: i32) -> &'static str {
    match known {
        SKF_AD_PROTOCOL => "the Ethernet type (SKF_AD_PROTOCOL) other than at a constant offset",
        SKF_AD_PKTTYPE => "whom a packet is for (SKF_AD_PKTTYPE: `inbound`, `outbound`)",
        SKF_AD_IFINDEX => "the index of the interface (SKF_AD_IFINDEX)",
        SKF_AD_NLATTR => "netlink attributes (SKF_AD_NLATTR)",
        SKF_AD_NLATTR_NEST => "nested netlink attributes (SKF_AD_NLATTR_NEST)",
        SKF_AD_MARK => "a packet's mark (SKF_AD_MARK)",
        SKF_AD_QUEUE => "the number of the queue (SKF_AD_QUEUE)",
        SKF_AD_HATYPE => "the type of the interface (SKF_AD_HATYPE)",
        SKF_AD_RXHASH => "the hash of the flow (SKF_AD_RXHASH)",
        SKF_AD_CPU => "the number of the CPU (SKF_AD_CPU)",
        SKF_AD_PAY_OFFSET => "where the payload begins (SKF_AD_PAY_OFFSET)",
        SKF_AD_RANDOM => "random numbers (SKF_AD_RANDOM)",
        SKF_AD_VLAN_TAG | SKF_AD_VLAN_TAG_PRESENT | SKF_AD_VLAN_TPID => {
            "a VLAN tag that is not in the packet (SKF_AD_VLAN_TAG) other than at a constant offset"
        }
        _ => "what is behind SKF_AD_OFF, of which the kernel knows nothing at this offset",
    }
}
