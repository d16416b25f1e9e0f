//! AF_XDP sockets in pure Rust: the kernel's fastest interface for raw packets that works with any
//! network card, with no libbpf, no libxdp, no C compiler, and no file needed at run time.
//!
//! # How a packet travels
//!
//! Packets live in a [`Umem`]: memory cut into equal *chunks*, shared with the kernel. Four rings
//! move chunks between you and the kernel, and nothing is copied on your side:
//!
//! ```text
//!          ┌─ fill ───────▶ kernel ──▶ a packet is written into a chunk ─▶ rx ──┐
//!   pool ──┤                                                                    ├─▶ your code
//!          └─ completion ◀─ kernel ◀── a packet has left its chunk ◀────── tx ◀─┘
//! ```
//!
//! - [`Fill`] gives the kernel empty chunks; [`Rx`] brings them back with packets in them;
//! - [`Tx`] gives it packets to send; [`Completion`] brings their chunks back;
//! - a [`Frame`] is a chunk in your hands. There is never more than one for a chunk, so the bytes
//!   that [`Umem::bytes_mut`] shows are yours alone, and no `unsafe` is needed for anything here;
//! - a [`FramePool`] holds the chunks that are free.
//!
//! Packets come to a socket only if an XDP program on its interface sends them there.
//! [`Attachment`] attaches this crate's program (or joins it where it is attached already, or uses
//! yours), and [`Socket::register`] puts the socket into its map. Sending needs no program. That program
//! takes all packets of a queue; a [`bpf::Filter`] takes some, and leaves the rest to the kernel.
//!
//! # A forwarder
//!
//! [`Port`] keeps the memory, the pool and the socket of one queue together; the parts are public.
//!
//! ```no_run
//! use std::time::Duration;
//! use xsk::{Attachment, Interface, Port, wait};
//! # fn rewrite(_: &mut [u8]) {}
//!
//! # fn main() -> xsk::Result<()> {
//! const BURST: u32 = 64;
//! let interface = Interface::by_name("eth1")?;
//! let mut port = Port::open(&interface, 0)?;
//! let program = Attachment::builder(&interface).attach()?;
//! let _registration = port.socket.register(&program)?;
//! println!("{} mode: {}", program.mode(), program.reason());
//!
//! loop {
//!     let Port { umem, pool, socket, .. } = &mut port;
//!     let mut out = socket.tx.reserve(BURST)?;
//!     let mut received = 0;
//!     for mut frame in socket.rx.receive(BURST)? {
//!         rewrite(umem.bytes_mut(&mut frame));
//!         // Full: drop the packet, keep the chunk.
//!         if let Err(frame) = out.push(frame) {
//!             pool.put(frame);
//!         }
//!         received += 1;
//!     }
//!     drop(out); // submits the batch: one release store
//!     port.service(BURST)?; // wakes the kernel; completions to the pool; chunks to the fill ring
//!     if received == 0 && wait(&[&port.socket.rx], Some(Duration::from_millis(100)))? == 0 {
//!         port.socket.handle.check()?; // an error if the interface is gone: that wakes no sleeper
//!     }
//! }
//! # }
//! ```
//!
//! Several sockets may share one [`Umem`]: frames received on one are sent on another.
//!
//! # Examples
//!
//! Programs to copy from, in the repository. They wait while a link is down, end with an error if an
//! interface is removed, and detach their programs on Ctrl-C and SIGTERM:
//!
//! - `examples/forward.rs` forwards between two interfaces, both ways, over one UMEM;
//! - `examples/echo.rs` is a UDP echo with an XDP program of its own, beside the kernel's stack;
//! - `examples/every_second.rs` replies to every second ping: the xdp-tutorial's exercise;
//! - `examples/sample.rs` looks at one packet in N;
//! - `examples/flow_hash.rs` gives each flow to one of N sockets, by a program of its own;
//! - `examples/filter.rs` takes what an expression of the tcpdump language says, and leaves the rest
//!   to the kernel;
//! - `examples/drop_list.rs` drops what comes from 100,000 prefixes, which change while it runs;
//! - `examples/per_queue.rs` has a thread for each queue;
//! - `examples/jumbo.rs` receives jumbo frames, in packets of several frames;
//! - `examples/jumbo_forward.rs` forwards them between two interfaces, without a copy;
//! - `examples/tx_times.rs` prints when each packet was sent;
//! - `examples/steer.rs` takes one UDP port out of a card's traffic, by a rule of the card;
//! - `examples/receive.rs` receives and drops: the README's program;
//! - `examples/metadata.rs` prints what the card knows of each received packet;
//! - `examples/workers.rs` has several threads for one queue, each of which serves whole flows;
//! - `examples/restart.rs` is started anew beside the process that runs, without a gap;
//! - `examples/worker_without_rights.rs` is a helper with privileges and a worker without any.
//!
//! # Threads
//!
//! The parts of a socket are separate values and move between threads; so do frames and pools. No
//! lock is needed anywhere:
//!
//! - *A thread for each queue*, each with a [`Umem`] and a socket of its own; all sockets are
//!   registered with one [`Attachment`]. [`MultiQueue`] opens them all in one call
//!   (`examples/per_queue.rs`).
//! - *Several threads for one queue*, each with a socket of its own on it ([`Socket::share_queue`],
//!   [`bpf::Spread`]). One more thread owns the fill and the completion ring; the others send it
//!   the chunks that are free again, a [`FramePool`] for each burst, by a channel
//!   (`examples/workers.rs`).
//! - *Two threads* for a forwarder: one for each direction. Of two sockets a and b of one UMEM, the
//!   one from a to b owns `a.rx`, `a.fill`, `b.tx`, `b.completion` and a pool of its own. Chunks go
//!   round from the pool through these four rings and back, so that neither direction takes those of
//!   the other. The type `Lane` of `examples/forward.rs` is such a direction.
//! - *Four threads*: each direction is cut in two, where a channel ([`std::sync::mpsc`]) carries the
//!   frames. One thread owns `a.rx`, `a.fill` and the pool, the other one `b.tx` and `b.completion`;
//!   a second channel carries the frames of sent packets back to the pool. This pays only if much is
//!   done to each packet.
//!
//! ```no_run
//! use xsk::{Completion, Fill, FramePool, Interface, Kick, Rx, Socket, Tx, Umem, wait};
//!
//! // A lane ends when a link goes down; those of the example wait.
//! # fn main() -> xsk::Result<()> {
//! let (umem, mut pool_a) = Umem::builder().build()?;
//! let mut pool_b = pool_a.split_off(pool_a.len() / 2);
//! let open = |name, pool: &mut FramePool| {
//!     let mut socket = Socket::builder(&umem).open()?;
//!     socket.fill.fill_from(pool, 1024)?;
//!     Ok::<_, xsk::Error>(socket.bind(&Interface::by_name(name)?, 0)?)
//! };
//! let (a, b) = (open("eth1", &mut pool_a)?, open("eth2", &mut pool_b)?);
//! // ... attach, and register both ...
//! std::thread::scope(|scope| {
//!     let thread = scope.spawn(|| lane(a.rx, a.fill, b.tx, b.completion, pool_a));
//!     lane(b.rx, b.fill, a.tx, a.completion, pool_b)?;
//!     thread.join().unwrap()
//! })
//! # }
//!
//! fn lane(mut rx: Rx, mut fill: Fill, mut tx: Tx, mut completion: Completion, mut pool: FramePool)
//!     -> xsk::Result<()>
//! {
//!     loop {
//!         completion.reap_into(&mut pool, 64)?;
//!         fill.fill_from(&mut pool, 64)?;
//!         // What the TX ring has no room for stays in the RX ring.
//!         let forwarded = rx.receive(64)?.forward(&mut tx)?;
//!         fill.kick_if_needed()?;
//!         // One wake-up sends 32 packets at the most, and ends at one that the device drops.
//!         while tx.pending() > 0 && matches!(tx.kick_if_needed()?, Kick::Again | Kick::Busy) {
//!             if completion.reap_into(&mut pool, 64)? == 0 {
//!                 break;
//!             }
//!         }
//!         if forwarded == 0 {
//!             wait(&[&rx], Some(std::time::Duration::from_millis(100)))?;
//!         }
//!     }
//! }
//! ```
//!
//! # Whole batches
//!
//! Where the loop above is too slow, move whole batches: unseen ([`RxBatch::recycle`],
//! [`RxBatch::forward`], [`Tx::send_from`], [`CompletionBatch::recycle`]), or with a closure that
//! sees each frame ([`RxBatch::recycle_each`], [`RxBatch::forward_each`], [`Tx::send_each`]). The
//! former takes a quarter to two thirds of the loop's instructions, the latter two thirds. Where some
//! packets are sent and others dropped or kept, the closure of [`RxBatch::route_each`] decides.
//!
//! # Several sockets over one memory
//!
//! | what | how | what it costs |
//! |---|---|---|
//! | sockets of several queues and interfaces, each with a mode of its own | [`Socket::builder`] over one [`Umem`] for each | The kernel pins the memory, and counts it against `RLIMIT_MEMLOCK`, once for each. In zero-copy mode a card maps it once for each queue. Works with every kernel |
//! | the same over one registration (5.10) | [`SocketHandle::share_memory`] | Pinned and counted once; a card, or its IOMMU, maps it once for each device. The mode is that of the first socket |
//! | several sockets on one queue | [`Socket::share_queue`], [`SharedQueue::add_socket`] | They share the fill and the completion ring, which one thread at a time may use, and a program of your own or [`bpf::Spread`] says which socket gets a packet. Some instructions more for each batch ([`socket::SharedRx`], [`socket::SharedCompletion`]) |
//!
//! Sockets over one registration are all for packets of one frame, or all for packets of several
//! ([`multi_buffer`](socket::SocketBuilder::multi_buffer)).
//!
//! In each case a packet that one socket received can be sent by another one without a copy: a frame
//! belongs to the UMEM, not to a socket. The chunk comes back by the completion ring of the queue
//! that sent it, whichever of the queue's sockets it was. Sockets may end in any order; what lay in
//! the rings of one is lost until the UMEM ends, as always.
//!
//! ```no_run
//! use xsk::{Attachment, Interface, Socket, Umem};
//!
//! # fn main() -> xsk::Result<()> {
//! let (umem, mut pool) = Umem::builder().chunk_count(16_384).build()?;
//! let (eth1, eth2) = (Interface::by_name("eth1")?, Interface::by_name("eth2")?);
//! let mut unbound = Socket::builder(&umem).open()?;
//! unbound.fill.fill_from(&mut pool, 4096)?;
//! let mut a = unbound.bind(&eth1, 0)?;
//! let mut unbound = a.handle.share_memory().open()?; // the memory is registered and pinned already
//! unbound.fill.fill_from(&mut pool, 4096)?;
//! let mut b = unbound.bind(&eth2, 0)?;
//! let (on_eth1, on_eth2) =
//!     (Attachment::builder(&eth1).attach()?, Attachment::builder(&eth2).attach()?);
//! let _registrations = [a.register(&on_eth1)?, b.register(&on_eth2)?];
//! loop {
//!     b.completion.reap(64)?.recycle(&mut a.fill)?;
//!     a.rx.receive(64)?.forward(&mut b.tx)?; // from eth1 to eth2, without a copy
//!     b.tx.kick_if_needed()?;
//!     a.fill.kick_if_needed()?;
//! }
//! # }
//! ```
//!
//! # Packets of several frames
//!
//! A packet that is longer than a chunk has room for, such as a jumbo frame of 9000 bytes, comes in
//! several chunks to a [`PacketSocket`] (6.6), made by
//! [`multi_buffer`](socket::SocketBuilder::multi_buffer). Its [`Packet`]s have one [`Frame`] or more,
//! and are received and sent whole. In native mode the program has to be one for such packets, too
//! ([`AttachmentBuilder::frags`](attach::AttachmentBuilder::frags), 5.18; one that was joined is as it is:
//! [`Attachment::frags`]), and the interface needs an MTU for them (`ip link set dev eth1 mtu 9000`).
//! [`PacketSocket`] has an example on a real interface; this one needs no root, but the feature
//! `test-util`:
//!
//! ```
//! use xsk::Umem;
//! use xsk::test_util::{FakeKernel, FakeRings};
//!
//! // As `Socket::builder(&umem).multi_buffer()`, with a kernel that needs no root.
//! let (umem, mut pool) = Umem::builder().chunk_count(64).build()?;
//! let (mut kernel, mut socket) = FakeKernel::multi_buffer(&umem, FakeRings::default())?;
//! socket.fill.fill_from(&mut pool, 32)?;
//! kernel.deliver(&[7; 9000]);
//!
//! // Sends back what comes, with a byte of the first frame changed.
//! let mut out = socket.tx.reserve(64)?;
//! for mut packet in socket.rx.receive(16)? {
//!     assert_eq!((packet.len(), packet.frames().len()), (9000, 3));
//!     assert_eq!(umem.packet_bytes(packet.frames()).to_vec(), [7; 9000]);
//!     if let Some(first) = packet.frames_mut().first_mut() {
//!         umem.bytes_mut(first)[0] = 8;
//!     }
//!     // Full, or more frames than a packet can have: drop the packet, keep the chunks.
//!     if let Err(refused) = out.push(packet) {
//!         pool.extend(refused.packet);
//!     }
//! }
//! // And one of its own.
//! if let Some(mut packet) = pool.take_packet(5000) {
//!     umem.write_packet(packet.frames_mut(), &[9; 5000])?;
//!     if let Err(refused) = out.push(packet) {
//!         pool.extend(refused.packet);
//!     }
//! }
//! drop(out); // submits the batch
//! socket.tx.kick_if_needed()?;
//! let sent: Vec<usize> = std::iter::from_fn(|| kernel.transmit()).map(|sent| sent.len()).collect();
//! assert_eq!(sent, [9000, 5000]);
//! kernel.complete(u32::MAX);
//! assert_eq!(socket.completion.reap_into(&mut pool, 64)?, 5); // chunks, not packets
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! All calls that count packets count whole ones ([`PacketRx::receive`](socket::PacketRx::receive),
//! [`PacketBatch`](socket::PacketBatch)); rings, pools and completions count chunks. Where whole
//! batches are moved unread ([`recycle`](socket::PacketBatch::recycle),
//! [`forward`](socket::PacketBatch::forward)), packets of one frame cost about what frames cost. A
//! packet for which there are too few chunks or ring entries is dropped whole, and counted; but in
//! zero-copy mode before 6.18.17 a full RX ring could cut one ([`PacketRx`](socket::PacketRx)).
//!
//! `reserve` counts slots, one for each frame ([`Umem::frames_for`] says how many a packet takes);
//! `receive` counts packets. `examples/jumbo_forward.rs` forwards between two interfaces.
//!
//! # Where the chunks are
//!
//! When all that was received and sent has come back, each chunk is in a pool or in a fill ring:
//! `pool.len() + fill.pending()`, over all pools and fill rings of the UMEM, is
//! [`chunk_count`](Umem::chunk_count), less some that the kernel keeps for the next packets where an RX
//! ring was full. If it gets less and less, frames are dropped: [`Umem::lost_chunks`] counts them. In
//! debug builds and with the feature `ledger`, [`Umem::first_loss`] shows where, and
//! [`Umem::chunk_counts`] counts what is where.
//!
//! # What the card knows of a packet
//!
//! Drivers tell an XDP program of a received packet its timestamp, the hash by which it came to its
//! queue, and the VLAN tag that the card took out (6.3). [`bpf::MetadataProgram`] is a program that
//! writes these before each packet, assembled here, and [`Rx::with_metadata`] reads them:
//!
//! ```no_run
//! use xsk::bpf::{MetadataProgram, XskMap};
//! use xsk::{Attachment, Interface, Port, attach::AttachMode};
//!
//! # fn main() -> xsk::Result<()> {
//! let interface = Interface::by_name("eth1")?;
//! let Port { umem, mut pool, socket, .. } = Port::open(&interface, 0)?;
//! let map = XskMap::create(XskMap::DEFAULT_NAME, interface.queues()?.rx)?;
//! let metadata = MetadataProgram::load(&map, interface.index())?;
//! let builder = Attachment::builder(&interface).mode(AttachMode::Native).take_over(true);
//! let attachment = builder.program(metadata.program()?, map).attach()?;
//! let _registration = socket.register(&attachment)?;
//! let mut rx = socket.rx.with_metadata(&metadata, 0)?;
//! for (frame, metadata) in rx.receive(64)? {
//!     let hash = metadata.and_then(|metadata| metadata.hash.known());
//!     println!("{} bytes, hash {hash:?}", umem.bytes(&frame).len());
//!     pool.put(frame);
//! }
//! # Ok(()) }
//! ```
//!
//! Each property is [`Known`](packet::Property), or not of this packet, or the driver does not report
//! it at all. The record of an earlier packet in the same chunk is never taken for that of a packet that
//! came past the program ([`socket::MetadataRx`]). A socket without it pays nothing.
//!
//! # Chunks of any size
//!
//! Chunks have 2048 or 4096 bytes (a power of two up to the page size), and those that are
//! [`unaligned`](umem::UmemBuilder::unaligned) (5.4) any number of bytes between. 3072, say, have room
//! for a packet of 1514 bytes and much before it, and 4096 chunks of them take 12 MiB, not 16:
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (umem, mut pool) = xsk::Umem::builder().chunk_size(3072).unaligned().build()?;
//! assert_eq!((umem.chunk_count(), pool.len()), (4096, 4096));
//! let (mut one, next) = (pool.take().ok_or("empty")?, pool.take().ok_or("empty")?);
//! assert_eq!((one.address(), next.address()), (0, 3072));
//! umem.write(&mut one, &[7; 1514])?;
//! one.advance(14)?;
//! assert_eq!((one.address(), umem.bytes(&one).len()), (14, 1500));
//! # pool.extend([one, next]);
//! # Ok(()) }
//! ```
//!
//! Nothing else changes for a program: frames, pools, rings and sharing work as with aligned
//! chunks. If the size is no power of two, chunks cross pages, which a card cannot take: sockets
//! are in copy mode ([`CopyReason::CrossesPages`](socket::CopyReason::CrossesPages)).
//!
//! # What the card does for a packet that is sent
//!
//! A packet can go with requests (6.8): to compute a checksum, to write down when it was sent, to send it
//! at a given time (6.15). The packet memory keeps 24 bytes before each frame for them
//! ([`tx_metadata`](umem::UmemBuilder::tx_metadata)), and the rings are taken for it by
//! [`Tx::with_metadata`]:
//!
//! ```no_run
//! use xsk::packet::TxMetadata;
//! use xsk::{Interface, Socket, Umem};
//!
//! # fn udp_packet() -> Vec<u8> { Vec::new() }
//! # fn main() -> xsk::Result<()> {
//! let (umem, mut pool) = Umem::builder().tx_metadata().build()?;
//! let socket = Socket::builder(&umem).tx_only().bind(&Interface::by_name("eth1")?, 0)?;
//! let (mut tx, mut completion) = socket.tx.with_metadata(socket.completion)?;
//! if let Some(mut frame) = pool.take() {
//!     umem.write(&mut frame, &udp_packet())?;
//!     // The sum of the pseudo-header is written into the packet; the card does the rest.
//!     let asked = TxMetadata::for_transport(umem.bytes_mut(&mut frame)).unwrap_or_default();
//!     if let Err(refused) = tx.reserve(1)?.push_with(frame, asked.timestamp()) {
//!         eprintln!("{refused}");
//!         pool.put(refused.frame);
//!     }
//! }
//! tx.kick_if_needed()?;
//! for (frame, sent) in completion.reap(64)? {
//!     println!("sent: {sent:?}"); // in nanoseconds, and of which clock
//!     pool.put(frame);
//! }
//! # Ok(()) }
//! ```
//!
//! In copy mode the kernel sees to times whatever the driver has, and to checksums before a device that
//! computes none (on a virtio card both only since 6.18). A veth passes unfinished checksums on, as it does
//! those of its own stack: a socket or a program at its other end sees them so, unless the memory is one
//! with [`software_checksum`](umem::UmemBuilder::software_checksum). In zero-copy mode [`Interface::xdp_features`] reports what the card does, and what
//! it does not is refused, or its time is `None`. A request that the kernel would
//! refuse for ever, and a time of an earlier packet, cannot be.
//!
//! # Which packets come to a queue, and what happens to the device
//!
//! A card spreads its packets over its queues by flow rules and a hash. [`Interface`] reads and sets both, and how
//! many queues and how large rings the card has, with guards that undo what they did: [`interface::FlowRule`],
//! [`Interface::keep_queue_out`], [`Interface::set_channels`], [`Interface::set_ring_sizes`]:
//!
//! ```no_run
//! use xsk::{Interface, interface::FlowRule};
//!
//! # fn main() -> xsk::Result<()> {
//! let eth1 = Interface::by_name("eth1")?;
//! let _table = eth1.keep_queue_out(3)?; // only rules bring packets to queue 3
//! let rule = eth1.add_rule(&FlowRule::udp_v4().destination_port(4789).to_queue(3))?;
//! // ... a socket on queue 3 ...
//! rule.remove()?;
//! # Ok(()) }
//! ```
//!
//! [`Interface::watch`] reports that the interface goes down, loses its carrier, is removed, renamed or moved, gets other
//! queues or another program, each as a typed event, by one descriptor that [`wait`](fn@wait) takes beside sockets.
//! [`Interface::driver`], [`Interface::xdp_features`] and [`Interface::queue_states`] say what a device can do,
//! [`Interface::xdp_sockets`] whose sockets are on it.
//!
//! # Interrupts, busy polling and latency
//!
//! [`Interface::set_napi`] sets when the interrupts of a queue are switched on again, until its guard
//! is dropped; [`SocketHandle::set_busy_poll`] has the socket's own calls take packets from the queue,
//! and [`SocketHandle::busy_poll_effect`] returns whether they have something to poll: not in Linux 6.13, and
//! since 6.14 only with drivers that name the NAPI instances of their queues, which a veth does not. Even then
//! an interrupt may take the packets first, unless interrupts are deferred and polling is preferred.
//! [`NapiProfile`](socket::NapiProfile) sets both for throughput or for latency:
//!
//! ```no_run
//! use xsk::socket::NapiProfile;
//! use xsk::{Attachment, Interface, Port};
//!
//! # fn main() -> xsk::Result<()> {
//! let interface = Interface::by_name("eth1")?;
//! let port = Port::open(&interface, 0)?;
//! let program = Attachment::builder(&interface).attach()?;
//! let _registration = port.socket.register(&program)?;
//! // After binding and attaching: some drivers make their NAPI instances anew then.
//! let profile = NapiProfile::Latency.apply(&interface, &port.socket.handle)?;
//! println!("{}; {}", profile.profile(), port.socket.handle.busy_poll_effect()?);
//! # Ok(()) }
//! ```
//!
//! # Glossary
//!
//! | word | meaning |
//! |---|---|
//! | UMEM | the packet memory that a program shares with the kernel: [`Umem`] |
//! | chunk | a slot of the UMEM, of a fixed size; *aligned* chunks begin at multiples of a size that is a power of two, *unaligned* ones have any size |
//! | frame | the owned handle to one chunk and to the packet's bytes in it: [`Frame`] |
//! | packet | what comes or goes at once: one frame, or several of a [`PacketSocket`] ([`Packet`]) |
//! | pool | a stack of free chunks of one UMEM: [`FramePool`] |
//! | ring | entries in memory shared with the kernel, in order: one side writes them, the other takes them |
//! | queue | one of the network card's receive or transmit queues, never a ring |
//! | fill ring | chunks for the kernel to receive into: [`Fill`] |
//! | RX ring | received packets: [`Rx`] |
//! | TX ring | packets to send: [`Tx`] |
//! | completion ring | chunks whose packets were sent: [`Completion`] |
//! | multi-buffer, frags, fragments | the kernel's words for packets of several frames: [`multi_buffer`](socket::SocketBuilder::multi_buffer) for a socket, [`frags`](attach::AttachmentBuilder::frags) for a program; each frame is an entry of the rings |
//! | reserve, submit | to take free slots of a ring, and to hand the written ones over to the kernel (here: when the batch is dropped) |
//! | peek, release | to see the entries of a ring, and to hand the taken ones back to the kernel (here: when the batch is dropped) |
//! | need-wakeup | a flag by which the kernel says that it sleeps until it is woken by a system call, a *kick*: [`Tx::kick_if_needed`], [`Fill::kick_if_needed`] |
//! | headroom | bytes that the kernel leaves free before a received packet, besides its own 256 |
//! | native, generic mode | an XDP program runs in the driver, before the kernel has made an skb of the packet, or in the network stack, after it has: [`XdpMode`] |
//! | copy, zero-copy mode | the kernel copies packets between its buffers and the UMEM, or the card reads and writes the UMEM itself: [`CopyMode`] |
//! | partial checksum | one that the sender left to its card: the field holds the sum of the pseudo-header alone ([`packet`]) |
//!
//! A number in brackets, as in "(5.9)", is the first version of Linux that has a feature.
//!
//! # What it needs
//!
//! - Linux: 5.10 is the oldest version that is tested; Rust 1.85. (5.10 before 5.10.37, 5.11, and
//!   5.12 before 5.12.5 refuse to send a packet that ends exactly where its chunk ends, and keep
//!   the chunk: `xp_aligned_validate_desc` of net/xdp/xsk_buff_pool.c.)
//! - an interface that is up; `CAP_NET_RAW` to open a socket; `CAP_BPF` and `CAP_NET_ADMIN` to load
//!   and attach the program (`CAP_SYS_ADMIN` before 5.8); `CAP_SYS_ADMIN` to join a program that
//!   another process attached. A process without any of these can do the rest with what another
//!   one hands over: [`handover`];
//! - `RLIMIT_MEMLOCK` above the size of the packet memory (32 MiB for [`Port::open`]), or
//!   `CAP_IPC_LOCK`;
//! - a socket for each queue whose packets you want ([`MultiQueue`]): the card spreads its packets over
//!   its queues ([`Interface::queues`]); [`Interface::set_channels`]
//!   changes their number, [`Interface::add_rule`] steers packets;
//! - packets that fit a chunk, or a [`PacketSocket`]: to any other socket one that is longer than the
//!   chunk size less 256 less the headroom does not come, and [`Statistics::rx_dropped`] counts it.
//!
//! # What is not supported
//!
//! - packets of several frames for several sockets on one queue, or with what the card knows of a
//!   packet; [`Port`] has packets of one frame;
//! - cutting packets: a card cuts none for a socket. What arrives through a veth pair may lack its
//!   checksum: see [`packet`];
//! - TX metadata of packets of several frames, and on a queue with several sockets;
//! - what the card knows of a packet, on a queue with several sockets;
//! - sending at a rate: a loop of one's own has to wait;
//! - bonds in native mode, which is refused ([`Error::NativeBond`]): the packets belong to the
//!   members. Bind to those ([`Interface::members`]), or attach in generic mode, which is what
//!   [`AttachMode::Auto`] does there.
//!
//! # What each mode costs, and what it changes on the interface
//!
//! | mode | what it costs and changes |
//! |---|---|
//! | native | A driver may reset the card when the first program comes and when the last one goes: the link is down for up to seconds, and what is sent meanwhile is lost ([`InterfaceInfo::carrier`](interface::InterfaceInfo::carrier)). While a program is attached most drivers limit the MTU and switch LRO off; a veth switches the segmentation offloads (TSO) of its *peer* off; a virtio card takes queues for the program away. |
//! | generic | Works with every interface, at about a third of the speed: the kernel has made an skb of each packet before. GRO joins packets before the program sees them, so that they are longer than the MTU and do not fit a chunk: `ethtool -K eth1 gro off lro off`. On a veth the peer's transmit queue n arrives as receive queue n - 1 (and 0 as 0), because the stack records queues from 1 on. |
//! | copy | Works with every driver. The kernel copies each packet. Sending passes the queueing discipline (`tc`) by, and one wake-up takes 32 descriptors: 32 packets of one frame, ten of three. |
//! | zero-copy | The card reads and writes the UMEM, without a copy. The queue is the socket's alone: packets that the program passes on to the kernel's stack are copied, which is dear. The driver may go on writing into the UMEM for some 20 ms after the socket is closed. |
//!
//! Whatever the mode: the packets of the queue do not reach the kernel's stack while a socket is in
//! the queue's slot, ARP and ssh included. As soon as the slot is empty they all do. `tcpdump` on
//! the same interface sees neither what a socket receives nor what it sends.
//!
//! A packet comes as the card, or the peer of a virtual interface, hands it over:
//! - *Checksums.* A local sender leaves the checksums of TCP and UDP to the card. Through a veth,
//!   there is none: the peer's packets come with half a checksum, which a program that forwards or
//!   returns them has to finish ([`packet::finish_checksum`]), or the peer has to compute
//!   (`ethtool -K PEER tx off`).
//! - *VLAN tags.* Cards and veths with `rxvlan` take the tag out of the packet before a program
//!   sees it, and AF_XDP has no field for it: `ethtool -K eth1 rxvlan off` (of a veth, its peer's
//!   `txvlan off`).
//! - *Addresses.* A card drops packets for other addresses: `ip link set dev eth1 promisc on`.
//! - *Headers.* Not every interface has Ethernet headers
//!   ([`has_ethernet_header`](interface::InterfaceInfo::has_ethernet_header)).
//!
//! # What ends when
//!
//! | this ends | then |
//! |---|---|
//! | a [`Registration`] or [`MapSlot`](attach::MapSlot) | its slot is empty: packets of the queue go to the kernel's stack. `let _ = socket.register(..)` ends it at once |
//! | the last part of a socket, its registration among them | the kernel lets go of the queue, some 20 ms later: a new socket waits for that ([`bind_timeout`](socket::SocketBuilder::bind_timeout)). Chunks in its rings are lost until the UMEM ends |
//! | the last [`Attachment`], clone or registration of the last user | the program is detached |
//! | the last [`Umem`], frame pool and socket | the packet memory is unmapped |
//! | the interface | sockets are unbound for good, without waking a sleeper: [`SocketHandle::check`]; a program attached by netlink stays on an interface that was moved to another namespace |
//! | the link goes down and comes back | sockets stay bound, the program stays attached; wake-ups fail with `ENETDOWN` meanwhile ([`Error::is_down`]), and what is in the TX ring is sent afterwards |
//!
//! # Fork, exec and threads
//!
//! Only the process that made them uses sockets, frames and attachments. A forked child has copies
//! that do nothing when they are dropped; its view of packet memory reads as zeros (of huge pages and
//! rings there is none: it must not touch them). Become a daemon first, then make sockets. While a
//! child lives without `execve(2)`, it keeps the descriptors open, and with them the queue and the
//! program; after `execve(2)` none of them is left. All parts of a socket are `Send`: each may go to
//! a thread of its own.
//!
//! # Attaching, and what a kill leaves behind
//!
//! By [`AttachMethod::Netlink`] the program *stays* if the process is killed; the default one passes
//! every packet to the kernel's stack then, and one of your own, or a filter, goes on to drop what it
//! drops. The next start takes it over, which needs `CAP_SYS_ADMIN`, and for any but the default one
//! [`AttachmentBuilder::take_over`](crate::attach::AttachmentBuilder::take_over). By
//! [`AttachMethod::Link`] (5.9) the kernel detaches it. The default is what is there already; else
//! netlink, or a link for a process without `CAP_SYS_ADMIN`. When the last user ends in an orderly way,
//! it is detached in both cases. A program that something else attached is never replaced unless
//! you say so, and never detached; [`Interface::programs`] says what it is, libxdp's dispatcher and
//! the programs of its chain included, and so does the error.
//!
//! A process is *killed* here if it ends without dropping its [`Attachment`]: by `SIGKILL`, by a
//! signal that it does not handle, by `std::process::exit`, or by a panic with `panic = "abort"`.
//!
//! # What is an error and what is not
//!
//! A full or empty ring is no error: calls return how many entries they moved, or give the frame
//! back. `EAGAIN`, `EBUSY`, `ENOBUFS` and `ENOMEM` of a wake-up are no failures either: what was not
//! taken stays in its ring ([`Kick`]). Everything else is an [`Error`] that says what was
//! tried, what the kernel said, and what to do. A [`RingError`] means that the other side of a ring
//! broke the protocol; the kernel never does.
//!
//! Giving a frame or a pool to a ring, a pool or a UMEM that it does not belong to is a programming
//! error and panics, before anything is written: the frame is dropped, and what was pushed before
//! is submitted. [`Tx::send_from`] also panics for a length that no chunk has. Each such call says
//! so under *Panics*.
//!
//! # Where frames can be lost
//!
//! These chunks are gone until the UMEM ends: those of a frame or a pool that is dropped; those in
//! the rings of a socket that is closed; the one of an entry that is a [`RingError`]; the one of a
//! frame whose closure panics; those in the fill ring of a socket that only sends.
//! [`Umem::lost_chunks`] counts those of dropped frames and pools. In debug builds and with feature
//! `ledger` the UMEM knows where each chunk is: [`Umem::chunk_counts`]. The rules of ownership that
//! make all this safe are in [`umem`].
//!
//! # Kernels
//!
//! The features whose absence changes what a program sees; other items have their version in
//! brackets beside them.
//!
//! | feature | since | without it |
//! |---|---|---|
//! | the default program (`bpf::redirect`) | 5.3 | `NeedsKernel`; a program of your own can be attached |
//! | the mode read back from the kernel (`is_zero_copy`) | 5.3 | `is_zero_copy` is what `bind` asked for |
//! | need-wakeup | 5.4 | `kick_if_needed` wakes the kernel for every batch that is sent |
//! | unaligned chunks (`UmemBuilder::unaligned`) | 5.4 | `NeedsKernel` |
//! | `AttachMethod::Link` | 5.9 | `NeedsKernel` |
//! | `Statistics`: `rx_ring_full`, `fill_ring_empty`, `tx_ring_empty` | 5.9 | `None` |
//! | `XskMap::insert` of a socket that is not bound yet | 5.10 | `UpdateMap`, which names 5.10 |
//! | packet memory shared with sockets of other queues and interfaces (`share_memory`) | 5.10 | `NeedsKernel`; `Socket::builder` registers the memory once more |
//! | programs and maps do not count against `RLIMIT_MEMLOCK` | 5.11 | they count; above the limit `CreateMap`, `LoadProgram` with `EPERM`, which name the limit and 5.11 |
//! | `XskMap::insert` refuses a bound socket that only sends | 5.11 | the kernel accepts it, and may crash: put no such socket into a map |
//! | busy polling (`set_busy_poll`) | 5.11 | `NeedsKernel` |
//! | whether an interface is in another namespace is known without `CAP_NET_ADMIN` | 5.14 | `is_in_current_netns` is `None` |
//! | programs for packets of several frames, the default one among them (`frags`, `BPF_F_XDP_HAS_FRAGS`) | 5.18 | `NeedsKernel` |
//! | frames that the kernel makes and a program sends (`Program::run_live`) | 5.18 | `NeedsKernel` |
//! | sockets are put into a map without `CAP_BPF` | 5.19 | `UpdateMap` with `EPERM`, which names 5.19; unless `kernel.unprivileged_bpf_disabled` is 0 |
//! | what a driver can do with XDP (`xdp_features`) | 6.3 | `None`: not known |
//! | what the card knows of a received packet (`MetadataProgram`, `ProgramBuilder::bound_to`) | 6.3 | `NeedsKernel` |
//! | rings of up to 2^20 entries, in memory that need not be contiguous | 6.3 | `CreateRing` with `ENOMEM`, which names 6.3, for a ring above 4 MiB, or a smaller one where memory is fragmented |
//! | rings can be mapped after `bind` | 6.4 | not needed: all are mapped before |
//! | `XskMap::insert` knows a socket that only sends while its interface is down | 6.4 | `UpdateMap` with `ENETDOWN`, which names 6.4, also for one that receives; before 5.11 the kernel accepts it |
//! | packets of several frames, or multi-buffer (`multi_buffer`, `XDP_USE_SG`) | 6.6 | `NeedsKernel`; packets have to fit a chunk |
//! | the VLAN tag among it | 6.8 | `None`: `Property::NotSupported` |
//! | checksums and the time of sending of packets that are sent (`UmemBuilder::tx_metadata`) | 6.8 | `NeedsKernel` |
//! | NAPI settings of one queue (`set_napi`) | 6.13 | `None` of a queue; the whole device is set, in the network namespace that `/sys` shows |
//! | `set_tx_budget` (`XDP_MAX_TX_SKB_BUDGET`) | 6.17 | `NeedsKernel` |
//!
//! Tested on Linux 5.10, 6.1, 6.12, 6.18 and 7.3 (`tests/vm` in the repository). x86-64 (tested),
//! i686 (tested on a 64-bit kernel), aarch64 (tested on an emulated 6.12 kernel); of armv7 rings
//! and layouts are tested, system calls are not.
//!
//! # Features
//!
//! - `test-util`: module `test_util`, with a fake kernel for tests without root, and namespaces and
//!   virtual cables for tests with it;
//! - `proptest`: `test-util`, and strategies of `proptest` for random programs over the fake
//!   kernel, to check your own loop with;
//! - `ledger`: the ledger in release builds;
//! - `cli`: the tool `xsk`.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(
    missing_docs,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::mem_forget,
    clippy::panic,
    clippy::unwrap_used
)]

#[cfg(not(target_os = "linux"))]
compile_error!("AF_XDP is a part of Linux: xsk builds for no other system");

pub mod attach;
pub mod bpf;
pub mod error;
pub mod handover;
pub mod interface;
pub mod multi_queue;
mod netlink;
mod num;
pub mod packet;
pub mod ring;
pub mod socket;
mod sys;
#[cfg(feature = "test-util")]
#[cfg_attr(docsrs, doc(cfg(feature = "test-util")))]
pub mod test_util;
mod types;
pub mod umem;

pub use attach::{AttachMode, Attachment, Registration};
pub use error::{AttachConflict, Error, Result};
pub use interface::Interface;
pub use multi_queue::MultiQueue;
pub use ring::RingError;
pub use rustix::io::Errno;
pub use socket::{
    Completion, CompletionBatch, Fill, Kick, PacketSocket, Port, Rx, RxBatch, RxSocket,
    SharedQueue, SharedSocket, Socket, SocketHandle, Statistics, Tx, TxSocket, Verdict, wait,
};
pub use types::{AttachMethod, CopyMode, XdpMode};
pub use umem::{Frame, FramePool, Packet, Umem};
pub use xsk_uapi as uapi;

/// The examples of the README are compiled with the documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
