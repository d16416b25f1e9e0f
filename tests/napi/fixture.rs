//! A cable whose left end has NAPI instances, and a thread that sees its sysfs.

use crate::common::{AtCable, Cable, attach};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};
use rustix::thread::UnshareFlags;
use xsk::attach::{AttachMode, Registration};
use xsk::interface::NapiSettings;
use xsk::test_util::Namespace;
use xsk::{Interface, Port};

/// A cable with a socket and a native program at its left end.
pub(crate) struct Fixture {
    pub(crate) cable: Cable,
    pub(crate) port: Port,
    pub(crate) registration: Option<Registration>,
}

impl Fixture {
    pub(crate) fn new(queues: u32) -> Self {
        let cable = Cable::new(queues);
        let mut port = Port::left(&cable);
        port.fill();
        let registration = Some(attach(&cable.left, cable.veth.a(), AttachMode::Native, &port));
        Self { cable, port, registration }
    }

    pub(crate) fn interface(&self) -> &Interface {
        self.cable.veth.a()
    }

    /// Returns the settings of a queue's instance.
    pub(crate) fn settings(&self, queue: u32) -> NapiSettings {
        self.interface().napi(queue).unwrap().unwrap().settings().unwrap()
    }

    /// Returns whether the running kernel has settings for single instances.
    pub(crate) fn sets_instances(&self) -> bool {
        let napi = self.interface().napi(0).unwrap();
        napi.is_some_and(|napi| napi.settings().is_some())
    }
}

/// Runs `work` in a thread that is in `namespace`, and has a sysfs of it on `/sys`.
pub(crate) fn with_sysfs<T: Send>(namespace: &Namespace, work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let inside = || {
            // The thread ends inside.
            std::mem::forget(namespace.enter().unwrap());
            #[expect(deprecated, reason = "safe: it does not ask for CLONE_FILES")]
            rustix::thread::unshare(UnshareFlags::NEWNS).unwrap();
            let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
            mount_change("/", private).unwrap();
            mount("sysfs", "/sys", "sysfs", MountFlags::empty(), None).unwrap();
            work()
        };
        scope.spawn(inside).join().unwrap()
    })
}
