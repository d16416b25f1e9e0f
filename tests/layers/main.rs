//! The order of modules and files: no module imports from a layer above its own, and no files
//! import one another in a circle.

mod circles;
mod conditions;
mod reader;
mod small_trees;
mod tokens;
mod tree;
mod uses;

use circles::Circle;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use tree::{Crate, Files};
use uses::Uses;

/// The modules of the library, each with those that it may import from. `lib.rs` is above them all.
const ALLOWED: &[(&str, &[&str])] = &[
    ("num", &[]),
    ("types", &[]),
    ("packet", &[]),
    ("sys", &["num", "types"]),
    ("ring", &["num", "types"]),
    ("error", &["types", "ring"]),
    ("umem", &["num", "types", "sys", "ring", "error"]),
    ("netlink", &["num", "sys"]),
    ("interface", &["num", "sys", "types", "error", "netlink"]),
    ("bpf", &["num", "types", "sys", "error", "packet"]),
    ("socket", &["num", "types", "sys", "ring", "umem", "interface", "error", "packet"]),
    ("attach", &["sys", "types", "error", "netlink", "interface", "bpf", "socket"]),
    ("multi_queue", &["num", "types", "error", "umem", "interface", "socket", "attach"]),
    ("handover", &["num", "types", "sys", "error", "interface", "bpf", "socket"]),
    (
        "test_util",
        &[
            "num",
            "types",
            "sys",
            "ring",
            "umem",
            "socket",
            "netlink",
            "interface",
            "bpf",
            "error",
            "packet",
            "handover",
        ],
    ),
];

/// The files of the library that may have unsafe code, by their beginnings.
const UNSAFE: &[&str] = &[
    "sys/",
    "ring/",
    "umem/mod.rs",
    "umem/builder.rs",
    "umem/frame_pool.rs",
    "umem/packet.rs",
    // A mapping becomes the memory of a ring.
    "socket/ring_set.rs",
    "test_util/",
];

/// A crate of this repository, by the directory of its sources.
fn read(directory: &str, root: &str) -> (Crate, Uses) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    let mut files = Files::new();
    collect(&directory, &directory, &mut files);
    let tree = reader::read(&files, root);
    // A file that no module declares would not be looked at.
    let known = tree.files();
    for file in files.keys() {
        let name = file.rsplit(['/', '.']).nth(1).unwrap();
        let other = file.starts_with("bin/")
            || file.contains("/tests/")
            || tree::is_test_file(name)
            || ["misuse", "recorded"].contains(&name);
        assert!(other || known.contains(file.as_str()), "{file} is in no module");
    }
    let uses = Uses::of(&tree);
    (tree, uses)
}

/// Every source file below `directory`.
fn collect(directory: &Path, base: &Path, files: &mut Files) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, base, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(base).unwrap().to_str().unwrap().to_owned();
            files.insert(name, std::fs::read_to_string(&path).unwrap());
        }
    }
}

/// The layer that a file belongs to: `lib`, or a module right below it.
fn layer(file: &str) -> &str {
    file.split('/').next().unwrap().trim_end_matches(".rs")
}

/// Every use of a layer that is not allowed.
fn uses_from_above(uses: &Uses, allowed: &[(&str, &[&str])]) -> Vec<String> {
    let mut wrong: BTreeMap<(&str, &str), BTreeSet<String>> = BTreeMap::new();
    for found in uses.edges.union(&uses.passed) {
        let (from, to) = (layer(&found.from), layer(&found.to));
        let may = allowed.iter().find(|(module, _)| *module == from);
        let is_allowed =
            from == to || from == "lib" || may.is_some_and(|(_, allowed)| allowed.contains(&to));
        if !is_allowed {
            let names = wrong.entry((&found.from, &found.to)).or_default();
            names.insert(format!("`{}`", found.name));
        }
    }
    let line = |((from, to), names): (_, BTreeSet<String>)| {
        format!("{from} imports {} of {to}", Vec::from_iter(names).join(", "))
    };
    wrong.into_iter().map(line).collect()
}

/// Fails with every circle.
fn assert_no_circle(uses: &Uses) {
    let circles: Vec<_> = circles::find(&uses.edges).iter().map(Circle::to_string).collect();
    assert!(circles.is_empty(), "files import one another in a circle:\n{}", circles.join(""));
}

#[test]
fn unsafe_code_stands_in_few_files() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Files::new();
    collect(&directory, &directory, &mut files);
    // The lint `unsafe_code` is denied: unsafe code has to be allowed by its name.
    let with_unsafe: Vec<_> = files
        .iter()
        .filter(|(_, text)| text.contains("(unsafe_code"))
        .map(|(name, _)| name)
        .collect();
    assert!(with_unsafe.len() > 10, "{with_unsafe:?}");
    for file in with_unsafe {
        let is_allowed = UNSAFE.iter().any(|allowed| file.starts_with(allowed));
        assert!(is_allowed, "{file} has unsafe code");
    }
}

#[test]
fn no_module_imports_from_above() {
    let (tree, uses) = read("src", "lib.rs");
    assert!(tree.files().len() > 40, "only {} files were looked at", tree.files().len());
    let wrong = uses_from_above(&uses, ALLOWED);
    assert!(wrong.is_empty(), "imports from above:\n{}", wrong.join("\n"));
}

#[test]
fn every_module_has_its_place() {
    let (tree, _) = read("src", "lib.rs");
    for module in tree.modules[0].children.keys() {
        assert!(ALLOWED.iter().any(|(known, _)| known == module), "src/{module} is in no layer");
    }
}

#[test]
fn every_path_is_resolved() {
    for (directory, root) in [("src", "lib.rs"), ("src/bin/xsk", "main.rs"), ("uapi/src", "lib.rs")]
    {
        let (_, uses) = read(directory, root);
        assert!(uses.unresolved.is_empty(), "{directory}: {:#?}", uses.unresolved);
    }
}

#[test]
fn no_files_of_the_library_import_one_another() {
    assert_no_circle(&read("src", "lib.rs").1);
}

#[test]
fn no_files_of_the_tool_import_one_another() {
    assert_no_circle(&read("src/bin/xsk", "main.rs").1);
}

#[test]
fn no_files_of_uapi_import_one_another() {
    assert_no_circle(&read("uapi/src", "lib.rs").1);
}

#[test]
fn the_tool_uses_the_public_api_only() {
    let (tree, _) = read("src/bin/xsk", "main.rs");
    // Reading the tree refuses `#[path]`.
    for module in &tree.modules {
        let mut names = module.macros.union(&module.paths);
        let include = names.any(|name| name.last().is_some_and(|name| name == "include"));
        assert!(!include, "{} includes another file", module.file);
    }
}
