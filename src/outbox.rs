//! Outgoing bytes: queued in order, gathered into few pieces, counted, and given up piece by piece.
//!
//! Small writes are copied behind each other into a tail; one that is full and not small is closed, and another begun, so that
//! nothing large is moved. Bytes that are shared by many connections (a broadcast) and large owned buffers are queued as they
//! are. A drained outbox owns no memory.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;

/// Below this many bytes a copy costs less than a reference and its place in the queue.
pub(crate) const COPY_BYTES_MAX: usize = 256;

/// What has so many bytes is not moved any more when more comes behind it, but closed; the next tail has room for twice as
/// much, up to the second number.
const TAIL_BYTES: core::ops::Range<usize> = 4096..65_536;

/// So much stands in the queue itself: the header of a frame whose payload follows.
const SHORT_BYTES_MAX: usize = 22;

/// A queue of bytes on their way out.
#[derive(Default)]
pub struct Outbox {
    /// What stands before `tail`; absent unless something shared or large is queued, or much.
    #[allow(clippy::box_collection, reason = "8 bytes in each idle connection instead of 32")]
    queue: Option<Box<VecDeque<Chunk>>>,
    tail: Vec<u8>,
    /// How much of the first chunk (or of the tail, without chunks) is already written.
    written: usize,
    /// How much is not yet written, over all chunks.
    len: usize,
}

enum Chunk {
    Short(u8, [u8; SHORT_BYTES_MAX]),
    Owned(Vec<u8>),
    Shared(Bytes),
}

impl Chunk {
    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Short(len, bytes) => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Self::Owned(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

impl fmt::Debug for Outbox {
    /// Shows how much there is, not what: it may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").field("len", &self.len).finish_non_exhaustive()
    }
}

impl Outbox {
    /// An empty outbox, which owns no memory.
    #[must_use]
    pub const fn new() -> Self {
        Self { queue: None, tail: Vec::new(), written: 0, len: 0 }
    }

    /// Bytes not yet written.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether everything is written.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Queues a copy.
    pub fn push(&mut self, bytes: &[u8]) {
        self.tail.extend_from_slice(bytes);
        self.len = self.len.saturating_add(bytes.len());
    }

    /// Queues bytes that `write` appends to the buffer it is given.
    #[inline]
    pub fn push_with<R>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        let before = self.tail.len();
        let result = write(&mut self.tail);
        self.len = self.len.saturating_add(self.tail.len().saturating_sub(before));
        result
    }

    /// The same for about `size` bytes: room for them is made without moving much of what is there.
    #[inline]
    pub fn push_sized<R>(&mut self, size: usize, write: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        if self.tail.capacity().saturating_sub(self.tail.len()) < size {
            self.make_room(size);
        }
        self.push_with(write)
    }

    #[cold]
    fn make_room(&mut self, size: usize) {
        let len = self.tail.len();
        if len < TAIL_BYTES.start {
            // Behind a second message others come, often many.
            let room = len.saturating_mul(3).min(TAIL_BYTES.start.saturating_sub(len));
            return self.tail.reserve(size.max(room));
        }
        // What would take more than half of it gets no more than it needs.
        let room = self.tail.capacity().saturating_mul(2).min(TAIL_BYTES.end);
        let next = Vec::with_capacity(if size > room / 2 { size } else { room });
        let tail = core::mem::replace(&mut self.tail, next);
        // `written` goes along: if the tail was first, it is the first chunk now.
        self.queue.get_or_insert_default().push_back(Chunk::Owned(tail));
    }

    /// Queues the first `size` of these bytes: a header whose payload is queued next, on its own.
    pub fn push_header(&mut self, header: [u8; 16], size: usize) {
        if !self.tail.is_empty() {
            return self.push(header.get(..size).unwrap_or(&header));
        }
        let mut short = [0; SHORT_BYTES_MAX];
        for (to, from) in short.iter_mut().zip(header) {
            *to = from;
        }
        let size = size.min(header.len());
        self.len = self.len.saturating_add(size);
        self.queue.get_or_insert_default().push_back(Chunk::Short(size as u8, short));
    }

    /// Queues an owned buffer; a large one is not copied.
    pub fn push_owned(&mut self, bytes: Vec<u8>) {
        if bytes.len() <= COPY_BYTES_MAX {
            return self.push(&bytes);
        }
        self.len = self.len.saturating_add(bytes.len());
        self.enqueue(Chunk::Owned(bytes));
    }

    /// Queues bytes that others hold too; all but a few are not copied.
    pub fn push_shared(&mut self, bytes: &Bytes) {
        if bytes.len() <= COPY_BYTES_MAX { self.push(bytes) } else { self.push_bytes(bytes.clone()) }
    }

    /// The same for bytes that are given up, which spares them one more owner.
    pub fn push_bytes(&mut self, bytes: Bytes) {
        if bytes.len() <= COPY_BYTES_MAX {
            return self.push(&bytes);
        }
        self.len = self.len.saturating_add(bytes.len());
        self.enqueue(Chunk::Shared(bytes));
    }

