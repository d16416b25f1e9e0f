//! `--user`: the tool gives its rights up once everything is set up.
//!
//! The kernel keeps rights for each thread. Threads that work for the others (signals, output,
//! looks at the interface) need none, and give theirs up when they begin; the main thread does it
//! after the set-up, and then checks that every thread has.

use crate::failure::{Failure, Result};
use rustix::fs::{Gid, Uid};
use rustix::io::Errno;
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set, set_capabilities,
    set_no_new_privs, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Where the system's users are listed. No other list is read: a static program has no name
/// service.
const PASSWD: &str = "/etc/passwd";
/// How long a thread that has just begun may take to give its rights up, on a busy machine.
const BEGINNING: Duration = Duration::from_secs(10);
/// Where the kernel shows the threads of this process.
const THREADS: &str = "/proc/self/task";

/// The user and the group that the process becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct User {
    uid: u32,
    gid: u32,
}

static USER: OnceLock<User> = OnceLock::new();

/// Keeps which user the process is to become, by the option's value; before any thread begins.
pub(crate) fn prepare(user: Option<&str>) -> Result<()> {
    let Some(text) = user else { return Ok(()) };
    // Numbers need no list.
    let list = std::fs::read(PASSWD).unwrap_or_default();
    let user = find(text, &String::from_utf8_lossy(&list)).map_err(Failure::Text)?;
    let _ = USER.set(user);
    Ok(())
}

/// Returns whether the process gives its rights up.
pub(crate) fn are_given_up() -> bool {
    USER.get().is_some()
}

/// Gives up the rights of a thread that needs none. If that fails, [`give_up`] finds it.
pub(crate) fn give_up_in_thread() {
    if let Some(user) = USER.get() {
        let _ = user.become_in_thread();
    }
}

