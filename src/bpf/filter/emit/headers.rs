//! Finds headers, and loads what is in them.

use super::super::diagram::{Place, TooLarge};
use super::super::expr::MOST_EXTENSIONS;
use super::super::field::{Base, Load, NOT_FIRST};
use super::super::lower::{IPV6, network};
use super::edges::in_packet;
use super::unit::{DATA, END, PAYLOAD, Reach, TEMP, Unit, VALUE, low_half};
use crate::bpf::{Alu, Cond, Insn, Label, Reg, Size, Width};

const HOP_BY_HOP: i32 = 0;

const ROUTING: i32 = 43;

const FRAGMENT: i32 = 44;

const AUTHENTICATION: i32 = 51;

const DESTINATION: i32 = 60;
const EXTENSIONS: [i32; 5] = [HOP_BY_HOP, ROUTING, DESTINATION, FRAGMENT, AUTHENTICATION];

/// No extension headers that are walked end further away, so the verifier may know that: each has at
/// most 2048 bytes. With the 65535 that 16 bits have, it would let nothing be read from there.
const MOST_WALKED: i32 = 0x3fff;

/// Where the outcome of a walk is kept on the stack: below what numbers take.
fn kept(depth: u8) -> i16 {
    i16::from(depth).saturating_mul(8).saturating_sub(512)
}

impl Unit<'_, '_> {
    /// Makes sure that the bytes of a load can be read; else the program goes on to `absent`.
    /// Returns from where they are read.
    pub(super) fn bounds(
        &mut self,
        load: &Load,
        reach: &mut Reach,
        absent: Place,
    ) -> Result<(Reg, i16), TooLarge> {
        let (base, start) = match load.base {
            Base::Packet => (DATA, 0),
            Base::Payload4 { depth } => (PAYLOAD, self.payload4(depth, reach, absent)?),
            Base::Payload6 { depth } => {
                if !matches!(reach.payload, Some((base, _)) if base == load.base) {
                    self.walk(depth, reach, absent, &[])?;
                }
                (PAYLOAD, 0)
            }
        };
        let offset = load.offset.checked_add(start).ok_or(TooLarge)?;
        // Six bytes are loaded as eight: Ethernet addresses, behind which there are two at least.
        let size = if load.size == 6 { 8 } else { u32::from(load.size) };
        let need = offset.checked_add(size).ok_or(TooLarge)?;
        let known = match reach.payload {
            _ if base == DATA => reach.packet,
            Some((_, known)) => known,
            None => 0,
        };
        if need > known {
            self.check(base, need, absent, *reach)?;
            match &mut reach.payload {
                _ if base == DATA => reach.packet = need,
                Some((_, known)) => *known = need,
                None => {}
            }
        }
        Ok((base, i16::try_from(offset).map_err(|_| TooLarge)?))
    }

    /// Goes on to `absent` if the packet has fewer than `need` bytes from `base` on.
    pub(super) fn check(
        &mut self,
        base: Reg,
        need: u32,
        absent: Place,
        reach: Reach,
    ) -> Result<(), TooLarge> {
        let need = i32::try_from(need).map_err(|_| TooLarge)?;
        self.add([Insn::mov64_reg(TEMP, base), Insn::alu64_imm(Alu::Add, TEMP, need)]);
        self.jump(Insn::jump_reg(Cond::Gt, TEMP, END, 0), absent, reach);
        Ok(())
    }

    /// Has [`PAYLOAD`] point as far behind the packet's start as the IPv4 header is long. Returns at
    /// which offset the header begins.
    pub(super) fn payload4(
        &mut self,
        depth: u8,
        reach: &mut Reach,
        absent: Place,
    ) -> Result<u32, TooLarge> {
        let (base, start) = (Base::Payload4 { depth }, network(depth));
        if !matches!(reach.payload, Some((known, _)) if known == base) {
            let first = Load { base: Base::Packet, offset: start, size: 1, mask: 0xff };
            let (from, offset) = self.bounds(&first, reach, absent)?;
            self.add([
                Insn::load(Size::Byte, VALUE, from, offset),
                Insn::alu64_imm(Alu::And, VALUE, 15),
            ]);
            self.jump(Insn::jump_imm(Cond::Lt, VALUE, 5, 0), absent, *reach);
            self.add([
                Insn::alu64_imm(Alu::Lsh, VALUE, 2),
                Insn::mov64_reg(PAYLOAD, DATA),
                Insn::alu64_reg(Alu::Add, PAYLOAD, VALUE),
            ]);
            reach.payload = Some((base, 0));
        }
        Ok(start)
    }

