//! Checks that a packet loop makes progress: that it receives, kicks, reaps and fills.

use super::FakeKernel;
use super::fake_kernel::Positions;
use crate::num::usize32;
use crate::ring::{Index, RingKind};
use std::error::Error;
use std::fmt;

/// Checks that a packet loop makes progress, after any traffic.
///
/// [`ChunkAudit`](super::ChunkAudit) finds no fault in a loop that never kicks, reaps or fills:
/// every chunk is in one place, and stays there. This check runs the loop in fair rounds, in which
/// the kernels do what a loop can expect: they transmit what was kicked, complete all of it, and
/// let a packet arrive at each port whose fill ring has a chunk. It sets the need-wakeup flag of
/// every TX ring, as it is in copy mode. Then every port must, within a bounded number of rounds,
/// - receive a packet that arrived in these rounds;
/// - have sent what was on its TX ring;
/// - reap what was on its completion ring;
/// - have a chunk on its fill ring that was put there in these rounds.
///
/// A loop that does one of these in two places does it as long as one of them is left.
///
/// The check knows nothing of the loop but a closure that runs one turn of it. Make one after a
/// random program of kernel steps, at its end: what the program left in the rings is what gets a
/// loop stuck.
///
/// ```
/// use xsk::test_util::{FakeKernel, Progress};
///
/// let (umem, mut pool) = xsk::Umem::builder().chunk_count(64).build()?;
/// let (kernel, mut port) = FakeKernel::new(&umem)?;
/// let mut kernels = [kernel];
/// let sent = Progress::new().check(&mut kernels, || {
///     port.completion.reap_into(&mut pool, 16)?;
///     port.fill.fill_from(&mut pool, 16)?;
///     port.rx.receive(16)?.forward(&mut port.tx)?;
///     port.tx.kick_if_needed().map(drop)
/// })?;
/// assert!(sent > 0, "it sends something");
///
/// // The same without a kick.
/// let error = Progress::new().check(&mut kernels, || {
///     port.completion.reap_into(&mut pool, 16)?;
///     port.fill.fill_from(&mut pool, 16)?;
///     port.rx.receive(16)?.forward(&mut port.tx).map(drop)
/// });
/// assert!(error.unwrap_err().to_string().contains("the loop never kicks"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "nothing is checked before `check`"]
pub struct Progress {
    packet: Option<Vec<u8>>,
    rounds: Option<u32>,
    send_only: Vec<usize>,
}

/// What a [`Progress`] check found wrong.
///
/// ```
/// use xsk::test_util::{FakeKernel, Progress, ProgressError, Stall};
///
/// let (umem, _pool) = xsk::Umem::builder().chunk_count(16).build()?;
/// let (kernel, _port) = FakeKernel::new(&umem)?;
/// let nothing = || Ok::<(), xsk::Error>(());
/// let error = Progress::new().check(&mut [kernel], nothing).unwrap_err();
/// assert!(matches!(error, ProgressError::Stalled(stalls) if stalls == [(0, Stall::NotFilled)]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum ProgressError {
    /// A turn of the loop failed.
    Turn(Box<dyn Error + Send + Sync>),
    /// Ports, by the numbers of their kernels, and why each stands still. What follows from
    /// something else that is wrong is left out.
    Stalled(Vec<(usize, Stall)>),
}

/// Why a port stands still.
///
/// ```
/// use xsk::test_util::Stall;
///
/// let stall = Stall::NotKicked { left: 3, kicks: 0 };
/// assert_eq!(
///     stall.to_string(),
///     "the loop never kicks: packets stay on the TX ring (3); see `Tx::kick_if_needed`"
/// );
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stall {
    /// Completions are not reaped.
    NotReaped {
        /// How many stay on the completion ring.
        left: u32,
    },
    /// Packets are not sent, because the loop does not kick.
    NotKicked {
        /// How many stay on the TX ring.
        left: u32,
        /// How often the loop kicked in the rounds in which it should have.
        kicks: u64,
    },
    /// Packets are not received.
    NotReceived {
        /// How many stay on the RX ring.
        left: u32,
    },
    /// The fill ring stays empty.
    NotFilled,
}

impl Progress {
    /// Makes a check in which packets of 60 bytes arrive, each with other bytes than the one before
    /// and none of them 0.
    pub fn new() -> Self {
        Self::default()
    }

    /// Has this packet arrive instead, for a loop that drops what it does not know.
    pub fn packet(mut self, packet: &[u8]) -> Self {
        self.packet = Some(packet.to_vec());
        self
    }

    /// Sets how many rounds the loop has for each of the four things that it must do; by default
    /// two for each chunk of the UMEM, and 64.
    pub fn rounds(mut self, rounds: u32) -> Self {
        self.rounds = Some(rounds);
        self
    }

    /// Says that the loop only sends on the port of `kernels[port]`: no packet arrives there, and
    /// its fill ring is not looked at.
    pub fn send_only(mut self, port: usize) -> Self {
        self.send_only.push(port);
        self
    }

