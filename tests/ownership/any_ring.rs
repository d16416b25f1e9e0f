//! Rings of a socket that is alone on its queue, or one of several.

use xsk::socket::{SharedCompletion, SharedRx};
use xsk::{Completion, CompletionBatch, FramePool, RingError, Rx, RxBatch};

pub(crate) enum AnyRx {
    Own(Rx),
    Shared(SharedRx),
}

impl AnyRx {
    pub(crate) fn receive(&mut self, count: u32) -> Result<RxBatch<'_>, RingError> {
        match self {
            Self::Own(rx) => rx.receive(count),
            Self::Shared(rx) => rx.receive(count),
        }
    }
}

pub(crate) enum AnyCompletion {
    Own(Completion),
    Shared(SharedCompletion),
}

impl AnyCompletion {
    pub(crate) fn reap(&mut self, count: u32) -> Result<CompletionBatch<'_>, RingError> {
        match self {
            Self::Own(completion) => completion.reap(count),
            Self::Shared(completion) => completion.reap(count),
        }
    }

    pub(crate) fn reap_into(&mut self, pool: &mut FramePool, count: u32) -> Result<u32, RingError> {
        match self {
            Self::Own(completion) => completion.reap_into(pool, count),
            Self::Shared(completion) => completion.reap_into(pool, count),
        }
    }
}
