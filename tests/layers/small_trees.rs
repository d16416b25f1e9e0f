//! Small trees whose circles are known, so that the other tests are known to find them.

use crate::circles::{self, Circle};
use crate::reader;
use crate::tree::Files;
use crate::uses::Uses;
use crate::{assert_no_circle, uses_from_above};

/// What the files of a crate use of one another; the first file is the root.
fn uses(files: &[(&str, &str)]) -> Uses {
    let root = files.first().unwrap().0;
    let files: Files =
        files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    let uses = Uses::of(&reader::read(&files, root));
    assert!(uses.unresolved.is_empty(), "{:?}", uses.unresolved);
    uses
}

/// The circles among files, as they are printed.
fn circles(files: &[(&str, &str)]) -> Vec<String> {
    circles::find(&uses(files).edges).iter().map(Circle::to_string).collect()
}

#[test]
fn two_files_in_a_circle_are_found() {
    let found = circles(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "use crate::b::{self, two}; fn one() { two(); b::three() }"),
        ("b.rs", "pub fn two() {} pub fn three() { super::a::one() }"),
    ]);
    let expected = "a.rs -> b.rs -> a.rs\n    a.rs uses `three`, `two` of b.rs\n    \
                    b.rs uses `one` of a.rs\n";
    assert_eq!(found, [expected]);
}

#[test]
fn a_circle_through_three_files_is_found_from_each_edge() {
    let found = circles(&[
        ("main.rs", "mod a; mod b; mod c;"),
        ("a.rs", "pub struct A(crate::b::B);"),
        ("b.rs", "pub struct B; impl B { fn c(&self) -> crate::c::C { todo!() } }"),
        ("c.rs", "pub type C = Box<dyn Fn(crate::a::A)>;"),
    ]);
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("a.rs -> b.rs -> c.rs -> a.rs\n"), "{found:?}");
}

#[test]
fn a_circle_behind_a_re_export_is_found() {
    let found = circles(&[
        ("lib.rs", "mod room;"),
        ("room/mod.rs", "mod a; mod b; pub use a::A; pub(crate) use b::*;"),
        ("room/a.rs", "use super::B; pub struct A(B);"),
        ("room/b.rs", "pub struct B; fn make() -> crate::room::A { todo!() }"),
    ]);
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("room/a.rs -> room/b.rs -> room/a.rs\n"), "{found:?}");
}

#[test]
fn a_parent_that_uses_its_re_export_is_found() {
    let child = "use super::Parent; pub struct Child; impl Parent { fn parent() {} }";
    let parent = "mod child; pub use child::Child; pub struct Parent;";
    let root = ("lib.rs", "pub mod room;");
    assert!(circles(&[root, ("room.rs", parent), ("room/child.rs", child)]).is_empty());
    let parent = format!("{parent} fn make() -> Option<Child> {{ None }}");
    let found = circles(&[root, ("room.rs", &parent), ("room/child.rs", child)]);
    assert_eq!(
        found,
        ["room.rs -> room/child.rs -> room.rs\n    room.rs uses `Child` of room/child.rs\n    \
          room/child.rs uses `Parent` of room.rs\n"]
    );
}

#[test]
fn a_parent_that_calls_methods_of_a_child_is_found() {
    let child =
        "use super::Parent; impl Parent { pub fn new() -> Self { todo!() } fn go(&self) {} }";
    for (call, name) in [
        ("impl Parent { fn f() { Self::new(); } }", "`Parent::new`"),
        ("fn f() { Parent::new(); }", "`Parent::new`"),
        ("fn f(p: &Parent) { p.go() }", "`.go()`"),
        ("fn f(p: &Parent) { assert!(p.go()) }", "`.go()`"),
    ] {
        let parent = format!("mod child; pub struct Parent; {call}");
        let found = circles(&[("lib.rs", &parent), ("child.rs", child)]);
        assert_eq!(found.len(), 1, "{call}");
        assert!(found[0].contains(name), "{found:?}");
    }
}

