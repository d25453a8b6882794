//! The chunks that wait before an outbox's tail.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use bytes::Bytes;

/// So much stands in the queue itself: the header of a frame whose payload follows.
pub(super) const SHORT_BYTES_MAX: usize = 22;

/// There are places for so many chunks with the queue, four messages with their headers: most need no others.
const FIRST: usize = 8;

pub(super) enum Chunk {
    Short(u8, [u8; SHORT_BYTES_MAX]),
    Owned(Vec<u8>),
    Shared(Bytes),
}

impl Chunk {
    /// What stands in a place that is free.
    const NOTHING: Self = Self::Short(0, [0; SHORT_BYTES_MAX]);

    pub(super) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Short(len, bytes) => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Self::Owned(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

/// One piece of memory, as long as there are few chunks.
pub(super) struct Queue {
    first: [Chunk; FIRST],
    /// Which of the first places are taken; once they were, none is given again.
    begin: usize,
    end: usize,
    /// What stands behind them.
    more: VecDeque<Chunk>,
    /// Of all chunks, what is written of the first included.
    size: usize,
}

impl Default for Queue {
    fn default() -> Self {
        Self { first: [Chunk::NOTHING; FIRST], begin: 0, end: 0, more: VecDeque::new(), size: 0 }
    }
}

impl Queue {
    /// Bytes of all chunks.
    #[inline]
    pub(super) const fn size(&self) -> usize {
        self.size
    }

    #[inline]
    pub(super) fn push(&mut self, chunk: Chunk, size: usize) {
        debug_assert_eq!(chunk.as_slice().len(), size);
        self.size = self.size.saturating_add(size);
        match self.first.get_mut(self.end) {
            Some(place) => {
                *place = chunk;
                self.end = self.end.saturating_add(1);
            }
            None => self.more.push_back(chunk),
        }
    }

    pub(super) fn front(&self) -> Option<&Chunk> {
        self.get(0)
    }

    /// Drops the chunk that is first.
    pub(super) fn pop(&mut self) {
        let size = self.front().map_or(0, |first| first.as_slice().len());
        self.size = self.size.saturating_sub(size);
        if self.begin < self.end {
            if let Some(place) = self.first.get_mut(self.begin) {
                *place = Chunk::NOTHING;
            }
            self.begin = self.begin.saturating_add(1);
        } else {
            self.more.pop_front();
        }
    }

    /// The chunk behind so many others.
    #[inline]
    pub(super) fn get(&self, place: usize) -> Option<&Chunk> {
        let taken = self.taken();
        taken.get(place).or_else(|| self.more.get(place.saturating_sub(taken.len())))
    }

    fn taken(&self) -> &[Chunk] {
        self.first.get(self.begin..self.end).unwrap_or_default()
    }
}
