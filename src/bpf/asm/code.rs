//! Programs that are complete: their instructions, and the maps that they name.

use super::check;
use super::decode;
use super::insn::Insn;
use super::label::Name;
use super::listing::Listing;
use super::since;
use crate::error::{BpfOp, Error, ObjectKind, Result};
use crate::sys;
use rustix::io::{Errno, fcntl_dupfd_cloexec};
use std::fmt;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// The most instruction slots that a kernel takes of a process with `CAP_BPF` (5.2,
/// `BPF_COMPLEXITY_LIMIT_INSNS` of linux/bpf.h). Before, and of others, it takes 4096.
pub(super) const MOST_INSTRUCTIONS: usize = 1_000_000;

/// A complete program, checked: its instructions, and the maps that they name. From
/// [`Assembler::finish`](super::Assembler::finish).
///
/// It has descriptors of its own of the maps, one for each map: they stay open as long as it lives.
/// [`Display`](fmt::Display) shows its [`listing`](Self::listing). Clones share everything.
///
/// ```
/// use xsk::bpf::{Assembler, Helper, Insn, Program, Reg, Size, XskMap};
///
/// # fn main() -> xsk::Result<()> {
/// # if !xsk::test_util::privileged("the documentation of Code") { return Ok(()); }
/// let map = XskMap::create(XskMap::DEFAULT_NAME, 64)?;
/// let mut a = Assembler::new();
/// a.add(Insn::load(Size::Word, Reg::R2, Reg::R1, 16)).load_map(Reg::R1, &map);
/// a.add([Insn::mov64_imm(Reg::R3, 2), Insn::call(Helper::REDIRECT_MAP), Insn::exit()]);
/// let code = a.finish()?;
/// drop(map); // The code keeps it.
/// let program = Program::builder(code.insns()).name("to_sockets").load()?;
/// assert_eq!(program.test_run(&[0; 64], None)?.retval, 2);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Code {
    insns: Arc<[Insn<'static>]>,
    maps: Arc<[Map]>,
    /// Names of labels by their places, in ascending order.
    names: Arc<[(usize, Name)]>,
}

/// A map that the program names.
#[derive(Debug)]
struct Map {
    /// What the instructions name.
    fd: OwnedFd,
    /// The kernel's number, where it says.
    id: Option<u32>,
}

impl Code {
    /// Checks instructions, and takes descriptors of the maps that they borrow.
    pub(super) fn new(insns: &[Insn<'_>], names: Vec<(usize, Name)>, limit: usize) -> Result<Self> {
        check::check(insns, limit).map_err(|fault| Error::Assemble { fault })?;
        let mut maps = Maps::default();
        let taken = insns.iter().enumerate().map(|(at, insn)| maps.take(at, *insn));
        let taken = taken.collect::<Result<Vec<_>>>()?;
        Ok(Self { insns: taken.into(), maps: maps.maps.into(), names: names.into() })
    }

    /// Makes a program of the kernel's form, 8 bytes for each slot, and checks it as
    /// [`Assembler::finish`](super::Assembler::finish) does.
    ///
    /// ```
    /// use xsk::bpf::Code;
    /// let bytes = [0xb7, 0, 0, 0, 2, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0];
    /// let code = Code::from_bytes(&bytes)?;
    /// assert_eq!(code.to_string(), "   0: (b7) r0 = 2\n   1: (95) exit\n");
    /// assert_eq!(code.to_bytes(), bytes);
    /// # Ok::<(), xsk::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Assemble`], also if an instruction names an object by a descriptor's number, as
    /// loads of maps do: nothing would keep the descriptor open.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let insns = decode::decode(bytes).map_err(|fault| Error::Assemble { fault })?;
        Self::new(&insns, Vec::new(), MOST_INSTRUCTIONS)
    }

    /// Returns the instructions, for [`Program::builder`](crate::bpf::Program::builder).
    #[must_use]
    pub fn insns(&self) -> &[Insn<'_>] {
        &self.insns
    }

