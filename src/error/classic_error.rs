//! What is wrong with a classic BPF program, and where.

use std::fmt;

/// Why a classic BPF program was refused ([`ClassicFilter`](crate::bpf::ClassicFilter)): at which
/// line of its text, or at which instruction.
///
/// ```
/// use xsk::bpf::ClassicFilter;
/// use xsk::error::ClassicFault;
///
/// let error = "2\n5 0 0 7\n6 0 0 1".parse::<ClassicFilter>().unwrap_err();
/// assert!(matches!(error.fault(), ClassicFault::Jump { to: 8, .. }));
/// assert_eq!((error.line(), error.instruction()), (Some(2), Some(0)));
/// assert!(error.to_string().starts_with("line 2 (instruction 0): "));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassicError {
    line: Option<usize>,
    instruction: Option<usize>,
    fault: ClassicFault,
}

/// The kinds of [`ClassicError`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClassicFault {
    /// There is no instruction.
    Empty,
    /// There are more instructions than the kernel takes of a classic program, 4096.
    TooLong,
    /// The text begins with another number of instructions than it has.
    #[non_exhaustive]
    Count {
        /// The number that it begins with.
        said: usize,
        /// How many instructions it has; one more, if there are more than it begins with.
        found: usize,
    },
    /// A line of the text is something else than has to be there.
    #[non_exhaustive]
    Text {
        /// What is there, at most 40 characters of it.
        found: String,
        /// What has to be there.
        expected: &'static str,
    },
    /// There is no such instruction.
    #[non_exhaustive]
    Opcode {
        /// Its opcode.
        code: u16,
    },
    /// A jump leads out of the program.
    #[non_exhaustive]
    Jump {
        /// The number of the instruction that it would lead to.
        to: u64,
    },
    /// A jump goes back, as in what tcpdump makes of `protochain`: the kernel takes no such program.
    #[non_exhaustive]
    Back {
        /// The number of the instruction that it would lead to.
        to: i64,
    },
    /// A division by the constant 0, or the remainder of one.
    Division,
    /// A shift by more than 31 bits.
    #[non_exhaustive]
    Shift {
        /// By how many.
        bits: u32,
    },
    /// Memory has 16 words, from 0 to 15.
    #[non_exhaustive]
    Memory {
        /// The word that is meant.
        word: u32,
    },
    /// A word of memory is read, and not every way to that instruction has written it.
    #[non_exhaustive]
    Unwritten {
        /// The word.
        word: u32,
    },
    /// The last instruction is something else than a return.
    NoReturn,
    /// A load of something that the kernel knows of a packet, and an XDP program does not.
    #[non_exhaustive]
    Ancillary {
        /// What it is, with the kernel's name.
        what: &'static str,
    },
}

impl ClassicError {
    pub(crate) fn new(fault: ClassicFault) -> Self {
        Self { line: None, instruction: None, fault }
    }

    /// Describes a fault of the instruction with this number.
    pub(crate) fn at(instruction: usize, fault: ClassicFault) -> Self {
        Self { line: None, instruction: Some(instruction), fault }
    }

    /// Names the line of the text, from 1 on.
    pub(crate) fn in_line(mut self, line: Option<usize>) -> Self {
        self.line = line;
        self
    }

    /// Returns the line of the text, from 1 on, if there is a text and the fault is in one line.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        self.line
    }

    /// Returns the number of the instruction, from 0 on, if the fault is in one.
    #[must_use]
    pub fn instruction(&self) -> Option<usize> {
        self.instruction
    }

    /// Returns what is wrong.
    #[must_use]
    pub fn fault(&self) -> &ClassicFault {
        &self.fault
    }
}

impl fmt::Display for ClassicError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.instruction) {
            (Some(line), Some(at)) => write!(f, "line {line} (instruction {at}): ")?,
            (Some(line), None) => write!(f, "line {line}: ")?,
            (None, Some(at)) => write!(f, "instruction {at}: ")?,
            (None, None) => {}
        }
        self.fault.fmt(f)
    }
}

impl fmt::Display for ClassicFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("there is no instruction"),
            Self::TooLong => f.write_str("there are more than 4096 instructions"),
            Self::Count { said, found } if found > said => {
                write!(
                    f,
                    "the text begins with {said} for the number of instructions, and has more"
                )
            }
            Self::Count { said, found } => {
                write!(
                    f,
                    "the text begins with {said} for the number of instructions, and has {found}"
                )
            }
            Self::Text { found, expected } => write!(f, "`{found}` in place of {expected}"),
            Self::Opcode { code } => write!(f, "there is no instruction {code} ({code:#x})"),
            Self::Jump { to } => {
                write!(f, "the jump leads to instruction {to}, which is not there")
            }
            Self::Back { to } => write!(f, "a jump goes back, to instruction {to}"),
            Self::Division => f.write_str("a division by the constant 0"),
            Self::Shift { bits } => {
                write!(f, "a shift by {bits} bits, and at most 31 are possible")
            }
            Self::Memory { word } => {
                write!(f, "word {word} of memory, which has the words 0 to 15")
            }
            Self::Unwritten { word } => {
                write!(f, "word {word} of memory is read, and not written before on every way")
            }
            Self::NoReturn => f.write_str("the last instruction is no return"),
            Self::Ancillary { what } => write!(f, "an XDP program cannot read {what}"),
        }
    }
}

impl std::error::Error for ClassicError {}
