//! What the running kernel can and cannot do, and that the crate reports it: never a wrong result
//! on an old kernel. `table.rs` holds the tables of README.md and of the crate's documentation.
//!
//! What kernels older than the oldest supported one return is in unit tests over recorded replies:
//! `before_5_3_*`, `before_5_4_*`, `before_5_9_*`, `before_6_3_*`. Invalid TX descriptors, which
//! some kernels complete and others never do, are in `conformance` (`aligned_inv_desc`,
//! `stat_tx_invalid`): this crate publishes none.
#![allow(clippy::print_stdout, reason = "tests")]

#[path = "../common/mod.rs"]
mod common;
mod probes;
mod table;

use probes::Outcome;
use table::{FEATURES, Feature, HEAD};
use xsk::Error;
use xsk::test_util::privileged;

/// The environment variable that marks a test as the child of another.
const CHILD: &str = "XSK_KERNEL_VERSIONS_CHILD";
/// Comes before the child's result.
const MARK: &str = "without memory to lock: ";

/// Returns whether the kernel's vendor puts features of newer kernels into this one, as vendors
/// with ten years of support do: there, only what the version promises is required.
fn has_backports() -> bool {
    let release = rustix::system::uname();
    let release = release.release().to_string_lossy().into_owned();
    [".el", ".amzn", "-default"].iter().any(|vendor| release.contains(vendor))
}

/// Returns what is wrong with the running kernel's result, if anything is.
fn fault(feature: &Feature, outcome: &Outcome) -> Option<&'static str> {
    let (major, minor) = feature.since;
    let new = common::kernel_since(major, minor);
    let named = |text: &str| {
        text.split(|sign: char| !sign.is_ascii_digit() && sign != '.')
            .any(|word| word.trim_matches('.') == feature.version())
    };
    match outcome {
        Outcome::Works if new || has_backports() || feature.since == (5, 19) && sysctl_allows() => {
            None
        }
        Outcome::Works => Some("is there although the kernel is older"),
        _ if new => Some("is missing although the kernel is new enough"),
        Outcome::NotClaimed => as_in_the_table(
            feature,
            &[
                "`None`",
                "not needed",
                "the kernel accepts it",
                "wakes the kernel",
                "what `bind` asked",
            ],
        ),
        Outcome::Refused(error) if !named(&error.to_string()) => {
            Some("the error does not name the version")
        }
        Outcome::Refused(Error::NeedsKernel { .. }) => as_in_the_table(feature, &["`NeedsKernel`"]),
        Outcome::Refused(Error::UpdateMap { .. }) => as_in_the_table(feature, &["`UpdateMap`"]),
        Outcome::Refused(Error::CreateRing { .. }) => as_in_the_table(feature, &["`CreateRing`"]),
        Outcome::Refused(_) => Some("is refused by another error than the table says"),
        Outcome::RefusedByText(text) if !named(text) => Some("the error does not name the version"),
        Outcome::RefusedByText(_) => as_in_the_table(feature, &["`CreateMap`"]),
    }
}

/// Returns `None` if the table has one of `words` as what an older kernel does.
fn as_in_the_table(feature: &Feature, words: &[&str]) -> Option<&'static str> {
    let found = words.iter().any(|word| feature.without.contains(word));
    (!found).then_some("is missing in another way than the table says")
}

/// Returns whether maps are open to all users, which before 5.19 only this setting allows.
fn sysctl_allows() -> bool {
    let setting = std::fs::read_to_string("/proc/sys/kernel/unprivileged_bpf_disabled");
    setting.is_ok_and(|setting| setting.trim() == "0")
}

#[test]
fn the_running_kernel_has_what_the_table_says() {
    if !privileged!() {
        return;
    }
    let mut faults = Vec::new();
    for feature in &FEATURES {
        let outcome = (feature.probe)();
        let (version, name) = (feature.version(), feature.name);
        println!("{version:>5} {name}: {outcome:?}");
        if let Some(fault) = fault(feature, &outcome) {
            faults.push(format!("{name} ({version}) {fault}: {outcome:?}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Does nothing by itself: the test above starts it as a process of its own.
#[test]
fn without_memory_to_lock() {
    if std::env::var_os(CHILD).is_some() {
        println!("\n{MARK}{}", probes::try_without_memlock());
    }
}

#[test]
fn the_tables_in_the_readme_and_the_crate_documentation_are_this_one() {
    let rows: Vec<String> = FEATURES.iter().map(Feature::row).collect();
    let readme = format!("\n\n{HEAD}{}\n\n", rows.join("\n"));
    assert!(include_str!("../../README.md").contains(&readme), "README.md should have{readme}");
    let crate_docs: String =
        format!("{HEAD}{}", rows.join("\n")).lines().map(|line| format!("//! {line}\n")).collect();
    assert!(
        include_str!("../../src/lib.rs").contains(&format!("//!\n{crate_docs}//!\n")),
        "src/lib.rs should have\n{crate_docs}"
    );
    assert!(FEATURES.is_sorted_by_key(|feature| feature.since));
}
