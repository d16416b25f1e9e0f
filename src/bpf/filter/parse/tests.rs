//! Texts, and what is read from them: `tests/valid.txt` and `tests/invalid.txt`, each line a text
//! and below it what becomes of it. `UPDATE_EXPECT=1 cargo test --lib filter` writes what is below.

use super::super::direction::Direction;
use super::super::expr::{Expr, Header, Number, Test, TestKind};
use expect_test::expect_file;

/// Returns the texts of a table.
fn texts(table: &str) -> impl Iterator<Item = &str> {
    table.lines().filter(|line| !line.starts_with("    "))
}

#[test]
fn valid_texts_are_read_as_in_the_table() {
    let table = include_str!("tests/valid.txt");
    assert!(texts(table).count() > 200);
    let mut found = String::new();
    for text in texts(table) {
        let expr = super::parse(text).unwrap_or_else(|error| panic!("{error}"));
        found += &format!("{text}\n    {}\n", tree(&expr));
    }
    expect_file!["tests/valid.txt"].assert_eq(&found);
}

#[test]
fn invalid_texts_are_refused_as_in_the_table() {
    let table = include_str!("tests/invalid.txt");
    assert!(texts(table).count() > 100);
    let mut found = String::new();
    for text in texts(table) {
        let Err(error) = super::parse(text) else { panic!("{text} was read") };
        let shown = error.to_string();
        let (first, rest) = shown.split_once('\n').unwrap();
        assert!(rest.starts_with(&format!("  {text}\n")), "{shown}");
        found += &format!("{text}\n    {first}\n");
    }
    expect_file!["tests/invalid.txt"].assert_eq(&found);
}

#[test]
fn a_text_that_is_too_long_is_shown_where_it_is_too_long() {
    let hosts = "host 192.0.2.1 or ".repeat(1 << 12);
    let error = super::parse(&hosts).unwrap_err();
    let shown = error.to_string();
    let lines: Vec<&str> = shown.lines().collect();
    let first = "column 65537: `73728 bytes` is too much: an expression has at most 65536 bytes";
    assert_eq!(lines.first(), Some(&first));
    assert!(lines.iter().any(|line| line.contains("host 192.0.2.1 or host")), "{shown}");
    // Characters of several bytes.
    let error = super::parse(&"\u{e4}".repeat(40_000)).unwrap_err();
    assert_eq!(error.column(), 32_769);
}

/// Writes a condition: `&(a b)` for `and`, `|(a b)` for `or`, `!a` for `not`, each test with `@` and
/// its depth if that is not 0.
fn tree(expr: &Expr) -> String {
    let list = |list: &[Expr]| list.iter().map(tree).collect::<Vec<_>>().join(" ");
    match expr {
        Expr::Always(value) => value.to_string(),
        Expr::Not(inner) => format!("!{}", tree(inner)),
        Expr::And(parts) => format!("&({})", list(parts)),
        Expr::Or(parts) => format!("|({})", list(parts)),
        Expr::Test(Test { depth: 0, kind }) => test(kind),
        Expr::Test(Test { depth, kind }) => format!("{}@{depth}", test(kind)),
    }
}

fn test(kind: &TestKind) -> String {
    match kind {
        TestKind::EtherType(number) => format!("type={number:04x}"),
        TestKind::Vlan(None) => "vlan".to_owned(),
        TestKind::Vlan(Some(id)) => format!("vlan={id}"),
        TestKind::Ether(direction, address) => format!("mac{}={address:02x?}", way(direction)),
        TestKind::EtherMulticast => "mac-multicast".to_owned(),
        TestKind::Ip4(direction, address, mask) => {
            format!("ip4{}={address}/{mask}", way(direction))
        }
        TestKind::Arp { reverse, direction, address, mask } => {
            let name = if *reverse { "rarp" } else { "arp" };
            format!("{name}{}={address}/{mask}", way(direction))
        }
        TestKind::Ip6(direction, address, bits) => {
            format!("ip6{}={address}/{bits}", way(direction))
        }
        TestKind::Ip4Protocol(number) => format!("proto4={number}"),
        TestKind::Ip6Protocol(number) => format!("proto6={number}"),
        TestKind::Ip4Port(protocol, direction, ports) => {
            format!("port4:{protocol}{}={}-{}", way(direction), ports.first, ports.last)
        }
        TestKind::Ip6Port(protocol, direction, ports) => {
            format!("port6:{protocol}{}={}-{}", way(direction), ports.first, ports.last)
        }
        TestKind::AddressIn(..) | TestKind::Ip4PortIn(..) | TestKind::Ip6PortIn(..) => {
            unreachable!("no text has a set")
        }
        TestKind::Length(relation, value) => format!("length {relation:?} {value}"),
        TestKind::Compare(left, relation, right) => {
            format!("<{} {relation:?} {}>", number(left), number(right))
        }
    }
}

fn way(direction: &Direction) -> &'static str {
    match direction {
        Direction::Source => ".src",
        Direction::Destination => ".dst",
        Direction::Either => "",
        Direction::Both => ".both",
    }
}

fn number(value: &Number) -> String {
    match value {
        Number::Constant(value) => value.to_string(),
        Number::Length => "len".to_owned(),
        Number::Load { header, offset, size } => {
            let name = match header {
                Header::Ethernet => "eth",
                Header::Network => "net",
                Header::Ip4Payload => "pay4",
                Header::Ip6Payload => "pay6",
            };
            format!("{name}[{}]:{size}", number(offset))
        }
        Number::Binary(operator, left, right) => {
            format!("({} {operator:?} {})", number(left), number(right))
        }
        Number::Negate(inner) => format!("-{}", number(inner)),
    }
}

/// Runs on a stack of half of what a thread of a test has.
fn on_a_small_stack(run: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(1 << 20).spawn(run).unwrap();
    thread.join().unwrap();
}

#[test]
fn deep_texts_end_with_an_error_that_names_the_column() {
    on_a_small_stack(|| {
        for (text, end) in [
            ("(", ""),
            ("(((len)", ""),
            ("not (", ""),
            ("not ", ""),
            ("ip[", ""),
            ("- ", ""),
            ("len % ", ""),
            ("len = (", ""),
            ("behind 1 ", ""),
            ("behind 1 not (", ""),
            ("port 1 or (", ""),
            ("tcp and udp or ", "ip"),
            ("len + ", "len = 5"),
            ("len - (", "len"),
        ] {
            let times = (super::cursor::LONGEST - end.len()) / text.len();
            let deep = text.repeat(times) + end;
            let error = super::parse(&deep).unwrap_err();
            assert!(error.column() > 1, "{error}");
        }
        let deep = format!("port {}", "(".repeat(60_000));
        assert_eq!(super::parse(&deep).unwrap_err().column(), 6 + super::cursor::MOST_OPEN);
    });
}
