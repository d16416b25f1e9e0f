//! Processes that are killed and started again: with few capabilities, and with a program of their
//! own that each loads anew.

use crate::fixture::Fixture;
use crate::processes::Other;
use rustix::thread::CapabilitySet;
use xsk::attach::XdpMode;
use xsk::test_util::privileged;

/// What a service needs for its first start.
const FEW: CapabilitySet =
    CapabilitySet::NET_RAW.union(CapabilitySet::NET_ADMIN).union(CapabilitySet::BPF);

/// Returns the program's id from the words of a process that has attached it.
#[track_caller]
fn attached_anew(said: &str) -> u32 {
    let id = said.strip_suffix(" false");
    id.unwrap_or_else(|| panic!("{said}")).parse().unwrap()
}

#[test]
fn without_sys_admin_a_killed_process_starts_again() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    for program in ["", " own", " own take_over"] {
        for _ in 0..2 {
            let (mut other, said) =
                Other::start_with(FEW, &fixture, &format!("any auto 0{program}"));
            let id = attached_anew(&said);
            assert_eq!(fixture.attached(), Some((XdpMode::Native, id)));
            let how = other.ask("how");
            assert!(how.starts_with("link, without CAP_SYS_ADMIN a program"), "{how}");
            other.kill();
            fixture.assert_vacant();
        }
        // By netlink one stays, and may not be looked at.
        let (mut other, said) =
            Other::start_with(FEW, &fixture, &format!("netlink auto 0{program}"));
        let left = attached_anew(&said);
        assert_eq!(other.ask("how"), "netlink, as asked");
        other.kill();
        assert_eq!(fixture.attached(), Some((XdpMode::Native, left)));
        for method in ["any", "netlink", "link"] {
            let (_, said) = Other::start_with(FEW, &fixture, &format!("{method} auto 0{program}"));
            let takes = if program == " own" { "attached" } else { "CAP_SYS_ADMIN" };
            for words in [
                "error: ",
                fixture.interface().name(),
                &left.to_string(),
                "`ip link set dev xsk-a xdpdrv off`",
                "`replace_foreign`",
                takes,
            ] {
                assert!(said.contains(words), "{said}");
            }
            assert_eq!(fixture.attached(), Some((XdpMode::Native, left)), "nothing has changed");
        }
        for method in ["netlink", "any"] {
            for mode in ["auto", "generic"] {
                let (_, before) = fixture.attached().unwrap();
                let role = format!("{method} {mode} 0{program} replace");
                let (mut other, said) = Other::start_with(FEW, &fixture, &role);
                let id = attached_anew(&said);
                let replaced = other.ask("replaced");
                assert!(replaced.starts_with(&format!("program {before} (")), "{replaced}");
                let how = other.ask("how");
                let expected = if method == "any" { "link, without" } else { "netlink, as asked" };
                assert!(how.starts_with(expected), "{how}");
                let expected = if mode == "auto" { XdpMode::Native } else { XdpMode::Generic };
                assert_eq!(fixture.attached(), Some((expected, id)));
                if method == "any" {
                    other.leave();
                    fixture.assert_vacant();
                    // Another one is left for the next round.
                    Other::start_with(FEW, &fixture, &format!("netlink auto 0{program}")).0.kill();
                } else {
                    other.kill();
                }
            }
        }
        // As root the default program is taken over as it is.
        let role = if program.is_empty() { "any auto 0" } else { "any auto 0 own take_over" };
        let (mut other, said) = Other::start(&fixture, role);
        assert_eq!(said.ends_with(" true"), program.is_empty(), "{said}");
        let how = if program.is_empty() {
            "netlink, a program without a user was there: its process was killed, or the interface came from another namespace"
        } else {
            "netlink, the default"
        };
        assert_eq!(other.ask("how"), how, "{said}");
        other.leave();
        fixture.assert_vacant();
    }
}

#[test]
fn without_sys_admin_a_second_process_is_shown_the_way() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(2);
    for (method, held) in [("any", "by link"), ("netlink", "by netlink")] {
        let (first, said) = Other::start_with(FEW, &fixture, &format!("{method} auto 0"));
        let id = attached_anew(&said);
        for more in ["", " replace"] {
            let (_, said) = Other::start_with(FEW, &fixture, &format!("{method} auto 1{more}"));
            let number = id.to_string();
            for words in ["error: ", &number, held, "CAP_SYS_ADMIN", "`Attachment::with_map`"] {
                assert!(said.contains(words), "{said}");
            }
            assert!(!said.contains("xdpdrv off"), "it is in use: {said}");
            assert_eq!(fixture.attached(), Some((XdpMode::Native, id)));
        }
        first.leave();
        fixture.assert_vacant();
    }
}

#[test]
fn a_program_that_each_start_loads_anew_is_taken_over_on_request() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(2);
    for method in ["netlink", "link", "any"] {
        for mode in ["native", "generic"] {
            let (killed, said) = Other::start(&fixture, "netlink native 0 own");
            let left = attached_anew(&said);
            let role = format!("{method} {mode} 1 own take_over");
            // It has a user.
            let (_, said) = Other::start(&fixture, &role);
            assert!(said.contains(&format!("id {left}, name own")), "{said}");
            killed.kill();
            assert_eq!(fixture.attached(), Some((XdpMode::Native, left)));
            for other in ["own", "twin take_over"] {
                let (_, said) = Other::start(&fixture, &format!("{method} {mode} 1 {other}"));
                assert!(said.contains(&format!("id {left}, name own")), "{said}");
                assert_eq!(fixture.attached(), Some((XdpMode::Native, left)));
            }
            let (mut next, said) = Other::start(&fixture, &role);
            let id = attached_anew(&said);
            let expected = if mode == "native" { XdpMode::Native } else { XdpMode::Generic };
            assert_eq!(fixture.attached(), Some((expected, id)));
            assert_eq!(next.ask("replaced"), "none", "it was its own");
            next.leave();
            fixture.assert_vacant();
        }
    }
}
