//! A program that spreads the packets of a queue over several sockets, each flow to one of them.

use super::asm::{Alu, Assembler, Code, Cond, Helper, Insn, Reg, Size};
use super::map::XskMap;
use super::program::Program;
use super::redirect::{RX_QUEUE_INDEX, XDP_PASS, action_in_flags};
use crate::error::{Error, Result};
use std::os::fd::{AsFd, BorrowedFd};

/// The most sockets that the packets of one queue are spread over.
const MOST_SOCKETS: u32 = 1 << 16;

const ETHERNET: i32 = 14;
const VLAN_TAG: i32 = 4;
const ETHERTYPES_OF_TAGS: [u16; 2] = [0x8100, 0x88a8];
const IPV4: (u16, i32) = (0x0800, 20);
const IPV6: (u16, i32) = (0x86dd, 40);
/// "More fragments" and the fragment's offset, in the flags word of IPv4.
const FRAGMENT: u16 = 0x3fff;
/// TCP, UDP, UDP-Lite and SCTP, which begin with two ports.
const WITH_PORTS: [i32; 4] = [6, 17, 136, 132];

/// A program that spreads the packets of each queue over several sockets, by a hash of their flow:
/// how many sockets, and which slot of the map is whose.
///
/// ```no_run
/// use xsk::bpf::{Spread, XskMap};
///
/// # fn f(interface: &xsk::Interface, first: xsk::Socket) -> xsk::Result<()> {
/// let mut queue = first.share_queue();
/// let second = queue.add_socket().bind()?;
///
/// let spread = Spread::new(2)?; // two sockets on each queue
/// let map = XskMap::create(XskMap::DEFAULT_NAME, spread.slots(interface.queues()?.rx)?)?;
/// let builder = xsk::Attachment::builder(interface).program(spread.load(&map)?, map);
/// let program = builder.take_over(true).attach()?; // also what a kill has left
/// let number = queue.handle.queue();
/// let _first = queue.register(&program, spread.slot(number, 0)?)?;
/// let _second = second.register(&program, spread.slot(number, 1)?)?;
/// # Ok(()) }
/// ```
///
/// # Which socket
/// Both directions of a flow come to the same socket if they come in on one queue: to which queue a
/// packet goes, the card decides before, by a hash of its own, which differs for the two directions
/// unless the card is set otherwise (`ethtool -X`).
///
/// The hash is of the two IP addresses, and of the two ports of TCP, UDP, UDP-Lite and SCTP; behind
/// up to two VLAN tags. Of fragments (IPv4), and where extension headers come first (IPv6), it is of
/// the addresses alone. Packets that are not IP all come to the first socket. Packets whose slot is
/// empty, or that the map does not have, go on to the kernel's stack.
///
/// # Packets of several frames
/// It takes none, as several sockets on one queue take none: with an MTU above some 3500 bytes most
/// drivers refuse it native mode.
///
/// # Slots
/// The map has a slot for each socket of each queue: socket `s` of queue `q` has slot
/// `q * sockets + s`. This value is that number of sockets and nothing else: any process that knows
/// it finds the slots of a program that another one attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spread {
    /// From 1 to [`MOST_SOCKETS`].
    sockets: u32,
}

impl Spread {
    /// Spreads over so many sockets on each queue
    /// ([`Socket::share_queue`](crate::Socket::share_queue)).
    ///
    /// # Errors
    /// [`Error::Setting`] for no sockets, or more than 65536.
    pub fn new(sockets: u32) -> Result<Self> {
        if (1..=MOST_SOCKETS).contains(&sockets) {
            return Ok(Self { sockets });
        }
        let (name, rule) = ("number of sockets on a queue", "is from 1 to 65536");
        Err(Error::Setting { name, value: sockets.into(), rule })
    }

    /// Returns the number of sockets on each queue.
    #[must_use]
    pub fn sockets(self) -> u32 {
        self.sockets
    }

    /// Returns how many entries a map has that has a slot for each socket of so many queues. It may
    /// have fewer or more.
    ///
    /// # Errors
    /// [`Error::Setting`] if they are 2^32 or more.
    pub fn slots(self, queues: u32) -> Result<u32> {
        queues.checked_mul(self.sockets).ok_or(Error::Setting {
            name: "number of queues",
            value: queues.into(),
            rule: "has fewer than 2^32 slots, one for each socket of each queue",
        })
    }

