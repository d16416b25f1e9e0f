//! Tests that need root: they run, are skipped by name, or fail where `XSK_TESTS=require` is set.

use super::Namespace;
use crate::bpf::XskMap;
use std::io::Write;
use std::sync::OnceLock;

/// Returns whether this process may make network namespaces and BPF maps, and so run the test
/// `name`. The macro of the same name, `privileged!()`, finds the name by itself.
///
/// If not, a line with the name goes to the standard error output past the test harness, so that a
/// skipped test is not taken for one that passed.
///
/// # Panics
/// If the environment variable `XSK_TESTS` is `require` and `false` would be returned.
#[must_use]
pub fn privileged(name: &str) -> bool {
    static REASON: OnceLock<Option<String>> = OnceLock::new();
    let reason = REASON.get_or_init(|| {
        let result = Namespace::new().and_then(|_| XskMap::create("xsk_privilege", 1));
        result.err().map(|error| error.to_string())
    });
    let Some(reason) = reason else { return true };
    let needs = "needs root (CAP_SYS_ADMIN, CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF)";
    assert!(
        std::env::var_os("XSK_TESTS").is_none_or(|value| value != "require"),
        "{name} {needs}, and XSK_TESTS=require forbids to skip it: {reason}"
    );
    // The test harness captures `eprintln!`, but not this. That it fails without a standard error
    // output is no reason to fail the test.
    let _ = writeln!(std::io::stderr(), "skipped: {name} {needs}");
    false
}

/// Returns whether this process may run the test that the macro is in: calls the function of the
/// same name with [`test_name!`](super::test_name).
///
/// ```
/// # use xsk::test_util::privileged;
/// fn forwards_frames() {
///     if !privileged!() {
///         return; // `skipped: forwards_frames needs root ...` is on the standard error output.
///     }
///     // ...
/// }
/// # forwards_frames();
/// ```
#[doc(hidden)] // Shown in `test_util`, not at the root of the crate.
#[macro_export]
macro_rules! __privileged {
    () => {
        $crate::test_util::privileged($crate::test_util::test_name!())
    };
}

/// Returns the name of the function that the macro is in as the test harness prints it: with its
/// modules, without the crate.
///
/// ```
/// fn forwards_frames() -> &'static str {
///     // The same in a closure.
///     let name = || xsk::test_util::test_name!();
///     name()
/// }
/// assert!(forwards_frames().ends_with("forwards_frames"));
/// ```
#[doc(hidden)] // Shown in `test_util`, not at the root of the crate.
#[macro_export]
macro_rules! __test_name {
    () => {{
        fn here() {}
        $crate::test_util::enclosing_function(here)
    }};
}

#[doc(inline)]
pub use {__privileged as privileged, __test_name as test_name};

/// Returns the name of the function in which the function `here` is, for
/// [`test_name!`](super::test_name).
#[doc(hidden)]
#[must_use]
pub fn enclosing_function<F: Fn()>(_here: F) -> &'static str {
    let path = std::any::type_name::<F>();
    let path = path.rsplit_once("::").map_or(path, |(enclosing, _)| enclosing);
    let path = path.trim_end_matches("::{{closure}}");
    path.split_once("::").map_or(path, |(_, inside)| inside)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_test_knows_its_name() {
        let name = "test_util::privilege::tests::a_test_knows_its_name";
        assert_eq!(crate::test_util::test_name!(), name);
        let inside = || crate::test_util::test_name!();
        assert_eq!(inside(), name);
    }
}
