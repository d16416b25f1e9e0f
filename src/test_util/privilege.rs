//! Tests that need privileges: run, skipped by name, or demanded.

use super::Namespace;
use crate::bpf::XskMap;
use std::io::Write;
use std::sync::OnceLock;

/// Whether this process may make network namespaces and BPF maps, and so run the test `name`.
///
/// If not, says so on the standard error output, where the test harness does not hide it, so that a skipped
/// test is not taken for one that passed:
///
/// ```
/// # use xsk::test_util::privileged;
/// fn forwards_frames() {
///     if !privileged("forwards_frames") {
///         return;
///     }
///     // ...
/// }
/// # forwards_frames();
/// ```
///
/// # Panics
/// If the environment variable `XSK_TESTS` is `require` and the answer would be `false`.
#[must_use]
pub fn privileged(name: &str) -> bool {
    static REFUSAL: OnceLock<Option<String>> = OnceLock::new();
    let refusal = REFUSAL.get_or_init(|| {
        let tried = Namespace::new().and_then(|_| XskMap::create("xsk_privilege", 1));
        tried.err().map(|error| error.to_string())
    });
    let Some(refusal) = refusal else { return true };
    let needs = "needs root (CAP_SYS_ADMIN, CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF)";
    assert!(
        std::env::var_os("XSK_TESTS").is_none_or(|value| value != "require"),
        "{name} {needs}, and XSK_TESTS=require forbids to skip it: {refusal}"
    );
    // Not `eprintln!`, which the test harness captures. A test goes on without its standard error output.
    let _ = writeln!(std::io::stderr(), "skipped: {name} {needs}");
    false
}