    /// Runs the rounds over the kernels of all ports, each with one call of `turn`, which runs one
    /// turn of the loop. Returns how many packets the loop sent in them: what never sends, never
    /// had to kick or reap, so assert that it is not 0 if the loop should send.
    ///
    /// # Errors
    /// [`ProgressError`] if a turn fails, or with each port that stands still.
    ///
    /// # Panics
    /// If the [`packet`](Self::packet) is empty or longer than a chunk has room for.
    #[track_caller]
    pub fn check<E: Into<Box<dyn Error + Send + Sync>>>(
        self,
        kernels: &mut [FakeKernel],
        mut turn: impl FnMut() -> Result<(), E>,
    ) -> Result<u64, ProgressError> {
        let chunks = kernels.iter().map(|kernel| kernel.umem.geometry().chunk_count()).max();
        let rounds = chunks.unwrap_or(0).saturating_mul(2).saturating_add(64);
        let rounds = self.rounds.unwrap_or(rounds);
        if let Some(packet) = &self.packet {
            let fits = |kernel: &FakeKernel| packet.len() <= usize32(kernel.room());
            assert!(!packet.is_empty() && kernels.iter().all(fits), "no chunk has room for it");
        }
        for kernel in kernels.iter_mut() {
            kernel.set_need_wakeup(RingKind::Tx, true);
        }
        let mut run = Run::new(&self, kernels, rounds);
        let mut turn = || turn().map_err(|error| ProgressError::Turn(error.into()));
        let received = run.until(&mut turn, |port, now| port.left_to_receive(now))?;

        let mark = run.positions();
        let kicks_before = run.kicks();
        let sent = run.until(&mut turn, |port, now| {
            let goals = mark.get(port.number)?.tx.iter().zip(&now.tx).zip(&port.alive);
            let of_living = goals.filter(|(_, alive)| **alive);
            of_living
                .map(|(goal, _)| goal)
                .find_map(|((goal, _), (_, cursor))| left(*goal, *cursor))
        })?;
        let kicks = run.kicks();

        // What was kicked comes back before the loop's next turn.
        run.kernel_steps();
        let mark = run.positions();
        let reaped = run.until(&mut turn, |port, now| {
            left(mark.get(port.number)?.completion_cursor, now.completion_consumer)
        })?;
        let filled = run.until(&mut turn, |port, now| port.left_to_fill(now))?;

        let mut stalls = Vec::new();
        let outcomes = received.iter().zip(&sent).zip(&reaped).zip(kicks.iter().zip(&kicks_before));
        for (number, (((received, sent), reaped), (kicks, before))) in outcomes.enumerate() {
            if let Some(left) = *reaped {
                // The kernel stops at a full completion ring, so what is not sent follows from it.
                stalls.push((number, Stall::NotReaped { left }));
            } else if let Some(left) = *sent {
                let kicks = kicks.saturating_sub(*before);
                stalls.push((number, Stall::NotKicked { left, kicks }));
            }
            if let Some(left @ 1..) = *received {
                stalls.push((number, Stall::NotReceived { left }));
            }
        }
        if stalls.is_empty() {
            // Chunks that stay on another ring, of any port, cannot be on a fill ring.
            let numbers = (0..).zip(&filled).filter(|(_, left)| left.is_some());
            stalls.extend(numbers.map(|(number, _)| (number, Stall::NotFilled)));
        }
        if stalls.is_empty() { Ok(run.sent) } else { Err(ProgressError::Stalled(stalls)) }
    }
}

/// The rounds of a check.
struct Run<'a> {
    check: &'a Progress,
    kernels: &'a mut [FakeKernel],
    ports: Vec<PortState>,
    rounds: u32,
    /// Packets that the loop sent.
    sent: u64,
    /// The number of the next packet that arrives.
    packets: u64,
}

/// What a check knows of a port.
struct PortState {
    number: usize,
    send_only: bool,
    /// Where each socket's RX ring ends behind its first packet of these rounds, once that has
    /// arrived.
    first_arrived: Vec<Option<Index>>,
    /// The socket that the next packet arrives at.
    next_socket: usize,
    /// Which sockets were not dropped before the rounds.
    alive: Vec<bool>,
    /// Where the fill ring's producer was before the rounds.
    filled_before: Index,
}

impl<'a> Run<'a> {
    fn new(check: &'a Progress, kernels: &'a mut [FakeKernel], rounds: u32) -> Self {
        let state = |(number, kernel): (usize, &FakeKernel)| PortState {
            number,
            send_only: check.send_only.contains(&number),
            first_arrived: vec![None; kernel.sockets()],
            next_socket: 0,
            alive: (0..kernel.sockets()).map(|socket| kernel.is_alive(socket)).collect(),
            filled_before: kernel.positions().fill_producer,
        };
        let ports = kernels.iter().enumerate().map(state).collect();
        Self { check, kernels, ports, rounds, sent: 0, packets: 0 }
    }

    fn positions(&self) -> Vec<Positions> {
        self.kernels.iter().map(FakeKernel::positions).collect()
    }

