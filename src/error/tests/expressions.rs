//! Texts of errors about filter expressions.

use super::Texts;
use crate::bpf::Condition;
use crate::error::{Error, ExpressionFault};
use expect_test::expect;

#[test]
fn texts_are_as_pinned() {
    super::check(texts());
}

/// Returns the errors and their pinned texts.
// Not formatted: `UPDATE_EXPECT` does not find the texts where rustfmt puts them.
#[rustfmt::skip]
pub(super) fn texts() -> Texts {
    let read = |text: &str| Error::from(text.parse::<Condition>().unwrap_err());
    vec![
        (read("tcp nad port 80"), expect!["cannot read the filter expression at column 5: `nad` in place of `and`, `or` or the end (the nearest keyword is `and`)"]),
        (read("tcp and"), expect!["cannot read the filter expression at column 8: the end in place of a condition, such as `tcp`, `port 80` or `host 192.0.2.1`"]),
        (read("port 70000"), expect!["cannot read the filter expression at column 6: `70000` is not possible: a port is at most 65535"]),
        (read("tcp or gateway router"), expect!["cannot read the filter expression at column 8: `gateway` is not taken: it needs a resolver; write the Ethernet address: `ether host ...`"]),
        (read("vlan and vlan and vlan"), expect!["cannot read the filter expression at column 19: `vlan` is too much: conditions look behind at most 2 VLAN tags"]),
    ]
}

#[test]
fn every_kind_of_fault_is_pinned() {
    let faults: Vec<_> = texts()
        .into_iter()
        .filter_map(|(error, _)| match error {
            Error::Expression(error) => Some(error.fault()),
            _ => None,
        })
        .collect();
    for fault in [
        ExpressionFault::Unexpected,
        ExpressionFault::NotTaken,
        ExpressionFault::Value,
        ExpressionFault::Limit,
    ] {
        assert!(faults.contains(&fault), "{fault:?}");
    }
}

#[test]
fn the_expression_is_shown_with_a_caret_below() {
    let show = |text: &str| text.parse::<Condition>().unwrap_err().to_string();
    expect![[r#"
        column 5: `nad` in place of `and`, `or` or the end (the nearest keyword is `and`)
          tcp nad port 80
              ^"#]]
    .assert_eq(&show("tcp nad port 80"));
    // Of a longer text the part around the column is shown.
    let long =
        format!("{}\tor prt 5 or {}", ["port 80"; 40].join(" or "), ["udp"; 40].join(" or "));
    expect![[r#"
        column 441: `prt` in place of a condition, such as `tcp`, `port 80` or `host 192.0.2.1` (the nearest keyword is `port`)
          ...0 or port 80 or port 80 or port 80 or port 80 or port 80 or prt 5 or udp or udp or udp or udp or udp or udp or udp or ud...
                                                                         ^"#]].assert_eq(&show(&long));
    expect![[r#"
        column 6: `ä` in place of a keyword, a value or a sign
          host ä and udp
               ^"#]]
    .assert_eq(&show("host ä and udp"));
}
