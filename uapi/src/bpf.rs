//! `linux/bpf.h` and `linux/bpf_common.h`: the `bpf` system call and its instructions.
//!
//! The kernel has one big union, `bpf_attr`, for the arguments of all commands. Here each command
//! has a struct of its own, `bpf_attr_*`, that holds what the command reads; pass a pointer to it
//! and its size. The kernel takes a size above its own if the rest is zero, and reads what an
//! older, shorter struct lacks as zero, so the structs work on every kernel as long as fields that
//! it does not know stay zero. Pointers are `u64`.

pub(crate) mod attr;
pub(crate) mod info;
pub(crate) mod insn;
pub(crate) mod kind;

pub use attr::*;
pub use info::*;
pub use insn::*;
pub use kind::*;
