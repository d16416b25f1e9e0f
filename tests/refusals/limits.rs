//! Groups 13 to 15: how much memory a user may lock.

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, Uid, getrlimit, setrlimit};
use rustix::thread::{
    CapabilitySet, CapabilitySets, set_capabilities, set_keep_capabilities, set_thread_uid,
};
use xsk::bpf::XskMap;
use xsk::test_util::{privileged, test_name};
use xsk::{Error, Socket, Umem};

use crate::common::until;

/// A user without other processes: the memory is counted per user.
const USER: u32 = 0x5eed_0e13;
const CHUNKS: u32 = 16;

/// Runs `work` in a thread of a user of its own, with the capability to make sockets and `more`.
fn as_user<T: Send>(more: CapabilitySet, work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            set_keep_capabilities(true).unwrap();
            set_thread_uid(Uid::from_raw(USER)).unwrap();
            let kept = CapabilitySet::NET_RAW | more;
            let sets = CapabilitySets {
                effective: kept,
                permitted: kept,
                inheritable: CapabilitySet::empty(),
            };
            set_capabilities(None, sets).unwrap();
            work()
        });
        thread.join().unwrap()
    })
}

/// Opens a socket over `chunks` pages.
fn open(chunks: u32) -> Result<impl Sized, Error> {
    let (umem, _pool) = Umem::builder().chunk_count(chunks).build().unwrap();
    Socket::builder(&umem).open()
}

/// One test, because the limit belongs to the whole process; the other tests have the capability to
/// exceed it.
///
/// Groups 13 and 14 of the table in tests/README.md.
#[test]
fn all_of_a_users_memory_counts_up_to_the_limit() {
    if !privileged!() {
        return;
    }
    let before = getrlimit(Resource::Memlock);
    let set = |bytes| {
        let limit = Rlimit { current: Some(bytes), maximum: before.maximum };
        setrlimit(Resource::Memlock, limit).unwrap();
    };
    let refused = |error: Error, limit: u64, chunks: u32| {
        let Error::RegisterUmem { bytes, chunk_size, headroom, memlock, errno, .. } = error else {
            panic!("{error:?}");
        };
        assert_eq!((bytes, chunk_size, headroom), (u64::from(chunks) * 4096, 4096, 0));
        assert_eq!((memlock, errno), (Some(limit), Errno::NOBUFS));
    };
    let none = CapabilitySet::empty();
    set(0);
    as_user(none, || refused(open(1).err().unwrap(), 0, 1));
    // The limit does not apply to a process that may lock memory.
    as_user(CapabilitySet::IPC_LOCK, || drop(open(CHUNKS).unwrap()));
    let limit = u64::from(CHUNKS) * 4096;
    set(limit);
    as_user(none, || {
        refused(open(CHUNKS + 1).err().unwrap(), limit, CHUNKS + 1);
        // The memory of the socket before is released a little later than the socket.
        let mut first = None;
        until("exactly the limit is taken", || {
            first = open(CHUNKS).ok();
            first.is_some()
        });
        // Another thread counts like another process: the user is the same.
        refused(open(1).err().unwrap(), limit, 1);
        drop(first);
        until("memory that was given back is free again", || open(CHUNKS).is_ok());
    });
    setrlimit(Resource::Memlock, before).unwrap();
}

/// The environment variable that marks the test below as the child.
const CHILD: &str = "XSK_REFUSALS_CHILD";

/// Root of a user namespace may make sockets in a network namespace that belongs to it, but not
/// lock memory at will.
///
/// Group 15 of the table in tests/README.md.
#[test]
#[expect(unsafe_code, reason = "the child goes into its namespaces before it runs")]
fn root_of_a_user_namespace_has_the_limit() {
    use std::os::unix::process::CommandExt;
    if std::env::var_os(CHILD).is_some() {
        in_user_namespace();
        return;
    }
    if !privileged!() {
        return;
    }
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", test_name!(), "--nocapture"]).env(CHILD, "1");
    let enter = || {
        use rustix::thread::UnshareFlags;
        // SAFETY: the child has one thread, and no descriptors are unshared.
        unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWUSER | UnshareFlags::NEWNET) }?;
        // Root inside is root outside, which owns the file of this test.
        let (map, mode) = ("/proc/self/uid_map", rustix::fs::Mode::empty());
        let map = rustix::fs::open(map, rustix::fs::OFlags::WRONLY, mode)?;
        rustix::io::write(&map, b"0 0 1")?;
        Ok(())
    };
    // SAFETY: system calls only: nothing is allocated, and no lock is taken.
    unsafe { child.pre_exec(enter) };
    let output = child.output().unwrap();
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    assert!(out.contains("1 passed"), "{out}");
}

fn in_user_namespace() {
    let limit = u64::from(CHUNKS) * 4096;
    let hard = Rlimit { current: Some(limit), maximum: Some(limit) };
    setrlimit(Resource::Memlock, hard).unwrap();
    let error = open(CHUNKS + 1).err().unwrap();
    assert_eq!(error.errno(), Some(Errno::NOBUFS));
    let text = error.to_string();
    assert!(text.contains("RLIMIT_MEMLOCK (it is 65536 bytes)"), "{text}");
    // Root of this namespace only: it is no help to say that root may do it.
    let error = XskMap::create(XskMap::DEFAULT_NAME, 1).unwrap_err();
    let text = error.to_string();
    assert_eq!(error.errno(), Some(Errno::PERM), "{text}");
    assert!(text.contains("initial user namespace"), "{text}");
    // Other processes of this user may have locked some for a moment.
    until("the limit is taken", || open(CHUNKS).is_ok());
}
