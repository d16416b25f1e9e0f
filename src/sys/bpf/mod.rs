//! `bpf(2)`: one function for each command that this crate uses.
//!
//! Structs and numbers are those of `linux/bpf.h`. Every attribute is passed in the smallest form
//! that has the fields used, zero-filled, because a kernel refuses non-zero bytes that it does not
//! know.
//!
//! # Safety
//! Promises: the kernel reads and writes only what an attribute's pointers borrow, for the lengths
//! beside them; a map's key and value lengths are those that a [`MapFd`] has of it; the verifier
//! checks a program before it can touch anything. Needs: nothing of the caller.
#![allow(unsafe_code, reason = "system calls with pointers inside their argument")]

mod call;
mod link;
mod map;
mod mapped;
mod object;
mod prog;
mod ring;

pub(crate) use link::{
    link_by_id, link_create, link_create_of_nothing, link_detach, link_info, link_next_id,
    link_target, link_update, link_update_to_nothing,
};
pub(crate) use map::{MapFd, MapSpec, Place, map_by_id, map_create, map_info};
pub(crate) use mapped::{MappedValue, MappedValues};
pub(crate) use object::{
    Name, TypeInfo, btf_by_id, btf_info, btf_next_id, name, obj_get, obj_pin, text,
};
pub(crate) use prog::{
    Load, Ran, prog_bind_map, prog_by_id, prog_info, prog_load, prog_run_live, prog_test_run,
};
pub(crate) use ring::RingMemory;
