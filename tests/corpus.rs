//! The initial inputs of the fuzz targets: `fuzz/corpus`, made of recorded messages and of small
//! programs.
//!
//! `XSK_CORPUS=write cargo test --all-features --test corpus` writes it; without that, the files
//! are compared.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use xsk::bpf::{Cond, Helper, Insn, Reg, Size};

/// By target and name.
type Corpus = BTreeMap<(&'static str, String), Vec<u8>>;

#[test]
fn the_corpus_is_what_is_written_here() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut corpus = Corpus::new();
    netlink(root, &mut corpus);
    packets(&mut corpus);
    replies(&mut corpus);
    verifier(&mut corpus);
    btf(&mut corpus);
    instructions(&mut corpus);
    programs(&mut corpus);
    handover(&mut corpus);
    classic(&mut corpus);
    rules(&mut corpus);
    filters(root, &mut corpus);
    let total: usize = corpus.values().map(Vec::len).sum();
    assert!(total < 200 << 10, "{total} bytes");

    let directory = root.join("fuzz/corpus");
    let files: BTreeMap<PathBuf, Vec<u8>> = corpus
        .into_iter()
        .map(|((target, name), bytes)| (directory.join(target).join(name), bytes))
        .collect();
    if std::env::var("XSK_CORPUS").as_deref() == Ok("write") {
        let _ = fs::remove_dir_all(&directory);
        for (path, bytes) in &files {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
    }
    let mut found = BTreeMap::new();
    for target in fs::read_dir(&directory).unwrap() {
        for file in fs::read_dir(target.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let bytes = fs::read(&path).unwrap();
            found.insert(path, bytes);
        }
    }
    let names: Vec<_> = files.keys().collect();
    assert_eq!(found.keys().collect::<Vec<_>>(), names);
    for (path, bytes) in &files {
        assert_eq!(found.get(path), Some(bytes), "{}", path.display());
    }
    // Every target has an input, and there is none for a target that does not exist.
    let stem = |path: &Path| path.file_stem().unwrap().to_owned();
    let sources = fs::read_dir(root.join("fuzz/fuzz_targets")).unwrap();
    let mut targets: Vec<_> = sources
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "rs"))
        .map(|path| stem(&path))
        .collect();
    targets.sort();
    let mut begun: Vec<_> = names.iter().map(|p| stem(p.parent().unwrap())).collect();
    begun.dedup();
    assert_eq!(begun, targets);
}

/// Everything that was recorded, one by one, and all of it in one datagram.
fn netlink(root: &Path, corpus: &mut Corpus) {
    let mut all = Vec::new();
    let directory = fs::read_dir(root.join("src/netlink/recorded")).unwrap();
    let mut paths: Vec<_> = directory.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        let text = fs::read_to_string(&path).unwrap();
        let digits: Vec<char> = text.chars().filter(char::is_ascii_hexdigit).collect();
        let bytes: Vec<u8> = digits
            .chunks(2)
            .map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap())
            .collect();
        all.extend(&bytes);
        all.resize(all.len().next_multiple_of(4), 0);
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        corpus.insert(("netlink", name), bytes);
    }
    corpus.insert(("netlink", "together".into()), all);
}

/// Partial checksums: UDP over IPv4 in a VLAN, and TCP over IPv6 behind two extension headers.
fn packets(corpus: &mut Corpus) {
    let mut udp = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x81, 0x00, 0, 5, 0x08, 0x00];
    udp.extend([0x45, 0, 0, 30, 0, 0, 0, 0, 64, 17, 0x66, 0xcd, 10, 0, 0, 1, 10, 0, 0, 2]);
    udp.extend([0x10, 0x92, 0x10, 0x92, 0, 10, 0x14, 0x1e, b'h', b'i']);
    corpus.insert(("packet", "udp".into()), udp);
    let mut tcp = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x86, 0xdd];
    tcp.extend([0x60, 0, 0, 0, 0, 36, 0, 64]);
    tcp.extend([[0; 15], [0; 15]].map(|zeros| [&zeros[..], &[1]].concat()).concat());
    tcp.extend([60, 0, 5, 2, 0, 0, 1, 0, 6, 0, 1, 4, 0, 0, 0, 0]); // Hop by hop, destination.
    tcp.extend([0, 80, 0x10, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff, 0, 28, 0, 0]);
    corpus.insert(("packet", "tcp".into()), tcp);
}

