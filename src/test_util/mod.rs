//! Test bed: private namespaces, veth pairs, and a fake kernel.
