//! Interfaces that consist of others, or lie over others: in which modes their sockets receive and
//! send.
//!
//! Each test prints a line for the table "Kinds of interfaces" of README.md.

mod common;

use common::{Cable, PATIENCE, kernel_can, kernel_since, packet};
use rustix::io::Errno;
use std::io::Write;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};
use xsk::attach::{AttachMode, Attachment, AttachmentBuilder, ModeReason};
use xsk::bpf::{Helper, Insn, Program, Reg, Size, XskMap};
use xsk::test_util::{Namespace, ip, privileged};
use xsk::{Error, Interface, Port, Socket, Umem, XdpMode};

/// Where `struct xdp_md` has `rx_queue_index`.
const RX_QUEUE_INDEX: i16 = 16;
/// `XDP_PASS`.
const PASS: i32 = 2;

/// A device in the left namespace of a cable.
struct Bench {
    cable: Cable,
    device: Interface,
}

/// Returns a small port on queue 0.
fn port(namespace: &Namespace, interface: &Interface) -> Port {
    let bind = || {
        let (umem, pool) = Umem::builder().chunk_count(256).build()?;
        let socket = Socket::builder(&umem).bind_timeout(PATIENCE);
        Port::bind(pool, socket, interface, 0)
    };
    namespace.run(bind).unwrap().unwrap()
}

