//! Programs and texts that are refused: with which fault, at which line and instruction.

use xsk::bpf::{Action, ClassicFilter};
use xsk::error::{ClassicFault as Fault, Error, FilterFault};
use xsk::uapi::filter::{SKF_AD_IFINDEX, SKF_AD_OFF, SKF_AD_PKTTYPE, SKF_AD_RXHASH, sock_filter};

/// Returns the fault of a text, with its line and instruction.
fn fault(text: &str) -> (Fault, Option<usize>, Option<usize>) {
    let error = text.parse::<ClassicFilter>().unwrap_err();
    (error.fault().clone(), error.line(), error.instruction())
}

/// Returns the error of a text.
fn refused(text: &str) -> String {
    text.parse::<ClassicFilter>().unwrap_err().to_string()
}

#[test]
fn texts_that_are_no_program() {
    for empty in ["", "\n \n", "0", "0\n"] {
        assert_eq!(fault(empty).0, Fault::Empty, "{empty:?}");
    }
    let text = "(000) ldh      [12]\n(001) ret      #0";
    assert!(refused(text).contains("the output of `tcpdump -d`"), "{}", refused(text));
    assert_eq!(
        refused("tcpdump: no suitable device\n"),
        "line 1: `tcpdump: no suitable device` in place of the number of instructions, with which \
         the output of `tcpdump -ddd` begins"
    );
    for line in ["6 0 0", "6 0 0 0 0", "6 0 0 x", "65536 0 0 0", "6 256 0 0", "6 0 0 4294967296"] {
        let text = format!("2\n40 0 0 12\n\n{line}");
        assert_eq!(
            refused(&text),
            format!(
                "line 4: `{line}` in place of an instruction, which is four numbers: `code jt jf k`"
            )
        );
    }
    assert_eq!(refused("{ 0x6, 0, 0, 1 },\n{ 0x6, 0, 0 },").split(':').next(), Some("line 2"));
    assert!(refused(&format!("1\n{}", "é".repeat(50))).contains("é..."));
    assert!(refused("1\n6 0 0\t\u{1b}[2J").contains("`6 0 0 [2J`"));
}

#[test]
fn a_text_has_as_many_instructions_as_it_says() {
    assert_eq!(
        refused("3\n40 0 0 12\n6 0 0 0"),
        "line 1: the text begins with 3 for the number of instructions, and has 2"
    );
    assert_eq!(
        refused("1\n40 0 0 12\n6 0 0 0\n"),
        "line 3: the text begins with 1 for the number of instructions, and has more"
    );
    let many = |count: usize| format!("{count}{}\n6 0 0 0", "\n4 0 0 1".repeat(count - 1));
    assert_eq!(many(4096).parse::<ClassicFilter>().unwrap().instructions().len(), 4096);
    assert_eq!(fault(&many(4097)), (Fault::TooLong, Some(4098), None));
    let raw = vec![sock_filter { code: 6, ..Default::default() }; 4097];
    assert_eq!(ClassicFilter::new(&raw).unwrap_err().fault(), &Fault::TooLong);
    assert_eq!(ClassicFilter::new(&[]).unwrap_err().fault(), &Fault::Empty);
}

#[test]
fn instructions_that_the_kernel_refuses() {
    let at = |line: &str| {
        let text = format!("3\n4 0 0 1\n{line}\n6 0 0 0");
        let error = text.parse::<ClassicFilter>().unwrap_err();
        assert_eq!((error.line(), error.instruction()), (Some(3), Some(1)), "{line}");
        error.fault().to_string()
    };
    // Eight bytes; a store with a size; modes that are not there; 64-bit jumps; a sign.
    for code in [
        0x38_u16, 0x0a, 0x12, 0xa1, 0xa8, 0x21, 0x41, 0x55, 0xc4, 0xd4, 0x0e, 0x1f, 0x17, 0xff,
        0x128,
    ] {
        assert_eq!(
            at(&format!("{code} 0 0 0")),
            format!("there is no instruction {code} ({code:#x})")
        );
    }
    assert_eq!(at("5 0 0 1"), "the jump leads to instruction 3, which is not there");
    assert_eq!(at("21 0 1 0"), "the jump leads to instruction 3, which is not there");
    assert_eq!(at("21 255 0 0"), "the jump leads to instruction 257, which is not there");
    assert_eq!(at("5 0 0 4294967294"), "a jump goes back, to instruction 0");
    assert_eq!(at("52 0 0 0"), "a division by the constant 0");
    assert_eq!(at("148 0 0 0"), "a division by the constant 0");
    assert_eq!(at("100 0 0 32"), "a shift by 32 bits, and at most 31 are possible");
    assert_eq!(at("116 0 0 4294967295"), "a shift by 4294967295 bits, and at most 31 are possible");
    for code in [0x60, 0x61, 0x02, 0x03] {
        assert_eq!(at(&format!("{code} 0 0 16")), "word 16 of memory, which has the words 0 to 15");
    }
    assert_eq!(at("96 0 0 15"), "word 15 of memory is read, and not written before on every way");
    assert_eq!(fault("1\n4 0 0 1"), (Fault::NoReturn, Some(2), Some(0)));
}

#[test]
fn memory_is_written_on_every_way() {
    // One way writes the word, the other does not.
    let text = |skip| format!("5\n40 0 0 12\n21 0 {skip} 2048\n2 0 0 3\n96 0 0 3\n22 0 0 0");
    assert!(text(0).parse::<ClassicFilter>().is_ok());
    assert_eq!(fault(&text(1)).2, Some(3));
}

#[test]
fn what_an_xdp_program_does_not_know_is_named() {
    let ancillary = |code: u16, what: i32| {
        let k = u32::from_ne_bytes((SKF_AD_OFF + what).to_ne_bytes());
        let ret = sock_filter { code: 0x16, ..Default::default() };
        let load = sock_filter { code, k, ..Default::default() };
        ClassicFilter::new(&[load, ret]).map(drop).map_err(|error| error.to_string())
    };
    let named = [
        (SKF_AD_PKTTYPE, "SKF_AD_PKTTYPE"),
        (SKF_AD_IFINDEX, "SKF_AD_IFINDEX"),
        (SKF_AD_RXHASH, "SKF_AD_RXHASH"),
        (64, "SKF_AD_OFF"),
        (1, "SKF_AD_OFF"),
    ];
    for (what, name) in named {
        for code in [0x20, 0x28, 0x30, 0x40, 0xb1] {
            let error = ancillary(code, what).unwrap_err();
            assert!(error.starts_with("instruction 0: an XDP program cannot read "), "{error}");
            assert!(error.contains(name), "{error}");
        }
    }
    // The Ethernet type, `a ^= x`, and the VLAN tags.
    for what in [0, 40, 44, 48, 60] {
        ancillary(0x20, what).unwrap();
        assert!(ancillary(0x40, what).is_err(), "with X");
    }
}

#[test]
fn what_takes_everything_needs_saying_so() {
    let all: ClassicFilter = "1\n6 0 0 262144".parse().unwrap();
    let refused = all.compile(Action::Queue).unwrap_err();
    let Error::Filter { fault: FilterFault::TakesEverything { rule: 0, .. }, .. } = refused else {
        panic!("{refused}")
    };
    assert!(all.compile(Action::Pass).is_ok());
    assert!(all.clone().take_everything(true).compile(Action::Drop).is_ok());
    let nothing: ClassicFilter = "1\n6 0 0 0".parse().unwrap();
    assert_eq!(nothing.compile(Action::Drop).unwrap().unreachable(), [0]);
}
