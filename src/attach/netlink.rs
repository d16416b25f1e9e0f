//! Attaches and detaches XDP programs by rtnetlink.

use super::mode::{flag, is_of_driver};
use crate::bpf::Program;
use crate::error::{Error, Result};
use crate::interface::Interface;
use crate::netlink::Refusal;
use crate::netlink::message::Request;
use crate::types::{AttachMethod, XdpMode};
use rustix::io::Errno;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use xsk_uapi::if_link::{
    IFLA_XDP, IFLA_XDP_EXPECTED_FD, IFLA_XDP_FD, IFLA_XDP_FLAGS, XDP_FLAGS_REPLACE,
    XDP_FLAGS_UPDATE_IF_NOEXIST,
};
use xsk_uapi::rtnetlink::RTM_SETLINK;

#[cfg(test)]
#[cfg(feature = "test-util")]
mod tests;

/// What has to be on the interface for a program to be attached.
#[derive(Debug, Clone, Copy)]
pub(super) enum Condition<'a> {
    /// No program (`XDP_FLAGS_UPDATE_IF_NOEXIST`), else `EBUSY`.
    Vacant,
    /// This program (`XDP_FLAGS_REPLACE`, 5.7), else `EEXIST`.
    Replacing(BorrowedFd<'a>),
    /// Anything but a program in another mode or one held by a link.
    Anything,
}

/// Attaches `program`.
///
/// # Errors
/// [`Error::Attach`] with the kernel's extended acknowledgement.
pub(super) fn attach_netlink(
    interface: &Interface,
    program: BorrowedFd<'_>,
    mode: XdpMode,
    condition: Condition<'_>,
) -> Result<()> {
    let (flags, expected) = match condition {
        Condition::Vacant => (XDP_FLAGS_UPDATE_IF_NOEXIST, None),
        Condition::Replacing(old) => (XDP_FLAGS_REPLACE, Some(old)),
        Condition::Anything => (0, None),
    };
    set_program(interface, program.as_raw_fd(), flags | flag(mode), expected)
        .map_err(|refusal| refused(interface, mode, AttachMethod::Netlink, refusal))
}

/// Returns the error of a program that was not attached. If the driver may have refused it, the
/// error has what drivers look at.
pub(super) fn refused(
    interface: &Interface,
    mode: XdpMode,
    method: AttachMethod,
    refusal: Refusal,
) -> Error {
    let by_driver = mode == XdpMode::Native && is_of_driver(refusal.errno);
    let (info, queues) = match by_driver {
        true => (interface.info().ok(), interface.queues().ok()),
        false => (None, None),
    };
    Error::Attach {
        interface: interface.name().to_owned(),
        mode,
        method,
        errno: refusal.errno,
        message: refusal.text,
        mtu: info.map(|info| info.mtu),
        rx_queues: queues.map(|queues| queues.rx),
    }
}

/// Detaches `expected`, the program with the id `id`, and checks that it is gone.
///
/// Another program is left alone. Kernels before 5.7 cannot compare: there, another program that is
/// attached between the look at the interface and the detaching is lost.
///
/// # Errors
/// [`Error::Detach`]: `EEXIST` if another program, or none, is attached in `mode`, or if this one
/// is still there afterwards; `EBUSY` if a link holds it; other errors of the kernel.
pub(super) fn detach_netlink(
    interface: &Interface,
    mode: XdpMode,
    expected: BorrowedFd<'_>,
    id: u32,
) -> Result<()> {
    let flag = flag(mode);
    let error = |refusal: Refusal| Error::Detach {
        interface: interface.name().to_owned(),
        mode,
        errno: refusal.errno,
        message: refusal.text,
    };
    let is_attached =
        || interface.attached_programs().map(|programs| programs.program(mode) == Some(id));
    match set_program(interface, -1, flag | XDP_FLAGS_REPLACE, Some(expected)) {
        // An unknown flag: before 5.7.
        Err(Refusal { errno: Errno::INVAL, .. }) if is_attached()? => {
            set_program(interface, -1, flag, None)
        }
        result => result,
    }
    .map_err(error)?;
    // The kernel also reports success if there was nothing to detach.
    if is_attached()? {
        let text = "the kernel reported success, but the program is still attached".to_owned();
        return Err(error(Refusal { errno: Errno::EXIST, text: Some(text) }));
    }
    Ok(())
}

/// Returns whether a link holds the program: netlink may not even replace it by itself then.
///
/// # Errors
/// [`Error::Attach`].
pub(super) fn is_held_by_link(
    interface: &Interface,
    mode: XdpMode,
    program: &Program,
) -> Result<bool> {
    let condition = Condition::Replacing(program.as_fd());
    match attach_netlink(interface, program.as_fd(), mode, condition) {
        // An unknown flag: before 5.7, and so before links.
        Ok(()) | Err(Error::Attach { errno: Errno::INVAL, .. }) => Ok(false),
        // A link; or the program is gone, which the next look shows as well.
        Err(Error::Attach { errno: Errno::BUSY | Errno::EXIST, .. }) => Ok(true),
        Err(error) => Err(error),
    }
}

/// Returns what holds a program that this process may not open: `other` is attached in its place on
/// condition that it is there itself. The kernel refuses that with `EEXIST`, but first looks for a
/// link, which it refuses with `EBUSY`; so nothing changes.
///
/// Netlink is assumed before 5.7, without `CAP_NET_ADMIN`, and if the program is gone.
pub(super) fn holder(interface: &Interface, mode: XdpMode, other: &Program) -> AttachMethod {
    let condition = Condition::Replacing(other.as_fd());
    match attach_netlink(interface, other.as_fd(), mode, condition) {
        Err(Error::Attach { errno: Errno::BUSY, .. }) => AttachMethod::Link,
        _ => AttachMethod::Netlink,
    }
}

/// Sets the program's descriptor of the interface: -1 detaches.
fn set_program(
    interface: &Interface,
    program: i32,
    flags: u32,
    expected: Option<BorrowedFd<'_>>,
) -> Result<(), Refusal> {
    let mut request = Request::new(RTM_SETLINK, 0, &interface.header());
    request.nest(IFLA_XDP, |xdp| {
        xdp.i32(IFLA_XDP_FD, program).u32(IFLA_XDP_FLAGS, flags);
        if let Some(expected) = expected {
            xdp.i32(IFLA_XDP_EXPECTED_FD, expected.as_raw_fd());
        }
    });
    interface.try_ask(&request).map(drop)
}
