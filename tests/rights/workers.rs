//! A worker without any capability receives.

use crate::common::{Cable, METHODS};
use crate::fixture::{
    Worker, attach, grant, is_detached, maps_take_no_right, send, without_rights,
};
use std::os::unix::net::UnixStream;
use xsk::handover;
use xsk::test_util::{privileged, test_name};

#[test]
fn a_worker_without_capabilities_receives_a_thousand_packets() {
    if !privileged!() || !maps_take_no_right(test_name!()) {
        return;
    }
    for method in METHODS {
        let cable = Cable::new(1);
        let program = attach(&cable, method);
        let (helpers, workers) = UnixStream::pair().unwrap();
        handover::send(&helpers, grant(&cable, &program)).unwrap();
        std::thread::scope(|scope| {
            let (ready, when_ready) = std::sync::mpsc::channel();
            let left = &cable.left;
            let worker = scope.spawn(move || {
                without_rights(left, || {
                    let mut worker = Worker::new(handover::receive(&workers, None)?)?;
                    ready.send(()).unwrap();
                    worker.receive(1000);
                    worker.slot.remove()
                })
            });
            // Not if the worker failed.
            if when_ready.recv().is_ok() {
                send(&cable, 1000);
            }
            assert!(worker.join().unwrap().unwrap(), "the slot was still the worker's");
        });
        program.close().unwrap();
        is_detached(cable.veth.a());
    }
}