    fn enqueue(&mut self, chunk: Chunk) {
        let queue = self.queue.get_or_insert_default();
        // `written` goes along: if the tail was first, it is the first chunk now.
        let mut short = [0; SHORT_BYTES_MAX];
        match short.get_mut(..self.tail.len()) {
            Some(&mut []) => {}
            Some(bytes) => {
                bytes.copy_from_slice(&self.tail);
                queue.push_back(Chunk::Short(bytes.len() as u8, short));
                self.tail.clear();
            }
            None => queue.push_back(Chunk::Owned(core::mem::take(&mut self.tail))),
        }
        queue.push_back(chunk);
    }

    /// What is to be written, in order. Together the pieces have [`len`](Self::len) bytes.
    pub fn chunks(&self) -> impl Iterator<Item = &[u8]> {
        let queued = self.queue.iter().flat_map(|queue| queue.iter().map(Chunk::as_slice));
        let mut skip = self.written;
        queued
            .chain(core::iter::once(self.tail.as_slice()))
            .map(move |piece| piece.get(core::mem::take(&mut skip)..).unwrap_or_default())
            .filter(|piece| !piece.is_empty())
    }

    /// Takes the first `count` bytes off: they are written. More than there are is all of them.
    pub fn advance(&mut self, count: usize) {
        if count >= self.len {
            return self.clear();
        }
        self.len = self.len.saturating_sub(count);
        self.written = self.written.saturating_add(count);
        while let Some(first) = self.queue.as_ref().and_then(|queue| queue.front()) {
            let size = first.as_slice().len();
            if self.written < size {
                return;
            }
            self.written = self.written.saturating_sub(size);
            if let Some(queue) = &mut self.queue {
                queue.pop_front();
                if queue.is_empty() {
                    self.queue = None;
                }
            }
        }
        // A tail that is refilled before it is ever drained must not keep what is written.
        if self.written > 4096 && self.written > self.tail.len() / 2 {
            self.tail.drain(..self.written);
            self.written = 0;
        }
    }

    /// Drops everything, and the memory with it.
    pub fn clear(&mut self) {
        *self = Self::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Op {
        Push(usize),
        Sized(usize),
        Header(usize),
        Owned(usize),
        Shared(usize),
        Bytes(usize),
        Advance(usize),
    }

    fn op() -> impl Strategy<Value = Op> {
        let size = prop_oneof![0usize..20, 200usize..300, 3000usize..9000];
        prop_oneof![
            size.clone().prop_map(Op::Push),
            size.clone().prop_map(Op::Sized),
            (0usize..=16).prop_map(Op::Header),
            size.clone().prop_map(Op::Owned),
            size.clone().prop_map(Op::Shared),
            size.clone().prop_map(Op::Bytes),
            size.prop_map(Op::Advance),
        ]
    }

    proptest! {
        /// An outbox is a queue of bytes, whatever is pushed in which way.
        #[test]
        fn equals_a_plain_queue(ops in prop::collection::vec(op(), 0..60)) {
            let (mut outbox, mut plain, mut next) = (Outbox::new(), Vec::<u8>::new(), 0u8);
            let mut fresh = |size: usize| -> Vec<u8> {
                (0..size).map(|_| { next = next.wrapping_add(1); next }).collect()
            };
            for op in ops {
                match op {
                    Op::Push(size) => { let b = fresh(size); outbox.push(&b); plain.extend(b); }
                    Op::Sized(size) => {
                        let b = fresh(size);
                        outbox.push_sized(size, |out| out.extend_from_slice(&b));
                        plain.extend(b);
                    }
                    Op::Header(size) => {
                        let b = fresh(16);
                        outbox.push_header(*b.first_chunk().unwrap(), size);
                        plain.extend(&b[..size]);
                    }
                    Op::Owned(size) => { let b = fresh(size); plain.extend(&b); outbox.push_owned(b); }
                    Op::Shared(size) => { let b = fresh(size); plain.extend(&b); outbox.push_shared(&b.into()); }
                    Op::Bytes(size) => { let b = fresh(size); plain.extend(&b); outbox.push_bytes(b.into()); }
                    Op::Advance(count) => { outbox.advance(count); plain.drain(..count.min(plain.len())); }
                }
                prop_assert_eq!(outbox.len(), plain.len());
                prop_assert_eq!(outbox.chunks().collect::<Vec<_>>().concat(), plain.clone());
            }
        }
    }

    #[test]
    fn a_drained_outbox_owns_nothing() {
        let mut outbox = Outbox::new();
        outbox.push(b"hello");
        outbox.push_shared(&Bytes::from(alloc::vec![1; 1000]));
        outbox.push(b"world");
        assert_eq!(outbox.chunks().count(), 3);
        outbox.advance(outbox.len());
        assert!(outbox.queue.is_none() && outbox.tail.capacity() == 0);
    }

    #[test]
    fn a_tail_that_is_never_drained_does_not_grow() {
        let mut outbox = Outbox::new();
        for _ in 0..10_000 {
            outbox.push(&[0; 100]);
            outbox.advance(outbox.len() - 1);
        }
        assert!(outbox.tail.capacity() < 32 * 1024);
    }
}
