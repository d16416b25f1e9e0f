//! The small types that every layer names.

mod attach_method;
mod chain_actions;
mod copy_mode;
mod dispatcher;
mod dispatcher_component;
mod page_size;
mod ring_kind;
mod xdp_mode;

pub use attach_method::AttachMethod;
pub use chain_actions::ChainActions;
pub use copy_mode::CopyMode;
pub use dispatcher::Dispatcher;
pub use dispatcher_component::DispatcherComponent;
pub use page_size::PageSize;
pub use ring_kind::RingKind;
pub use xdp_mode::XdpMode;