    /// Walks the extension headers of IPv6: afterwards [`VALUE`] is what [`Field::Upper6`] says, and
    /// [`PAYLOAD`] points to what comes behind them. The protocols that are `likely` to come first
    /// are looked for before extension headers are.
    pub(super) fn walk(
        &mut self,
        depth: u8,
        reach: &mut Reach,
        absent: Place,
        likely: &[i32],
    ) -> Result<(), TooLarge> {
        if self.out.walked.contains(&depth) {
            // What [`PAYLOAD`] points to stays until it is sure that there is something else.
            self.add([Insn::load(Size::Double, VALUE, Reg::R10, kept(depth))]);
            self.jump(Insn::jump_imm(Cond::Eq, VALUE, 0, 0), absent, *reach);
            self.add([
                Insn::mov64_reg(PAYLOAD, VALUE),
                Insn::alu64_imm(Alu::Rsh, VALUE, 16),
                Insn::alu64_imm(Alu::And, PAYLOAD, MOST_WALKED),
            ]);
        } else {
            self.walk_here(depth, reach, absent, likely)?;
        }
        self.add([Insn::alu64_reg(Alu::Add, PAYLOAD, DATA)]);
        reach.payload = Some((Base::Payload6 { depth }, 0));
        Ok(())
    }

    /// Walks, and keeps on the stack the offset of what comes behind the extension headers, with
    /// [`Field::Upper6`] 16 bits further up; 0 if the packet is no IPv6 packet, or one that ends
    /// before.
    pub(super) fn keep_walk(&mut self, depth: u8, mut reach: Reach) -> Result<(), TooLarge> {
        let at = kept(depth);
        self.add([Insn::store_imm(Size::Double, Reg::R10, at, 0)]);
        let offset = network(depth).saturating_sub(2);
        let kind = Load { base: Base::Packet, offset, size: 2, mask: 0xffff };
        let place = self.bounds(&kind, &mut reach, Place::NoRule)?;
        self.load(&kind, place, true);
        let ip6 = low_half(in_packet(2, IPV6.into()));
        self.jump(Insn::jump_imm(Cond::Ne, VALUE, ip6, 0), Place::NoRule, reach);
        self.walk_here(depth, &mut reach, Place::NoRule, &[])?;
        self.add([
            Insn::alu64_imm(Alu::Lsh, VALUE, 16),
            Insn::alu64_reg(Alu::Or, VALUE, PAYLOAD),
            Insn::store(Size::Double, Reg::R10, at, VALUE),
        ]);
        self.go(Place::NoRule, reach);
        Ok(())
    }

    /// Walks: afterwards [`PAYLOAD`] is the offset of what comes behind the extension headers.
    fn walk_here(
        &mut self,
        depth: u8,
        reach: &mut Reach,
        absent: Place,
        likely: &[i32],
    ) -> Result<(), TooLarge> {
        let start = network(depth);
        let next_header =
            Load { base: Base::Packet, offset: start.saturating_add(6), size: 1, mask: 0xff };
        // The header is read as far as its next-header field; the extensions are behind all of it.
        let (from, offset) = self.bounds(&next_header, reach, absent)?;
        let first = i32::try_from(start.saturating_add(40)).map_err(|_| TooLarge)?;
        reach.payload = None;
        self.add([Insn::load(Size::Byte, VALUE, from, offset), Insn::mov64_imm(PAYLOAD, first)]);
        let done = self.out.code.label();
        for &kind in likely.iter().filter(|kind| !EXTENSIONS.contains(kind)) {
            self.out.code.jump(Insn::jump_imm(Cond::Eq, VALUE, kind, 0), done);
        }
        for _ in 0..MOST_EXTENSIONS {
            self.extension(done, *reach, absent);
        }
        // One more extension header is too many.
        for kind in EXTENSIONS {
            self.jump(Insn::jump_imm(Cond::Eq, VALUE, kind, 0), absent, *reach);
        }
        self.out.code.place(done);
        Ok(())
    }