/// Offsets as kernels before and since 5.4 give them, rings of 16 entries; and counters.
fn replies(corpus: &mut Corpus) {
    let since: Vec<u64> = [0_u64, 64, 320, 128].repeat(4);
    let before: Vec<u64> = [0_u64, 64, 320].repeat(4);
    for (name, words) in [("offsets", since), ("offsets_v1", before)] {
        let mut bytes = vec![4];
        bytes.extend(words.iter().flat_map(|word| word.to_ne_bytes()));
        corpus.insert(("replies", name.into()), bytes);
    }
    for (name, count) in [("statistics", 6_u64), ("statistics_v1", 3)] {
        let bytes = (1..=count).flat_map(u64::to_ne_bytes).collect();
        corpus.insert(("replies", name.into()), bytes);
    }
}

/// Messages that go with what is handed over to a worker, and replies of a device plugin.
fn handover(corpus: &mut Corpus) {
    let message = |version: u8, mode: u8, name: &[u8]| {
        let mut bytes = b"xskgrant".to_vec();
        bytes.extend([version, 0, 48, 0, 7, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, mode, 1]);
        bytes.extend([0; 6]);
        bytes.extend(name);
        bytes.resize(48, 0);
        bytes
    };
    corpus.insert(("handover", "grant".into()), message(1, 2, b"eth1"));
    corpus.insert(("handover", "other_version".into()), message(2, 0, b"eth1"));
    corpus.insert(("handover", "longest_name".into()), message(1, 0, b"fifteen_letters"));
    corpus.insert(("handover", "no_end".into()), message(1, 0, b"sixteen_letters_"));
    corpus.insert(("handover", "reply".into()), b"/fd_ack\0".to_vec());
}

/// Some of the expressions of the tables, each with a packet of UDP behind it.
fn filters(root: &Path, corpus: &mut Corpus) {
    let mut udp = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x81, 0x00, 0, 5, 0x08, 0x00];
    udp.extend([0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 10, 0, 0, 2]);
    udp.extend([0x12, 0xb5, 0, 53, 0, 8, 0, 0]);
    for (table, step) in [("valid", 7), ("invalid", 10)] {
        let path = root.join(format!("src/bpf/filter/parse/tests/{table}.txt"));
        let text = fs::read_to_string(path).unwrap();
        let texts = text.lines().filter(|line| !line.starts_with("    "));
        for (number, text) in texts.enumerate().step_by(step) {
            let bytes = [text.as_bytes(), &[0], &udp].concat();
            corpus.insert(("filter_text", format!("{table}_{number}")), bytes);
        }
    }
}

/// What Linux 6.18 reports for a program that reads behind a packet, and for one without an end.
fn verifier(corpus: &mut Corpus) {
    let log = "func#0 @0\n0: R1=ctx() R10=fp0\n0: (61) r2 = *(u32 *)(r1 +0)        ; R1=ctx() R2=pkt(r=0)\n\
        1: (71) r0 = *(u8 *)(r2 +60)\ninvalid access to packet, off=60 size=1, R2(id=0,off=60,r=0)\n\
        R2 offset is outside of the packet\nprocessed 2 insns (limit 1000000) max_states_per_insn 0 \
        total_states 0 peak_states 0 mark_read 0\n";
    let mut whole = log.as_bytes().to_vec();
    whole.resize(whole.len() + 64, 0);
    corpus.insert(("verifier", "packet".into()), whole);
    let short = b"last insn is not an exit or jmp\nprocessed 0 insns (limit 1000000)".to_vec();
    corpus.insert(("verifier", "no_end".into()), short);
    corpus.insert(("verifier", "no_text".into()), vec![0xff, 0xfe, b'\n', 0xc3, 0, b'x']);
}

