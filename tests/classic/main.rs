//! Classic BPF programs: text and its faults, what programs mean, and their translation on the
//! kernel and beside tcpdump.

mod golden;
