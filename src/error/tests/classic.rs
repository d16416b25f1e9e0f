//! Texts of errors about classic BPF programs.

use super::{Texts, variant, variants};
use crate::bpf::ClassicFilter;
use crate::error::Error;
use expect_test::expect;
use std::collections::BTreeSet;

#[test]
fn texts_are_as_pinned() {
    super::check(texts());
}

/// Returns the errors and their pinned texts.
// Not formatted: `UPDATE_EXPECT` does not find the texts where rustfmt puts them.
#[rustfmt::skip]
pub(super) fn texts() -> Texts {
    let read = |text: &str| Error::from(text.parse::<ClassicFilter>().unwrap_err());
    vec![
        (read(""), expect!["cannot take the classic BPF program: there is no instruction"]),
        (read(&format!("5000{}", "\n4 0 0 1".repeat(5000))), expect!["cannot take the classic BPF program: line 4098: there are more than 4096 instructions"]),
        (read("3\n6 0 0 0"), expect!["cannot take the classic BPF program: line 1: the text begins with 3 for the number of instructions, and has 1"]),
        (read("1\n6 0 0 0\n6 0 0 0"), expect!["cannot take the classic BPF program: line 3: the text begins with 1 for the number of instructions, and has more"]),
        (read("(000) ret      #0"), expect!["cannot take the classic BPF program: line 1: `(000) ret #0` in place of numbers: this is the output of `tcpdump -d`, and that of `tcpdump -ddd` is taken"]),
        (read("2\n40 0 0 12\nret 0"), expect!["cannot take the classic BPF program: line 3: `ret 0` in place of an instruction, which is four numbers: `code jt jf k`"]),
        (read("2\n56 0 0 12\n6 0 0 0"), expect!["cannot take the classic BPF program: line 2 (instruction 0): there is no instruction 56 (0x38)"]),
        (read("2\n21 0 7 2048\n6 0 0 0"), expect!["cannot take the classic BPF program: line 2 (instruction 0): the jump leads to instruction 8, which is not there"]),
        (read("2\n5 0 0 -1\n6 0 0 0"), expect!["cannot take the classic BPF program: line 2 (instruction 0): a jump goes back, to instruction 0"]),
        (read("2\n52 0 0 0\n6 0 0 0"), expect!["cannot take the classic BPF program: line 2 (instruction 0): a division by the constant 0"]),
        (read("2\n100 0 0 40\n6 0 0 0"), expect!["cannot take the classic BPF program: line 2 (instruction 0): a shift by 40 bits, and at most 31 are possible"]),
        (read("2\n2 0 0 16\n6 0 0 0"), expect!["cannot take the classic BPF program: line 2 (instruction 0): word 16 of memory, which has the words 0 to 15"]),
        (read("2\n96 0 0 3\n22 0 0 0"), expect!["cannot take the classic BPF program: line 2 (instruction 0): word 3 of memory is read, and not written before on every way"]),
        (read("1\n40 0 0 12"), expect!["cannot take the classic BPF program: line 2 (instruction 0): the last instruction is no return"]),
        (read("2\n48 0 0 4294963204\n22 0 0 0"), expect!["cannot take the classic BPF program: line 2 (instruction 0): an XDP program cannot read whom a packet is for (SKF_AD_PKTTYPE: `inbound`, `outbound`)"]),
    ]
}

#[test]
fn every_kind_of_fault_is_pinned() {
    let declared = variants(include_str!("../classic_error.rs"), "ClassicFault");
    let faults = texts().into_iter().filter_map(|(error, _)| match error {
        Error::Classic(error) => Some(variant(error.fault())),
        _ => None,
    });
    assert_eq!(declared, faults.collect::<BTreeSet<_>>());
}
