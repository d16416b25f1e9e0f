//! The names of the files of a capture that has several.

use crate::failure::{Failure, Result};
use crate::report::clock;
use crate::report::output::printable;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

/// The names of files: one, or one after the other.
#[derive(Debug)]
pub(crate) struct Names {
    base: PathBuf,
    rotates: bool,
    /// How many files stay; the others are deleted.
    keep: Option<u32>,
    number: u32,
    there: VecDeque<PathBuf>,
}

impl Names {
    /// Takes the name from which those of several files are made, or that of one file.
    ///
    /// # Errors
    /// If no names can be made from it, or it is that of something else than a file.
    pub(crate) fn new(base: &Path, rotates: bool, keep: Option<u32>) -> Result<Self> {
        let why = match std::fs::metadata(base) {
            _ if !rotates => None,
            _ if base.file_name().is_none() => Some("has no file name"),
            Ok(metadata) if !metadata.is_file() => Some("is no regular file"),
            _ => None,
        };
        if let Some(why) = why {
            return Err(Failure::Text(format!(
                "{} {why}: with --rotate-size and --rotate-seconds the names of files are made from \
                 that of one (-w)",
                printable(&base.to_string_lossy())
            )));
        }
        Ok(Self { base: base.to_owned(), rotates, keep, number: 0, there: VecDeque::new() })
    }

    /// Returns the next name at a time, in seconds since 1970.
    pub(crate) fn next(&mut self, time: u64) -> PathBuf {
        self.number += 1;
        if !self.rotates {
            return self.base.clone();
        }
        let mut name = OsString::from(self.base.file_stem().unwrap_or_default());
        name.push(format!("_{:05}_{}", self.number, digits(time)));
        if let Some(extension) = self.base.extension() {
            name.push(".");
            name.push(extension);
        }
        self.base.with_file_name(name)
    }

    /// Notes that a file was begun.
    pub(crate) fn begun(&mut self, path: PathBuf) {
        self.there.push_back(path);
    }

    /// Returns how many files there were.
    pub(crate) fn count(&self) -> u32 {
        self.number
    }

    /// Returns how many of them were not deleted.
    pub(crate) fn kept(&self) -> u32 {
        self.there.len() as u32
    }

    /// Deletes the files that are too many with the next one.
    pub(crate) fn delete_old(&mut self) {
        let Some(keep) = self.keep else { return };
        while self.there.len() >= keep as usize {
            if let Some(path) = self.there.pop_front() {
                // One that is gone, or cannot be deleted, is no reason to end.
                let _ = std::fs::remove_file(path);
            }
        }
    }
}

/// Returns a time of UTC as `YYYYMMDDhhmmss`.
fn digits(seconds: u64) -> String {
    let time = UNIX_EPOCH + Duration::from_secs(seconds);
    clock::utc(time).chars().filter(char::is_ascii_digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_as_those_of_dumpcap() {
        let mut names = Names::new(Path::new("/tmp/a.b.pcapng"), true, None).unwrap();
        let time = 1_764_250_000;
        assert_eq!(names.next(time), Path::new("/tmp/a.b_00001_20251127132640.pcapng"));
        assert_eq!(names.next(time + 1), Path::new("/tmp/a.b_00002_20251127132641.pcapng"));
        assert_eq!(
            Names::new(Path::new("x"), true, None).unwrap().next(0),
            Path::new("x_00001_19700101000000")
        );
        assert_eq!(Names::new(Path::new("x"), false, None).unwrap().next(0), Path::new("x"));
    }

    #[test]
    fn names_of_files_are_made_from_that_of_a_file() {
        for (base, why) in [("..", "has no file name"), ("/dev/null", "is no regular file")] {
            let text = match Names::new(Path::new(base), true, None) {
                Err(Failure::Text(text)) => text,
                other => panic!("{base}: {other:?}"),
            };
            assert!(text.starts_with(&format!("{base} {why}")), "{text}");
            assert!(Names::new(Path::new(base), false, None).is_ok());
        }
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        for (time, text) in [
            (951_782_400, "20000229000000"),
            (951_868_799, "20000229235959"),
            (951_868_800, "20000301000000"),
            (1_798_761_599, "20261231235959"),
            (4_107_542_400, "21000301000000"),
        ] {
            assert_eq!(digits(time), text);
        }
    }
}
