//! Struct layouts as data, and the macros that declare structs and constants.
//!
//! The lines that declare a struct also produce its [`Struct`], so the two cannot differ. The
//! structs and constants of the whole crate are listed in [`tables`](crate::tables).

/// One struct of this crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Struct {
    /// The name in this crate.
    pub name: &'static str,
    /// Size in bytes.
    pub size: usize,
    /// Where the kernel's type information (BTF) keeps the struct.
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
    /// Whether this is padding, which the kernel does not name.
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
    /// A struct of the same name that newer kernels extend at its end.
    Extensible,
    /// One member of `union bpf_attr`, most of them without a name. The kernel's member may be
    /// longer.
    Attr,
    /// Some fields of a larger type, which holds them in an inner struct or union.
    Part(&'static str),
    /// Not in BTF; the text is the reason.
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

/// Declares the structs of a module with the offset of every field, and checks size and offsets.
///
/// `offset: field: type` is a field; `offset: field as other: type` one that the kernel calls
/// `other`. A size or offset that depends on the machine is a number `+` the name of a constant.
/// Emits the structs, the compile-time checks and the module's `STRUCTS`.
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
                zerocopy::FromBytes, zerocopy::Immutable, zerocopy::IntoBytes,
                zerocopy::KnownLayout,
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
            $(static_assertions::const_assert_eq!(
                core::mem::offset_of!($name, $field),
                $offset $(+ $shift)?
            );)*
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

        #[allow(
            clippy::as_conversions,
            reason = "every integer type fits in i128; From is not const"
        )]
        pub(crate) const CONSTANTS: &[crate::layout::Constant] = &[
            $($(crate::layout::Constant { name: stringify!($name), value: $name as i128 },)*)*
        ];
    };
}

pub(crate) use {constants, kernel_name, structs};
