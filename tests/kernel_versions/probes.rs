//! One probe of the running kernel for each feature, by the crate's own calls where it has one.

use crate::common::{AtCable, Cable, attach};
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags};
use rustix::net::sockopt;
use rustix::process::{Resource, Rlimit, setrlimit};
use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
use std::os::fd::AsFd;
use std::time::Duration;
use xsk::attach::{AttachMethod, AttachMode, Attachment};
use xsk::bpf::{Btf, Insn, MetadataProgram, Program, Reg, XskMap, redirect};
use xsk::socket::BusyPoll;
use xsk::test_util::ip;
use xsk::{Error, Port, Socket, Umem};

/// The running kernel's result for a feature, as the crate reports it.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It works.
    Works,
    /// It does not, and the crate claims nothing: `None`, or a call that is not needed.
    NotClaimed,
    /// It does not, and this error reports it.
    Refused(Error),
    /// The same from a process of its own, which can return only the text.
    RefusedByText(String),
}

impl<T> From<Result<T, Error>> for Outcome {
    fn from(result: Result<T, Error>) -> Self {
        result.map_or_else(Self::Refused, |_| Self::Works)
    }
}

impl<T> From<Option<T>> for Outcome {
    fn from(option: Option<T>) -> Self {
        option.map_or(Self::NotClaimed, |_| Self::Works)
    }
}

fn end() -> (Cable, Port) {
    let cable = Cable::new(1);
    let end = Port::left(&cable);
    (cable, end)
}

fn map() -> XskMap {
    XskMap::create("xsk_since", 1).unwrap()
}

/// The smallest program.
fn pass() -> [Insn<'static>; 2] {
    [Insn::mov64_imm(Reg::R0, 2), Insn::exit()]
}

/// Runs while this thread has no capability.
fn without_capabilities<T>(work: impl FnOnce() -> T) -> T {
    let all = capabilities(None).unwrap();
    let mut none = all;
    none.effective = CapabilitySet::empty();
    set_capabilities(None, none).unwrap();
    let result = work();
    set_capabilities(None, all).unwrap();
    result
}

pub(crate) fn default_program() -> Outcome {
    redirect(&map()).into()
}

pub(crate) fn options() -> Outcome {
    let (_cable, end) = end();
    sockopt::xdp_options(&end.socket.handle).ok().into()
}

pub(crate) fn need_wakeup() -> Outcome {
    let (_cable, end) = end();
    let offsets = sockopt::xdp_mmap_offsets(&end.socket.handle).unwrap();
    offsets.tx.flags.into()
}

pub(crate) fn unaligned() -> Outcome {
    let builder = Umem::builder().chunk_count(16).chunk_size(3000).unaligned();
    let (umem, _pool) = builder.build().unwrap();
    Socket::builder(&umem).open().into()
}

pub(crate) fn tx_metadata() -> Outcome {
    let (umem, _pool) = Umem::builder().chunk_count(16).tx_metadata().build().unwrap();
    Socket::builder(&umem).open().into()
}

pub(crate) fn link() -> Outcome {
    let cable = Cable::new(1);
    let attach = || {
        let builder = Attachment::builder(cable.veth.a());
        builder.method(AttachMethod::Link).attach()?.close()
    };
    cable.left.run(attach).unwrap().into()
}

pub(crate) fn statistics() -> Outcome {
    let (_cable, end) = end();
    let counted = end.socket.handle.statistics().unwrap();
    let newer = [counted.rx_ring_full, counted.fill_ring_empty, counted.tx_ring_empty];
    assert!(newer.iter().all(Option::is_some) || newer == [None; 3], "{newer:?}");
    counted.rx_ring_full.into()
}

pub(crate) fn unbound_in_map() -> Outcome {
    let (umem, _pool) = Umem::builder().chunk_count(16).build().unwrap();
    let socket = Socket::builder(&umem).open().unwrap();
    map().insert(0, socket.as_fd()).into()
}

pub(crate) fn metadata() -> Outcome {
    let cable = Cable::new(1);
    let load = || MetadataProgram::load(&map(), cable.veth.a().index());
    cable.left.run(load).unwrap().into()
}

pub(crate) fn multi_buffer() -> Outcome {
    let cable = Cable::new(1);
    let (umem, _pool) = Umem::builder().chunk_count(64).build().unwrap();
    let bind = || Socket::builder(&umem).multi_buffer().bind(cable.veth.a(), 0);
    cable.left.run(bind).unwrap().into()
}

pub(crate) fn vlan_tag() -> Outcome {
    Btf::of_kernel().ok().and_then(|btf| btf.function("bpf_xdp_metadata_rx_vlan_tag")).into()
}

pub(crate) fn shared_memory() -> Outcome {
    let cable = Cable::new(2);
    let first = Port::left(&cable);
    let share = || first.socket.handle.share_memory().bind(cable.veth.a(), 1);
    cable.left.run(share).unwrap().into()
}

pub(crate) fn sender_in_map() -> Outcome {
    insert_sender(true)
}

pub(crate) fn sender_on_a_link_that_is_down() -> Outcome {
    insert_sender(false)
}

