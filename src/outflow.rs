//! The outgoing half of a byte stream: what is to be written, how long its peer may leave that unread, and how it ends.

use core::time::Duration;

use crate::outbox::Outbox;
use crate::stall::Stall;
use crate::stream::Stream;
use crate::time::Instant;

/// How long a peer is waited for. It is in the configuration that many connections share, and not in each of them again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// Until it has read 16 KiB of what is written, or all that waited when the time began if that is less.
    pub(crate) write: Duration,
    /// Until it ends the stream, when nothing more will be written.
    pub(crate) linger: Duration,
}

/// What goes out on a stream, and its end, which is told once with an error of kind `E` if there was one.
///
/// ```text
///        end                peer's end, or time-out
///  Open ─────▶ HalfClosed ──────────────────────────▶ Closed
///    │             │ abandon, stall                     ▲
///    └─────────────┴────────────────────────────────────┘ also by `end` where the peer has ended before
/// ```
#[derive(Debug)]
pub(crate) struct Outflow<E> {
    outbox: Outbox,
    stream: Stream,
    peer_ended: bool,
    stall: Stall,
    /// How long the peer's end is waited for: a slow reader of a long answer has the time that it uses, so this is for
    /// who has it all and does not end.
    linger: Instant,
    /// The end that is still to be told.
    ended: Option<Option<E>>,
}

impl<E> Outflow<E> {
    pub(crate) const fn new() -> Self {
        Self {
            outbox: Outbox::new(),
            stream: Stream::Open,
            peer_ended: false,
            stall: Stall::NONE,
            linger: Instant::NEVER,
            ended: None,
        }
    }

    pub(crate) const fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    pub(crate) fn into_outbox(self) -> Outbox {
        self.outbox
    }

    pub(crate) const fn stream(&self) -> Stream {
        self.stream
    }

    pub(crate) const fn is_open(&self) -> bool {
        matches!(self.stream, Stream::Open)
    }

    pub(crate) const fn peer_ended(&self) -> bool {
        self.peer_ended
    }

    /// Queues what `write` gives to the outbox.
    pub(crate) fn write(&mut self, now: Instant, patience: Patience, write: impl FnOnce(&mut Outbox)) {
        write(&mut self.outbox);
        if !self.outbox.is_empty() {
            self.stall.queued(now, patience.write, self.outbox.len());
        }
    }

    /// So many bytes were written.
    pub(crate) fn sent(&mut self, now: Instant, patience: Patience, count: usize) {
        if count > 0 {
            self.outbox.advance(count);
            self.stall.written(now, patience.write, count, self.outbox.len());
            self.await_end(now, patience);
        }
    }

    /// Ends the stream after what is queued. If it has ended before nothing changes.
    pub(crate) fn end(&mut self, now: Instant, patience: Patience, error: Option<E>) {
        if self.is_open() {
            self.ended = Some(error);
            self.stream = if self.peer_ended { Stream::Closed } else { Stream::HalfClosed };
            self.await_end(now, patience);
        }
    }

    /// Ends the stream at once: nothing more is written.
    pub(crate) fn abandon(&mut self, error: Option<E>) {
        if self.is_open() {
            self.ended = Some(error);
        }
        self.stream = Stream::Closed;
        self.outbox.clear();
        (self.stall, self.linger) = (Stall::NONE, Instant::NEVER);
    }

    /// The peer will send no more: nothing is left to wait for but what is still to be written.
    pub(crate) fn receive_eof(&mut self) {
        self.peer_ended = true;
        if self.stream == Stream::HalfClosed {
            self.stream = Stream::Closed;
            self.linger = Instant::NEVER;
        }
    }

