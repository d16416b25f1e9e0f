//! Groups 54 and 57: pins, and interfaces that are asked about when they are gone.

use crate::common::Cable;
use crate::says;
use expect_test::expect;
use rustix::io::Errno;
use xsk::bpf::XskMap;
use xsk::error::BpfOp;
use xsk::test_util::{ip, privileged};
use xsk::{Error, Interface};

/// Group 54 of the table in tests/README.md.
#[test]
fn pins_in_wrong_places() {
    if !privileged!() {
        return;
    }
    let map = XskMap::create("a_map", 1).unwrap();
    let directory = std::env::temp_dir();
    let elsewhere = map.pin(directory.join("pin")).unwrap_err();
    assert!(!directory.join("pin").exists());
    assert_eq!(elsewhere.errno(), Some(Errno::PERM));
    let text = elsewhere.to_string();
    assert!(text.contains("BPF file system") && text.contains("mount -t bpf"), "{text}");
    let nowhere = map.pin("/no-such-directory/pin").unwrap_err();
    says(
        &nowhere,
        &expect![[r#"
            bpf(BPF_OBJ_PIN) failed for /no-such-directory/pin: ENOENT (No such file or directory).
            The directory has to be there, in a BPF file system: mount that where it is missing (`mount -t bpf bpf /sys/fs/bpf`; `ip netns exec` has a `/sys` of its own without one), and make a directory in it (`mkdir -p`)"#]],
    );
    let nul = map.pin("/tmp/a\0b").unwrap_err();
    assert_eq!(nul.errno(), Some(Errno::INVAL));
    // A file that exists and is no pin.
    let error = XskMap::from_pin("/proc/self/exe").unwrap_err();
    assert!(matches!(error, Error::BpfObject { operation: BpfOp::Get, .. }), "{error}");
}

/// Group 57 of the table in tests/README.md.
#[test]
fn an_interface_that_is_gone_is_named_by_every_question() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    let gone: &Interface = cable.veth.a();
    ip::delete(gone).unwrap();
    let outcomes = [
        gone.info().err(),
        gone.queues().err(),
        gone.max_queues().err(),
        gone.xdp_features().err(),
        gone.attached_programs().err(),
    ];
    for (number, outcome) in outcomes.into_iter().enumerate() {
        // Kernels before 6.3 cannot report features at all.
        let Some(error) = outcome else {
            assert_eq!(number, 3);
            continue;
        };
        let Error::Interface { name, errno, .. } = &error else {
            panic!("{error}");
        };
        assert_eq!((name.as_str(), *errno), ("xsk-a", Errno::NODEV));
        let text = error.to_string();
        let hint = "There is no such interface in this network namespace: `ip link` lists those that there are";
        assert!(text.ends_with(hint), "{text}");
    }
}
