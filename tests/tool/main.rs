//! The command-line tool, run as a user runs it, in network namespaces of its own.
#![cfg(feature = "cli")]

mod bad_input;
mod demo;
mod ends;
mod fixture;
mod sharing;
mod traffic;