/// One type of each kind, in the format of `linux/btf.h`.
fn btf(corpus: &mut Corpus) {
    let strings = b"\0int\0s\0a\0b\0E\0ONE\0";
    let kind = |kind: u32, count: u32| kind << 24 | count;
    let types: &[&[u32]] = &[
        &[1, kind(1, 0), 4, 32],                                         // 1: int
        &[0, kind(2, 0), 1],                                             // 2: int *
        &[0, kind(3, 0), 0, 1, 1, 8],                                    // 3: int[8]
        &[5, kind(4, 2), 40, 7, 2, 0, 9, 3, 64], // 4: struct s { int *a; int b[8]; }
        &[0, kind(5, 2), 40, 7, 1, 0, 0, 4, 0],  // 5: union with a nameless struct s
        &[11, kind(6, 1), 4, 13, 1],             // 6: enum E { ONE = 1 }
        &[7, kind(8, 0), 4],                     // 7: typedef struct s a
        &[0, kind(10, 0), 7],                    // 8: const a
        &[0, kind(13, 1), 1, 7, 2],              // 9: int (int *a)
        &[7, kind(12, 0), 9],                    // 10: a function a
        &[11, kind(19, 1), 8, 13, 1, 0],         // 11: enum64
        &[5, kind(4, 2) | 1 << 31, 4, 7, 1, 3 << 24, 9, 1, 5 << 24 | 3], // 12: bit-fields
    ];
    corpus.insert(("btf", "kinds".into()), btf_of(types, strings));
    // A function before and one behind a type whose length is not known.
    let unknown: &[&[u32]] = &[&[7, kind(12, 0), 9], &[0, kind(31, 0), 8], &[9, kind(12, 0), 9]];
    corpus.insert(("btf", "unknown_kind".into()), btf_of(unknown, strings));
    // Each of its two nameless members is the whole again.
    let nested: &[&[u32]] = &[&[5, kind(4, 2), 8, 0, 1, 0, 0, 1, 0]];
    corpus.insert(("btf", "inside_itself".into()), btf_of(nested, strings));
}

fn btf_of(types: &[&[u32]], strings: &[u8]) -> Vec<u8> {
    let types: Vec<u8> = types.concat().iter().flat_map(|w| w.to_ne_bytes()).collect();
    let len = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap();
    let mut bytes = 0xeb9f_u16.to_ne_bytes().to_vec();
    bytes.extend([1, 0]);
    let header = [24, 0, len(&types), len(&types), len(strings)];
    bytes.extend(header.iter().flat_map(|word| word.to_ne_bytes()));
    bytes.extend(types);
    bytes.extend(strings);
    bytes
}

fn instructions(corpus: &mut Corpus) {
    let insns = [
        Insn::load(Size::Word, Reg::R2, Reg::R1, 16),
        Insn::mov64_imm(Reg::R3, 2),
        Insn::jump_imm(Cond::Sgt, Reg::R4, -1, -3),
        Insn::call(Helper::REDIRECT_MAP),
        Insn::exit(),
    ];
    for (i, insn) in insns.iter().enumerate() {
        let mut bytes = insn.to_bytes().to_vec();
        bytes.extend([0; 4]);
        bytes.extend([u8::try_from(i).unwrap() * 5, 7]);
        corpus.insert(("insn", format!("insn_{i}")), bytes);
    }
}

