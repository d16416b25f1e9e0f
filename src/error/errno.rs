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
        MSGSIZE NOLINK DOM XDEV SRCH PIPE CONNREFUSED CONNRESET NAMETOOLONG TOOMANYREFS CANCELED NOTUNIQ NOTDIR ISDIR
        LOOP ROFS NOTEMPTY NODATA DEADLK PROTO ALREADY NOTCONN);
    match errno {
        Errno::TOOBIG => Some("E2BIG"),
        Errno::ACCESS => Some("EACCES"),
        // The kernel's own, in no header: bpf(2) returns it for what is not built in.
        other if other.raw_os_error() == 524 => Some("ENOTSUPP"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{read_dir, read_to_string};
    use std::path::Path;

    /// Collects what follows `Errno::` in the files of a directory.
    fn collect(directory: &Path, names: &mut Vec<String>) {
        for entry in read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, names);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let text = read_to_string(&path).unwrap();
                let of_errno = text.split("Errno::").skip(1).map(|rest| {
                    rest.split(|letter: char| !letter.is_ascii_alphanumeric()).next().unwrap()
                });
                let is_name = |name: &&str| name.starts_with(|letter: char| letter.is_uppercase());
                names.extend(of_errno.filter(is_name).map(str::to_owned));
            }
        }
    }

    #[test]
    fn each_number_that_the_crate_names_has_a_name_in_texts() {
        let mut names = Vec::new();
        collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut names);
        assert!(names.len() > 100);
        let here = include_str!("errno.rs");
        let table =
            here.split("names!(errno,").nth(1).unwrap().split("#[cfg(test)]").next().unwrap();
        let known: Vec<_> = table.split(|letter: char| !letter.is_ascii_alphanumeric()).collect();
        names.retain(|name| !known.contains(&name.as_str()));
        assert!(names.is_empty(), "without a name: {names:?}");
        assert_eq!(name(Errno::NOTUNIQ), "ENOTUNIQ");
        assert_eq!(name(Errno::from_raw_os_error(524)), "ENOTSUPP");
    }
}
