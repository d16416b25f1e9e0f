//! Maps as kernel objects: how they are found, what is refused, how long they live.

use crate::common::as_nobody;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen};
use rustix::thread::CapabilitySet;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::PathBuf;
use xsk::bpf::{
    ArrayMap, BpfHashMap, DevMap, Insn, LpmTrie, LruHash, PerCpuArray, PerCpuHash, Prefix, Program,
    Reg, RingBuffer, XskMap,
};
use xsk::error::{MapKind, MapOp, ObjectKind};
use xsk::test_util::{Namespace, privileged};
use xsk::{Errno, Error};

/// A BPF file system that is mounted nowhere and goes with its descriptor.
struct Pins {
    _mount: OwnedFd,
    directory: PathBuf,
}

impl Pins {
    fn new() -> Self {
        let context = fsopen("bpf", FsOpenFlags::FSOPEN_CLOEXEC).unwrap();
        fsconfig_create(&context).unwrap();
        let mount =
            fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty()).unwrap();
        let directory = PathBuf::from(format!("/proc/self/fd/{}", mount.as_raw_fd()));
        Self { _mount: mount, directory }
    }
}

/// Opens the map that `$made` is in every way there is, as a map of its own type; and as maps of other
/// types, which refuse it.
macro_rules! found {
    ($made:expr, $map:ty, $kind:expr, [$($other:ty),*]) => {{
        let made = $made;
        let pins = Pins::new();
        let path = pins.directory.join("pin");
        made.pin(&path).unwrap();
        let copy = || made.as_fd().try_clone_to_owned().unwrap();
        for found in [
            <$map>::from_pin(&path).unwrap(),
            <$map>::from_id(made.id()).unwrap(),
            <$map>::from_fd(copy()).unwrap(),
            made.try_clone().unwrap(),
        ] {
            assert_eq!(
                (found.id(), found.name(), found.entries()),
                (made.id(), made.name(), made.entries())
            );
            let info = found.info().unwrap();
            assert_eq!((info.id, info.name.as_str()), (made.id(), made.name()));
            assert_eq!((info.kind, info.entries), ($kind.number(), made.entries()));
        }
        assert!(made.pin(&path).is_err(), "the name is taken");
        $({
            let error = <$other>::from_fd(copy()).unwrap_err();
            let Error::WrongObject { wanted: ObjectKind::Map { .. }, .. } = error else {
                panic!("{}: {error:?}", stringify!($other))
            };
            let error = <$other>::from_pin(&path).unwrap_err();
            assert!(error.to_string().contains("/pin is not a BPF map of type"), "{error}");
        })*
        assert!(matches!(XskMap::from_fd(copy()), Err(Error::WrongObject { .. })));
        assert!(matches!(Program::from_fd(copy()), Err(Error::WrongObject { .. })));
        let id = made.id();
        drop(made);
        <$map>::from_pin(&path).unwrap();
        drop(pins);
        crate::common::until("the map's end", || <$map>::from_id(id).is_err());
    }};
}

#[test]
fn maps_are_found_again_and_not_taken_for_others() {
    if !privileged!() {
        return;
    }
    let name = "some.map_1";
    found!(
        ArrayMap::<u64>::create(name, 3).unwrap(), ArrayMap<u64>, MapKind::Array,
        [ArrayMap<u32>, ArrayMap<[u64; 2]>, PerCpuArray<u64>, BpfHashMap<u32, u64>, DevMap, RingBuffer]
    );
    found!(
        BpfHashMap::<u16, u32>::create(name, 3).unwrap(), BpfHashMap<u16, u32>, MapKind::Hash,
        [BpfHashMap<u32, u32>, BpfHashMap<u16, u16>, LruHash<u16, u32>, PerCpuHash<u16, u32>]
    );
    found!(
        LruHash::<u16, u32>::create(name, 300).unwrap(), LruHash<u16, u32>, MapKind::LruHash,
        [LruHash<u32, u32>, BpfHashMap<u16, u32>]
    );
    found!(
        LpmTrie::<Prefix<4>, u32>::create(name, 3).unwrap(), LpmTrie<Prefix<4>, u32>,
        MapKind::LpmTrie, [LpmTrie<Prefix<16>, u32>, LpmTrie<Prefix<4>, u8>, BpfHashMap<u64, u32>]
    );
    found!(
        PerCpuArray::<u64>::create(name, 3).unwrap(), PerCpuArray<u64>, MapKind::PerCpuArray,
        [PerCpuArray<u32>, ArrayMap<u64>]
    );
    found!(
        PerCpuHash::<u8, u64>::create(name, 3).unwrap(), PerCpuHash<u8, u64>, MapKind::PerCpuHash,
        [PerCpuHash<u16, u64>, BpfHashMap<u8, u64>]
    );
    found!(DevMap::create(name, 3).unwrap(), DevMap, MapKind::DevMap, [ArrayMap<u32>]);
    found!(
        RingBuffer::create(name, 1 << 16).unwrap(), RingBuffer, MapKind::RingBuffer,
        [ArrayMap<u32>, DevMap]
    );
}

