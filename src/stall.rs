//! How long a peer may leave unread what is sent to it.

use core::time::Duration;

use crate::time::Instant;

/// What a peer must have read within each write time-out, unless it is everything. Who takes a byte now and then would
/// hold what waits for it for ever.
const PROGRESS_BYTES: u32 = 16 * 1024;

/// Watches that an outbox goes down.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stall {
    deadline: Instant,
    /// How much more must be written before the deadline moves.
    left: u32,
}

impl Stall {
    pub(crate) const NONE: Self = Self { deadline: Instant::NEVER, left: 0 };

    pub(crate) const fn deadline(self) -> Instant {
        self.deadline
    }

    /// Something was queued: if nothing was before, the time begins.
    pub(crate) fn queued(&mut self, now: Instant, timeout: Duration) {
        if self.deadline == Instant::NEVER {
            *self = Self { deadline: now.saturating_add(timeout), left: PROGRESS_BYTES };
        }
    }

    /// So much was written, and `rest` bytes remain.
    pub(crate) fn written(&mut self, now: Instant, timeout: Duration, count: usize, rest: usize) {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        if rest == 0 {
            *self = Self::NONE;
        } else if count >= self.left {
            *self = Self { deadline: now.saturating_add(timeout), left: PROGRESS_BYTES };
        } else {
            self.left = self.left.saturating_sub(count);
        }
    }
}
