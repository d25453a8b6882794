//! Which events were for one group, or for one socket alone, or for all.

use alloc::collections::VecDeque;

/// The numbers of those events that are still kept, in order.
#[derive(Debug, Default)]
pub(super) struct Log {
    numbers: VecDeque<u64>,
    /// What the events cost that it keeps.
    pub(super) bytes: usize,
    /// The last that it keeps no more; 0 if it has all that there ever were.
    pub(super) dropped: u64,
    /// The last event that was not for the group, but for others.
    pub(super) excepted: u64,
}

impl Log {
    pub(super) fn push(&mut self, number: u64, bytes: usize) {
        self.numbers.push_back(number);
        self.bytes = self.bytes.saturating_add(bytes);
    }

    pub(super) fn first(&self) -> Option<u64> {
        self.numbers.front().copied()
    }

    /// The last that there ever was.
    pub(super) fn last(&self) -> u64 {
        self.numbers.back().copied().unwrap_or(0).max(self.dropped)
    }

    /// Keeps its first event no more.
    pub(super) fn drop_first(&mut self, bytes: usize) {
        self.dropped = self.numbers.pop_front().unwrap_or(0).max(self.dropped);
        self.bytes = self.bytes.saturating_sub(bytes);
        if self.numbers.capacity() > 64 && self.numbers.len() < self.numbers.capacity() / 4 {
            self.numbers.shrink_to(self.numbers.len().saturating_mul(2));
        }
    }

    /// Those from one number up to before another.
    pub(super) fn between(&self, from: u64, to: u64) -> impl Iterator<Item = u64> {
        let first = self.numbers.partition_point(|number| *number < from);
        self.numbers.range(first..).copied().take_while(move |number| *number < to)
    }

    pub(super) fn numbers(&self) -> impl Iterator<Item = u64> {
        self.numbers.iter().copied()
    }
}