/// Programs for `rings` and `socket`: see those for what the bytes mean.
fn programs(corpus: &mut Corpus) {
    let wrap = [0xfe, 0xff, 0xff, 0xff];
    let rings: &[(&str, &[u8])] = &[
        ("there_and_back", &[0, 5, 5, 5, 2, 3, 2, 5, 0x85, 5]),
        ("forgotten", &[1, 0xc5, 3, 0xc2, 0, 5, 2, 5]),
        ("refused", &[0, 5, 4, 0x43, 6, 0x44, 2, 5, 0x82, 5]),
        ("panics", &[0, 5, 7, 0x45, 2, 5, 0x82, 5, 0, 1, 7, 1]),
        ("lies", &[0, 3, 8, 0x43, 9, 0x83, 8, 0xff, 10, 9]),
    ];
    for (name, steps) in rings {
        let bytes = [&wrap[..], &[3, 2], steps].concat();
        corpus.insert(("rings", (*name).into()), bytes);
    }
    let good = [0x40, 5, 3, 3, 4, 3];
    let socket: &[(&str, &[u8], &[u8])] = &[
        ("echo", &good, &[0, 8, 1, 60, 3, 0x28, 7, 0x28, 13, 0, 15, 1, 16, 8]),
        (
            "kicked",
            &[0x44, 5, 3, 3, 4, 3],
            &[11, 0x85, 13, 0, 44, 0, 13, 0, 14, 2, 15, 9, 16, 8, 11, 0x82, 44, 0, 35, 1, 14, 9],
        ),
        (
            "forward_between_two",
            &[0x41, 5, 3, 3, 4, 3],
            &[0, 8, 2, 4, 0x40 | 21, 0x80, 0x8e, 4, 0x8f, 4, 0x90, 4],
        ),
        (
            "closures",
            &good,
            &[0, 8, 2, 6, 3, 0x28, 23, 0x84, 26, 0x8d, 12, 0x8c, 14, 9, 15, 9, 17, 0x69, 19, 9],
        ),
        ("forgotten", &good, &[0, 8, 2, 6, 4, 0x26, 8, 0x28, 10, 0x28, 2, 4, 18, 0x28]),
        (
            "pools",
            &good,
            &[31, 0x30, 32, 0xa0, 29, 3, 29, 0x83, 30, 2, 33, 4, 33, 0x1b, 34, 0, 36, 1],
        ),
        ("foreign", &good, &[0, 4, 2, 4, 20, 0, 20, 14, 20, 15, 20, 10, 20, 4]),
        (
            "hostile",
            &[0x42, 5, 3, 3, 4, 3],
            &[0, 8, 37, 0, 1, 0, 3, 0x28, 40, 0, 2, 0, 16, 8, 42, 2, 9, 0, 0, 8, 43, 0, 9, 9, 3, 1],
        ),
    ];
    // Two added sockets, each of which receives, forwards and sends; one is dropped with a packet in
    // its RX ring and one in its TX ring, and another one is added.
    let shared = [0x48, 5, 8, 8, 4, 4];
    let sharing: &[(&str, &[u8], &[u8])] = &[
        (
            "shared_queue",
            &shared,
            &[
                0,
                8,
                2,
                1,
                0x82,
                2,
                45,
                2,
                0x40 | 21,
                0x80,
                5,
                0x24,
                0x83,
                0x24,
                14,
                9,
                15,
                9,
                16,
                9,
            ],
        ),
        (
            "added_and_dropped",
            &shared,
            &[
                0, 8, 0x82, 2, 0x8b, 2, 0xac, 0, 0x8b, 1, 0xae, 0, 47, 0, 0x8b, 3, 14, 9, 15, 9,
                16, 9,
            ],
        ),
        (
            "shared_by_two_queues",
            &[0x49, 5, 8, 8, 4, 4],
            &[45, 2, 0, 8, 2, 4, 0x40 | 21, 0x80, 0x8e, 4, 0x8f, 4, 0x90, 4, 0x93, 4],
        ),
        (
            "shared_and_hostile",
            &[0x4a, 5, 8, 8, 4, 4],
            &[0, 8, 2, 2, 0xaa, 0, 9, 0, 0x83, 0x28, 0xa5, 0, 1, 0, 3, 0x28, 40, 0, 2, 0, 16, 8],
        ),
    ];
    // Packets of several frames: received, forwarded with and without closures, sent from frames in
    // hand, forgotten; between two queues; and by a kernel that breaks rules.
    let packets: &[(&str, &[u8], &[u8])] = &[
        (
            "packets",
            &[0x40, 5, 4, 4, 9, 4],
            &[
                0, 31, 1, 0xc5, 1, 5, 1, 0x85, 21, 0x20, 23, 0xe4, 13, 0, 13, 0, 15, 31, 16, 31, 3,
                0x43, 48, 0x9f, 49, 0x3f, 26, 0x3f, 14, 31, 5, 0x3f,
            ],
        ),
        (
            "packets_that_panic",
            &[0x40, 5, 4, 4, 9, 4],
            &[
                0, 31, 1, 0xc5, 1, 5, 1, 0x85, 23, 0x69, 27, 0x28, 20, 0x0f, 31, 0x70, 48, 0xff, 4,
                0x29,
            ],
        ),
        (
            "packets_between_two",
            &[0x41, 5, 4, 4, 19, 4],
            &[45, 0, 0x80 | 45, 1, 0, 8, 1, 0x85, 0x40 | 21, 0x20, 0x8e, 31, 0x8f, 31, 0x93, 31],
        ),
        (
            "packets_and_frames",
            &[0x41, 5, 4, 4, 9, 4],
            &[45, 0, 0x80 | 45, 1, 0, 8, 1, 0x85, 0x40 | 23, 0x20, 3, 0x21, 0x87, 0xff, 0x8e, 31],
        ),
        (
            "packets_of_a_hostile_kernel",
            &[0x42, 5, 2, 4, 9, 4],
            &[
                0, 31, 50, 0, 1, 0, 50, 0, 1, 0, 3, 0x21, 50, 0x28, 1, 0, 5, 0x3f, 5, 0x3f, 50, 0,
                1, 0, 50, 0, 0, 0, 21, 0x3f,
            ],
        ),
    ];
    for (name, header, calls) in socket.iter().chain(sharing).chain(packets) {
        corpus.insert(("socket", (*name).into()), [*header, *calls].concat());
    }
    // The same with unaligned chunks, of 3000 and of 4001 bytes.
    for (name, header, calls) in socket {
        for (kind, size) in [(4, 3000), (5, 4001)] {
            let mut program = [*header, *calls].concat();
            program[3] += 5 * kind;
            corpus.insert(("socket", format!("{name}_unaligned_{size}")), program);
        }
    }
}

