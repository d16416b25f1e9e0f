//! Misuse that the types exclude: each example must not compile, for the reason that its error code
//! names. Rustdoc compares the codes only where it may use unstable features: `RUSTC_BOOTSTRAP=1`.
//!
//! A frame that was given away is not used again:
//! ```compile_fail,E0382
//! # fn f(umem: &xsk::Umem, tx: &mut xsk::Tx, frame: xsk::Frame) {
//! let _ = tx.reserve(1).unwrap().push(frame);
//! umem.bytes(&frame);
//! # }
//! ```
//! ```compile_fail,E0382
//! # fn f(umem: &xsk::Umem, fill: &mut xsk::Fill, mut frame: xsk::Frame) {
//! let _ = fill.reserve(1).unwrap().push(frame);
//! umem.bytes_mut(&mut frame);
//! # }
//! ```
//! ```compile_fail,E0382
//! # fn f(pool: &mut xsk::FramePool, frame: xsk::Frame) {
//! pool.put(frame);
//! pool.put(frame);
//! # }
//! ```
//! ```compile_fail,E0382
//! # fn f(pool: &mut xsk::FramePool, other: xsk::FramePool) {
//! pool.append(other);
//! other.len();
//! # }
//! ```
//! ```compile_fail,E0505
//! # fn f(umem: &xsk::Umem, pool: &mut xsk::FramePool, frame: xsk::Frame) {
//! let bytes = umem.bytes(&frame);
//! pool.put(frame);
//! assert!(!bytes.is_empty());
//! # }
//! ```
//!
//! There is one frame for a chunk:
//! ```compile_fail,E0599
//! # fn f(frame: xsk::Frame) {
//! let _ = frame.clone();
//! # }
//! ```
//! ```compile_fail,E0277
//! fn copy<T: Copy>() {}
//! copy::<xsk::Frame>();
//! ```
//! ```compile_fail,E0277
//! fn default<T: Default>() {}
//! default::<xsk::Frame>();
//! ```
//! ```compile_fail,E0451
//! # fn f() -> xsk::Frame {
//! xsk::Frame { address: 0, len: 1, umem: 1 }
//! # }
//! ```
//! ```compile_fail,E0616
//! # fn f(frame: &mut xsk::Frame) {
//! frame.address = 0;
//! # }
//! ```
//! ```compile_fail,E0624
//! # fn f(frame: &mut xsk::Frame) {
//! frame.set(0, 1);
//! # }
//! ```
//! ```compile_fail,E0624
//! # fn f(frame: xsk::Frame) {
//! frame.consume();
//! # }
//! ```
//! ```compile_fail,E0599
//! # fn f(pool: xsk::FramePool) {
//! let _ = pool.clone();
//! # }
//! ```
//!
//! Bytes are exclusive, and end with what they were borrowed from:
//! ```compile_fail,E0499
//! # fn f(umem: &xsk::Umem, mut frame: xsk::Frame) {
//! let one = umem.bytes_mut(&mut frame);
//! let two = umem.bytes_mut(&mut frame);
//! one.copy_from_slice(two);
//! # }
//! ```
//! ```compile_fail,E0502
//! # fn f(umem: &xsk::Umem, mut frame: xsk::Frame) {
//! let read = umem.bytes(&frame);
//! umem.bytes_mut(&mut frame).fill(0);
//! assert!(!read.is_empty());
//! # }
//! ```
//! ```compile_fail,E0596
//! # fn f(umem: &xsk::Umem, frame: &xsk::Frame) {
//! umem.bytes_mut(&mut *frame).fill(0);
//! # }
//! ```
//! ```compile_fail,E0505
//! # fn f(umem: xsk::Umem, frame: xsk::Frame) {
//! let bytes = umem.bytes(&frame);
//! drop(umem);
//! assert!(!bytes.is_empty());
//! # }
//! ```
//! ```compile_fail,E0502
//! # fn f(umem: &xsk::Umem, mut frame: xsk::Frame) {
//! let bytes = umem.bytes(&frame);
//! let _ = umem.set_len(&mut frame, 9);
//! assert!(!bytes.is_empty());
//! # }
//! ```
//! ```compile_fail,E0521
//! # fn f(umem: xsk::Umem, mut pool: xsk::FramePool) {
//! let mut kept: Option<&mut [u8]> = None;
//! umem.for_each_free_chunk(&mut pool, |bytes| kept = Some(bytes));
//! # }
//! ```
//! ```compile_fail,E0521
//! # fn f(rx: &mut xsk::Rx, fill: &mut xsk::Fill) {
//! let mut kept: Option<&mut xsk::Frame> = None;
//! let _ = rx.receive(1).unwrap().recycle_each(fill, |frame| kept = Some(frame));
//! # }
//! ```
//! ```compile_fail,E0507
//! # fn f(rx: &mut xsk::Rx, tx: &mut xsk::Tx, pool: &mut xsk::FramePool) {
//! let _ = rx.receive(1).unwrap().forward_each(tx, |frame| pool.put(*frame));
//! # }
//! ```
//!
//! One batch at a time on a ring, by one owner:
//! ```compile_fail,E0499
//! # fn f(tx: &mut xsk::Tx) {
//! let one = tx.reserve(1).unwrap();
//! let two = tx.reserve(1).unwrap();
//! drop((one, two));
//! # }
//! ```
//! ```compile_fail,E0499
//! # fn f(rx: &mut xsk::Rx) {
//! let one = rx.receive(1).unwrap();
//! let two = rx.receive(1).unwrap();
//! drop((one, two));
//! # }
//! ```
//! ```compile_fail,E0382
//! # fn f(rx: &mut xsk::Rx, fill: &mut xsk::Fill, tx: &mut xsk::Tx) {
//! let batch = rx.receive(1).unwrap();
//! let _ = batch.recycle(fill);
//! let _ = batch.forward(tx);
//! # }
//! ```
//! ```compile_fail,E0596
//! # fn f(rx: &xsk::Rx) {
//! let _ = rx.receive(1);
//! # }
//! ```
//! ```compile_fail,E0599
//! # fn f(tx: xsk::Tx) {
//! let _ = tx.clone();
//! # }
//! ```
//! ```compile_fail,E0505
//! # fn f(mut tx: xsk::Tx) {
//! let slots = tx.reserve(1).unwrap();
//! drop(tx);
//! drop(slots);
//! # }
//! ```
//!
//! A socket has only the rings of its kind:
//! ```compile_fail,E0609
//! # fn f(socket: xsk::TxSocket) {
//! let _ = socket.rx;
//! # }
//! ```
//! ```compile_fail,E0609
//! # fn f(socket: xsk::RxSocket) {
//! let _ = socket.tx;
//! # }
//! ```
//! ```compile_fail,E0599
//! # fn f(socket: &xsk::TxSocket, program: &xsk::Attachment) {
//! let _ = socket.register(program);
//! # }
//! ```
//! ```compile_fail,E0616
//! # fn f(socket: xsk::socket::Unbound<xsk::Socket>) {
//! let _ = socket.tx;
//! # }
//! ```
//! ```compile_fail,E0382
//! # fn f(socket: xsk::socket::Unbound<xsk::Socket>, interface: &xsk::Interface) {
//! let _ = socket.bind(interface, 0);
//! let _ = socket.bind(interface, 1);
//! # }
//! ```
//!
//! A program is loaded while the maps that it names are open:
//! ```compile_fail,E0505
//! # use std::os::fd::AsFd;
//! # use xsk::bpf::{Insn, Program, Reg, XskMap};
//! # fn f(map: XskMap) {
//! let insns = Insn::load_map_fd(Reg::R1, map.as_fd());
//! drop(map);
//! let _ = Program::builder(&insns).load();
//! # }
//! ```
//!
//! And a program is assembled while they are open:
//! ```compile_fail,E0505
//! # use xsk::bpf::{Assembler, Reg, XskMap};
//! # fn f(map: XskMap) {
//! let mut a = Assembler::new();
//! a.load_map(Reg::R1, &map);
//! drop(map);
//! let _ = a.finish();
//! # }
//! ```
//!
//! The instructions of complete code do not outlive it:
//! ```compile_fail,E0505
//! # use xsk::bpf::{Code, Program};
//! # fn f(code: Code) {
//! let insns = code.insns();
//! drop(code);
//! let _ = Program::builder(insns).load();
//! # }
//! ```
//!
//! The user's own memory becomes a UMEM by `unsafe` only:
//! ```compile_fail,E0133
//! # fn f(memory: std::ptr::NonNull<[u8]>) {
//! let _ = xsk::Umem::builder().build_in(memory, ());
//! # }
//! ```
//! ```compile_fail,E0133
//! # fn f(kernel: &mut xsk::test_util::FakeKernel) {
//! let _ = kernel.hostile_unchecked();
//! # }
//! ```
//!
//! A key or a value of a map has a size, no padding, and the map's own type:
//! ```compile_fail,E0080
//! let _ = xsk::bpf::ArrayMap::<[u8; 0]>::create("empty", 1);
//! ```
//! ```compile_fail,E0080
//! let _ = xsk::bpf::BpfHashMap::<(), u8>::create("empty", 1);
//! ```
//! ```compile_fail,E0599
//! # fn f(map: &xsk::bpf::ArrayMap<(u8, u32)>) {
//! let _ = map.get(0);
//! # }
//! ```
//! ```compile_fail,E0599
//! let _ = xsk::bpf::ArrayMap::<&'static u8>::create("pointers", 1);
//! ```
//! ```compile_fail,E0308
//! # fn f(map: &xsk::bpf::BpfHashMap<u32, u64>) {
//! let _ = map.get(&1_u64);
//! # }
//! ```
//! ```compile_fail,E0080
//! let _ = xsk::bpf::LpmTrie::<xsk::bpf::Prefix<257>, u8>::create("long", 1);
//! let _ = xsk::bpf::Prefix::whole([0; 257]);
//! ```
//! A record is read before the next one is asked for:
//! ```compile_fail,E0499
//! # fn f(mut reader: xsk::bpf::RingReader) {
//! let first = reader.read().unwrap();
//! let second = reader.read().unwrap();
//! assert_ne!(first, second);
//! # }
//! ```
//!
//! Correct uses of the same API compile:
//! ```
//! # use xsk::{Frame, FramePool, Socket, Umem};
//! # fn f(umem: &Umem, pool: &mut FramePool, mut socket: Socket, mut frame: Frame) {
//! let mut slots = socket.tx.reserve(1).unwrap();
//! assert!(!umem.bytes(&frame).is_empty());
//! umem.bytes_mut(&mut frame).fill(0);
//! let _ = umem.set_len(&mut frame, 9);
//! if let Err(frame) = slots.push(frame) {
//!     pool.put(frame);
//! }
//! drop(slots);
//! let other = pool.split_off(1);
//! pool.append(other);
//! umem.for_each_free_chunk(pool, |bytes| bytes.fill(0));
//! let _ = socket.rx.receive(1).unwrap().recycle_each(&mut socket.fill, |frame| drop(frame.len()));
//! let _ = socket.rx.receive(1).unwrap().forward(&mut socket.tx);
//! # }
//! # fn g(socket: &xsk::RxSocket, program: &xsk::Attachment) {
//! let _ = socket.register(program);
//! # }
//! ```
