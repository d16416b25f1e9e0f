//! Classic BPF programs: text and its faults, what programs mean, and their translation, on the
//! kernel and beside tcpdump.

#[allow(dead_code, reason = "only captures are used here")]
#[path = "../filter_language/tcpdump.rs"]
mod capture;
mod faults;
mod golden;
#[path = "../common/interpreter.rs"]
mod interpreter;
mod maps;
mod programs;
#[path = "../common/random_filters.rs"]
mod random_filters;
#[path = "../common/random_numbers.rs"]
mod random_numbers;
mod tcpdump;
