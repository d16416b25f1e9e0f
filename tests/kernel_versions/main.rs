//! What the running kernel has and has not, and that the crate says so: never a wrong answer on an old kernel. The tables
//! of README.md and of the crate's documentation are those of `table.rs`.
//!
//! What older kernels than the oldest supported one answer is in unit tests over recorded replies: `before_5_3_*`,
//! `before_5_4_*`, `before_5_9_*`, `before_6_3_*`. Invalid TX descriptors, which some kernels complete and others never
//! do, are in `conformance` (`aligned_inv_desc`, `stat_tx_invalid`): this crate publishes none.
#![allow(clippy::print_stdout, reason = "tests")]

#[path = "../common/mod.rs"]
mod common;
mod probes;
mod table;

use probes::Answer;
use table::{FEATURES, Feature, HEAD};
use xsk::Error;
use xsk::test_util::privileged;

/// What tells a test that it is the child of another.
const CHILD: &str = "XSK_KERNEL_VERSIONS_CHILD";
/// Comes before the child's answer.
const MARK: &str = "came of it: ";

/// Whether somebody puts features of newer kernels into this one, as those who maintain one for ten years do: there, only
/// what the version promises is demanded.
fn has_backports() -> bool {
    let release = rustix::system::uname();
    let release = release.release().to_string_lossy().into_owned();
    [".el", ".amzn", "-default"].iter().any(|vendor| release.contains(vendor))
}

/// What is wrong with the running kernel's answer, if anything is.
fn fault(feature: &Feature, answer: &Answer) -> Option<&'static str> {
    let (major, minor) = feature.since;
    let new = common::kernel_since(major, minor);
    let named = |text: &str| {
        text.split(|sign: char| !sign.is_ascii_digit() && sign != '.')
            .any(|word| word.trim_matches('.') == feature.version())
    };
    match answer {
        Answer::There if new || has_backports() || feature.since == (5, 19) && sysctl_allows() => {
            None
        }
        Answer::There => Some("is there though the kernel is older"),
        _ if new => Some("is missing though the kernel is new enough"),
        Answer::Unsaid => told(
            feature,
            &["`None`", "not needed", "it is taken", "the kernel is woken", "what was asked"],
        ),
        Answer::Refused(error) if !named(&error.to_string()) => {
            Some("is refused without the version")
        }
        Answer::Refused(Error::NeedsKernel { .. }) => told(feature, &["`NeedsKernel`"]),
        Answer::Refused(Error::UpdateMap { .. }) => told(feature, &["`UpdateMap`"]),
        Answer::Refused(Error::CreateRing { .. }) => told(feature, &["`CreateRing`"]),
        Answer::Refused(_) => Some("is refused by another error than the table says"),
        Answer::Said(text) if !named(text) => Some("is refused without the version"),
        Answer::Said(_) => told(feature, &["`CreateMap`"]),
    }
}

/// Whether the table says that this comes of asking an older kernel.
fn told(feature: &Feature, words: &[&str]) -> Option<&'static str> {
    let told = words.iter().any(|word| feature.without.contains(word));
    (!told).then_some("is missing in another way than the table says")
}

/// Whether maps are for everybody, as before 5.19 only this setting could say.
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
        let answer = (feature.probe)();
        let (version, name) = (feature.version(), feature.name);
        println!("{version:>5} {name}: {answer:?}");
        if let Some(fault) = fault(feature, &answer) {
            faults.push(format!("{name} ({version}) {fault}: {answer:?}"));
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
