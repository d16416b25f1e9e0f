//! Kernel structs.
#![no_std]
#![forbid(unsafe_code)]