    /// Returns the slot of a socket: of number `socket` among those of `queue`, from 0 on. Whether
    /// the map has it is not known here: registering reports it.
    ///
    /// ```
    /// # use xsk::bpf::Spread;
    /// let spread = Spread::new(4)?;
    /// assert_eq!((spread.slot(0, 3)?, spread.slot(1, 0)?, spread.slots(2)?), (3, 4, 8));
    /// assert!(spread.slot(0, 4).is_err(), "the first slot of queue 1");
    /// # Ok::<(), xsk::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Setting`] if there are not so many sockets on a queue, or the slot would be 2^32 or
    /// above.
    pub fn slot(self, queue: u32, socket: u32) -> Result<u32> {
        if socket >= self.sockets {
            let (name, rule) = ("socket", "is below the number of sockets on a queue");
            return Err(Error::Setting { name, value: socket.into(), rule });
        }
        let first = queue.checked_mul(self.sockets);
        first.and_then(|first| first.checked_add(socket)).ok_or(Error::Setting {
            name: "queue",
            value: queue.into(),
            rule: "has its slots below 2^32",
        })
    }

    /// Loads the program for a map.
    ///
    /// On older kernels (seen on 5.10) it takes `CAP_PERFMON` as well, as any program that looks at
    /// packets does there.
    ///
    /// After a kill, what netlink holds of it is taken over by
    /// [`AttachmentBuilder::take_over`](crate::attach::AttachmentBuilder::take_over).
    ///
    /// # Errors
    /// [`Error::Setting`] if the map has fewer entries than there are sockets on a queue;
    /// [`Error::NeedsKernel`] before 5.3; [`Error::LoadProgram`], and the errors of a first test
    /// run: [`Error::CreateMap`], [`Error::BpfObject`].
    pub fn load(self, map: &XskMap) -> Result<Program> {
        let sockets = self.sockets;
        let factor = i32::try_from(sockets).ok().filter(|_| sockets <= map.entries());
        let Some(factor) = factor else {
            let (name, rule) = ("number of sockets on a queue", "is not above the map's entries");
            return Err(Error::Setting { name, value: sockets.into(), rule });
        };
        if !action_in_flags()? {
            return Err(Error::NeedsKernel {
                feature: "the program that spreads packets over sockets",
                version: "5.3",
            });
        }
        let code = instructions(map.as_fd(), factor)?;
        code.builder().name("xsk_spread").license(c"Dual MIT/GPL").load()
    }
}

/// Loads the program that spreads the packets of each queue over `sockets` sockets, as
/// [`Spread::load`] does; [`Spread`] also computes the slots.
///
/// ```
/// use xsk::bpf::{XskMap, spread};
///
/// # fn main() -> xsk::Result<()> {
/// # if !xsk::test_util::privileged("the documentation of spread") { return Ok(()); }
/// // Four queues, two sockets on each.
/// let program = spread(&XskMap::create(XskMap::DEFAULT_NAME, 8)?, 2)?;
/// let run = program.test_run(&[0; 64], None)?;
/// assert_eq!(run.retval, 2, "XDP_PASS: no socket is in the slot");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// As [`Spread::new`] and [`Spread::load`].
pub fn spread(map: &XskMap, sockets: u32) -> Result<Program> {
    Spread::new(sockets)?.load(map)
}

