//! The process itself: signals, rights and processors.

pub(crate) mod cpus;
pub(crate) mod rights;
pub(crate) mod signals;
pub(crate) mod users;
