//! The assembler: programs from instructions, their checks, bytes and text. What asks the kernel
//! needs root, the rest does not.

mod values;
