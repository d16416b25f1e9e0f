//! Programs and maps against the running kernel: needs root, makes no interface.

mod fixture;
mod forms;
mod objects;
mod slots;
mod verifier;
