//! The cases of the kernel's `xskxceiver` (`tools/testing/selftests/bpf/test_xsk.c` of Linux 6.18),
//! all 36.

use std::collections::BTreeMap;
use std::io::Write;
use xsk::attach::AttachMode;
use xsk::test_util::privileged;

/// A case of the kernel's suite.
struct Case {
    number: usize,
    kernel: &'static str,
    /// The module of the two tests.
    name: &'static str,
    /// Whether the tests need two cards, and are skipped without.
    cards: bool,
}

/// Two tests are made of a case, `native` and `generic`, in a module of the case's name: over a veth
/// pair (`runs`) or between two cards (`on_cards`).
macro_rules! cases {
    ($($number:literal $kernel:literal $name:ident $kind:ident($what:expr);)*) => {
        $(cases!(@tests $name $kind($what));)*
        const CASES: &[Case] = &[$(Case {
            number: $number,
            kernel: $kernel,
            name: stringify!($name),
            cards: cases!(@cards $kind),
        }),*];
    };
    (@tests $name:ident runs($case:expr)) => {
        mod $name {
            #[test]
            fn native() {
                super::run(xsk::test_util::test_name!(), xsk::attach::AttachMode::Native, $case);
            }

            #[test]
            fn generic() {
                super::run(xsk::test_util::test_name!(), xsk::attach::AttachMode::Generic, $case);
            }
        }
    };
    (@tests $name:ident on_cards($case:expr)) => { cases!(@tests $name runs($case)); };
    (@cards runs) => { false };
    (@cards on_cards) => { true };
}

cases! {
    0 "SEND_RECEIVE" send_receive runs(crate::traffic::send_receive);
    1 "SEND_RECEIVE_2K_FRAME" send_receive_2k_frame runs(crate::traffic::send_receive_2k_frame);
    2 "SEND_RECEIVE_SINGLE_PKT" send_receive_single_pkt runs(crate::traffic::send_receive_single_pkt);
    3 "POLL_RX" poll_rx runs(crate::waiting::poll_rx);
    4 "POLL_TX" poll_tx runs(crate::waiting::poll_tx);
    5 "POLL_RXQ_FULL" poll_rxq_full runs(crate::waiting::poll_rxq_full);
    6 "POLL_TXQ_FULL" poll_txq_full runs(crate::waiting::poll_txq_full);
    7 "SEND_RECEIVE_UNALIGNED" send_receive_unaligned runs(crate::unaligned::send_receive_unaligned);
    8 "ALIGNED_INV_DESC" aligned_inv_desc runs(crate::invalid::aligned_inv_desc);
    9 "ALIGNED_INV_DESC_2K_FRAME_SIZE" aligned_inv_desc_2k_frame_size runs(crate::invalid::aligned_inv_desc_2k_frame_size);
    10 "UNALIGNED_INV_DESC" unaligned_inv_desc runs(crate::unaligned::unaligned_inv_desc);
    11 "UNALIGNED_INV_DESC_4001_FRAME_SIZE" unaligned_inv_desc_4001_frame_size runs(crate::unaligned::unaligned_inv_desc_4001_frame_size);
    12 "UMEM_HEADROOM" umem_headroom runs(crate::traffic::umem_headroom);
    13 "TEARDOWN" teardown runs(crate::traffic::teardown);
    14 "BIDIRECTIONAL" bidirectional runs(crate::traffic::bidirectional);
    15 "STAT_RX_DROPPED" stat_rx_dropped runs(crate::statistics::stat_rx_dropped);
    16 "STAT_TX_INVALID" stat_tx_invalid runs(crate::invalid::stat_tx_invalid);
    17 "STAT_RX_FULL" stat_rx_full runs(crate::statistics::stat_rx_full);
    18 "STAT_FILL_EMPTY" stat_fill_empty runs(crate::statistics::stat_fill_empty);
    19 "XDP_PROG_CLEANUP" xdp_prog_cleanup runs(crate::redirects::xdp_prog_cleanup);
    20 "XDP_DROP_HALF" xdp_drop_half runs(crate::redirects::xdp_drop_half);
    21 "XDP_SHARED_UMEM" xdp_shared_umem runs(crate::shared_umem::xdp_shared_umem);
    22 "XDP_METADATA_COPY" xdp_metadata_copy runs(crate::redirects::xdp_metadata_copy);
    23 "XDP_METADATA_COPY_MULTI_BUFF" xdp_metadata_copy_multi_buff runs(crate::multi_buffer::xdp_metadata_copy_multi_buff);
    24 "SEND_RECEIVE_9K_PACKETS" send_receive_9k_packets runs(crate::multi_buffer::send_receive_9k_packets);
    25 "SEND_RECEIVE_UNALIGNED_9K_PACKETS" send_receive_unaligned_9k_packets runs(crate::multi_buffer::send_receive_unaligned_9k_packets);
    26 "ALIGNED_INV_DESC_MULTI_BUFF" aligned_inv_desc_multi_buff runs(crate::multi_buffer::aligned_inv_desc_multi_buff);
    27 "UNALIGNED_INV_DESC_MULTI_BUFF" unaligned_inv_desc_multi_buff runs(crate::multi_buffer::unaligned_inv_desc_multi_buff);
    28 "TOO_MANY_FRAGS" too_many_frags runs(crate::multi_buffer::too_many_frags);
    29 "HW_SW_MIN_RING_SIZE" hw_sw_min_ring_size on_cards(crate::cards::hw_sw_min_ring_size);
    30 "HW_SW_MAX_RING_SIZE" hw_sw_max_ring_size on_cards(crate::cards::hw_sw_max_ring_size);
    31 "XDP_ADJUST_TAIL_SHRINK" xdp_adjust_tail_shrink runs(crate::redirects::xdp_adjust_tail_shrink);
    32 "XDP_ADJUST_TAIL_SHRINK_MULTI_BUFF" xdp_adjust_tail_shrink_multi_buff runs(crate::multi_buffer::xdp_adjust_tail_shrink_multi_buff);
    33 "XDP_ADJUST_TAIL_GROW" xdp_adjust_tail_grow runs(crate::redirects::xdp_adjust_tail_grow);
    34 "XDP_ADJUST_TAIL_GROW_MULTI_BUFF" xdp_adjust_tail_grow_multi_buff runs(crate::multi_buffer::xdp_adjust_tail_grow_multi_buff);
    35 "TX_QUEUE_CONSUMER" tx_queue_consumer runs(crate::traffic::tx_queue_consumer);
}