#[test]
fn what_is_no_map_is_refused() {
    if !privileged!() {
        return;
    }
    let insns = [Insn::mov64_imm(Reg::R0, 2), Insn::exit()];
    let program = Program::builder(&insns).license(c"MIT").load().unwrap();
    let error = ArrayMap::<u64>::from_fd(program.as_fd().try_clone_to_owned().unwrap());
    assert!(matches!(error, Err(Error::WrongObject { .. })), "{error:?}");
    let error = ArrayMap::<u64>::from_fd(std::fs::File::open("/").unwrap().into());
    assert!(matches!(error, Err(Error::BpfObject { errno: Errno::INVAL, .. })), "{error:?}");
    let error = RingBuffer::from_id(u32::MAX / 2);
    assert!(matches!(error, Err(Error::BpfObject { errno: Errno::NOENT, .. })), "{error:?}");
}

#[test]
fn what_the_kernel_does_not_make_is_refused() {
    if !privileged!() {
        return;
    }
    // 4 TiB: more than the machine has.
    let huge = ArrayMap::<[u8; 1024]>::create("huge", u32::MAX).unwrap_err();
    let Error::CreateMap { kind: MapKind::Array, entries: u32::MAX, errno, .. } = &huge else {
        panic!("{huge:?}")
    };
    assert!([Errno::NOMEM, Errno::TOOBIG].contains(errno), "{huge}");
    assert!(huge.hint().is_some(), "{huge}");
    let huge = BpfHashMap::<u32, [u8; 1024]>::create("huge", u32::MAX).unwrap_err();
    assert!(matches!(huge.errno(), Some(Errno::NOMEM | Errno::TOOBIG)), "{huge}");
    let large = PerCpuArray::<[u8; 40_000]>::create("large", 1).unwrap_err();
    assert!(matches!(large.errno(), Some(Errno::NOMEM | Errno::TOOBIG)), "{large}");
    let none = LpmTrie::<Prefix<4>, u8>::create("none", 0).unwrap_err();
    assert!(none.hint().unwrap().contains("one slot or entry at least"), "{none}");
    for name in ["no-hyphen", "sixteen_letters_", "no\0nul"] {
        let error = DevMap::create(name, 1).unwrap_err();
        assert!(error.hint().unwrap().contains("15 bytes"), "{error}");
    }
}

#[test]
fn without_privileges_no_map_is_made_and_those_at_hand_are_used() {
    if !privileged!() {
        return;
    }
    let counters = PerCpuArray::<u64>::create("counters", 1).unwrap();
    let namespace = Namespace::new().unwrap();
    as_nobody(CapabilitySet::empty(), &namespace, || {
        let error = ArrayMap::<u64>::create("counters", 1).unwrap_err();
        assert!(matches!(error, Error::CreateMap { errno: Errno::PERM, .. }), "{error:?}");
        assert!(error.hint().unwrap().contains("CAP_BPF"), "{error}");
        let error = ArrayMap::<u64>::from_id(counters.id()).unwrap_err();
        assert!(matches!(error, Error::BpfObject { errno: Errno::PERM, .. }), "{error:?}");
        // Since 5.19.
        match counters.get(0) {
            Ok(values) => assert_eq!(values.unwrap().iter().sum::<u64>(), 0),
            Err(error) => assert!(error.hint().unwrap().contains("Linux 5.19"), "{error}"),
        }
    });
}

#[test]
fn a_frozen_map_is_not_written() {
    if !privileged!() || !crate::tool::has_bpftool(xsk::test_util::test_name!()) {
        return;
    }
    let array = ArrayMap::<u64>::create("frozen", 1).unwrap();
    array.set(0, &1).unwrap();
    crate::tool::bpftool(&["map", "freeze", "id", &array.id().to_string()]);
    let error = array.set(0, &2).unwrap_err();
    assert!(
        matches!(error, Error::MapEntry { operation: MapOp::Write, errno: Errno::PERM, .. }),
        "{error:?}"
    );
    assert!(error.hint().unwrap().contains("is frozen"), "{error}");
    assert_eq!(array.get(0).unwrap(), Some(1));
}
