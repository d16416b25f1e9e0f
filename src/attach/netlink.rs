//! XDP programs put on an interface and taken off it, by rtnetlink.

use crate::error::{Error, Result};
use crate::interface::Interface;
use crate::netlink::Refusal;
use crate::netlink::message::Request;
use crate::types::{AttachMethod, XdpMode};
use rustix::io::Errno;
use std::os::fd::{AsRawFd, BorrowedFd};
use xsk_uapi::if_link::{
    IFLA_XDP, IFLA_XDP_EXPECTED_FD, IFLA_XDP_FD, IFLA_XDP_FLAGS, XDP_FLAGS_DRV_MODE,
    XDP_FLAGS_REPLACE, XDP_FLAGS_SKB_MODE, XDP_FLAGS_UPDATE_IF_NOEXIST,
};
use xsk_uapi::rtnetlink::RTM_SETLINK;

/// What has to be there for an attachment to happen.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Condition<'a> {
    /// No program (`XDP_FLAGS_UPDATE_IF_NOEXIST`), else `EBUSY`.
    Vacant,
    /// This program (`XDP_FLAGS_REPLACE`, 5.7), else `EEXIST`.
    Replacing(BorrowedFd<'a>),
    /// Anything but a program in another mode or one held by a link.
    Anything,
}

/// Attaches `program` by rtnetlink.
///
/// # Errors
/// [`Error::Attach`] with the kernel's words; [`Error::UnsupportedMode`] for hardware mode.
pub(crate) fn attach_netlink(
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
    set(interface, program.as_raw_fd(), flags | mode_flag(mode)?, expected).map_err(|refusal| {
        Error::Attach {
            interface: interface.name().to_owned(),
            mode,
            method: AttachMethod::Netlink,
            errno: refusal.errno,
            message: refusal.text,
        }
    })
}

/// Detaches `expected`, the program with the id `id`, and makes sure that it is gone.
///
/// Nothing is done to another program. Before 5.7, which cannot compare, another program that comes
/// between our look and the detaching is lost.
///
/// # Errors
/// [`Error::Detach`]: `EEXIST` if another program, or none, is attached in `mode`, or if this one is still there
/// afterwards; `EBUSY` if a link holds it; what else the kernel says. [`Error::UnsupportedMode`] for hardware mode.
pub(crate) fn detach_netlink(
    interface: &Interface,
    mode: XdpMode,
    expected: BorrowedFd<'_>,
    id: u32,
) -> Result<()> {
    let flag = mode_flag(mode)?;
    let error = |refusal: Refusal| Error::Detach {
        interface: interface.name().to_owned(),
        mode,
        errno: refusal.errno,
        message: refusal.text,
    };
    let attached = || interface.attached_programs().map(|state| state.program(mode) == Some(id));
    match set(interface, -1, flag | XDP_FLAGS_REPLACE, Some(expected)) {
        // An unknown flag: before 5.7.
        Err(Refusal { errno: Errno::INVAL, .. }) if attached()? => set(interface, -1, flag, None),
        answer => answer,
    }
    .map_err(error)?;
    // A detach that found nothing to do answers success too.
    if attached()? {
        let text = "the kernel reported success, but the program is still attached".to_owned();
        return Err(error(Refusal { errno: Errno::EXIST, text: Some(text) }));
    }
    Ok(())
}

fn set(
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

fn mode_flag(mode: XdpMode) -> Result<u32> {
    match mode {
        XdpMode::Native => Ok(XDP_FLAGS_DRV_MODE),
        XdpMode::Generic => Ok(XDP_FLAGS_SKB_MODE),
        XdpMode::Hardware => Err(Error::UnsupportedMode {
            mode,
            reason: "a program that runs on the card cannot hand packets to a socket",
        }),
    }
}
