//! Programs and maps against the running kernel: needs root, makes no interface.

mod forms;
mod objects;
mod rig;
mod slots;
mod verifier;
