//! The command-line tool, run as a user runs it, in network namespaces of its own.
#![cfg(feature = "cli")]

mod bad_input;
mod between;
mod captures;
#[path = "../common/mod.rs"]
mod common;
mod demo;
mod ends;
mod filters;
mod fixture;
mod frags;
mod latency;
mod queues;
mod rights;
mod several;
mod sharing;
mod status;
mod status_judges;
mod timestamps;
mod traffic;
mod unload;
