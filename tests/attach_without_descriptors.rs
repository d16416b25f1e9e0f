//! Too few descriptors: wherever attaching runs out of them, it reports that, names no other cause
//! and leaves nothing behind. This is one test, because the limit belongs to the whole process.

mod common;

use common::Cable;
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::os::fd::AsRawFd;
use xsk::Error;
use xsk::attach::Attachment;
use xsk::test_util::privileged;

#[test]
fn too_many_open_files_are_reported_as_that() {
    if !privileged!() {
        return;
    }
    let cable = Cable::new(1);
    let interface = cable.veth.a();
    cable
        .left
        .run(|| {
            // What is found out once per process is found out before the limit is set.
            let attach = || Attachment::builder(interface).attach();
            attach().unwrap().close().unwrap();
            let free = std::fs::File::open("/dev/null").unwrap().as_raw_fd();
            let free = u64::try_from(free).unwrap();
            let usual = getrlimit(Resource::Nofile);
            let mut errors = Vec::new();
            let attachment = (free..free.saturating_add(20)).find_map(|limit| {
                let fewer = Rlimit { current: Some(limit), maximum: usual.maximum };
                setrlimit(Resource::Nofile, fewer).unwrap();
                let answer = attach();
                setrlimit(Resource::Nofile, usual).unwrap();
                assert_eq!(
                    interface.attached_programs().unwrap().is_empty(),
                    answer.is_err(),
                    "{answer:?}"
                );
                answer.map_err(|error| errors.push(error)).ok()
            });
            attachment.unwrap().close().unwrap();
            assert!(errors.len() > 5, "{errors:?}");
            for error in errors {
                assert_eq!(error.errno(), Some(Errno::MFILE), "{error}");
                let text = error.to_string();
                assert!(!matches!(error, Error::AttachLock { .. }), "{text}");
                assert!(!text.contains("verifier"), "{text}");
            }
        })
        .unwrap();
}
