//! The cards, and a socket on each.

use crate::common::{PATIENCE, kernel_can, packet, until};
use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use xsk::test_util::admin;
use xsk::{
    Attachment, CopyMode, Error, Interface, ModeChoice, Pool, Registration, Socket, SocketInfo,
    Umem,
};

/// Chunks of each socket's memory, and entries of each ring.
pub(crate) const CHUNKS: u32 = 1024;
/// Chunks that a receiver gives to the kernel.
pub(crate) const FILL: u32 = 512;
/// Bytes of a packet.
pub(crate) const LEN: usize = 60;

/// Tests take turns: there are only two cards.
static TURN: Mutex<()> = Mutex::new(());

pub(crate) struct Cards {
    pub(crate) one: Interface,
    pub(crate) two: Interface,
    _turn: MutexGuard<'static, ()>,
}

impl Cards {
    /// `None` after telling that the test is skipped.
    pub(crate) fn new(test: &str) -> Option<Self> {
        let names = std::env::var("XSK_CARDS").ok();
        let pair = names.as_deref().and_then(|names| names.split_once(','));
        let why = "needs two cards that a cable joins, XSK_CARDS=name,name";
        if !kernel_can(test, pair.is_some(), why) {
            return None;
        }
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let [one, two] = pair.map(|(one, two)| [one, two])?.map(|name| {
            let card = Interface::by_name(name).unwrap();
            admin::without_ipv6(&card).unwrap();
            admin::set_up(&card, true).unwrap();
            card
        });
        for card in [&one, &two] {
            admin::wait_for_carrier(card, PATIENCE).unwrap();
        }
        Some(Self {
            one,
            two,
            _turn: turn,
        })
    }
}

/// Whether the machine is one where copy mode is a failure.
pub(crate) fn required() -> bool {
    std::env::var("XSK_ZERO_COPY").is_ok_and(|value| value == "require")
}

/// How a side is set up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setup {
    pub(crate) copy: CopyMode,
    pub(crate) need_wakeup: bool,
    pub(crate) fill_before_bind: bool,
}

pub(crate) const USUAL: Setup = Setup {
    copy: CopyMode::Auto,
    need_wakeup: true,
    fill_before_bind: true,
};

/// A socket on queue 0 of a card, its program, and its memory.
pub(crate) struct Side {
    pub(crate) umem: Umem,
    pub(crate) pool: Pool,
    pub(crate) socket: Socket,
    registration: Registration,
    attachment: Attachment,
}

impl Side {
    pub(crate) fn new(card: &Interface, setup: Setup) -> Self {
        let (umem, mut pool) = Umem::builder().chunks(CHUNKS).build().unwrap();
        let mut unbound = Socket::builder(&umem)
            .copy_mode(setup.copy)
            .need_wakeup(setup.need_wakeup)
            .bind_wait(PATIENCE)
            .open()
            .unwrap();
        if setup.fill_before_bind {
            assert_eq!(unbound.fill.fill_from(&mut pool, FILL), Ok(FILL));
        }
        let mut socket = unbound.bind(card, 0).unwrap();
        let attachment = Attachment::builder(card)
            .mode(ModeChoice::Native)
            .attach()
            .unwrap();
        let registration = socket.register(&attachment).unwrap();
        if !setup.fill_before_bind {
            assert_eq!(socket.fill.fill_from(&mut pool, FILL), Ok(FILL));
        }
        let _ = socket.fill.kick_if_needed().unwrap();
        let side = Self {
            umem,
            pool,
            socket,
            registration,
            attachment,
        };
        // Setting the program up may have taken the link away.
        admin::wait_for_carrier(card, PATIENCE).unwrap();
        if required() && setup.copy != CopyMode::Copy {
            assert!(
                side.socket.info.is_zero_copy(),
                "{}",
                side.socket.info.copy_reason()
            );
        }
        side
    }

    /// Sends packets `numbers`, and waits until all their chunks are back.
    pub(crate) fn send(&mut self, numbers: std::ops::Range<u32>) {
        let mut next = numbers.start;
        let home = self.pool.len();
        until("sending", || {
            let left = numbers.end - next;
            let umem = &self.umem;
            let mut number = next;
            let sent = self
                .socket
                .tx
                .send_each(&mut self.pool, left.min(64), |frame| {
                    umem.write(frame, &packet(number, LEN)).unwrap();
                    number += 1;
                });
            next += sent.unwrap();
            assert_eq!(next, number);
            let _ = self.socket.tx.kick_if_needed().unwrap();
            self.socket
                .completion
                .reap_into(&mut self.pool, 64)
                .unwrap();
            next == numbers.end && self.pool.len() == home
        });
    }

    /// Receives `numbers` in order, each once and as it was sent; other packets are passed over.
    pub(crate) fn receive(&mut self, numbers: std::ops::Range<u32>) {
        let mut next = numbers.start;
        until("receiving", || {
            let mut back = 0;
            for frame in self.socket.rx.receive(64).unwrap() {
                let bytes = self.umem.bytes(&frame);
                if bytes[12..14] == [0x88, 0xb5] {
                    assert_eq!(bytes[..LEN], packet(next, LEN), "packet {next}");
                    next += 1;
                }
                self.pool.put(frame);
                back += 1;
            }
            assert_eq!(self.socket.fill.fill_from(&mut self.pool, back), Ok(back));
            let _ = self.socket.fill.kick_if_needed().unwrap();
            next == numbers.end
        });
    }

    /// Every chunk is here once, or with the card, which keeps what it will receive into.
    pub(crate) fn account(&self) {
        let home: BTreeSet<u64> = self.pool.addresses().collect();
        assert_eq!(home.len(), self.pool.len(), "a chunk is here twice");
        assert_eq!(self.pool.len(), (CHUNKS - FILL) as usize);
        if let Some(census) = self.umem.census() {
            assert_eq!(
                census.pool + census.receiving,
                CHUNKS as usize,
                "{census:?}"
            );
        }
        let statistics = self.socket.info.statistics().unwrap();
        assert_eq!(statistics.rx_invalid_descs, 0, "{statistics:?}");
        assert_eq!(statistics.tx_invalid_descs, 0, "{statistics:?}");
    }

    pub(crate) fn close(self) {
        self.registration.close().unwrap();
        self.attachment.close().unwrap();
    }
}

/// What binding for zero-copy alone comes to.
pub(crate) fn forced(card: &Interface) -> Result<SocketInfo, Error> {
    let (umem, _pool) = Umem::builder().chunks(CHUNKS).build().unwrap();
    let builder = Socket::builder(&umem).copy_mode(CopyMode::ZeroCopy);
    Ok(builder.bind_wait(PATIENCE).bind(card, 0)?.info)
}
