//! Names of error numbers: people search for `EINVAL`, not for 22.

use rustix::io::Errno;
use std::borrow::Cow;
use std::fmt;

/// An error number as `EINVAL (Invalid argument)`.
pub(super) struct Shown(pub(super) Errno);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = std::io::Error::from(self.0).to_string();
        let text = text.split(" (os error").next().unwrap_or_default();
        match known(self.0) {
            Some(name) => write!(f, "{name} ({text})"),
            None => write!(f, "errno {} ({text})", self.0.raw_os_error()),
        }
    }
}

/// Returns `EINVAL`, or `errno 4000`.
pub(crate) fn name(errno: Errno) -> Cow<'static, str> {
    known(errno).map_or_else(|| format!("errno {}", errno.raw_os_error()).into(), Cow::Borrowed)
}

macro_rules! names {
    ($errno:expr, $($name:ident)*) => {
        $(if $errno == Errno::$name { return Some(concat!("E", stringify!($name))); })*
    };
}

/// Returns the name of an error number, where it has one here.
fn known(errno: Errno) -> Option<&'static str> {
    names!(errno, PERM NOENT INTR IO NXIO BADF AGAIN NOMEM FAULT BUSY EXIST NODEV INVAL NFILE
        MFILE NOTTY NOSPC RANGE NOSYS BADMSG OVERFLOW NOTSOCK NOPROTOOPT PROTONOSUPPORT
        SOCKTNOSUPPORT OPNOTSUPP AFNOSUPPORT ADDRINUSE ADDRNOTAVAIL NETDOWN NOBUFS TIMEDOUT
        MSGSIZE NOLINK DOM XDEV SRCH PIPE CONNREFUSED CONNRESET NAMETOOLONG TOOMANYREFS CANCELED);
    match errno {
        Errno::TOOBIG => Some("E2BIG"),
        Errno::ACCESS => Some("EACCES"),
        _ => None,
    }
}
