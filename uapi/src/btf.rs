//! `linux/btf.h`: type information, as in `/sys/kernel/btf/vmlinux` (4.18).
//!
//! A header, then types, then strings. Types are numbered from 1 in their order;
//! each is a [`btf_type`] and, depending on its kind, more records.

use crate::layout::{constants, structs};

constants! {
    u16 {
        /// [`btf_header::magic`] (4.18).
        BTF_MAGIC = 0xeb9f;
    }

    u8 {
        /// [`btf_header::version`] (4.18).
        BTF_VERSION = 1;

        /// Integer; a `u32` follows (4.18).
        BTF_KIND_INT = 1;
        /// Pointer (4.18).
        BTF_KIND_PTR = 2;
        /// Array; a [`btf_array`] follows (4.18).
        BTF_KIND_ARRAY = 3;
        /// Struct; [`btf_member`]s follow (4.18).
        BTF_KIND_STRUCT = 4;
        /// Union; [`btf_member`]s follow (4.18).
        BTF_KIND_UNION = 5;
        /// Enumeration up to 32 bits; [`btf_enum`]s follow (4.18).
        BTF_KIND_ENUM = 6;
        /// Forward declaration (4.18).
        BTF_KIND_FWD = 7;
        /// Another name of a type (4.18).
        BTF_KIND_TYPEDEF = 8;
        /// Volatile form of a type (4.18).
        BTF_KIND_VOLATILE = 9;
        /// Constant form of a type (4.18).
        BTF_KIND_CONST = 10;
        /// Restrict form of a pointer (4.18).
        BTF_KIND_RESTRICT = 11;
        /// Function (5.0).
        BTF_KIND_FUNC = 12;
        /// Signature of a function; [`btf_param`]s follow (5.0).
        BTF_KIND_FUNC_PROTO = 13;
        /// Variable; a [`btf_var`] follows (5.2).
        BTF_KIND_VAR = 14;
        /// Section; [`btf_var_secinfo`]s follow (5.2).
        BTF_KIND_DATASEC = 15;
        /// Floating-point number (5.13).
        BTF_KIND_FLOAT = 16;
        /// Tag of a declaration; a [`btf_decl_tag`] follows (5.16).
        BTF_KIND_DECL_TAG = 17;
        /// Tag of a type (5.17).
        BTF_KIND_TYPE_TAG = 18;
        /// Enumeration of 64 bits; [`btf_enum64`]s follow (6.0).
        BTF_KIND_ENUM64 = 19;
    }
}

structs! {
    /// Head of type information (4.18).
    pub struct btf_header(24, Same) {
        /// [`BTF_MAGIC`], in the byte order of everything that follows.
        0: magic: u16,
        /// [`BTF_VERSION`].
        2: version: u8,
        /// Zero.
        3: flags: u8,
        /// Length of this head; offsets count from its end.
        4: hdr_len: u32,
        /// Offset of the types.
        8: type_off: u32,
        /// Length of the types.
        12: type_len: u32,
        /// Offset of the strings.
        16: str_off: u32,
        /// Length of the strings.
        20: str_len: u32,
    }

    /// A type; more may follow (4.18).
    pub struct btf_type(12, Same) {
        /// Offset of the name among the strings; zero is no name.
        0: name_off: u32,
        /// Bits 0 to 15 number of records, 24 to 28 `BTF_KIND_*`, 31 flag of the kind.
        4: info: u32,
        /// Size in bytes, or the type it refers to; the kernel also calls it `type`.
        8: size: u32,
    }

    /// A member of a struct or union (4.18).
    pub struct btf_member(12, Same) {
        /// Offset of the name among the strings.
        0: name_off: u32,
        /// Type.
        4: r#type as type: u32,
        /// Offset in bits; if the flag of the kind is set, bits 24 to 31 are the width of a
        /// bit-field.
        8: offset: u32,
    }

    /// Record after an array (4.18).
    pub struct btf_array(12, Same) {
        /// Type of the elements.
        0: r#type as type: u32,
        /// Type of the index.
        4: index_type: u32,
        /// Number of elements.
        8: nelems: u32,
    }

    /// A value of an enumeration (4.18).
    pub struct btf_enum(8, Same) {
        /// Offset of the name among the strings.
        0: name_off: u32,
        /// The value.
        4: val: i32,
    }

    /// A value of a 64-bit enumeration (6.0).
    pub struct btf_enum64(12, Same) {
        /// Offset of the name among the strings.
        0: name_off: u32,
        /// Lower half of the value.
        4: val_lo32: u32,
        /// Upper half of the value.
        8: val_hi32: u32,
    }

    /// A parameter of a function (5.0).
    pub struct btf_param(8, Same) {
        /// Offset of the name among the strings.
        0: name_off: u32,
        /// Type.
        4: r#type as type: u32,
    }

    /// Record after a variable (5.2).
    pub struct btf_var(4, Same) {
        /// 0 static, 1 global, 2 external.
        0: linkage: u32,
    }

    /// A variable of a section (5.2).
    pub struct btf_var_secinfo(12, Same) {
        /// The variable.
        0: r#type as type: u32,
        /// Offset in the section.
        4: offset: u32,
        /// Size in bytes.
        8: size: u32,
    }

    /// Record after a tag of a declaration (5.16).
    pub struct btf_decl_tag(4, Same) {
        /// Member or parameter it belongs to; -1 is the whole.
        0: component_idx: i32,
    }
}
