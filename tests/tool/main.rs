//! The command-line tool, run as a user runs it, in network namespaces of its own.
#![cfg(feature = "cli")]

mod bad_input;
mod between;
mod bridge;
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
mod respond;
mod respond_frames;
mod rights;
mod several;
mod sharing;
mod timestamps;
mod traffic;
