//! The words for error numbers: the pinned texts have glibc's, and other C libraries have others.

use rustix::io::Errno;

/// Error numbers for which musl has other words, with their names and glibc's words.
const WORDS: &[(Errno, &str, &str)] = &[
    (Errno::ADDRINUSE, "EADDRINUSE", "Address already in use"),
    (Errno::BUSY, "EBUSY", "Device or resource busy"),
    (Errno::IO, "EIO", "Input/output error"),
    (Errno::MFILE, "EMFILE", "Too many open files"),
    (Errno::NOMEM, "ENOMEM", "Cannot allocate memory"),
    (Errno::NOTSOCK, "ENOTSOCK", "Socket operation on non-socket"),
    (Errno::OPNOTSUPP, "EOPNOTSUPP", "Operation not supported"),
    (Errno::RANGE, "ERANGE", "Numerical result out of range"),
    (Errno::XDEV, "EXDEV", "Invalid cross-device link"),
];

/// Returns `text` with glibc's words after the name of an error number, where this C library's own
/// words are, and only there.
pub(crate) fn of_glibc(text: &str) -> String {
    WORDS.iter().fold(text.to_owned(), |text, (errno, name, words)| {
        let own = std::io::Error::from(*errno).to_string();
        let own = own.split(" (os error").next().unwrap();
        text.replace(&format!("{name} ({own})"), &format!("{name} ({words})"))
    })
}
