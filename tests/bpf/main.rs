//! Programs and maps against the running kernel. Needs root, makes no interface.

#[path = "../common/mod.rs"]
mod common;
mod forms;
mod kernel_functions;
mod metadata;
mod objects;
mod slots;
mod tagger;
mod taps;
mod verifier;