/// Classic programs, as text and as instructions, and a packet of UDP.
fn classic(corpus: &mut Corpus) {
    let mut packet = vec![0; 60];
    packet[12..15].copy_from_slice(&[8, 0, 0x45]);
    packet[23] = 17;
    packet[37] = 53;
    // `udp dst port 53`, for IPv4.
    let program: &[(u16, u8, u8, u32)] = &[
        (40, 0, 0, 12),
        (21, 0, 8, 2048),
        (48, 0, 0, 23),
        (21, 0, 6, 17),
        (40, 0, 0, 20),
        (69, 4, 0, 8191),
        (177, 0, 0, 14),
        (72, 0, 0, 16),
        (21, 0, 1, 53),
        (6, 0, 0, 262144),
        (6, 0, 0, 0),
    ];
    // Memory, arithmetic with X, a jump, the length, what is returned in A.
    let numbers: &[(u16, u8, u8, u32)] = &[
        (128, 0, 0, 0),
        (2, 0, 0, 3),
        (1, 0, 0, 7),
        (60, 0, 0, 0),
        (108, 0, 0, 0),
        (132, 0, 0, 0),
        (7, 0, 0, 0),
        (96, 0, 0, 3),
        (5, 0, 0, 1),
        (12, 0, 0, 0),
        (45, 1, 0, 0),
        (72, 0, 0, 4294967295),
        (22, 0, 0, 0),
    ];
    for (name, program) in [("udp", program), ("numbers", numbers)] {
        let mut text = program.len().to_string();
        let mut raw = vec![0, u8::try_from(program.len()).unwrap()];
        for (code, jt, jf, k) in program {
            text += &format!("\n{code} {jt} {jf} {k}");
            raw.extend(code.to_le_bytes());
            raw.extend([*jt, *jf]);
            raw.extend(k.to_le_bytes());
        }
        let text = [text.as_bytes(), &[0], &packet].concat();
        corpus.insert(("classic", format!("{name}_text")), text);
        corpus.insert(("classic", name.into()), [&raw[..], &packet].concat());
    }
    let listed = b"{ 0x28, 0, 0, 0x0000000c },\n{ 0x16, 0, 0, 0x00000000 },\n\0".to_vec();
    corpus.insert(("classic", "initializers".into()), [&listed[..], &packet].concat());
}

/// Rules, and a packet.
fn rules(corpus: &mut Corpus) {
    let mut packet = vec![0; 80];
    packet[12..19].copy_from_slice(&[0x81, 0, 0, 5, 8, 0, 0x46]);
    packet[27] = 6;
    packet[45] = 80;
    for (name, text) in [
        ("rules", "arp\ntcp port 80 or 443\nvlan 5 and tcp dst port 80\nicmp6 or less 60"),
        ("numbers", "tcp[(tcp[12] & 0xf0) >> 2] > len / ip[0]\nether[0] & 1 = 0"),
        ("addresses", "net 10.0.0.0/8 or ip6 host fe80::1\nnot src net 0.0.0.0/4"),
        ("extensions", "ip6 and udp portrange 1-1000\nip6 protochain 17"),
    ] {
        corpus.insert(("filter_compile", name.into()), [text.as_bytes(), &[0], &packet].concat());
    }
}
