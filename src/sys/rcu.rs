//! Waits for programs that run.

use rustix::thread::{MembarrierCommand, membarrier};
use std::time::Duration;

/// Longer than the kernel lets packets be handled at a stretch (`netdev_budget_usecs` and a
/// scheduler's tick).
const PAUSE: Duration = Duration::from_millis(50);

/// `membarrier(MEMBARRIER_CMD_GLOBAL)` (4.3): returns once each XDP program has ended that was
/// running, as the kernel runs them in what it waits for (`synchronize_rcu` in
/// kernel/sched/membarrier.c). Where the kernel has no such command, or processors without a tick, it
/// pauses.
pub(crate) fn wait_for_programs() {
    if membarrier(MembarrierCommand::Global).is_err() {
        std::thread::sleep(PAUSE);
    }
}
