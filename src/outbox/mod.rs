//! Outgoing bytes: queued in order, gathered into few pieces, counted, and given up piece by piece.
//!
//! Small writes are copied behind each other into a tail; one that is full and not small is closed, and another begun, so that
//! nothing large is moved. Bytes that are shared by many connections (a broadcast) and large owned buffers are queued as they
//! are. A drained outbox owns no memory. A driver may lend the memory of the tail, one buffer for all its connections.

mod queue;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;

use self::queue::{Chunk, Queue, SHORT_BYTES_MAX};

/// Below this many bytes a copy costs less than a reference and its place in the queue.
const COPY_BYTES_MAX: usize = 256;

/// What has so many bytes is not moved any more when more comes behind it, but closed; the next tail has room for twice as
/// much, up to the second number.
const TAIL_BYTES: core::ops::Range<usize> = 4096..65_536;

/// A queue of bytes on their way out.
#[derive(Default)]
pub(crate) struct Outbox {
    /// What stands before `tail`; absent unless something shared or large is queued, or much.
    queue: Option<Box<Queue>>,
    tail: Vec<u8>,
    /// How much is not yet written, over all chunks and the tail.
    len: usize,
    /// Whether the tail's memory is the driver's.
    is_lent: bool,
}

impl fmt::Debug for Outbox {
    /// Shows how much there is, not what: it may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").field("len", &self.len).finish_non_exhaustive()
    }
}

impl Outbox {
    /// An empty outbox, which owns no memory.
    pub(crate) const fn new() -> Self {
        Self { queue: None, tail: Vec::new(), len: 0, is_lent: false }
    }

    /// Bytes not yet written.
    #[inline]
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Whether everything is written.
    #[inline]
    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How much of the first chunk (or of the tail, without chunks) is written.
    #[inline]
    fn written(&self) -> usize {
        let queued = self.queue.as_ref().map_or(0, |queue| queue.size());
        queued.saturating_add(self.tail.len()).saturating_sub(self.len)
    }

    /// Lends the memory of `buffer`, whose content is dropped: what is copied from now on is gathered there. Nothing is taken
    /// while something is queued.
    pub(crate) fn lend(&mut self, buffer: &mut Vec<u8>) {
        if self.is_empty() {
            buffer.clear();
            core::mem::swap(&mut self.tail, buffer);
            self.is_lent = true;
        }
    }

    /// Gives back what was lent, empty, and perhaps with more room. What is not written by now moves to memory of the outbox's
    /// own; but memory that it fills more than half stays here until it is written.
    pub(crate) fn reclaim(&mut self, buffer: &mut Vec<u8>) {
        if self.is_lent {
            let own = self.take_tail();
            let lent = core::mem::replace(&mut self.tail, own);
            if lent.capacity() > buffer.capacity() {
                *buffer = lent;
            }
            self.is_lent = false;
        }
    }

    /// Takes out what stands in the tail; if that is little, then without the memory that was lent for it.
    fn take_tail(&mut self) -> Vec<u8> {
        if self.is_lent && self.tail.len() <= self.tail.capacity() / 2 {
            let own = self.tail.clone();
            self.tail.clear();
            return own;
        }
        core::mem::take(&mut self.tail)
    }

