//! Programs and maps against the running kernel. Needs root; only `live` sends packets over
//! an interface.

#[path = "../common/mod.rs"]
mod common;
mod forms;
mod kernel_functions;
mod live;
mod metadata;
mod objects;
mod slots;
mod tagger;
mod taps;
mod verifier;