/// Sends `bytes` from the right end of the cable until `is_over`.
fn send_until(far: &mut Port, bytes: &[u8], mut is_over: impl FnMut() -> bool) {
    while !is_over() {
        let Port { umem, pool, socket, .. } = &mut *far;
        let sent = socket.tx.send_each(pool, 1, |frame| umem.write(frame, bytes).unwrap());
        assert!(sent.is_ok());
        far.service(64).unwrap();
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The packets that are sent, and how they begin for a socket of the device.
struct Traffic {
    sent: Vec<u8>,
    received: Vec<u8>,
}

impl Traffic {
    fn ethernet() -> Self {
        let mut sent = packet(1, 60);
        sent[..6].fill(0xff);
        Self { received: sent.clone(), sent }
    }

    /// With a tag of VLAN 1, which the device takes off.
    fn tagged() -> Self {
        let Self { received, .. } = Self::ethernet();
        let mut sent = received.clone();
        sent.splice(12..12, [0x81, 0, 0, 1]);
        Self { sent, received }
    }
}

impl Bench {
    /// Makes a device of `kind` over the left end of a cable, or with it as its member; `None` if
    /// this kernel has no such kind.
    fn new(test: &str, kind: &str) -> Option<Self> {
        let cable = Cable::named(1, "near", "far");
        let near = cable.veth.a();
        let is_over = matches!(kind, "vlan" | "macvlan");
        let made = cable.left.add_device(kind, "device", is_over.then_some(near));
        if !kernel_can(test, made.is_ok(), &format!("the kernel has no {kind}: {made:?}")) {
            return None;
        }
        let device = made.unwrap();
        if kind == "team" {
            cable.left.set_team_mode(&device, "broadcast").unwrap();
        }
        if !is_over {
            // Bonds and teams take no interface that is up.
            ip::set_up(near, false).unwrap();
            ip::set_master(near, Some(&device)).unwrap();
        }
        ip::set_up(near, true).unwrap();
        ip::set_up(&device, true).unwrap();
        ip::wait_for_carrier(near, PATIENCE).unwrap();
        ip::wait_for_carrier(&device, PATIENCE).unwrap();
        Some(Self { cable, device })
    }

    /// Attaches in `mode`; returns the mode in use, why, and whether a socket of the device then
    /// receives.
    fn receives(
        &self,
        mode: AttachMode,
        traffic: &Traffic,
    ) -> Result<(XdpMode, ModeReason, bool), Error> {
        self.receives_with(|| Attachment::builder(&self.device), mode, traffic)
    }

    /// The same, with what `builder` attaches.
    fn receives_with(
        &self,
        builder: impl Fn() -> AttachmentBuilder,
        mode: AttachMode,
        traffic: &Traffic,
    ) -> Result<(XdpMode, ModeReason, bool), Error> {
        let left = &self.cable.left;
        let mut port = port(left, &self.device);
        let attach = || builder().mode(mode).attach();
        let attachment = left.run(attach).unwrap()?;
        let registration = port.socket.register(&attachment)?;
        let mut far = self::port(&self.cable.right, self.cable.veth.b());
        let (mut came, start) = (false, Instant::now());
        send_until(&mut far, &traffic.sent, || {
            port.service(64).unwrap();
            for frame in port.socket.rx.receive(64).unwrap() {
                came |= port.umem.bytes(&frame).starts_with(&traffic.received);
                port.pool.put(frame);
            }
            came || start.elapsed() > Duration::from_secs(5)
        });
        let found = (attachment.mode(), attachment.reason().clone(), came);
        registration.close().unwrap();
        attachment.close().unwrap();
        Ok(found)
    }

    /// Returns whether what a socket of the device sends comes out of the cable.
    fn sends(&self, traffic: &Traffic) -> bool {
        let mut port = port(&self.cable.left, &self.device);
        let received = || self.cable.veth.b().info().unwrap().counters.rx_packets;
        let (before, start) = (received(), Instant::now());
        send_until(&mut port, &traffic.received, || {
            received() > before || start.elapsed() > PATIENCE
        });
        received() > before
    }

    /// Prints what is seen.
    fn report(
        &self,
        kind: &str,
        traffic: &Traffic,
    ) -> [Result<(XdpMode, ModeReason, bool), Error>; 3] {
        let modes = [AttachMode::Native, AttachMode::Generic, AttachMode::Auto];
        let seen = modes.map(|mode| self.receives(mode, traffic));
        for (mode, seen) in modes.iter().zip(&seen) {
            match seen {
                Ok((used, reason, came)) => {
                    let came = if *came { "receives" } else { "receives nothing" };
                    say(&format!("{kind}: asked for {mode}: {used} ({reason}): {came}"));
                }
                Err(error) => say(&format!("{kind}: asked for {mode}: {error}")),
            }
        }
        seen
    }
}

/// Returns the indices of an interface's members. Before 5.14 values of two look-ups are not equal.
fn members_of(interface: &Interface) -> Vec<u32> {
    interface.members().unwrap().iter().map(Interface::index).collect()
}

/// Writes a line past the test harness.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Tests a device whose sockets receive in generic mode, and which has no native one.
fn generic_only(test: &str, kind: &str, traffic: &Traffic) {
    let Some(bench) = Bench::new(test, kind) else { return };
    let [native, generic, auto] = bench.report(kind, traffic);
    let refused = native.unwrap_err();
    assert_eq!(refused.errno(), Some(Errno::OPNOTSUPP), "{refused}");
    assert!(generic.unwrap().2);
    let (mode, _, came) = auto.unwrap();
    assert_eq!((mode, came), (XdpMode::Generic, true));
    assert!(bench.sends(traffic), "{kind} sends");
    assert_eq!(bench.device.info().unwrap().kind.as_deref(), Some(kind));
    let over = matches!(kind, "vlan" | "macvlan");
    let near = bench.cable.veth.a();
    let info = bench.device.info().unwrap();
    assert_eq!(info.lower, over.then(|| near.index()));
    let members = if over { vec![] } else { vec![near.index()] };
    assert_eq!(members_of(&bench.device), members);
}

#[test]
fn a_bridge_is_generic() {
    if !privileged!() {
        return;
    }
    generic_only("a_bridge_is_generic", "bridge", &Traffic::ethernet());
}

#[test]
fn a_team_is_generic_and_its_members_are_native() {
    if !privileged!() {
        return;
    }
    let test = "a_team_is_generic_and_its_members_are_native";
    let traffic = Traffic::ethernet();
    generic_only(test, "team", &traffic);
    let Some(bench) = Bench::new(test, "team") else { return };
    let member = Bench { device: bench.cable.veth.a().clone(), cable: bench.cable };
    let [native, ..] = member.report("member of a team", &traffic);
    assert!(native.unwrap().2);
    assert!(member.sends(&traffic), "a member sends");
}

#[test]
fn a_macvlan_is_generic() {
    if !privileged!() {
        return;
    }
    generic_only("a_macvlan_is_generic", "macvlan", &Traffic::ethernet());
}

#[test]
fn a_vlan_is_generic_and_its_packets_have_no_tag() {
    if !privileged!() {
        return;
    }
    generic_only("a_vlan_is_generic_and_its_packets_have_no_tag", "vlan", &Traffic::tagged());
}

#[test]
fn sockets_of_a_bond_receive_in_generic_mode_and_those_of_members_in_native_mode() {
    if !privileged!() {
        return;
    }
    let test = "sockets_of_a_bond_receive_in_generic_mode_and_those_of_members_in_native_mode";
    let traffic = Traffic::ethernet();
    let Some(bench) = Bench::new(test, "bond") else { return };
    let near = bench.cable.veth.a();
    assert_eq!(members_of(&bench.device), [near.index()]);
    assert_eq!(near.members().unwrap(), []);
    let [native, generic, auto] = bench.report("bond", &traffic);
    let refused = native.unwrap_err();
    let Error::NativeBond { members, .. } = &refused else { panic!("{refused}") };
    assert_eq!(members, &["near"]);
    assert!(bench.device.attached_programs().unwrap().is_empty());
    assert!(generic.unwrap().2);
    let (mode, reason, came) = auto.unwrap();
    assert_eq!((mode, came), (XdpMode::Generic, true));
    let ModeReason::Bond { members, .. } = &reason else { panic!("{reason:?}") };
    assert_eq!(members, &["near"]);
    assert!(reason.to_string().contains("near"), "{reason}");
    assert!(bench.sends(&traffic), "a bond sends");
    // What to do instead.
    let member = Bench { device: near.clone(), cable: bench.cable };
    let [native, ..] = member.report("member of a bond", &traffic);
    assert!(native.unwrap().2);
    assert!(member.sends(&traffic), "a member sends");
}

/// The refusal above is right: the kernel takes a program of one's own, and no packet comes.
#[test]
fn a_program_of_ones_own_is_attached_to_a_bond_in_native_mode_and_says_for_whom() {
    if !privileged!() {
        return;
    }
    let test = "a_program_of_ones_own_is_attached_to_a_bond_in_native_mode_and_says_for_whom";
    if !kernel_can(test, kernel_since(5, 15), "native programs on bonds: Linux 5.15") {
        return;
    }
    let Some(bench) = Bench::new(test, "bond") else { return };
    let own = || {
        let map = XskMap::create("own_map", 1).unwrap();
        let [low, high] = Insn::load_map_fd(Reg::R1, map.as_fd());
        let insns = [
            Insn::load(Size::Word, Reg::R2, Reg::R1, RX_QUEUE_INDEX),
            low,
            high,
            Insn::mov64_imm(Reg::R3, PASS),
            Insn::call(Helper::REDIRECT_MAP),
            Insn::exit(),
        ];
        let program = Program::builder(&insns).name("own").license(c"MIT").load().unwrap();
        Attachment::builder(&bench.device).program(program, map)
    };
    let seen = bench.receives_with(own, AttachMode::Native, &Traffic::ethernet());
    let (mode, reason, came) = seen.unwrap();
    assert_eq!((mode, came), (XdpMode::Native, false), "packets come to members");
    let ModeReason::NativeBond { members, .. } = &reason else { panic!("{reason:?}") };
    assert_eq!(members, &["near"]);
    assert!(reason.to_string().starts_with("as asked, but "), "{reason}");
    // In generic mode, nothing is to be said.
    let seen = bench.receives_with(own, AttachMode::Generic, &Traffic::ethernet());
    assert_eq!(seen.unwrap(), (XdpMode::Generic, ModeReason::Asked, true));
}

#[test]
fn members_of_an_interface_that_is_gone_are_an_error() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    let bridge = cable.left.add_bridge("bridge").unwrap();
    assert_eq!(bridge.members().unwrap(), []);
    ip::set_master(cable.veth.a(), Some(&bridge)).unwrap();
    assert_eq!(members_of(&bridge), [cable.veth.a().index()]);
    ip::delete(&bridge).unwrap();
    assert!(bridge.members().unwrap_err().is_gone());
}