    fn kicks(&self) -> Vec<u64> {
        self.kernels.iter().map(FakeKernel::tx_kicks).collect()
    }

    /// Runs rounds until `left` has been `None` for every port once, or they are over; returns what
    /// it is for the others.
    fn until(
        &mut self,
        turn: &mut impl FnMut() -> Result<(), ProgressError>,
        left: impl Fn(&PortState, &Positions) -> Option<u32>,
    ) -> Result<Vec<Option<u32>>, ProgressError> {
        let mut outcomes = vec![Some(0); self.ports.len()];
        for _ in 0..self.rounds {
            self.kernel_steps();
            turn()?;
            for ((outcome, port), kernel) in
                outcomes.iter_mut().zip(&self.ports).zip(&*self.kernels)
            {
                if outcome.is_some() {
                    *outcome = left(port, &kernel.positions());
                }
            }
            if outcomes.iter().all(Option::is_none) {
                break;
            }
        }
        Ok(outcomes)
    }

    /// Does what the kernels do before each turn.
    fn kernel_steps(&mut self) {
        for (port, kernel) in self.ports.iter_mut().zip(self.kernels.iter_mut()) {
            let sent = kernel.transmit_unread(u32::MAX);
            self.sent = self.sent.saturating_add(sent.into());
            kernel.complete(u32::MAX);
            if port.send_only {
                continue;
            }
            let socket = port.next_socket;
            port.next_socket = socket.wrapping_add(1).checked_rem(kernel.sockets()).unwrap_or(0);
            let arrived = if let Some(packet) = &self.check.packet {
                kernel.deliver_to(socket, packet)
            } else {
                let [.., byte] = self.packets.checked_rem(255).unwrap_or(0).to_be_bytes();
                // Never 0.
                let bytes = [byte.wrapping_add(1); 60];
                let len = bytes.len().min(usize32(kernel.room()));
                kernel.deliver_to(socket, bytes.get(..len).unwrap_or(&bytes))
            };
            self.packets = self.packets.wrapping_add(1);
            if let (true, Some(first @ None)) = (arrived, port.first_arrived.get_mut(socket)) {
                *first = kernel.positions().rx.get(socket).map(|(cursor, _)| *cursor);
            }
        }
    }
}

impl PortState {
    /// Returns how many packets are on the RX ring of a socket until the first one of these rounds is
    /// received; 0 if none has arrived.
    fn left_to_receive(&self, now: &Positions) -> Option<u32> {
        if self.send_only {
            return None;
        }
        let sockets = self.first_arrived.iter().zip(&now.rx).zip(&self.alive);
        sockets.filter(|(_, alive)| **alive).find_map(|((first, (cursor, consumer)), _)| {
            left(first.unwrap_or(*cursor), *consumer).or(first.is_none().then_some(0))
        })
    }

    /// Returns 0 unless the fill ring has a chunk that was put there in these rounds.
    fn left_to_fill(&self, now: &Positions) -> Option<u32> {
        let filled =
            now.fill_producer != self.filled_before && now.fill_producer != now.fill_cursor;
        (!filled && !self.send_only).then_some(0)
    }
}

/// Returns how far it is from `now` to `goal`, if that is not reached.
fn left(goal: Index, now: Index) -> Option<u32> {
    let distance = goal.distance_from(now);
    // A position beyond the goal is a little less than 2^32 before it.
    (1..=u32::MAX / 2).contains(&distance).then_some(distance)
}

impl fmt::Display for ProgressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Turn(error) => write!(f, "a turn of the loop failed: {error}"),
            Self::Stalled(stalls) => {
                for (at, (port, stall)) in stalls.iter().enumerate() {
                    let between = if at == 0 { "" } else { "; " };
                    write!(f, "{between}port {port}: {stall}")?;
                }
                Ok(())
            }
        }
    }
}

impl Error for ProgressError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Turn(error) => Some(&**error),
            Self::Stalled(_) => None,
        }
    }
}

impl fmt::Display for Stall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotReaped { left } => write!(
                f,
                "the loop never reaps, or too little: chunks stay on the completion ring ({left}); \
                 when it is full, the kernel sends nothing; see `Completion::reap_into`"
            ),
            Self::NotKicked { left, kicks: 0 } => write!(
                f,
                "the loop never kicks: packets stay on the TX ring ({left}); see `Tx::kick_if_needed`"
            ),
            Self::NotKicked { left, kicks } => write!(
                f,
                "the loop kicks too seldom: packets stay on the TX ring ({left}, after kicks: \
                 {kicks}); kick while there are any (see `Tx::pending`), not only after some were added"
            ),
            Self::NotReceived { left } => write!(
                f,
                "the loop never receives, or too little: packets stay on the RX ring ({left}); see \
                 `Rx::receive`"
            ),
            Self::NotFilled => write!(
                f,
                "the loop never fills: the fill ring stays empty, so no packet can arrive; see \
                 `Fill::fill_from`. Or the loop keeps all chunks, or other fill rings have them"
            ),
        }
    }
}