    /// The end, if it is still to be told.
    pub(crate) fn poll_ended(&mut self) -> Option<Option<E>> {
        self.ended.take()
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do.
    pub(crate) fn deadline(&self) -> Instant {
        self.linger.min(self.stall.deadline())
    }

    /// Gives the stream up if its peer has read too little, which is the error `stalled`, or does not end it.
    pub(crate) fn handle_timeout(&mut self, now: Instant, stalled: E) {
        if self.deadline() <= now {
            self.abandon(Some(stalled));
        }
    }

    fn await_end(&mut self, now: Instant, patience: Patience) {
        if self.stream == Stream::HalfClosed && self.outbox.is_empty() {
            self.linger = now.saturating_add(patience.linger);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STALLED: &str = "stalled";

    fn at(seconds: u64) -> Instant {
        Instant::from(Duration::from_secs(seconds))
    }

    const PATIENCE: Patience = Patience { write: Duration::from_secs(30), linger: Duration::from_secs(2) };

    fn outflow() -> Outflow<&'static str> {
        Outflow::new()
    }

    #[test]
    fn what_is_queued_goes_out_before_the_peer_is_waited_for() {
        let mut out = outflow();
        out.write(at(0), PATIENCE, |outbox| outbox.push(b"bye"));
        out.end(at(1), PATIENCE, None);
        assert_eq!((out.stream(), out.deadline(), out.poll_ended()), (Stream::HalfClosed, at(30), Some(None)));
        out.sent(at(5), PATIENCE, 2);
        assert_eq!(out.deadline(), at(30), "too little to be progress");
        out.sent(at(6), PATIENCE, 1);
        assert_eq!(out.deadline(), at(8));
        out.sent(at(7), PATIENCE, 0);
        out.handle_timeout(at(7), STALLED);
        assert_eq!((out.stream(), out.deadline()), (Stream::HalfClosed, at(8)));
        out.handle_timeout(at(8), STALLED);
        assert_eq!((out.stream(), out.deadline(), out.poll_ended()), (Stream::Closed, Instant::NEVER, None));
    }

    /// What is queued while the time runs is not asked for in it.
    #[test]
    fn who_takes_what_waited_has_time_for_the_rest() {
        let mut out = outflow();
        out.write(at(0), PATIENCE, |outbox| outbox.push(&[1; 100]));
        out.write(at(10), PATIENCE, |outbox| outbox.push(&[2; 100]));
        out.sent(at(20), PATIENCE, 99);
        assert_eq!(out.deadline(), at(30));
        out.sent(at(21), PATIENCE, 1);
        assert_eq!(out.deadline(), at(51));
        out.write(at(22), PATIENCE, |outbox| outbox.push(&[3; 100_000]));
        out.sent(at(23), PATIENCE, 100);
        assert_eq!(out.deadline(), at(53));
        out.sent(at(24), PATIENCE, 16 * 1024 - 1);
        assert_eq!(out.deadline(), at(53));
        out.sent(at(25), PATIENCE, 1);
        assert_eq!(out.deadline(), at(55));
    }

    #[test]
    fn a_peer_that_has_ended_is_not_waited_for() {
        for first in [true, false] {
            let mut out = outflow();
            out.write(at(0), PATIENCE, |outbox| outbox.push(b"bye"));
            if first {
                out.receive_eof();
                assert_eq!(out.stream(), Stream::Open, "it may still read");
                out.end(at(1), PATIENCE, None);
            } else {
                out.end(at(1), PATIENCE, None);
                out.receive_eof();
            }
            assert_eq!((out.stream(), out.outbox().len(), out.deadline()), (Stream::Closed, 3, at(30)));
            out.sent(at(2), PATIENCE, 3);
            assert_eq!((out.outbox().len(), out.deadline()), (0, Instant::NEVER));
        }
    }

    #[test]
    fn a_peer_that_does_not_read_is_given_up_and_the_end_is_told_once() {
        let mut out = outflow();
        out.write(at(0), PATIENCE, |_| {});
        assert_eq!(out.deadline(), Instant::NEVER, "there is nothing to read");
        out.write(at(1), PATIENCE, |outbox| outbox.push(b"hello"));
        out.handle_timeout(at(30), STALLED);
        assert!(out.is_open() && out.poll_ended().is_none());
        out.handle_timeout(at(31), STALLED);
        assert_eq!((out.stream(), out.outbox().len(), out.deadline()), (Stream::Closed, 0, Instant::NEVER));
        assert_eq!(out.poll_ended(), Some(Some(STALLED)));
        out.end(at(32), PATIENCE, Some("again"));
        out.abandon(Some("again"));
        assert_eq!((out.stream(), out.poll_ended()), (Stream::Closed, None));
    }
}
