//! Entry points of fuzz targets into what is private. No part of the API.

use crate::bpf;
use crate::error::Error;
use rustix::io::Errno;

/// Returns the error of a program that was refused with `log` in the verifier's buffer.
#[must_use]
pub fn refused_with(log: &[u8]) -> Error {
    Error::LoadProgram {
        name: "fuzzed".into(),
        instructions: log.len(),
        log: bpf::log_text(log),
        errno: Errno::INVAL,
    }
}
