//! The version of the running kernel, where nothing else shows what it can do.

/// Returns whether the kernel says that it is older than a version. It may still have what came with
/// that version: this is to explain what it refused, or did not report.
pub(crate) fn is_before(major: u32, minor: u32) -> bool {
    let uname = rustix::system::uname();
    let release = uname.release().to_string_lossy();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(is_major)), Some(Ok(is_minor))) => (is_major, is_minor) < (major, minor),
        _ => false,
    }
}
