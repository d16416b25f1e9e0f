//! Two cards with a cable between them, in the driver's zero-copy mode.
//!
//! `XSK_CARDS=a,b` names them: interfaces of the namespace that the test runs in, which nothing
//! else uses. The guests of `tests/vm` have such cards. With `XSK_ZERO_COPY=require` copy mode is a
//! failure; without, the test reports what the driver has, and everything must work in the
//! resulting mode.

#[path = "../common/mod.rs"]
mod common;
mod fixture;
mod modes;
mod shared;
#[cfg(feature = "cli")]
mod tool;
mod traffic;
mod tx_metadata;