/// Gives up the rights of the main thread, and checks that no thread has any.
pub(crate) fn give_up() -> Result<()> {
    let Some(user) = USER.get() else { return Ok(()) };
    user.become_in_thread().map_err(|(call, errno)| {
        let needs = match errno {
            Errno::PERM => ": that takes CAP_SETUID and CAP_SETGID",
            _ => "",
        };
        let User { uid, gid } = user;
        Failure::Text(format!("cannot become user {uid}, group {gid}: {call}: {errno}{needs}"))
    })?;
    let start = Instant::now();
    while let Some(thread) = user.thread_with_rights(THREADS)? {
        if start.elapsed() > BEGINNING {
            return Err(Failure::Text(format!(
                "the thread {thread} has kept rights that --user takes: please report it"
            )));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

impl User {
    /// Makes the calling thread one of this user, without supplementary groups and capabilities,
    /// and without a way to get any. Returns the call that failed.
    fn become_in_thread(self) -> Result<(), (&'static str, Errno)> {
        let none = CapabilitySet::empty();
        let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        let failed = |call| move |errno| (call, errno);
        // A thread that one without rights has begun.
        let has_none = capabilities(None).map_err(failed("capget"))? == sets;
        if !has_none || rustix::process::getuid() != uid {
            set_thread_groups(&[]).map_err(failed("setgroups"))?;
            set_thread_res_gid(gid, gid, gid).map_err(failed("setresgid"))?;
            set_thread_res_uid(uid, uid, uid).map_err(failed("setresuid"))?;
            set_capabilities(None, sets).map_err(failed("capset"))?;
        }
        clear_ambient_capability_set().map_err(failed("PR_CAP_AMBIENT"))?;
        set_no_new_privs(true).map_err(failed("PR_SET_NO_NEW_PRIVS"))
    }

    /// Returns the name of a thread that has not become this user, or has capabilities; `list` is
    /// the directory of the threads.
    fn thread_with_rights(self, list: &str) -> Result<Option<String>> {
        let unknown = |error| {
            let why = "it cannot be checked that all threads have given their rights up (--user)";
            Failure::Text(format!("{why}: {list}: {error}"))
        };
        for thread in std::fs::read_dir(list).map_err(unknown)? {
            let status = thread.map_err(unknown)?.path().join("status");
            // One that has ended meanwhile has no status.
            let Ok(status) = std::fs::read_to_string(status) else { continue };
            if let Some(name) = self.name_with_rights(&status) {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }

    /// Returns the name of a thread by its status, if it has rights.
    fn name_with_rights(self, status: &str) -> Option<String> {
        let value = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.map(str::split_whitespace).into_iter().flatten().collect::<Vec<_>>()
        };
        let all = |name, id: u32| value(name).iter().all(|found| *found == id.to_string());
        let none = |name| value(name).iter().all(|mask| mask.bytes().all(|digit| digit == b'0'));
        let has_none = all("Uid:", self.uid)
            && all("Gid:", self.gid)
            && value("Groups:").is_empty()
            && ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"].into_iter().all(none);
        (!has_none).then(|| value("Name:").join(" "))
    }
}

/// Returns the user that `text` names, a name or `UID[:GID]`, with the help of the list of users.
fn find(text: &str, list: &str) -> Result<User, String> {
    let (user, group) = match text.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (text, None),
    };
    let number = |text: &str| text.parse::<u32>().ok().filter(|_| !text.starts_with('+'));
    let uid = number(user);
    let mut lines = list.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, uid, gid, ..] = fields[..] else { return None };
        Some((name, User { uid: number(uid)?, gid: number(gid)? }))
    });
    let listed = lines.find(|(name, listed)| match uid {
        Some(uid) => listed.uid == uid,
        None => *name == user && !name.is_empty(),
    });
    let group = group.map(|group| {
        number(group).ok_or_else(|| format!("{group} is no number of a group (--user UID:GID)"))
    });
    let found = match (uid, listed, group.transpose()?) {
        (Some(uid), _, Some(gid)) => User { uid, gid },
        (None, Some((_, listed)), Some(gid)) => User { gid, ..listed },
        (_, Some((_, listed)), None) => listed,
        (Some(_), None, None) => {
            return Err(format!(
                "user {user} is not in {PASSWD}: give the number of the group, too (--user \
                 {user}:GID)"
            ));
        }
        (None, None, _) => {
            return Err(format!(
                "there is no user {user} in {PASSWD}: give numbers (--user UID:GID)"
            ));
        }
    };
    // setresuid(2) takes -1 for no change.
    if found.uid == u32::MAX || found.gid == u32::MAX {
        return Err(format!("{} is the number of no user and no group", u32::MAX));
    }
    if found.uid == 0 {
        return Err("user 0 is root: --user takes another one, to give rights up".to_owned());
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "root:x:0:0:root:/root:/bin/sh\n\nbroken:x\nbad:x:-1:1:::\n\
        daemon:x:1:7:daemon:/usr/sbin:/usr/sbin/nologin\n:x:5:5::/:\n12:x:40:41::/:\n\
        net-1:*:4000000000:65534::/:\nlast:x:4294967295:1::/:";

    fn of(text: &str) -> Result<(u32, u32), String> {
        find(text, LIST).map(|user| (user.uid, user.gid))
    }

    #[test]
    fn users_are_found_by_name_and_by_number() {
        assert_eq!(of("daemon"), Ok((1, 7)));
        assert_eq!(of("net-1"), Ok((4_000_000_000, 65534)));
        assert_eq!(of("daemon:9"), Ok((1, 9)));
        assert_eq!(of("1"), Ok((1, 7)));
        assert_eq!(of("1:9"), Ok((1, 9)));
        assert_eq!(of("77:0"), Ok((77, 0)));
        // A number is none of a name.
        assert_eq!(of("12:3"), Ok((12, 3)));
        assert_eq!(find("77:78", ""), Ok(User { uid: 77, gid: 78 }));
    }

    #[test]
    fn what_names_no_user_is_refused() {
        for (text, words) in [
            ("nobody-here", "no user nobody-here in /etc/passwd"),
            ("broken", "no user broken"),
            ("bad", "no user bad"),
            ("", "no user "),
            (":1", "no user "),
            ("77", "--user 77:GID"),
            ("12", "--user 12:GID"),
            ("+77:1", "no user +77"),
            ("77:", "is no number of a group"),
            ("77:wheel", "wheel is no number"),
            ("daemon:1:1", "1:1 is no number"),
            ("-1:1", "no user -1"),
            ("4294967296:1", "no user 4294967296"),
            ("4294967295:1", "4294967295 is the number of no user"),
            ("77:4294967295", "4294967295 is the number of no user"),
            ("last", "4294967295 is the number of no user"),
            ("0:1", "user 0 is root"),
            ("root", "user 0 is root"),
            ("root:5", "user 0 is root"),
        ] {
            let error = of(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn threads_that_cannot_be_seen_are_not_taken_for_ones_without_rights() {
        let user = User { uid: 7, gid: 8 };
        let error = user.thread_with_rights("/no/such/directory").unwrap_err().to_string();
        assert!(error.contains("cannot be checked") && error.contains("/no/such"), "{error}");
        // This process is another user's.
        assert!(user.thread_with_rights(THREADS).unwrap().is_some());
    }

    #[test]
    fn a_thread_with_rights_is_found() {
        let user = User { uid: 7, gid: 8 };
        let status = "Name:\ta name\nUid:\t7\t7\t7\t7\nGid:\t8\t8\t8\t8\nGroups:\t \n\
            CapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n\
            CapBnd:\t000001ffffffffff\nCapAmb:\t0000000000000000\n";
        assert_eq!(user.name_with_rights(status), None);
        for (from, to) in [
            ("7\t7\nGid", "7\t0\nGid"),
            ("8\t8\nGroups", "8\t0\nGroups"),
            ("Groups:\t ", "Groups:\t0 "),
            ("CapInh:\t0", "CapInh:\t1"),
            ("CapPrm:\t0", "CapPrm:\t1"),
            ("CapEff:\t0", "CapEff:\t8"),
            ("CapAmb:\t0", "CapAmb:\tf"),
        ] {
            let other = status.replace(from, to);
            assert_ne!(other, status);
            assert_eq!(user.name_with_rights(&other).as_deref(), Some("a name"), "{to}");
        }
    }
}
