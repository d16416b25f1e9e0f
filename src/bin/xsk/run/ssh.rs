//! The ssh session that the tool was started in.

use std::ffi::OsStr;
use std::net::IpAddr;
use std::os::unix::ffi::OsStrExt;

/// Where sshd puts the two ends of a session (sshd(8)): the client's address and port, and this
/// machine's.
const CONNECTION: &str = "SSH_CONNECTION";
/// The same without this machine's address.
const CLIENT: &str = "SSH_CLIENT";
/// How many parents of the process are looked at.
const PARENTS: usize = 32;

/// An ssh session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    /// The address of the other end.
    pub(crate) peer: IpAddr,
    /// The address of this machine, if it is known.
    pub(crate) local: Option<IpAddr>,
    /// The port of this machine.
    pub(crate) port: u16,
}

/// Returns the session that this process belongs to, by its environment, or else by that of its
/// parents: `sudo` and `su -` clear the environment.
pub(crate) fn session() -> Option<Session> {
    let own = |name: &str| std::env::var(name).ok();
    read(own).or_else(of_parents)
}

/// Reads the variables.
fn read(variable: impl Fn(&str) -> Option<String>) -> Option<Session> {
    let address = |word: &str| {
        // A link-local address has its interface behind it.
        let word = word.split('%').next()?;
        word.parse().ok().map(|address: IpAddr| address.to_canonical())
    };
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let both = variable(CONNECTION).and_then(|text| match &words(&text)[..] {
        [peer, _, local, port] => Some(Session {
            peer: address(peer)?,
            local: Some(address(local)?),
            port: port.parse().ok()?,
        }),
        _ => None,
    });
    both.or_else(|| match &words(&variable(CLIENT)?)[..] {
        [peer, _, port] => {
            Some(Session { peer: address(peer)?, local: None, port: port.parse().ok()? })
        }
        _ => None,
    })
}

/// Returns the session by the environment of the nearest parent that has one. Where /proc is not
/// mounted there is none.
fn of_parents() -> Option<Session> {
    let mut process = u32::try_from(rustix::process::getppid()?.as_raw_nonzero().get()).ok()?;
    for _ in 0..PARENTS {
        if process <= 1 {
            return None;
        }
        let environment = std::fs::read(format!("/proc/{process}/environ")).unwrap_or_default();
        let found = read(|name| {
            let mut variables = environment.split(|byte| *byte == 0);
            variables.find_map(|variable| {
                let value = variable.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
                OsStr::from_bytes(value).to_str().map(str::to_owned)
            })
        });
        if found.is_some() {
            return found;
        }
        process = parent(&std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?)?;
    }
    None
}

/// Returns the parent in the text of `/proc/PID/stat`. A name in parentheses, with anything in it,
/// comes before.
fn parent(stat: &str) -> Option<u32> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(connection: Option<&str>, client: Option<&str>) -> Option<Session> {
        read(|name| if name == CONNECTION { connection } else { client }.map(str::to_owned))
    }

    #[test]
    fn both_ends_of_a_session_are_read() {
        let (peer, local) = ("192.0.2.9".parse().unwrap(), "192.0.2.1".parse().unwrap());
        let full = Session { peer, local: Some(local), port: 2222 };
        assert_eq!(of(Some("192.0.2.9 5000 192.0.2.1 2222"), None), Some(full.clone()));
        assert_eq!(of(Some("::ffff:192.0.2.9 5000 ::ffff:192.0.2.1 2222"), None), Some(full));
        let half = Session { peer, local: None, port: 22 };
        assert_eq!(of(None, Some("192.0.2.9 5000 22")), Some(half.clone()));
        assert_eq!(of(Some("nothing of the kind"), Some("192.0.2.9 5000 22")), Some(half));
        let scoped = of(Some("fe80::2%eth0 5000 fe80::1%eth0 22"), None).unwrap();
        assert_eq!(scoped.local, Some("fe80::1".parse().unwrap()));
        assert_eq!(of(None, None), None);
        assert_eq!(of(Some("a b c d"), Some("a b c")), None);
    }

    #[test]
    fn a_parent_is_found_behind_any_name() {
        assert_eq!(parent("12 (a) 3 b) S 7 12 12 0"), Some(7));
        assert_eq!(parent("12"), None);
    }
}
