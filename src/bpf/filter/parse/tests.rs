//! Texts, and what is read from them.

#[test]
fn texts_read_back_as_equal_conditions() {
    use crate::bpf::Condition;
    for text in [
        "tcp",
        "port 53 or 80",
        "host 1.2.3.4 and not (tcp or udp)",
        "host ::1",
        "net 10/8",
        "net 10.0.0.0/8",
        "vlan 5 and tcp or vlan and udp",
        "tcp[13] & 2 != 0",
        "tcp[tcpflags] & (tcp-syn|tcp-ack) = tcp-syn",
        "ether host 1:2:3:4:5:6",
        "portrange 10-20",
        "src or dst port http",
        "ip[0] & 0xf > 5 and tcp",
        "len % 3 + 1 = 2",
        "host (1.2.3.4 or 1.2.3.5) and not 1.2.3.6",
        "behind 1 udp and tcp",
        "icmp6[icmp6type] = icmp6-echo",
        "ah",
        "less 100",
        "tcp nad udp",
        "(len + 1) * 2 = 5",
        "proto tcp",
        "ip6 multicast or ip multicast or broadcast",
        "ip tcp src port 5-6",
        "ip tcp src portrange 5-6",
        "gateway foo",
        "host example.org",
        "tcp or 80",
        "",
    ] {
        match text.parse::<Condition>() {
            Ok(c) => {
                let shown = c.to_string();
                let again = shown.parse::<Condition>();
                println!("{text:50} => {shown}");
                assert_eq!(again.as_ref(), Ok(&c), "{shown}");
            }
            Err(e) => println!("{text:50} => {e}"),
        }
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
            let times = (super::LONGEST - end.len()) / text.len();
            let deep = text.repeat(times) + end;
            let error = super::parse(&deep).unwrap_err();
            assert!(error.column() > 1, "{error}");
        }
        let deep = format!("port {}", "(".repeat(60_000));
        assert_eq!(super::parse(&deep).unwrap_err().column(), 6 + super::MOST_OPEN);
    });
}
