//! The command-line tool `xsk`.
fn main() {}
