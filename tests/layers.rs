//! Data flows one way: no module imports from a layer above its own.

use std::collections::BTreeSet;
use std::path::Path;

/// The modules of the library, each with those that it may import from.
const ALLOWED: &[(&str, &[&str])] = &[
    ("num", &[]),
    ("types", &[]),
    ("sys", &["num", "types"]),
    ("ring", &["num", "types"]),
    ("error", &["types", "ring"]),
    ("umem", &["num", "types", "sys", "ring", "error"]),
    ("netlink", &["num", "sys"]),
    ("interface", &["sys", "types", "error", "netlink"]),
    ("bpf", &["num", "sys", "error"]),
    ("socket", &["num", "types", "sys", "ring", "umem", "interface", "error"]),
    ("attach", &["sys", "types", "error", "netlink", "interface", "bpf", "socket"]),
    (
        "test_util",
        &["num", "types", "sys", "ring", "umem", "socket", "netlink", "interface", "bpf", "error"],
    ),
];

/// A test inside the library may use the test bed.
fn is_source(path: &str) -> bool {
    path.ends_with(".rs") && !path.ends_with("tests.rs")
}

/// Every source file below `directory`.
fn sources(directory: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.to_str().is_some_and(is_source) {
            found.push(path);
        }
    }
}

/// The first path segments after each `crate::` in `text`, comments left out.
fn imports(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let code: String = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n");
    for rest in code.split("crate::").skip(1) {
        let names: Vec<&str> = match rest.strip_prefix('{') {
            Some(list) => top_level(list),
            None => vec![rest],
        };
        for name in names {
            let end = name.find(|c: char| !c.is_alphanumeric() && c != '_');
            found.insert(name[..end.unwrap_or(name.len())].to_owned());
        }
    }
    found
}

/// The items of a braced list, without looking into braces inside it.
fn top_level(list: &str) -> Vec<&str> {
    let (mut depth, mut start, mut items) = (0_u32, 0, Vec::new());
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                items.push(list[start..at].trim());
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                items.push(list[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    items.retain(|item| !item.is_empty());
    items
}

#[test]
fn no_module_imports_from_above() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (module, allowed) in ALLOWED {
        let mut files = Vec::new();
        let directory = root.join(module);
        if directory.is_dir() {
            sources(&directory, &mut files);
        } else {
            files.push(root.join(format!("{module}.rs")));
        }
        for file in files {
            seen += 1;
            for import in imports(&std::fs::read_to_string(&file).unwrap()) {
                let import = import.as_str();
                if import != *module && !allowed.contains(&import) {
                    wrong.push(format!("{} imports {import}", file.display()));
                }
            }
        }
    }
    assert!(seen > 40, "only {seen} files were looked at");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_module_has_its_place() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for entry in std::fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let known = ALLOWED.iter().any(|(module, _)| *module == name);
        assert!(known || name == "lib" || name == "bin", "src/{name} is in no layer");
    }
}

#[test]
fn the_tool_uses_the_public_api_only() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bin"), &mut files);
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        for word in ["#[path", "include!("] {
            assert!(!text.contains(word), "{} has {word}", file.display());
        }
    }
}
