//! The small enums that every layer names.

mod attach_method;
mod copy_mode;
mod page_size;
mod ring_kind;
mod xdp_mode;

pub use attach_method::AttachMethod;
pub use copy_mode::CopyMode;
pub use page_size::PageSize;
pub use ring_kind::RingKind;
pub use xdp_mode::XdpMode;
