//! The assembler: programs from instructions, their checks, bytes and text. What asks the kernel
//! needs root, the rest does not.

mod array;
mod bpftool;
mod calculation;
#[path = "../common/mod.rs"]
mod common;
mod faults;
mod golden;
mod helpers;
mod maps;
mod refusals;
mod round_trip;
mod values;
mod ways;
