//! Busy polling of a card: the two cards of a guest (`XSK_CARDS`), which a cable joins.

use crate::common::{PATIENCE, kernel_can, kernel_since, until};
use std::io::Write;
use std::time::Duration;
use xsk::attach::{AttachMode, Attachment};
use xsk::interface::{NapiGuard, NapiSettings};
use xsk::socket::{BusyPoll, BusyPollEffect};
use xsk::test_util::{ip, test_name};
use xsk::{Error, Frame, Interface, Port, Socket, Umem};

/// Packets of each measurement.
const PACKETS: u32 = 512;

/// A packet to all, which belongs to no protocol and so comes to queue 0.
fn packet(number: u32) -> Vec<u8> {
    let mut bytes = vec![0xff; 6];
    bytes.extend([2, 0, 0, 0, 0, 2, 0x88, 0xb5]);
    bytes.extend(number.to_be_bytes());
    bytes.resize(60, 0x55);
    bytes
}

/// Returns the kernel's count of packets that came by busy polling in this network namespace
/// (`LINUX_MIB_BUSYPOLLRXPACKETS`).
fn polled() -> u64 {
    let text = std::fs::read_to_string("/proc/net/netstat").unwrap();
    let mut lines = text.lines().filter(|line| line.starts_with("TcpExt:"));
    let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
    let mut pairs = names.split(' ').zip(values.split(' '));
    pairs.find(|(name, _)| *name == "BusyPollRxPackets").unwrap().1.parse().unwrap()
}

fn port(card: &Interface) -> Port {
    let (umem, pool) = Umem::builder().chunk_count(1024).build().unwrap();
    Port::bind(pool, Socket::builder(&umem).bind_timeout(PATIENCE), card, 0).unwrap()
}

/// Sends packets one by one, polls for each, and returns how many came by polling.
fn measure(from: &mut Port, to: &mut Port) -> u64 {
    let before = polled();
    for number in 0..PACKETS {
        let bytes = packet(number);
        let Port { umem, pool, socket, .. } = &mut *from;
        let lay = |frame: &mut Frame| umem.write(frame, &bytes).unwrap();
        assert_eq!(socket.tx.send_each(pool, 1, lay).unwrap(), 1);
        until("the packet", || {
            let Port { pool, socket, .. } = &mut *from;
            socket.tx.kick_if_needed().unwrap();
            socket.completion.reap_into(pool, 64).unwrap();
            to.socket.handle.poll_queue().unwrap();
            let mut came = false;
            for frame in to.socket.rx.receive(64).unwrap() {
                came |= to.umem.bytes(&frame).starts_with(&bytes);
                to.pool.put(frame);
            }
            to.service(64).unwrap();
            came
        });
    }
    polled() - before
}

/// Prints how many packets came by polling. An emulated igb (qemu 10) does not mask the interrupt of
/// a queue when it raises it (`EIAM`), as a card does: there is one for each packet whatever the
/// settings are, and it is faster than the poll.
#[test]
fn what_a_card_receives_while_interrupts_are_deferred_comes_by_polling() {
    let names = std::env::var("XSK_CARDS").ok();
    let names = names.as_deref().and_then(|names| names.split_once(','));
    if !kernel_can(test_name!(), names.is_some(), "needs two cards, XSK_CARDS=name,name") {
        return;
    }
    let (from, to) = names.unwrap();
    let [from, to] = [from, to].map(|name| {
        let card = Interface::by_name(name).unwrap();
        ip::without_ipv6(&card).unwrap();
        ip::set_up(&card, true).unwrap();
        card
    });
    let (mut sender, mut receiver) = (port(&from), port(&to));
    receiver.service(512).unwrap();
    let attach = |card| Attachment::builder(card).mode(AttachMode::Native).attach().unwrap();
    // Without a program on its card, igb refuses to be woken in zero-copy mode.
    let (_on_sender, program) = (attach(&from), attach(&to));
    let _registration = receiver.socket.register(&program).unwrap();
    for card in [&from, &to] {
        ip::wait_for_carrier(card, PATIENCE).unwrap();
    }
    let handle = receiver.socket.handle.clone();
    let mode = if handle.is_zero_copy() { "zero-copy" } else { "copy" };
    if !kernel_since(5, 11) {
        // And packets come all the same.
        let error = handle.set_busy_poll(&BusyPoll::OFF).unwrap_err();
        assert!(matches!(error, Error::NeedsKernel { version: "5.11", .. }), "{error}");
        assert_eq!(measure(&mut sender, &mut receiver), 0);
        return;
    }
    handle.set_busy_poll(&BusyPoll::OFF).unwrap();
    assert_eq!(measure(&mut sender, &mut receiver), 0);
    let masks = to.driver().unwrap().is_some_and(|driver| driver.name == "virtio_net");
    for (deferred, preferred) in [(false, false), (false, true), (true, false), (true, true)] {
        let polling = BusyPoll::new(Duration::from_micros(20)).prefer(preferred).budget(64);
        handle.set_busy_poll(&polling).unwrap();
        let effect = handle.busy_poll_effect().unwrap();
        let settings = NapiSettings::new(1000, Duration::from_millis(200));
        let guard = deferred.then(|| to.set_napi(0, &settings).unwrap());
        let count = measure(&mut sender, &mut receiver);
        let _ = writeln!(
            std::io::stderr(),
            "{mode}, deferred {deferred}, preferred {preferred}: {count} of {PACKETS} by polling; \
             {effect}"
        );
        guard.map_or(Ok(()), NapiGuard::restore).unwrap();
        match effect {
            BusyPollEffect::Polls { .. } if masks && deferred => {
                assert!(count > u64::from(PACKETS) / 2, "{count}");
            }
            BusyPollEffect::Polls { .. } => {}
            effect => assert_eq!(count, 0, "{effect}"),
        }
    }
}
