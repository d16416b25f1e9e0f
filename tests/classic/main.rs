//! Classic BPF programs: text and its faults, what programs mean, and their translation, on the
//! kernel and beside tcpdump.

#[path = "../filter_language/tcpdump.rs"]
mod capture;
mod faults;
mod golden;
#[path = "../common/interpreter.rs"]
mod interpreter;
#[path = "../common/random_filters.rs"]
mod random_filters;
mod tcpdump;
