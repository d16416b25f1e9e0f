//! What is wrong with a program before the kernel sees it.

use std::fmt;

/// What is wrong with a program: part of [`Error::Assemble`](super::Error::Assemble).
///
/// `at` is the number of an instruction slot, from 0 on, as in the verifier's log and in a listing.
///
/// ```
/// use xsk::bpf::Assembler;
/// use xsk::error::{AssemblyFault, Error};
///
/// let error = Assembler::new().finish().unwrap_err();
/// assert!(matches!(error, Error::Assemble { fault: AssemblyFault::Empty, .. }));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AssemblyFault {
    /// There is no instruction.
    Empty,
    /// There are more instructions than a kernel takes.
    TooLong {
        /// How many slots there are.
        instructions: usize,
        /// How many there may be.
        limit: usize,
    },
    /// A jump goes to a label that was not placed.
    NotPlaced {
        /// The jump.
        at: usize,
        /// The label.
        label: String,
    },
    /// A label was placed at two instructions.
    PlacedTwice {
        /// The label.
        label: String,
        /// The first place.
        first: usize,
        /// The second place.
        second: usize,
    },
    /// A label belongs to another assembler.
    ForeignLabel {
        /// The jump, or the instruction that the label was placed at.
        at: usize,
    },
    /// An instruction was given a label, and goes nowhere.
    NotAJump {
        /// The instruction.
        at: usize,
    },
    /// A jump does not reach its label: its offset has 16 bits.
    TooFar {
        /// The jump.
        at: usize,
        /// The label's place.
        to: usize,
    },
    /// A jump leaves the program, or goes from one function of it into another.
    Outside {
        /// The jump.
        at: usize,
    },
    /// A jump goes to the second half of a 16-byte load.
    IntoHalf {
        /// The jump.
        at: usize,
        /// The second half.
        to: usize,
    },
    /// Half of a 16-byte load is there without the other half.
    Half {
        /// The half that is there.
        at: usize,
    },
    /// A function's last instruction does not end it.
    FallsOff {
        /// The last instruction.
        at: usize,
    },
    /// No way leads to an instruction, which the kernel refuses.
    Unreachable {
        /// The instruction.
        at: usize,
    },
    /// An instruction has an operand that no kernel takes.
    Operand {
        /// The instruction.
        at: usize,
        /// The rule that it breaks.
        rule: &'static str,
    },
    /// An instruction names an object by a number, as loads of maps do, and nothing keeps the
    /// object under that number.
    NamesObject {
        /// The instruction.
        at: usize,
    },
    /// Bytes of a program are not a multiple of eight.
    Bytes {
        /// How many there are.
        len: usize,
    },
}

impl fmt::Display for AssemblyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it has no instruction"),
            Self::TooLong { instructions, limit } => {
                write!(f, "it has {instructions} instructions, and may have {limit}")
            }
            Self::NotPlaced { at, label } => {
                write!(f, "instruction {at} goes to {label}, which was not placed")
            }
            Self::PlacedTwice { label, first, second } => {
                write!(f, "{label} was placed at instruction {first} and at instruction {second}")
            }
            Self::ForeignLabel { at } => {
                write!(f, "the label at instruction {at} is another assembler's")
            }
            Self::NotAJump { at } => {
                write!(f, "instruction {at} was given a label, and goes nowhere")
            }
            Self::TooFar { at, to } => {
                write!(f, "the jump at instruction {at} does not reach instruction {to}")
            }
            Self::Outside { at } => write!(
                f,
                "instruction {at} goes out of the program, or out of the function that it is in"
            ),
            Self::IntoHalf { at, to } => write!(
                f,
                "instruction {at} goes to instruction {to}, the second half of a 16-byte load"
            ),
            Self::Half { at } => {
                write!(f, "instruction {at} is half of a 16-byte load without the other half")
            }
            Self::FallsOff { at } => {
                write!(f, "it does not end after instruction {at}, the last of the function")
            }
            Self::Unreachable { at } => write!(f, "no way leads to instruction {at}"),
            Self::Operand { at, rule } => {
                write!(f, "instruction {at} is not possible: a possible one {rule}")
            }
            Self::NamesObject { at } => {
                write!(
                    f,
                    "instruction {at} names an object by a number that may be another's by now"
                )
            }
            Self::Bytes { len } => {
                write!(f, "its {len} bytes are no multiple of eight, the length of an instruction")
            }
        }
    }
}