fn insert_sender(up: bool) -> Outcome {
    let cable = Cable::new(1);
    let (umem, _pool) = Umem::builder().chunk_count(16).build().unwrap();
    let bind = || Socket::builder(&umem).tx_only().bind(cable.veth.a(), 0);
    let socket = cable.left.run(bind).unwrap().unwrap();
    ip::set_up(cable.veth.a(), up).unwrap();
    // No program uses the map.
    match map().insert(0, socket.handle.as_fd()) {
        Err(Error::WrongObject { .. }) => Outcome::Works,
        Err(error) => Outcome::Refused(error),
        Ok(()) => Outcome::NotClaimed,
    }
}

/// The limit belongs to the whole process, so a child tries it.
pub(crate) fn memlock() -> Outcome {
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "without_memory_to_lock", "--nocapture"]);
    let output = child.env(crate::CHILD, "1").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    let outcome =
        said.lines().find_map(|line| line.split_once(crate::MARK).map(|(_, outcome)| outcome));
    match outcome.expect("the child prints its result") {
        "" => Outcome::Works,
        text => Outcome::RefusedByText(text.to_owned()),
    }
}

/// In the child: makes a map and a program where no memory may be locked; returns an error's text,
/// or nothing.
pub(crate) fn try_without_memlock() -> String {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    setrlimit(Resource::Memlock, none).unwrap();
    let made = XskMap::create("xsk_since", 1).map(drop);
    let loaded = Program::builder(&pass()).name("xsk_since").license(c"MIT").load().map(drop);
    match (made, loaded) {
        (Ok(()), Ok(())) => String::new(),
        (Err(made), Err(loaded)) => {
            assert!(matches!(made, Error::CreateMap { .. }), "{made:?}");
            assert!(matches!(loaded, Error::LoadProgram { .. }), "{loaded:?}");
            for error in [&made, &loaded] {
                assert_eq!(error.errno(), Some(Errno::PERM), "{error}");
                let text = error.to_string();
                assert!(text.contains("Before 5.11 it can also be RLIMIT_MEMLOCK"), "{text}");
            }
            made.to_string()
        }
        one => panic!("only one failed: {one:?}"),
    }
}

pub(crate) fn namespace() -> Outcome {
    let cable = Cable::new(1);
    let [here, there] = [cable.veth.a(), cable.veth.b()].map(|interface| {
        let ask = || without_capabilities(|| interface.is_in_current_netns());
        cable.left.run(ask).unwrap()
    });
    assert!(
        matches!((here, there), (Some(true), Some(false)) | (None, None)),
        "{here:?}, {there:?}"
    );
    here.into()
}

pub(crate) fn live_frames() -> Outcome {
    let program = Program::builder(&pass()).load();
    program.and_then(|program| program.run_live(&[0xff; 60], None, 1)).into()
}

pub(crate) fn frags() -> Outcome {
    Program::builder(&pass()).name("xsk_since").license(c"MIT").frags(true).load().into()
}

pub(crate) fn unprivileged_map() -> Outcome {
    let (umem, _pool) = Umem::builder().chunk_count(16).build().unwrap();
    let socket = Socket::builder(&umem).open().unwrap();
    let map = map();
    without_capabilities(|| map.insert(0, socket.as_fd())).into()
}

pub(crate) fn features() -> Outcome {
    let cable = Cable::new(1);
    cable.veth.a().xdp_features().unwrap().into()
}

/// 8 MiB, more than any x86-64 kernel gives in one piece.
pub(crate) fn long_ring() -> Outcome {
    let (umem, _pool) = Umem::builder().chunk_count(16).build().unwrap();
    Socket::builder(&umem).fill_size(1 << 20).open().into()
}

/// The crate has no call for it.
#[expect(unsafe_code, reason = "a mapping")]
pub(crate) fn mapping_after_bind() -> Outcome {
    const XDP_PGOFF_RX_RING: u64 = 0;
    let (_cable, end) = end();
    let (len, at) = (4096, std::ptr::null_mut());
    let (protection, flags) = (ProtFlags::READ, MapFlags::SHARED);
    let socket = &end.socket.handle;
    // SAFETY: the kernel chooses the address, so that nothing else is touched.
    let mapped = unsafe { rustix::mm::mmap(at, len, protection, flags, socket, XDP_PGOFF_RX_RING) };
    match mapped {
        Ok(at) => {
            // SAFETY: the mapping was just made, and nothing refers to it.
            unsafe { rustix::mm::munmap(at, len) }.unwrap();
            Outcome::Works
        }
        Err(errno) => {
            assert_eq!(errno, Errno::BUSY);
            Outcome::NotClaimed
        }
    }
}

pub(crate) fn tx_budget() -> Outcome {
    let (_cable, end) = end();
    end.socket.handle.set_tx_budget(64).into()
}

pub(crate) fn busy_poll() -> Outcome {
    let (_cable, end) = end();
    end.socket.handle.set_busy_poll(&BusyPoll::new(Duration::from_micros(1))).into()
}

pub(crate) fn napi() -> Outcome {
    let (cable, end) = end();
    let _registration = attach(&cable.left, cable.veth.a(), AttachMode::Native, &end);
    let napi = cable.veth.a().napi(0).unwrap();
    napi.and_then(|napi| napi.settings()).into()
}