    /// Returns the instructions, each with the map that it names, for another program.
    pub(super) fn borrowed(&self) -> impl Iterator<Item = Insn<'_>> {
        self.insns.iter().map(|insn| match self.map_of(*insn) {
            Some(map) => insn.with_map(map.fd.as_fd()),
            None => *insn,
        })
    }

    fn map_of(&self, insn: Insn<'_>) -> Option<&Map> {
        let number = insn.raw().imm;
        self.maps.iter().find(|map| insn.names_map() && map.fd.as_raw_fd() == number)
    }

    /// Returns the names of labels by their places.
    pub(super) fn names(&self) -> &[(usize, Name)] {
        &self.names
    }

    /// Returns the maps that the program names, each once.
    pub fn maps(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.maps.iter().map(|map| map.fd.as_fd())
    }

    /// Returns the kernel's form: 8 bytes for each slot, in the machine's byte order. Maps are in
    /// it by the numbers of descriptors that are open as long as this value lives.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.insns.iter().flat_map(|insn| insn.to_bytes()).collect()
    }

    /// Returns the first kernel that has all instructions and helpers of the program; `None` if
    /// kernels older than AF_XDP (4.18) have them. That XDP programs may call a helper can have
    /// come later than the helper.
    ///
    /// ```
    /// use xsk::bpf::{Alu, Assembler, Insn, Reg};
    /// let mut a = Assembler::new();
    /// a.add([Insn::mov64_imm(Reg::R0, -7), Insn::alu64_imm(Alu::Sdiv, Reg::R0, 2), Insn::exit()]);
    /// assert_eq!(a.finish()?.since(), Some("6.6"));
    /// # Ok::<(), xsk::Error>(())
    /// ```
    #[must_use]
    pub fn since(&self) -> Option<&'static str> {
        since::newest(&self.insns).map(|(_, since)| since)
    }

    /// Returns the program as text, with the names of labels and the kernel's numbers of maps.
    #[must_use]
    pub fn listing(&self) -> Listing<'_> {
        let ids = self.maps.iter().filter_map(|map| Some((map.fd.as_raw_fd(), map.id?)));
        Listing::new(&self.insns).with(&self.names, ids.collect())
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.listing().fmt(f)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { insns, maps, names } = self;
        f.debug_struct("Code")
            .field("insns", insns)
            .field("maps", maps)
            .field("names", names)
            .finish()
    }
}

/// The maps that were found so far.
#[derive(Default)]
struct Maps {
    maps: Vec<Map>,
    /// The numbers that the instructions had, and the indices of the maps.
    known: Vec<(i32, usize)>,
}

impl Maps {
    /// Returns the instruction with the number of a descriptor that is kept here.
    fn take(&mut self, at: usize, insn: Insn<'_>) -> Result<Insn<'static>> {
        let Some(borrowed) = insn.map() else {
            let fault = crate::error::AssemblyFault::NamesObject { at };
            return insn.without_map().ok_or(Error::Assemble { fault });
        };
        let number = borrowed.as_raw_fd();
        let known = self.known.iter().find(|(known, _)| *known == number);
        let index = match known {
            Some((_, index)) => *index,
            None => {
                let index = self.index(at, borrowed)?;
                self.known.push((number, index));
                index
            }
        };
        let kept = self.maps.get(index).map_or(number, |map| map.fd.as_raw_fd());
        Ok(insn.with_map_number(kept))
    }

    /// Returns the index of a map, of which a descriptor is taken unless it is there.
    fn index(&mut self, at: usize, map: BorrowedFd<'_>) -> Result<usize> {
        let object = || format!("the map of instruction {at}");
        let id = match sys::bpf::map_info(map) {
            Ok(info) => Some(info.id),
            Err(Errno::INVAL) => {
                return Err(Error::WrongObject { object: object(), wanted: ObjectKind::AnyMap });
            }
            // What is not known does not matter.
            Err(_) => None,
        };
        if let Some(index) = self.maps.iter().position(|known| id.is_some() && known.id == id) {
            return Ok(index);
        }
        let fd = fcntl_dupfd_cloexec(map, 0).map_err(|errno| Error::BpfObject {
            operation: BpfOp::Duplicate,
            object: object(),
            errno,
        })?;
        self.maps.push(Map { fd, id });
        Ok(self.maps.len().saturating_sub(1))
    }
}
