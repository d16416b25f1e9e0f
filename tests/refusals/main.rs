//! Bad input and faults on the running kernel: what this crate refuses before the kernel sees it,
//! what the kernel refuses, and the text of the error. The table in tests/README.md numbers 57
//! groups of bad input; each test names its group.

mod bind;
#[path = "../common/mod.rs"]
mod common;
mod limits;
mod objects;
mod packets;
mod programs;
mod receiving;
mod sending;
mod sockets;
mod umem;
#[path = "../common/words.rs"]
mod words;

use expect_test::Expect;
use xsk::Error;

/// Compares an error's text without what differs between kernels and runs: numbers of milliseconds
/// and objects, the text that the kernel adds, and the verifier's log. A line for each sentence.
#[track_caller]
fn says(error: &Error, expected: &Expect) {
    let text = error.to_string();
    let text = text.split(" The verifier said:").next().unwrap();
    let mut words: Vec<String> = Vec::new();
    // What is quoted comes from the kernel.
    let unquoted = text.split('"').enumerate();
    let unquoted: String =
        unquoted.map(|(i, part)| if i % 2 == 0 { part } else { "\"...\"" }).collect();
    for word in unquoted.split(' ') {
        let before = words.last().map_or("", String::as_str);
        let number = matches!(before, "after" | "program" | "map" | "id")
            && word.starts_with(|c: char| c.is_ascii_digit());
        words.push(if number {
            word.replace(|c: char| c.is_ascii_digit(), "").replacen("", "N", 1)
        } else {
            word.to_owned()
        });
    }
    let words = words::of_glibc(&words.join(" "));
    expected.assert_eq(&words.replace(". ", ".\n"));
}

/// The table in tests/README.md has a row for each group, and every test that it names exists.
#[test]
fn the_readme_names_tests_that_there_are() {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut sources = String::new();
    let mut directories = vec![here.clone()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                sources += &std::fs::read_to_string(path).unwrap();
            }
        }
    }
    let readme = std::fs::read_to_string(here.join("README.md")).unwrap();
    let (_, table) = readme.split_once("`refusals/`, `src/error/tests/`\n").unwrap();
    let rows = table.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| ")?.split(" | ");
        let number: u32 = cells.next()?.parse().ok()?;
        Some((number, cells.last()?))
    });
    let mut next = 1;
    for (number, tests) in rows {
        assert_eq!(number, next);
        next += 1;
        let long = tests
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|name| name.contains('_') && !name.contains(['/', ' ']));
        for name in long {
            assert!(
                sources.contains(&format!("fn {name}(")),
                "group {number}: no test is called {name}"
            );
        }
        assert!(tests.len() > 10, "group {number} has neither a test nor a reason");
    }
    assert_eq!(next, 58);
}
