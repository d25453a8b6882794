//! The stream of bytes that everybody reads, and the end that everybody writes to. Both are always ready.

use std::io::{self, IoSlice, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Some bytes, over and over, by at most so many at once.
pub struct Feed<'f> {
    bytes: &'f [u8],
    at: usize,
    rounds: usize,
    read_bytes: usize,
}

impl<'f> Feed<'f> {
    pub fn new(bytes: &'f [u8], rounds: usize, read_bytes: usize) -> Self {
        Self { bytes, at: 0, rounds, read_bytes }
    }

    /// The next piece, not more than `room`; empty at the end.
    #[inline]
    pub fn next(&mut self, room: usize) -> &'f [u8] {
        if self.at == self.bytes.len() {
            (self.at, self.rounds) = (0, self.rounds - 1);
        }
        if self.rounds == 0 {
            return &[];
        }
        let size = room.min(self.read_bytes).min(self.bytes.len() - self.at);
        let piece = &self.bytes[self.at..][..size];
        self.at += size;
        piece
    }

    /// Copies the next piece, as a socket does.
    #[inline]
    pub fn fill(&mut self, buffer: &mut [u8]) -> usize {
        let piece = self.next(buffer.len());
        buffer[..piece.len()].copy_from_slice(piece);
        piece.len()
    }
}

/// What was written in the present turn; each begins with an empty buffer, as behind a system call.
pub struct Written {
    buffer: Vec<u8>,
    turn_bytes: usize,
    turns: usize,
}

impl Written {
    pub fn new(turn_bytes: usize) -> Self {
        Self { buffer: Vec::with_capacity(turn_bytes), turn_bytes, turns: 0 }
    }

    #[inline]
    pub fn push(&mut self, bytes: &[u8]) {
        if self.buffer.len() >= self.turn_bytes {
            self.next_turn();
        }
        self.buffer.extend_from_slice(bytes);
    }

    fn next_turn(&mut self) {
        assert_eq!(self.buffer.len(), self.turn_bytes, "other frames than these");
        self.buffer.clear();
        self.turns += 1;
    }

    /// The last turn, of so many.
    pub fn last(self, turns: usize) -> Vec<u8> {
        assert_eq!((self.turns + 1, self.buffer.len()), (turns, self.turn_bytes), "other frames than these");
        self.buffer
    }
}

/// A byte stream.
pub struct Duplex<'f> {
    feed: Feed<'f>,
    pub written: Written,
}

impl<'f> Duplex<'f> {
    pub fn reading(feed: Feed<'f>) -> Self {
        Self { feed, written: Written::new(0) }
    }

    pub fn writing(turn_bytes: usize) -> Self {
        Self { feed: Feed::new(&[], 0, 0), written: Written::new(turn_bytes) }
    }
}

impl Read for Duplex<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(self.feed.fill(buffer))
    }
}

impl Write for Duplex<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written.push(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for Duplex<'_> {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let piece = self.feed.next(buffer.remaining());
        buffer.put_slice(piece);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Duplex<'_> {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.written.push(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        pieces.iter().for_each(|piece| self.written.push(piece));
        Poll::Ready(Ok(pieces.iter().map(|piece| piece.len()).sum()))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl wtx::stream::StreamReader for Duplex<'_> {
    async fn read(&mut self, buffer: &mut [u8]) -> wtx::Result<usize> {
        Ok(self.feed.fill(buffer))
    }
}

impl wtx::stream::StreamWriter for Duplex<'_> {
    async fn write_all(&mut self, bytes: &[u8]) -> wtx::Result<()> {
        self.written.push(bytes);
        Ok(())
    }

    async fn write_all_vectored(&mut self, pieces: &[&[u8]]) -> wtx::Result<()> {
        pieces.iter().for_each(|piece| self.written.push(piece));
        Ok(())
    }
}

/// Runs a whole pass with one poll, without a runtime: nothing is ever pending.
pub fn run<R>(future: impl Future<Output = R>) -> R {
    match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("the stream is always ready"),
    }
}
