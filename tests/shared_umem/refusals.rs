//! What cannot be shared.

use crate::common::Cable;
use crate::fixture::first;
use rustix::io::Errno;
use std::panic::{AssertUnwindSafe, catch_unwind};
use xsk::test_util::privileged;
use xsk::{Error, Socket, Umem};

#[test]
fn what_cannot_be_shared_is_refused() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    let near = cable.veth.a();
    let handle = first(&cable.left, near, 64).socket.handle;
    let elsewhere = cable.right.run(|| handle.share_memory().open().map(drop).unwrap_err());
    assert_eq!(elsewhere.unwrap().errno(), Some(Errno::XDEV));
    cable
        .left
        .run(|| {
            // Its own queue, with rings of its own.
            let refused = handle.share_memory().bind(near, 0).map(drop).unwrap_err();
            assert_eq!(refused.errno(), Some(Errno::BUSY), "{refused}");
            // A queue that is not there.
            let refused = handle.share_memory().bind(near, 1).map(drop).unwrap_err();
            assert_eq!(refused.errno(), Some(Errno::INVAL), "{refused}");
        })
        .unwrap();
    drop(handle);

    // The handle of an ordinary socket.
    let cable = Cable::new(2);
    let near = cable.veth.a();
    let bind = |queue| {
        let (umem, _pool) = Umem::builder().chunk_count(64).build().unwrap();
        cable.left.run(|| Socket::builder(&umem).rx_only().bind(near, queue)).unwrap().unwrap()
    };
    let (mut queue, mut other) = (bind(0).share_queue(), bind(1));
    std::mem::swap(&mut queue.handle, &mut other.handle);
    let panic = catch_unwind(AssertUnwindSafe(|| drop(queue.add_socket()))).unwrap_err();
    let message = panic.downcast_ref::<&str>().unwrap();
    assert!(message.contains("that of another queue"), "{message}");
    drop((queue, other));

    let mut queue = first(&cable.left, near, 64).socket.share_queue();
    let elsewhere = cable.right.run(|| queue.add_socket().bind().unwrap_err()).unwrap();
    assert_eq!(elsewhere.errno(), Some(Errno::XDEV), "{elsewhere}");
    cable
        .left
        .run(|| {
            for size in [0, 3, 1 << 21] {
                let refused = queue.add_socket().rx_size(size).bind().unwrap_err();
                assert!(matches!(refused, Error::Setting { .. }), "{refused}");
            }
        })
        .unwrap();
}
