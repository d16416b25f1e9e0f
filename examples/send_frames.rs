//! Sends UDP packets as fast as the kernel makes them, without a socket: `send_frames eth1 10 60`
//! sends packets of 60 bytes for 10 seconds.
//!
//! The kernel makes frames of one packet, and an XDP program redirects each out of the interface.
//! Sent into one end of a veth pair they arrive at the other without a socket buffer, as packets that
//! another interface redirected. That end needs an XDP program in native mode, or GRO
//! (`ethtool -K IF gro on`).
//!
//! All packets are equal: from 192.0.2.1 to 192.0.2.2, which are for documentation, and to a MAC
//! address that no station has. A program that rewrites some bytes makes different ones of them; it
//! keeps its state in a map. Needs Linux 5.18. Ctrl-C and SIGTERM end it in order.

use signal_hook::consts::{SIGINT, SIGTERM};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};
use xsk::Errno;
use xsk::bpf::{Helper, Insn, Program, Reg};
use xsk::interface::Interface;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// How many frames are made in one call: each takes some 20 ms besides, in which nothing is sent.
const BATCH: u32 = 1 << 20;
/// Ethernet, IPv4 and UDP headers, and what fits the kernel's page.
const LENGTHS: std::ops::RangeInclusive<u16> = 42..=3300;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("send_frames: {error}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "this is what the program is for")]
fn run() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [name, seconds, len] = &args[..] else {
        return Err("usage: send_frames INTERFACE SECONDS BYTES".into());
    };
    let seconds = seconds.parse().map_err(|error| format!("{seconds}: {error}"))?;
    let time = Duration::try_from_secs_f64(seconds)?;
    let len = len.parse().map_err(|error| format!("{len}: {error}"))?;
    if !LENGTHS.contains(&len) {
        let (least, most) = LENGTHS.into_inner();
        return Err(format!("{len} bytes: {least} at least, {most} at most").into());
    }
    let interface = Interface::by_name(name)?;
    let info = interface.info()?;
    if !(info.up && info.carrier) {
        return Err(format!("{name} is down, or has no carrier").into());
    }
    if interface.xdp_features()?.is_some_and(|features| !features.redirect_target()) {
        return Err(format!(
            "{name} is no target of redirection: its driver has none, or it is a veth whose other end has \
             neither a program in native mode nor GRO (ethtool -K IF gro on)"
        )
        .into());
    }
    // return bpf_redirect(interface, 0);
    let insns = [
        Insn::mov64_imm(Reg::R1, interface.index() as i32),
        Insn::mov64_imm(Reg::R2, 0),
        Insn::call(Helper::REDIRECT),
        Insn::exit(),
    ];
    let program = Program::builder(&insns).load()?;
    let packet = udp(len);
    let stop = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGINT, Arc::clone(&stop))?;
    signal_hook::flag::register(SIGTERM, Arc::clone(&stop))?;

    let start = Instant::now();
    while start.elapsed() < time && !stop.load(Ordering::Relaxed) {
        match program.run_live(&packet, None, BATCH) {
            // A signal ends the call, too.
            Err(error) if error.errno() == Some(Errno::INTR) => {}
            result => result?,
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    // That a frame is not sent is no error of a call, but not counted. Those of a veth are counted
    // when its other end takes them.
    let mut sent = 0;
    loop {
        let now = interface.info()?.counters.tx_packets - info.counters.tx_packets;
        if now == sent {
            break;
        }
        sent = now;
        sleep(Duration::from_millis(20));
    }
    println!("sent {sent} packets in {seconds:.3} s, {:.0} a second", sent as f64 / seconds);
    if sent == 0 {
        return Err(format!(
            "{name} takes no frames: the packet is longer than its MTU, its other end is down, or it is no \
             target of redirection"
        )
        .into());
    }
    Ok(())
}

/// Returns a UDP packet of so many bytes.
fn udp(len: u16) -> Vec<u8> {
    let mut packet = vec![0; len.into()];
    packet[..14].copy_from_slice(&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0]);
    packet[14..24].copy_from_slice(&[0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 17]);
    packet[16..18].copy_from_slice(&(len - 14).to_be_bytes());
    packet[26..34].copy_from_slice(&[192, 0, 2, 1, 192, 0, 2, 2]);
    let words =
        packet[14..34].chunks(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])));
    let sum: u32 = words.sum();
    let sum = (sum & 0xffff) + (sum >> 16);
    packet[24..26].copy_from_slice(&(!(sum as u16)).to_be_bytes());
    // From the port 1024 to 9 (discard), without a checksum, which UDP over IPv4 need not have.
    packet[34..38].copy_from_slice(&[4, 0, 0, 9]);
    packet[38..40].copy_from_slice(&(len - 34).to_be_bytes());
    packet
}