    /// Queues a copy.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.tail.extend_from_slice(bytes);
        self.len = self.len.saturating_add(bytes.len());
    }

    /// Queues bytes that `write` appends to the buffer it is given.
    #[inline]
    pub(crate) fn push_with<R>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        let before = self.tail.len();
        let result = write(&mut self.tail);
        self.len = self.len.saturating_add(self.tail.len().saturating_sub(before));
        result
    }

    /// The same for about `size` bytes: room for them is made without moving much of what is there.
    #[inline]
    pub(crate) fn push_sized<R>(&mut self, size: usize, write: impl FnOnce(&mut Vec<u8>) -> R) -> R {
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
        let tail = self.take_tail();
        self.tail.reserve_exact(if size > room / 2 { size } else { room });
        self.queue.get_or_insert_default().push(Chunk::Owned(tail), len);
    }

    /// Queues the first `size` of these bytes: a header whose payload is queued next, on its own.
    #[inline]
    pub(crate) fn push_header(&mut self, header: [u8; 16], size: usize) {
        if !self.tail.is_empty() {
            return self.push(header.get(..size).unwrap_or(&header));
        }
        let mut short = [0; SHORT_BYTES_MAX];
        if let Some(front) = short.first_chunk_mut() {
            *front = header;
        }
        let size = size.min(header.len());
        self.len = self.len.saturating_add(size);
        self.queue.get_or_insert_default().push(Chunk::Short(size as u8, short), size);
    }

    /// Queues an owned buffer; a large one is not copied.
    pub(crate) fn push_owned(&mut self, bytes: Vec<u8>) {
        if bytes.len() <= COPY_BYTES_MAX {
            return self.push(&bytes);
        }
        let size = bytes.len();
        self.enqueue(Chunk::Owned(bytes), size);
    }

    /// Queues bytes that others hold too; all but a few are not copied.
    pub(crate) fn push_shared(&mut self, bytes: &Bytes) {
        if bytes.len() <= COPY_BYTES_MAX { self.push(bytes) } else { self.push_bytes(bytes.clone()) }
    }

    /// The same for bytes that are given up, which spares them one more owner.
    #[inline]
    pub(crate) fn push_bytes(&mut self, bytes: Bytes) {
        if bytes.len() <= COPY_BYTES_MAX {
            return self.push(&bytes);
        }
        let size = bytes.len();
        self.enqueue(Chunk::Shared(bytes), size);
    }

    #[inline]
    fn enqueue(&mut self, chunk: Chunk, size: usize) {
        self.len = self.len.saturating_add(size);
        if !self.tail.is_empty() {
            self.enqueue_tail();
        }
        self.queue.get_or_insert_default().push(chunk, size);
    }

    /// What was gathered stands before what is queued next.
    fn enqueue_tail(&mut self) {
        let (size, mut short) = (self.tail.len(), [0; SHORT_BYTES_MAX]);
        let tail = match short.get_mut(..size) {
            Some(bytes) => {
                bytes.copy_from_slice(&self.tail);
                self.tail.clear();
                Chunk::Short(size as u8, short)
            }
            None => Chunk::Owned(self.take_tail()),
        };
        self.queue.get_or_insert_default().push(tail, size);
    }

    /// What is to be written, in order. Together the pieces have [`len`](Self::len) bytes.
    pub(crate) fn chunks(&self) -> impl Iterator<Item = &[u8]> {
        let (queue, mut places) = (self.queue.as_deref(), 0..);
        let (mut tail, mut skip) = (Some(self.tail.as_slice()), self.written());
        let pieces = core::iter::from_fn(move || {
            let chunk = queue.and_then(|queue| queue.get(places.next()?));
            chunk.map(Chunk::as_slice).or_else(|| tail.take())
        });
        pieces
            .map(move |piece| piece.get(core::mem::take(&mut skip)..).unwrap_or_default())
            .filter(|piece| !piece.is_empty())
    }

    /// Takes the first `count` bytes off: they are written. More than there are is all of them.
    pub(crate) fn advance(&mut self, count: usize) {
        if count >= self.len {
            return self.clear();
        }
        let mut written = self.written().saturating_add(count);
        self.len = self.len.saturating_sub(count);
        while let Some(queue) = &mut self.queue
            && let Some(first) = queue.front()
        {
            let size = first.as_slice().len();
            if written < size {
                return;
            }
            written = written.saturating_sub(size);
            queue.pop();
            if queue.front().is_none() {
                self.queue = None;
            }
        }
        // A tail that is refilled before it is ever drained must not keep what is written.
        if written > 4096 && written > self.tail.len() / 2 {
            self.tail.drain(..written);
        }
    }

    /// Drops everything, and the memory with it, but for what was lent.
    pub(crate) fn clear(&mut self) {
        if self.is_lent {
            self.tail.clear();
            (self.queue, self.len) = (None, 0);
        } else {
            *self = Self::new();
        }
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
        Lend,
        Reclaim,
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
            Just(Op::Lend),
            Just(Op::Reclaim),
        ]
    }

    proptest! {
        /// An outbox is a queue of bytes, whatever is pushed in which way.
        #[test]
        fn equals_a_plain_queue(ops in prop::collection::vec(op(), 0..60)) {
            let (mut outbox, mut plain, mut next) = (Outbox::new(), Vec::<u8>::new(), 0u8);
            let mut buffer = Vec::with_capacity(16_384);
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
                    Op::Lend => { buffer.extend_from_slice(b"old"); outbox.lend(&mut buffer); }
                    Op::Reclaim => {
                        outbox.reclaim(&mut buffer);
                        prop_assert!(!outbox.is_empty() || outbox.tail.capacity() == 0);
                    }
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
    fn what_was_lent_is_given_back() {
        let (mut outbox, mut buffer) = (Outbox::new(), Vec::with_capacity(10_000));
        let memory = buffer.as_ptr();
        for _ in 0..3 {
            outbox.lend(&mut buffer);
            assert_eq!(buffer.capacity(), 0);
            outbox.push(&[1; 100]);
            outbox.push_shared(&Bytes::from(alloc::vec![2; 1000]));
            outbox.push_sized(1000, |out| out.extend_from_slice(&[3; 1000]));
            assert_eq!(outbox.tail.as_ptr(), memory);
            outbox.advance(1600);
            // What is left is not much, and needs no more than it has.
            outbox.reclaim(&mut buffer);
            assert_eq!((buffer.as_ptr(), buffer.len(), buffer.capacity()), (memory, 0, 10_000));
            assert_eq!((outbox.len(), outbox.tail.capacity()), (500, 1000));
            outbox.lend(&mut buffer);
            assert_eq!(buffer.capacity(), 10_000, "not while something waits");
            outbox.advance(500);
            assert_eq!(outbox.tail.capacity(), 0);
        }
        outbox.lend(&mut buffer);
        outbox.push(&[4; 6000]);
        outbox.reclaim(&mut buffer);
        assert_eq!((buffer.capacity(), outbox.tail.as_ptr()), (0, memory), "much is not copied");
        outbox.advance(6000);
        assert_eq!(outbox.tail.capacity(), 0);
        // Nor when it is closed; then another that was made meanwhile is not dropped for nothing.
        buffer.reserve_exact(10_000);
        outbox.lend(&mut buffer);
        outbox.push(&[5; 6000]);
        outbox.push_bytes(Bytes::from(alloc::vec![6; 1000]));
        buffer.reserve_exact(500);
        outbox.reclaim(&mut buffer);
        assert_eq!((outbox.len(), outbox.tail.capacity(), buffer.capacity()), (7000, 0, 500));
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
