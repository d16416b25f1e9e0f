//! The lifecycle of a user, phase by phase: memory, socket, program, packets, and everything
//! released.

use crate::common::{PATIENCE, packet};
use crate::random_numbers::Random;
use crate::sockets::Sockets;
use std::time::Instant;
use xsk::attach::{AttachMethod, AttachMode, Attachment, Registration};
use xsk::test_util::{Namespace, VethPair};
use xsk::{CopyMode, Frame, FramePool, Interface, Result, Socket, Umem};

/// The phase that is under way. A victim writes its letter when the phase begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// The process starts; it has written nothing yet.
    Start,
    Namespace,
    Memory,
    Bind,
    Attach,
    Register,
    Traffic,
    Unregister,
    Detach,
    Close,
    Teardown,
}

impl Phase {
    /// All phases that a victim writes.
    pub(crate) const ALL: [Self; 10] = [
        Self::Namespace,
        Self::Memory,
        Self::Bind,
        Self::Attach,
        Self::Register,
        Self::Traffic,
        Self::Unregister,
        Self::Detach,
        Self::Close,
        Self::Teardown,
    ];

    /// A control character, which no test harness prints.
    pub(crate) fn letter(self) -> u8 {
        14 + self as u8
    }

    pub(crate) fn of_letter(letter: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.letter() == letter)
    }

    pub(crate) fn group(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Traffic => "traffic",
            phase if phase < Self::Traffic => "set-up",
            _ => "teardown",
        }
    }
}

/// Where and how a user works.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) interface: &'a Interface,
    pub(crate) queue: u32,
    pub(crate) method: AttachMethod,
    pub(crate) mode: AttachMode,
    /// Whether there are three sockets on the queue, or one.
    pub(crate) three: bool,
}

/// A user that has everything set up.
pub(crate) struct User {
    pub(crate) umem: Umem,
    pub(crate) pool: FramePool,
    pub(crate) sockets: Sockets,
    /// The first is that of the queue.
    pub(crate) slots: Vec<Registration>,
    pub(crate) attachment: Attachment,
}

impl Place<'_> {
    /// Sets everything up, in one of two orders, in the interface's namespace.
    pub(crate) fn start(
        &self,
        program_first: bool,
        report: &mut impl FnMut(Phase),
    ) -> Result<User> {
        report(Phase::Memory);
        let (umem, mut pool) = Umem::builder().chunk_count(256).build()?;
        let attach = |report: &mut dyn FnMut(Phase)| {
            report(Phase::Attach);
            let builder = Attachment::builder(self.interface);
            builder.method(self.method).mode(self.mode).attach()
        };
        let early = if program_first { Some(attach(report)?) } else { None };
        report(Phase::Bind);
        // On a machine with far too much to do, the kernel released a queue only after 9 s; the
        // default timeout is 2 s.
        let builder = Socket::builder(&umem).copy_mode(CopyMode::Copy).bind_timeout(PATIENCE);
        let builder = builder.rx_size(128).tx_size(64).fill_size(128).completion_size(64);
        let mut socket = builder.bind(self.interface, self.queue)?;
        socket.fill.fill_from(&mut pool, 128)?;
        let sockets = if self.three { Sockets::three(socket)? } else { Sockets::One(socket) };
        let attachment = match early {
            Some(attachment) => attachment,
            None => attach(report)?,
        };
        report(Phase::Register);
        let slots = sockets.register(self.queue, &attachment)?;
        Ok(User { umem, pool, sockets, slots, attachment })
    }

    /// Runs a whole lifecycle, of one socket or of three, with a namespace and a cable of its own that are named by `number`.
    pub(crate) fn run(
        &self,
        random: &mut Random,
        number: u64,
        report: &mut impl FnMut(Phase),
    ) -> Result<()> {
        report(Phase::Namespace);
        let (here, there) = (Namespace::current()?, Namespace::new()?);
        let cable = VethPair::builder().names(format!("own{number}"), "far");
        let cable = cable.build(&here, &there)?;
        let place = Place { three: random.below(2) == 0, ..*self };
        let mut user = place.start(random.below(2) == 0, report)?;
        report(Phase::Traffic);
        user.receive(200 + random.below(1800) as u64);
        report(Phase::Unregister);
        for slot in user.slots {
            slot.close()?;
        }
        report(Phase::Detach);
        user.attachment.close()?;
        report(Phase::Close);
        drop((user.sockets, user.pool, user.umem));
        report(Phase::Teardown);
        drop((cable, there, here));
        Ok(())
    }
}

impl User {
    /// Gives everything up, the slots and the program first.
    pub(crate) fn end(self) {
        for slot in self.slots {
            slot.close().unwrap();
        }
        self.attachment.close().unwrap();
    }

    /// Receives `count` packets and sends one for each.
    #[track_caller]
    pub(crate) fn receive(&mut self, count: u64) {
        let start = Instant::now();
        let mut received = 0;
        while received < count {
            assert!(
                start.elapsed() < PATIENCE,
                "nothing received after {received} packets: {:?}",
                self.attachment
            );
            received += self.turn();
        }
    }

    /// Receives the packets that are there, and returns how many.
    pub(crate) fn turn(&mut self) -> u64 {
        let Self { umem, pool, sockets, .. } = self;
        sockets.reap_into(pool);
        let mut count = 0;
        sockets.each_batch(|batch| {
            for frame in batch {
                assert_eq!(umem.bytes(&frame).len(), 60);
                pool.put(frame);
                count += 1;
            }
        });
        let mut left: u32 = count;
        sockets.each_tx(|tx, senders| {
            let share = left.div_ceil(senders);
            let write = |frame: &mut Frame| umem.write(frame, &packet(share, 60)).unwrap();
            left -= tx.send_each(pool, share, write).unwrap();
            tx.kick_if_needed().unwrap();
        });
        let fill = sockets.fill();
        fill.fill_from(pool, 64).unwrap();
        fill.kick_if_needed().unwrap();
        if count == 0 {
            std::thread::yield_now();
        }
        u64::from(count)
    }
}
