//! Rights apart: a helper with privileges opens sockets and attaches programs, a worker without any
//! capability does the rest. What each hands over and takes, and what is refused; what stays behind
//! when one of them is killed; the device plugin of Kubernetes.

#[path = "../common/mod.rs"]
mod common;
mod descriptors;
mod device_plugin;
mod fixture;
mod grants;
mod kills;
mod processes;
mod slots;
mod user_namespace;
mod workers;