#[test]
fn names_in_macros_are_found() {
    let found = circles(&[
        ("lib.rs", "#[macro_use] mod ground; mod top;"),
        (
            "ground.rs",
            "macro_rules! table { ($($name:ident)*) => {
                $(pub struct $name;)* pub const TABLE: &[$crate::ground::Row] = &[]; } }
            pub(crate) use table;
            pub struct Row;
            const ALL: &[&[Row]] = &[crate::top::TABLE];",
        ),
        ("top.rs", "crate::ground::table! { A B }"),
    ]);
    assert_eq!(
        found,
        ["ground.rs -> top.rs -> ground.rs\n    ground.rs uses `TABLE` of top.rs\n    \
          top.rs uses `table` of ground.rs\n"]
    );
    let found = circles(&[
        ("lib.rs", "macro_rules! say { ($x:expr) => { $x } } mod a; fn f() { g!(a::{F, go}) }"),
        ("a.rs", "pub struct F; pub fn go() { say!(1) }"),
    ]);
    assert_eq!(found.len(), 1, "the child uses a macro of its parent");
}

#[test]
fn what_is_no_use_makes_no_circle() {
    let found = circles(&[
        ("lib.rs", "mod a; mod b; pub use a::A; pub use b::B as Other;"),
        (
            "a.rs",
            "//! Like [`b`](crate::b).
            pub struct A; // crate::b::B
            #[cfg(test)] use crate::b::B;
            #[cfg(all(test, unix))] fn f() { crate::b::B; }
            fn g() { #[cfg(test)] crate::b::go(); }
            #[cfg(test)] mod tests { use crate::b::*; }
            #[cfg(test)] mod more_tests;",
        ),
        ("b.rs", "pub struct B(crate::a::A); mod tests;"),
    ]);
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn a_condition_that_also_holds_outside_of_tests_counts() {
    for condition in ["not(test)", "any(test, unix)", "feature = \"test\"", "not(all(test, loom))"]
    {
        let a = format!("pub struct A; #[cfg({condition})] use super::b::B;");
        let found = circles(&[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", &a),
            ("b.rs", "use super::a::A; pub struct B;"),
        ]);
        assert_eq!(found.len(), 1, "{condition}");
    }
}

#[test]
fn a_path_that_leads_nowhere_is_reported() {
    let files = [("lib.rs", "mod a; use std::io; use a::nothing;"), ("a.rs", "use crate::b::B;")];
    let files: Files =
        files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    let uses = Uses::of(&reader::read(&files, "lib.rs"));
    let unresolved: Vec<_> = uses.unresolved.iter().collect();
    assert_eq!(unresolved, ["a.rs: crate::b::B", "lib.rs: a::nothing"]);
}

#[test]
#[should_panic(expected = "#[path]")]
fn a_module_in_another_place_is_refused() {
    uses(&[("lib.rs", "#[path = \"b.rs\"] mod a;"), ("b.rs", "")]);
}

#[test]
fn an_import_from_above_is_found() {
    let allowed: &[(&str, &[&str])] = &[("low", &[]), ("high", &["low"])];
    let tree = |low: &str| {
        let root = "mod low; mod high; pub use high::High;";
        let uses = uses(&[
            ("lib.rs", root),
            ("low.rs", low),
            ("high.rs", "pub struct High; pub fn f() { crate::low::g() }"),
        ]);
        uses_from_above(&uses, allowed)
    };
    assert!(tree("pub fn g() {}").is_empty());
    for low in [
        "pub fn g() {} use crate::high::High;",
        "pub fn g() { super::high::f() }",
        "pub fn g() {} use crate::high as other;",
        "pub fn g() {} use crate::high::*;",
        "pub fn g() {} pub use super::High;",
        "pub fn g() {} macro_rules! m { () => { crate::high::High } }",
    ] {
        assert!(!tree(low).is_empty(), "{low}");
    }
    let wrong = tree("pub fn g() {} use crate::High;");
    assert!(wrong.iter().any(|wrong| wrong.ends_with("of lib.rs")), "{wrong:?}");
}

#[test]
#[should_panic(expected = "a.rs -> b.rs -> a.rs")]
fn a_circle_fails_and_is_named() {
    assert_no_circle(&uses(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "pub struct A; use crate::b::B;"),
        ("b.rs", "pub struct B; use crate::a::A;"),
    ]));
}