    /// Goes past one extension header, if the next is one; else on to `done`.
    pub(super) fn extension(&mut self, done: Label, reach: Reach, absent: Place) {
        let code = &mut self.out.code;
        let (known, next) = (code.label(), code.label());
        for kind in EXTENSIONS {
            code.jump(Insn::jump_imm(Cond::Eq, VALUE, kind, 0), known);
        }
        code.jump(Insn::jump(0), done);
        code.place(known);
        let (fragment, authentication) = (code.label(), code.label());
        // Each begins with the next header and its own length.
        code.add([
            Insn::mov64_reg(TEMP, DATA),
            Insn::alu64_reg(Alu::Add, TEMP, PAYLOAD),
            Insn::alu64_imm(Alu::Add, TEMP, 2),
        ]);
        self.jump(Insn::jump_reg(Cond::Gt, TEMP, END, 0), absent, reach);
        let code = &mut self.out.code;
        code.jump(Insn::jump_imm(Cond::Eq, VALUE, FRAGMENT, 0), fragment);
        code.jump(Insn::jump_imm(Cond::Eq, VALUE, AUTHENTICATION, 0), authentication);
        // The length of most is in units of eight bytes, less one. It is a range, not a number, so
        // the verifier need not look at the others once it has seen this one.
        code.add([
            Insn::load(Size::Byte, VALUE, TEMP, -2),
            Insn::load(Size::Byte, TEMP, TEMP, -1),
            Insn::alu64_imm(Alu::Lsh, TEMP, 3),
            Insn::alu64_imm(Alu::Add, TEMP, 8),
        ]);
        code.jump(Insn::jump(0), next);
        code.place(authentication);
        code.add([
            Insn::load(Size::Byte, VALUE, TEMP, -2),
            Insn::load(Size::Byte, TEMP, TEMP, -1),
            Insn::alu64_imm(Alu::Lsh, TEMP, 2),
            Insn::alu64_imm(Alu::Add, TEMP, 8),
        ]);
        code.jump(Insn::jump(0), next);
        code.place(fragment);
        let first = code.label();
        code.add([Insn::alu64_imm(Alu::Add, TEMP, 2)]);
        self.jump(Insn::jump_reg(Cond::Gt, TEMP, END, 0), absent, reach);
        let code = &mut self.out.code;
        code.add([
            Insn::load(Size::Byte, VALUE, TEMP, -4),
            Insn::load(Size::Half, TEMP, TEMP, -2),
            Insn::to_be(TEMP, Width::W16),
            Insn::alu64_imm(Alu::And, TEMP, 0xfff8),
        ]);
        code.jump(Insn::jump_imm(Cond::Eq, TEMP, 0, 0), first);
        let not_first = i32::try_from(NOT_FIRST).unwrap_or(0);
        code.add([
            Insn::alu64_imm(Alu::Or, VALUE, not_first),
            Insn::alu64_imm(Alu::Add, PAYLOAD, 8),
        ]);
        code.jump(Insn::jump(0), done);
        code.place(first);
        code.add([Insn::mov64_imm(TEMP, 8)]);
        code.place(next);
        code.add([Insn::alu64_reg(Alu::Add, PAYLOAD, TEMP)]);
    }

    /// Loads a value: as it lies in the packet, or as the number that it is.
    pub(super) fn load(&mut self, load: &Load, (base, offset): (Reg, i16), raw: bool) {
        let size = match load.size {
            1 => Size::Byte,
            2 => Size::Half,
            4 => Size::Word,
            _ => Size::Double,
        };
        self.add([Insn::load(size, VALUE, base, offset)]);
        let full = load.mask == Load::full(load.size);
        match (load.size, raw) {
            (2, false) => self.add([Insn::to_be(VALUE, Width::W16)]),
            (4, false) => self.add([Insn::to_be(VALUE, Width::W32)]),
            (6, false) => {
                self.add([Insn::to_be(VALUE, Width::W64), Insn::alu64_imm(Alu::Rsh, VALUE, 16)])
            }
            (8, false) => self.add([Insn::to_be(VALUE, Width::W64)]),
            (6, true) if cfg!(target_endian = "little") => {
                self.add([Insn::alu64_imm(Alu::Lsh, VALUE, 16)]);
            }
            (6, true) => self.add([Insn::alu64_imm(Alu::Rsh, VALUE, 16)]),
            _ => {}
        }
        if !full {
            let mask = if raw { in_packet(load.size, load.mask) } else { load.mask };
            self.add([Insn::alu32_imm(Alu::And, VALUE, low_half(mask))]);
        }
    }
}
