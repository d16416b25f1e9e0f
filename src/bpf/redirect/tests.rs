//! The two forms of the default program, and the choice between them.

use super::*;
use std::io::Write;

/// Returns whether this process may load programs; if not, writes that `test` is skipped.
fn privileged(test: &str) -> bool {
    let refusal = XskMap::create(XskMap::DEFAULT_NAME, 1).err();
    let required = std::env::var_os("XSK_TESTS").is_some_and(|value| value == "require");
    assert!(refusal.is_none() || !required, "{test}: {refusal:?}");
    if refusal.is_some() {
        let _ = writeln!(std::io::stderr(), "skipped: {test} needs root (CAP_BPF, CAP_NET_ADMIN)");
    }
    refusal.is_none()
}

#[test]
fn both_forms_pass_on_an_empty_map() {
    if !privileged("both_forms_pass_on_an_empty_map") {
        return;
    }
    let map = XskMap::create(XskMap::DEFAULT_NAME, 4).unwrap();
    for form in [by_flags, by_lookup] {
        let program = builder(&form(map.as_fd()), false).load().unwrap();
        assert_eq!(program.verdict(&EMPTY_PACKET).unwrap(), 2);
    }
    assert_eq!(by_flags(map.as_fd()).len(), 6, "five instructions, one of them in two slots");
}

#[test]
fn before_5_3_the_action_in_the_flags_aborts_and_the_slot_is_looked_up() {
    let (aborted, passed) = (0, 2);
    assert!(!is_obeyed(aborted));
    assert!(is_obeyed(passed));
    if !privileged("before_5_3_the_action_in_the_flags_aborts_and_the_slot_is_looked_up") {
        return;
    }
    let map = XskMap::create(XskMap::DEFAULT_NAME, 4).unwrap();
    let [old, new] = [aborted, passed].map(|verdict| {
        let program = load_form(&map, false, is_obeyed(verdict)).unwrap();
        assert_eq!(program.verdict(&EMPTY_PACKET).unwrap(), 2);
        program.info().unwrap().tag
    });
    assert_ne!(old, new, "two forms");
    let usual = redirect(&map).unwrap().info().unwrap();
    assert_eq!(usual.tag, new, "no kernel from 5.3 on needs the longer form");
}

#[test]
fn a_kernel_that_takes_neither_form_is_named() {
    let refused = |errno| {
        without_lookup(Error::LoadProgram {
            name: REDIRECT_NAME.to_owned(),
            instructions: 16,
            log: "cannot pass map_type 17 into func bpf_map_lookup_elem#1".to_owned(),
            refused_at: None,
            listing: String::new(),
            bound_to: None,
            errno,
        })
    };
    let error = refused(Errno::INVAL);
    assert!(matches!(error, Error::NeedsKernel { .. }), "{error}");
    assert!(error.to_string().contains("5.3"), "{error}");
    let error = refused(Errno::PERM);
    assert!(matches!(error, Error::LoadProgram { .. }), "{error}");
}

#[test]
fn frags_is_taken_where_the_kernel_has_it() {
    if !privileged("frags_is_taken_where_the_kernel_has_it") {
        return;
    }
    let map = XskMap::create(XskMap::DEFAULT_NAME, 4).unwrap();
    let plain = load_redirect(&map, false).unwrap().info().unwrap();
    let frags = load_redirect(&map, true).unwrap().info().unwrap();
    assert_eq!(plain.tag, frags.tag, "the tag is of the instructions alone");
    assert_eq!(redirect_takes_frags(&plain.name), Some(false));
    assert_eq!(redirect_takes_frags(&frags.name), Some(true));
    assert_eq!(redirect_takes_frags("another"), None);
}