/// Takes the flow's hash to R6 and redirects.
///
/// R1 is the context, R2 the header that is looked at, R3 the packet's end.
fn instructions(map: BorrowedFd<'_>, sockets: i32) -> Result<Code> {
    use Reg::{R1, R2, R3, R4, R5, R6, R7, R8};
    let [map_low, map_high] = Insn::load_map_fd(R1, map);
    let mut a = Assembler::default();
    let [ipv6, ports, known] = [a.label(), a.label(), a.label()];
    a.add([
        Insn::load(Size::Word, R8, R1, RX_QUEUE_INDEX),
        Insn::load(Size::Word, R2, R1, 0),
        Insn::load(Size::Word, R3, R1, 4),
        Insn::mov64_imm(R6, 0),
    ]);
    // Goes to `known` unless the packet has so many bytes from R2 on.
    macro_rules! require {
        ($bytes:expr) => {
            a.add([Insn::mov64_reg(R4, R2), Insn::alu64_imm(Alu::Add, R4, $bytes)]);
            a.jump(Insn::jump_reg(Cond::Gt, R4, R3, 0), known);
        };
    }
    require!(ETHERNET);
    a.add([Insn::load(Size::Half, R5, R2, 12), Insn::alu64_imm(Alu::Add, R2, ETHERNET)]);
    for _ in 0..2 {
        let [tag, no_tag] = [a.label(), a.label()];
        for ethertype in ETHERTYPES_OF_TAGS {
            a.jump(Insn::jump_imm(Cond::Eq, R5, on_wire(ethertype), 0), tag);
        }
        a.jump(Insn::jump(0), no_tag);
        a.place(tag);
        require!(VLAN_TAG);
        a.add([Insn::load(Size::Half, R5, R2, 2), Insn::alu64_imm(Alu::Add, R2, VLAN_TAG)]);
        a.place(no_tag);
    }

    a.jump(Insn::jump_imm(Cond::Ne, R5, on_wire(IPV4.0), 0), ipv6);
    require!(IPV4.1);
    a.add([
        Insn::load(Size::Word, R6, R2, 12),
        Insn::load(Size::Word, R7, R2, 16),
        Insn::alu32_reg(Alu::Xor, R6, R7),
        Insn::load(Size::Half, R7, R2, 6),
        Insn::alu64_imm(Alu::And, R7, on_wire(FRAGMENT)),
    ]);
    a.jump(Insn::jump_imm(Cond::Ne, R7, 0, 0), known);
    a.add([
        Insn::load(Size::Byte, R7, R2, 9),
        // The header's length is in words.
        Insn::load(Size::Byte, R5, R2, 0),
        Insn::alu64_imm(Alu::And, R5, 15),
    ]);
    // Number by number: to add a register to a pointer takes CAP_PERFMON.
    for words in 5..=15 {
        let next = a.label();
        a.jump(Insn::jump_imm(Cond::Ne, R5, words, 0), next);
        a.add([Insn::alu64_imm(Alu::Add, R2, words << 2)]);
        a.jump(Insn::jump(0), ports);
        a.place(next);
    }
    a.jump(Insn::jump(0), known);

    a.place(ipv6);
    a.jump(Insn::jump_imm(Cond::Ne, R5, on_wire(IPV6.0), 0), known);
    require!(IPV6.1);
    for offset in [8, 12, 16, 20, 24, 28, 32, 36] {
        a.add([Insn::load(Size::Word, R7, R2, offset), Insn::alu32_reg(Alu::Xor, R6, R7)]);
    }
    a.add([Insn::load(Size::Byte, R7, R2, 6), Insn::alu64_imm(Alu::Add, R2, IPV6.1)]);

    a.place(ports);
    let has_ports = a.label();
    for protocol in WITH_PORTS {
        a.jump(Insn::jump_imm(Cond::Eq, R7, protocol, 0), has_ports);
    }
    a.jump(Insn::jump(0), known);
    a.place(has_ports);
    require!(4);
    a.add([
        Insn::load(Size::Half, R5, R2, 0),
        Insn::load(Size::Half, R7, R2, 2),
        Insn::alu32_reg(Alu::Xor, R5, R7),
        // Ports that differ in the lower bits must not cancel addresses that do.
        Insn::alu32_imm(Alu::Mul, R5, 0x6a09_e667),
        Insn::alu32_reg(Alu::Xor, R6, R5),
    ]);

    a.place(known);
    // The finalizer of MurmurHash3, with 0x85ebca6b and 0xc2b2ae35: every bit of the flow decides
    // over every bit of the hash.
    for (shift, factor) in [(16, -0x7a14_3595), (13, -0x3d4d_51cb)] {
        a.add([
            Insn::mov32_reg(R7, R6),
            Insn::alu32_imm(Alu::Rsh, R7, shift),
            Insn::alu32_reg(Alu::Xor, R6, R7),
            Insn::alu32_imm(Alu::Mul, R6, factor),
        ]);
    }
    a.add([
        Insn::mov32_reg(R7, R6),
        Insn::alu32_imm(Alu::Rsh, R7, 16),
        Insn::alu32_reg(Alu::Xor, R6, R7),
        // key = queue * sockets + (hash * sockets >> 32)
        Insn::alu64_imm(Alu::Mul, R6, sockets),
        Insn::alu64_imm(Alu::Rsh, R6, 32),
        Insn::alu64_imm(Alu::Mul, R8, sockets),
        Insn::mov64_reg(R2, R8),
        Insn::alu64_reg(Alu::Add, R2, R6),
        map_low,
        map_high,
        Insn::mov64_imm(R3, XDP_PASS),
        Insn::call(Helper::REDIRECT_MAP),
        Insn::exit(),
    ]);
    a.finish()
}

/// Returns a 16-bit number as a load of two bytes finds it in a packet.
fn on_wire(value: u16) -> i32 {
    i32::from(value.to_be())
}
