//! How long a peer may leave unread what is sent to it.

use core::time::Duration;

use crate::time::Instant;

/// What a peer must have read within each write time-out, or all that waited when that began if it is less. Who takes a byte
/// now and then would hold what waits for it for ever; but what is queued meanwhile it cannot be asked for.
const PROGRESS_BYTES: usize = 16 * 1024;

/// Watches that an outbox goes down.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stall {
    deadline: Instant,
    /// How much more must be written before the deadline moves.
    left: usize,
}

impl Stall {
    pub(crate) const NONE: Self = Self { deadline: Instant::NEVER, left: 0 };

    pub(crate) const fn deadline(self) -> Instant {
        self.deadline
    }

    /// Something was queued, so that `waiting` bytes are: if nothing was before, the time begins.
    pub(crate) fn queued(&mut self, now: Instant, timeout: Duration, waiting: usize) {
        if self.deadline == Instant::NEVER {
            *self = Self::begin(now, timeout, waiting);
        }
    }

    /// So much was written, and `rest` bytes remain.
    pub(crate) fn written(&mut self, now: Instant, timeout: Duration, count: usize, rest: usize) {
        if rest == 0 {
            *self = Self::NONE;
        } else if count >= self.left {
            *self = Self::begin(now, timeout, rest);
        } else {
            self.left = self.left.saturating_sub(count);
        }
    }

    fn begin(now: Instant, timeout: Duration, waiting: usize) -> Self {
        Self { deadline: now.saturating_add(timeout), left: waiting.min(PROGRESS_BYTES) }
    }
}
