//! Versions of the kernel, and ranges of them.

use std::fmt;

/// A version of the kernel: 6.18 is 6.18.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(u32, u32, u32);

impl Version {
    pub(crate) const fn new(major: u32, minor: u32) -> Self {
        Self(major, minor, 0)
    }

    /// Reads `6.18` or `6.18.24`.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let mut numbers = text.split('.').map(|number| number.parse().ok());
        let version = Self(numbers.next()??, numbers.next()??, numbers.next().unwrap_or(Some(0))?);
        numbers.next().is_none().then_some(version)
    }

    /// Reads the beginning of a release, such as that of `6.18.24-1-amd64` or `6.1-rc3`.
    pub(crate) fn of_release(release: &str) -> Option<Self> {
        let is_of_version = |c: char| c.is_ascii_digit() || c == '.';
        let end = release.find(|c| !is_of_version(c)).unwrap_or(release.len());
        let mut parts = release[..end].split('.').filter(|part| !part.is_empty());
        let (major, minor, patch) = (parts.next()?, parts.next()?, parts.next().unwrap_or("0"));
        Self::read(&format!("{major}.{minor}.{patch}"))
    }

    /// Returns the release of the running kernel, and its version.
    pub(crate) fn running() -> (String, Option<Self>) {
        let release = rustix::system::uname().release().to_string_lossy().into_owned();
        let version = Self::of_release(&release);
        (release, version)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(major, minor, patch) = self;
        write!(f, "{major}.{minor}")?;
        if *patch > 0 { write!(f, ".{patch}") } else { Ok(()) }
    }
}

/// Versions from one on and before another; an end that is `None` is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) from: Option<Version>,
    pub(crate) before: Option<Version>,
}

impl Range {
    pub(crate) fn contains(self, version: Version) -> bool {
        self.from.is_none_or(|from| from <= version)
            && self.before.is_none_or(|before| version < before)
    }

    /// Returns whether no version is in it.
    #[cfg(test)]
    pub(crate) fn is_empty(self) -> bool {
        matches!((self.from, self.before), (Some(from), Some(before)) if from >= before)
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.from, self.before) {
            (Some(from), Some(before)) => write!(f, "{from} to before {before}"),
            (Some(from), None) => write!(f, "{from} and later, as far as is known"),
            (None, Some(before)) => write!(f, "before {before}"),
            (None, None) => f.write_str("versions that are not known"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Range, Version};

    #[test]
    fn releases_of_distributions_begin_with_a_version() {
        for (release, version) in [
            ("6.18.44-fc-v669", "6.18.44"),
            ("5.10.0-28-amd64", "5.10"),
            ("6.1-rc3", "6.1"),
            ("7.3.4+deb", "7.3.4"),
            ("5.14.0-427.el9.x86_64", "5.14"),
            ("6.8.0", "6.8"),
        ] {
            let read = Version::of_release(release).unwrap();
            assert_eq!(read.to_string(), version, "{release}");
        }
        for release in ["", "six", "6", "-6.1"] {
            assert_eq!(Version::of_release(release), None, "{release}");
        }
    }

    #[test]
    fn a_range_has_its_first_version_and_not_its_last() {
        let read = |text| Version::read(text).unwrap();
        let range = Range { from: Some(read("6.14")), before: Some(read("6.18.24")) };
        for (version, is_in) in
            [("6.13.9", false), ("6.14", true), ("6.18.23", true), ("6.18.24", false)]
        {
            assert_eq!(range.contains(read(version)), is_in, "{version}");
        }
        let open = Range { before: None, ..range };
        assert!(open.contains(read("9.0")) && !open.contains(read("6.13")));
        assert!(!range.is_empty() && !open.is_empty());
        assert!(Range { from: Some(read("6.2")), before: Some(read("6.2")) }.is_empty());
    }
}
