//! Acknowledgements that are awaited.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::time::Instant;

/// The acknowledgements that one side awaits, each with its deadline.
#[derive(Debug, Default)]
pub(crate) struct Acks {
    deadlines: BTreeMap<u64, Instant>,
    order: BTreeSet<(Instant, u64)>,
}

impl Acks {
    /// How many are awaited.
    pub(crate) fn len(&self) -> usize {
        self.deadlines.len()
    }

    /// Awaits a further one. Its id must never have been used before: an answer that is late would be taken for another.
    pub(crate) fn expect(&mut self, id: u64, deadline: Instant) {
        self.deadlines.insert(id, deadline);
        self.order.insert((deadline, id));
    }

    /// Whether `id` was awaited. It is not awaited any more: an answer counts once.
    pub(crate) fn take(&mut self, id: u64) -> bool {
        let Some(deadline) = self.deadlines.remove(&id) else { return false };
        self.order.remove(&(deadline, id));
        true
    }

    /// When the next one is given up.
    pub(crate) fn poll_timeout(&self) -> Instant {
        self.order.first().map_or(Instant::NEVER, |&(deadline, _)| deadline)
    }

    /// The next one that is given up at `now`.
    pub(crate) fn expire(&mut self, now: Instant) -> Option<u64> {
        let &(deadline, id) = self.order.first().filter(|(deadline, _)| *deadline <= now)?;
        self.order.remove(&(deadline, id));
        self.deadlines.remove(&id);
        Some(id)
    }

    /// Those that `stay` does not hold, in the order in which they were asked for. They are not awaited any more.
    pub(crate) fn split_off(&mut self, stay: impl Fn(u64) -> bool) -> Vec<u64> {
        let gone: Vec<u64> = self.deadlines.keys().copied().filter(|id| !stay(*id)).collect();
        for id in &gone {
            self.take(*id);
        }
        gone
    }

    /// All that are still awaited, in the order in which they were asked for.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = u64> {
        self.order.clear();
        core::mem::take(&mut self.deadlines).into_keys()
    }
}
