//! What a program asks of an error, and the errors that become one.

use super::{ClassicError, Error, ExpressionError, HandoverFault};
use crate::ring;
use rustix::io::Errno;
use std::io;

impl Error {
    /// Returns the kernel's error number, where the kernel gave one.
    #[must_use]
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Self::AllocateUmem { errno, .. }
            | Self::CreateSocket { errno }
            | Self::RegisterUmem { errno, .. }
            | Self::CreateRing { errno, .. }
            | Self::MapRing { errno, .. }
            | Self::Bind { errno, .. }
            | Self::SocketOption { errno, .. }
            | Self::SocketEnded { errno, .. }
            | Self::Kick { errno, .. }
            | Self::Wait { errno }
            | Self::Interface { errno, .. }
            | Self::Netlink { errno, .. }
            | Self::Namespace { errno, .. }
            | Self::CreateMap { errno, .. }
            | Self::MapEntry { errno, .. }
            | Self::UpdateMap { errno, .. }
            | Self::LoadProgram { errno, .. }
            | Self::BpfObject { errno, .. }
            | Self::Attach { errno, .. }
            | Self::Detach { errno, .. }
            | Self::HiddenProgram { errno, .. }
            | Self::AttachLock { errno, .. }
            | Self::AttachMarks { errno, .. } => Some(*errno),
            Self::Handover { fault, .. } => fault.errno(),
            Self::Setting { .. }
            | Self::QueueSide { .. }
            | Self::UmemNumbers
            | Self::Ring(_)
            | Self::RingBuffer { .. }
            | Self::OutOfBounds
            | Self::WrongObject { .. }
            | Self::Filter { .. }
            | Self::Assemble { .. }
            | Self::NativeBond { .. }
            | Self::ForeignProgram { .. }
            | Self::OtherAttachment { .. }
            | Self::Expression(_)
            | Self::Classic(_)
            | Self::NeedsKernel { .. } => None,
        }
    }

    /// Returns the number of the instruction that the verifier stopped at
    /// ([`LoadProgram`](Self::LoadProgram)), where its log says.
    ///
    /// ```
    /// use xsk::bpf::{Insn, Program, Reg};
    ///
    /// # if !xsk::test_util::privileged("the documentation of Error::refused_at") { return; }
    /// let insns = [Insn::mov64_reg(Reg::R0, Reg::R7), Insn::exit()]; // R7 holds nothing.
    /// let error = Program::builder(&insns).load().unwrap_err();
    /// assert_eq!(error.refused_at(), Some(0));
    /// assert!(error.to_string().contains("\n>   0: (bf) r0 = r7\n"));
    /// ```
    #[must_use]
    pub fn refused_at(&self) -> Option<usize> {
        match self {
            Self::LoadProgram { refused_at, .. } => *refused_at,
            _ => None,
        }
    }

    /// Returns whether the interface is down (`ENETDOWN` of a wake-up or of `bind`): a state that
    /// ends when the interface is set up again. What is in the TX ring is sent then.
    ///
    /// ```no_run
    /// # fn f(tx: &mut xsk::Tx) -> xsk::Result<()> {
    /// match tx.kick_if_needed() {
    ///     Err(error) if error.is_down() => {} // the packets wait in the ring
    ///     result => drop(result?),
    /// }
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn is_down(&self) -> bool {
        matches!(
            self,
            Self::Kick { errno: Errno::NETDOWN, .. } | Self::Bind { errno: Errno::NETDOWN, .. }
        )
    }

    /// Returns whether the interface is gone for good, or was moved to another network namespace:
    /// its sockets have to be dropped, and made anew on another interface.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        match self {
            Self::SocketEnded { .. } => true,
            Self::Kick { errno, .. } => *errno == Errno::NXIO,
            Self::Interface { errno, .. }
            | Self::Bind { errno, .. }
            | Self::Attach { errno, .. }
            | Self::Detach { errno, .. } => *errno == Errno::NODEV,
            _ => false,
        }
    }

    /// Returns the kind that [`io::Error`] has for this error.
    fn io_kind(&self) -> io::ErrorKind {
        match self {
            Self::Setting { .. }
            | Self::QueueSide { .. }
            | Self::OutOfBounds
            | Self::Filter { .. }
            | Self::Expression(_)
            | Self::Classic(_)
            | Self::Assemble { .. }
            | Self::WrongObject { .. } => io::ErrorKind::InvalidInput,
            Self::Ring(_) | Self::RingBuffer { .. } => io::ErrorKind::InvalidData,
            Self::Handover { fault: HandoverFault::TimedOut { .. }, .. } => io::ErrorKind::TimedOut,
            Self::Handover { fault: HandoverFault::Closed { .. }, .. } => {
                io::ErrorKind::UnexpectedEof
            }
            Self::NeedsKernel { .. } | Self::NativeBond { .. } => io::ErrorKind::Unsupported,
            _ => self.errno().map_or(io::ErrorKind::Other, |errno| {
                io::Error::from_raw_os_error(errno.raw_os_error()).kind()
            }),
        }
    }
}

impl std::error::Error for Error {
    /// Returns the fault of a ring. The kernel's error number is part of the text, so it is no
    /// source: a program that prints the whole chain would show it twice.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Ring(fault) => Some(fault),
            _ => None,
        }
    }
}

impl From<ring::RingError> for Error {
    fn from(fault: ring::RingError) -> Self {
        Self::Ring(fault)
    }
}

impl From<ClassicError> for Error {
    fn from(error: ClassicError) -> Self {
        Self::Classic(error)
    }
}

impl From<ExpressionError> for Error {
    fn from(error: ExpressionError) -> Self {
        Self::Expression(error)
    }
}

/// Keeps the error, and with it the text, as the inner error; the kind is that of the error number.
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        Self::new(error.io_kind(), error)
    }
}
