//! Sends UDP packets as fast as the kernel makes them, without a socket: a program redirects frames
//! out of an interface. Sent into one end of a veth pair they arrive at the other as they would
//! from a card, without a socket buffer.
//!
//! ```text
//! cargo run --example send_frames -- INTERFACE [SECONDS [BYTES]]
//! ```
//!
//! The other end of a veth needs an XDP program, or GRO (`ethtool -K IF gro on`). Needs Linux 5.18.

use std::env;
use std::io::{self, Write};
use std::time::{Duration, Instant};
use xsk::bpf::{Helper, Insn, Program, Reg};
use xsk::interface::Interface;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = env::args().skip(1);
    let name = args.next().ok_or("usage: send_frames INTERFACE [SECONDS [BYTES]]")?;
    let seconds = args.next().map_or(Ok(5.0), |text| text.parse())?;
    let duration = Duration::try_from_secs_f64(seconds)?;
    let bytes = args.next().map_or(Ok(60), |text| text.parse())?;
    let interface = Interface::by_name(&name)?;
    // return bpf_redirect(interface, 0);
    let insns = [
        Insn::mov64_imm(Reg::R1, interface.index() as i32),
        Insn::mov64_imm(Reg::R2, 0),
        Insn::call(Helper::REDIRECT),
        Insn::exit(),
    ];
    let program = Program::builder(&insns).load()?;
    let packet = udp(bytes);
    let (start, before) = (Instant::now(), interface.info()?.counters.tx_packets);
    let mut made = 0_u64;
    while start.elapsed() < duration {
        program.run_live(&packet, None, BATCH)?;
        made += u64::from(BATCH);
    }
    let (time, counters) = (start.elapsed().as_secs_f64(), interface.info()?.counters);
    let rate = made as f64 / time;
    let mut out = io::stdout().lock();
    writeln!(out, "made {made} packets in {time:.1} s, {rate:.0} a second")?;
    writeln!(out, "sent {}", counters.tx_packets - before)?;
    Ok(())
}

/// How many packets are made between two looks at the clock.
const BATCH: u32 = 1 << 16;

/// Returns a UDP packet of so many bytes, at least 42, for a station that is none.
fn udp(bytes: usize) -> Vec<u8> {
    let mut packet = vec![0; bytes.max(42)];
    let len = packet.len() as u16;
    packet[..14].copy_from_slice(&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0]);
    packet[14..23].copy_from_slice(&[0x45, 0, 0, 0, 0, 0, 0x40, 0, 64]);
    packet[23] = 17;
    packet[26..34].copy_from_slice(&[192, 0, 2, 1, 192, 0, 2, 2]);
    packet[16..18].copy_from_slice(&(len - 14).to_be_bytes());
    packet[38..40].copy_from_slice(&(len - 34).to_be_bytes());
    packet
}
