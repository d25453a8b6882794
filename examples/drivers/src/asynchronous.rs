//! The loop of one connection over any byte stream of tokio's. It is a future written by hand, which costs less than
//! `select!` over reading, writing and time, and needs no buffer of its own.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use futures_timer::Delay;
use roomwire::{Instant, Stream, ws};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{echo, gather, now};

const BUFFER_BYTES: usize = 64 * 1024;
/// When there is no deadline.
const FAR: Duration = Duration::from_secs(1 << 30);

thread_local! {
    /// What is read is dealt with before anybody else has the thread, so that one buffer serves all its connections.
    pub(crate) static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; BUFFER_BYTES]);
    /// So it is with what is to be written, as far as the socket takes it.
    static OUTGOING: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Drives `conn` until it is over. Whenever it is woken it does all that can be done: a write of everything that is owed, a
/// read, a write of all answers to that.
pub async fn drive(stream: impl AsyncRead + AsyncWrite, mut conn: ws::Connection) -> io::Result<()> {
    let mut stream = pin!(stream);
    let mut alarm = Alarm::default();
    let mut writing = Writing::default();
    let mut turn = |conn: &mut ws::Connection, cx: &mut Context<'_>| {
        let mut now = now();
        let mut reading = Reading::default();
        loop {
            // While there is no room for more, reading goes on.
            if let Poll::Ready(written) = writing.poll(conn, stream.as_mut(), now, cx)
                && written? == Stream::Closed
            {
                return Poll::Ready(Ok(()));
            }
            // Before reading: who never stops sending must not stop the time.
            if conn.poll_timeout().is_some_and(|deadline| deadline <= now) {
                echo::time_passed(conn, now);
                continue;
            }
            if conn.wants_read()
                && let Poll::Ready(read) = reading.poll(conn, stream.as_mut(), now, cx)
            {
                read?;
                continue;
            }
            if reading.give_up(conn, now) {
                continue;
            }
            ready!(alarm.poll(conn.poll_timeout(), now, cx));
            now = crate::now();
        }
    };
    poll_fn(|cx| {
        OUTGOING.with_borrow_mut(|buffer| {
            // It has its room still, unless a connection has kept it.
            buffer.reserve(BUFFER_BYTES);
            conn.lend(buffer);
        });
        let polled = turn(&mut conn, cx);
        OUTGOING.with_borrow_mut(|buffer| conn.reclaim(buffer));
        polled
    })
    .await
}

/// A timer that costs nothing as long as its time is far away. It is kept by a thread of its own: where a runtime has a timer, its
/// loop reads the clock and sets the kernel's alarm in every turn.
struct Alarm {
    delay: Delay,
    /// When it rings.
    at: Instant,
    /// Whom it wakes then.
    wakes: Option<Waker>,
}

impl Default for Alarm {
    fn default() -> Self {
        Self { delay: Delay::new(FAR), at: Instant::NEVER, wakes: None }
    }
}

impl Alarm {
    /// Waits for a deadline; or only until the one before, if that was earlier: then it is to be asked for again.
    fn poll(&mut self, deadline: Option<Instant>, now: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let until = deadline.unwrap_or(Instant::NEVER);
        let known = self.wakes.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()));
        if known && now < self.at && self.at <= until {
            return Poll::Pending;
        }
        if until < self.at || self.at <= now {
            self.at = until;
            self.delay.reset(until.saturating_since(now).min(FAR));
        }
        self.wakes = Some(cx.waker().clone());
        Pin::new(&mut self.delay).poll(cx)
    }
}

/// What of the buffer belongs to the connection, while it has the thread: the beginning of a frame.
#[derive(Default)]
struct Reading {
    left: usize,
}

impl Reading {
    /// One read, and what it means.
    fn poll(
        &mut self,
        conn: &mut ws::Connection,
        stream: Pin<&mut impl AsyncRead>,
        now: Instant,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        BUFFER.with_borrow_mut(|buffer| {
            let mut buffer = ReadBuf::new(buffer);
            buffer.set_filled(self.left);
            ready!(stream.poll_read(cx, &mut buffer))?;
            let bytes = buffer.filled_mut();
            if bytes.len() == self.left {
                echo::received(conn, now, bytes);
                echo::ended(conn, now);
                self.left = 0;
            } else {
                self.left = echo::received_in_place(conn, now, bytes, BUFFER_BYTES);
                let begin = bytes.len() - self.left;
                bytes.copy_within(begin.., 0);
            }
            Poll::Ready(Ok(()))
        })
    }

    /// The buffer is for others now: what is left is taken, which may have something to say. Whether there was anything.
    fn give_up(&mut self, conn: &mut ws::Connection, now: Instant) -> bool {
        let left = std::mem::take(&mut self.left);
        if left > 0 {
            BUFFER.with_borrow_mut(|buffer| echo::received(conn, now, &mut buffer[..left]));
        }
        left > 0
    }
}

/// What of the writing half is still to be done.
#[derive(Default)]
struct Writing {
    unflushed: bool,
    shut: bool,
}

impl Writing {
    /// Writes everything that is owed; then what the connection wants of the stream.
    fn poll(
        &mut self,
        conn: &mut ws::Connection,
        mut stream: Pin<&mut impl AsyncWrite>,
        now: Instant,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Stream>> {
        while conn.outgoing_len() > 0 {
            let first = conn.outgoing().next().unwrap_or_default();
            let written = if first.len() == conn.outgoing_len() {
                stream.as_mut().poll_write(cx, first)
            } else {
                let (slices, filled) = gather(conn.outgoing());
                stream.as_mut().poll_write_vectored(cx, &slices[..filled])
            };
            match ready!(written)? {
                0 => return Poll::Ready(Err(ErrorKind::WriteZero.into())),
                count => conn.sent(now, count),
            }
            self.unflushed = true;
        }
        if self.unflushed {
            ready!(stream.as_mut().poll_flush(cx))?;
            self.unflushed = false;
        }
        let wanted = conn.stream();
        if wanted > Stream::Open && !self.shut {
            ready!(stream.poll_shutdown(cx))?;
            self.shut = true;
        }
        Poll::Ready(Ok(wanted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_alarm_rings_earlier_than_it_was_set_to_and_again() {
        let mut alarm = Alarm::default();
        let far = now().saturating_add(Duration::from_secs(3600));
        for _ in 0..3 {
            // Twice, so that it is known whom to wake, and the second waits for nothing.
            for _ in 0..2 {
                poll_fn(|cx| {
                    assert!(alarm.poll(Some(far), now(), cx).is_pending());
                    Poll::Ready(())
                })
                .await;
            }
            let near = now().saturating_add(Duration::from_millis(5));
            let rings = poll_fn(|cx| alarm.poll(Some(near), now(), cx));
            tokio::time::timeout(Duration::from_secs(60), rings).await.expect("it rings");
            assert!(now() >= near);
        }
    }
}