fn run(name: &str, mode: AttachMode, case: fn(AttachMode)) {
    if privileged(name) {
        case(mode);
    }
}

#[test]
fn every_case_of_the_kernel_runs_or_is_named() {
    let numbers: Vec<usize> = CASES.iter().map(|case| case.number).collect();
    assert_eq!(numbers, (0..36).collect::<Vec<_>>());
    let root = privileged!();
    let cards = root && crate::cards::are_there();
    let needs = |case: &Case| match case.cards && !cards {
        _ if !root => Some("root"),
        true => Some("two cards whose rings can be resized, XSK_CARDS"),
        false => None,
    };
    let (runs, not): (Vec<&Case>, Vec<&Case>) =
        CASES.iter().partition(|case| needs(case).is_none());
    assert_eq!(runs.len() + not.len(), 36);
    let mut text = format!(
        "conformance: {} of 36 cases of xskxceiver run, in native and generic mode; {} do not:\n",
        runs.len(),
        not.len(),
    );
    for case in not {
        text += &format!("  {:<35} needs {}\n", case.kernel, needs(case).unwrap());
    }
    // Past the test harness, which hides what a passing test prints.
    std::io::stderr().write_all(text.as_bytes()).unwrap();
}

#[test]
fn the_readme_lists_what_runs() {
    let readme = include_str!("../README.md");
    let (_, section) = readme.split_once("\n## The kernel's cases").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows: BTreeMap<usize, Vec<&str>> = section
        .lines()
        .filter_map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            Some((cells.get(1)?.parse().ok()?, cells))
        })
        .collect();
    assert_eq!(rows.len(), CASES.len(), "a row for each case");
    for case in CASES {
        let row = &rows[&case.number];
        assert_eq!(row[2..4], [case.kernel, &format!("`{}`", case.name)]);
        assert_eq!(row[4].contains("between two cards"), case.cards, "{row:?}");
    }
}
