use super::{grouped, rounded, row};
use std::time::Duration;

#[test]
fn columns_do_not_run_together() {
    let most = grouped(1_000_000_000_000_000);
    let text = row("rx_fill_ring_empty_descs", &most, &most);
    let words: Vec<&str> = text.split_whitespace().collect();
    assert_eq!(words, ["rx_fill_ring_empty_descs", &most, &most]);
    assert!(text.len() <= 80, "{text}");
}

#[test]
fn seconds_have_three_digits() {
    assert_eq!(rounded(Duration::from_nanos(1_152_775_796)).to_string(), "1.153");
    assert_eq!(rounded(Duration::from_millis(1_764_187_196_123)).to_string(), "1764187196.123");
}
