//! The shape of every struct of this crate as data: names, sizes, offsets.
//!
//! The same lines that declare a struct give its row here, so the table cannot
//! differ from the type. A test holds the table against the type information
//! of the running kernel (`/sys/kernel/btf/vmlinux`); a program can do the same
//! at start-up, or print the table beside a hex dump.
//!
//! ```
//! use xsk_uapi::layout;
//!
//! let desc = layout::ALL.iter().find(|s| s.name == "xdp_desc").unwrap();
//! assert_eq!(desc.size, 16);
//! let offsets: Vec<_> = desc.fields.iter().map(|f| (f.name, f.offset)).collect();
//! assert_eq!(offsets, [("addr", 0), ("len", 8), ("options", 12)]);
//! ```

/// One struct of this crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Struct {
    /// The name in this crate.
    pub name: &'static str,
    /// Size in bytes.
    pub size: usize,
    /// How the kernel's type information knows the struct.
    pub origin: Origin,
    /// All fields in order of their offset, padding included.
    pub fields: &'static [Field],
}

/// One field of a [`Struct`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// The name in this crate. A leading `_pad` marks bytes that the kernel does not name.
    pub name: &'static str,
    /// The kernel's name; it differs from `name` where the kernel has bit-fields or macros.
    pub kernel_name: &'static str,
    /// Offset in bytes.
    pub offset: usize,
    /// Size in bytes.
    pub size: usize,
}

impl Field {
    /// True for padding, which the kernel has no name for.
    #[must_use]
    pub fn is_padding(&self) -> bool {
        self.name.starts_with("_pad")
    }
}

/// Where the kernel's type information (BTF) keeps a struct.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A struct of the same name and size.
    Same,
    /// A struct of the same name that newer kernels lengthen at its end.
    Extensible,
    /// One member of `union bpf_attr`, most of them without a name. The kernel's may be longer.
    Attr,
    /// Some fields of a larger type, which holds them in an inner struct or union.
    Part(&'static str),
    /// Not in BTF at all; the text says why.
    Absent(&'static str),
}

/// One integer constant of this crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Constant {
    /// The name, here and in the kernel.
    pub name: &'static str,
    /// The value, whatever the width of the constant.
    pub value: i128,
}

/// Every struct of the crate.
pub const ALL: &[Struct] = &concat_structs::<STRUCT_COUNT>();

/// Every constant of the crate, one slice per source file.
pub const CONSTANTS: &[&[Constant]] = &[
    crate::bpf::attr::CONSTANTS,
    crate::bpf::insn::CONSTANTS,
    crate::bpf::kind::CONSTANTS,
    crate::btf::CONSTANTS,
    crate::ethtool::CONSTANTS,
    crate::genetlink::CONSTANTS,
    crate::if_link::CONSTANTS,
    crate::if_xdp::CONSTANTS,
    crate::netdev::CONSTANTS,
    crate::netlink::CONSTANTS,
    crate::rtnetlink::CONSTANTS,
];

const PARTS: &[&[Struct]] = &[
    crate::bpf::attr::STRUCTS,
    crate::bpf::info::STRUCTS,
    crate::bpf::insn::STRUCTS,
    crate::btf::STRUCTS,
    crate::ethtool::STRUCTS,
    crate::genetlink::STRUCTS,
    crate::if_xdp::STRUCTS,
    crate::netlink::STRUCTS,
    crate::rtnetlink::STRUCTS,
];

const STRUCT_COUNT: usize = {
    let (mut count, mut rest) = (0_usize, PARTS);
    while let [first, tail @ ..] = rest {
        count = count.saturating_add(first.len());
        rest = tail;
    }
    count
};

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which refuses a bad index")]
const fn concat_structs<const N: usize>() -> [Struct; N] {
    let mut all = [Struct { name: "", size: 0, origin: Origin::Same, fields: &[] }; N];
    let (mut at, mut parts) = (0_usize, PARTS);
    while let [part, tail @ ..] = parts {
        let mut rest = *part;
        while let [one, others @ ..] = rest {
            all[at] = *one;
            at = at.saturating_add(1);
            rest = others;
        }
        parts = tail;
    }
    all
}

/// Declares the structs of a module with the offset of every field, and proves size and offsets.
///
/// `offset: field: type` is a field; `offset: field as other: type` one that the kernel calls
/// `other`. A size or offset that depends on the machine is a number `+` the name of a constant. Emits the
/// structs, the compile-time proofs and the module's `STRUCTS`.
macro_rules! structs {
    ($(
        $(#[$meta:meta])*
        $vis:vis struct $name:ident($size:literal $(+ $grow:ident)?, $origin:expr) {
            $(
                $(#[$fmeta:meta])*
                $offset:literal $(+ $shift:ident)?: $field:ident $(as $kernel:ident)?: $ty:ty,
            )*
        }
    )*) => {
        $(
            $(#[$meta])*
            #[derive(
                Clone, Copy, Debug, PartialEq, Eq,
                zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout,
            )]
            #[repr(C)]
            $vis struct $name {
                $($(#[$fmeta])* $vis $field: $ty,)*
            }

            impl Default for $name {
                /// All bytes zero.
                fn default() -> Self {
                    zerocopy::FromZeros::new_zeroed()
                }
            }

            static_assertions::const_assert_eq!(core::mem::size_of::<$name>(), $size $(+ $grow)?);
            $(static_assertions::const_assert_eq!(core::mem::offset_of!($name, $field), $offset $(+ $shift)?);)*
        )*

        pub(crate) const STRUCTS: &[crate::layout::Struct] = &[$(
            crate::layout::Struct {
                name: stringify!($name),
                size: $size $(+ $grow)?,
                origin: {
                    #[allow(unused_imports, reason = "not every struct names a variant")]
                    use crate::layout::Origin::*;
                    $origin
                },
                fields: &[$(crate::layout::Field {
                    name: stringify!($field),
                    kernel_name: crate::layout::kernel_name!($field $($kernel)?),
                    offset: $offset $(+ $shift)?,
                    size: core::mem::size_of::<$ty>(),
                },)*],
            },
        )*];
    };
}

macro_rules! kernel_name {
    ($name:ident) => {
        stringify!($name)
    };
    ($name:ident $kernel:ident) => {
        stringify!($kernel)
    };
}

/// Declares the constants of a module in groups of one type, and the module's `CONSTANTS`.
macro_rules! constants {
    ($(
        $ty:ident {
            $($(#[$meta:meta])* $name:ident = $value:expr;)*
        }
    )*) => {
        $($($(#[$meta])* pub const $name: $ty = $value;)*)*

        #[allow(clippy::as_conversions, reason = "every integer type fits in i128; From is not const")]
        pub(crate) const CONSTANTS: &[crate::layout::Constant] = &[
            $($(crate::layout::Constant { name: stringify!($name), value: $name as i128 },)*)*
        ];
    };
}

pub(crate) use {constants, kernel_name, structs};
