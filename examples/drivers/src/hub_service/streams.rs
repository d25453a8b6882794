//! The task of one byte stream.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};

use roomwire::Stream;
use roomwire::hub::ConnId;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Application, HubService, State};
use crate::asynchronous::BUFFER;
use crate::now;

/// A byte stream that the hub knows. However its task ends, the hub is told that the stream is no more.
pub(super) struct Registered<A: Application> {
    pub(super) service: HubService<A>,
    pub(super) conn: ConnId,
}

impl<A: Application> Drop for Registered<A> {
    fn drop(&mut self) {
        let mut state = self.service.lock();
        state.streams.remove(&self.conn);
        // Of one that ended in order the hub knows nothing any more.
        state.hub.abort(now(), self.conn);
        self.service.settle(state, None);
    }
}

/// What was done to a stream.
#[derive(Default)]
struct Progress {
    unflushed: bool,
    shut: bool,
    /// Its end was read.
    ended: bool,
}

impl<A: Application> Registered<A> {
    /// Carries bytes both ways until the hub is done with the stream. Whenever it is woken it does all that can be done: it
    /// writes what is owed, reads, writes the answers to that.
    pub(super) async fn drive(self, stream: impl AsyncRead + AsyncWrite) -> io::Result<()> {
        let mut stream = pin!(stream);
        let mut progress = Progress::default();
        poll_fn(|cx| {
            self.listen(cx.waker());
            loop {
                // While there is no room for more, reading goes on.
                if let Poll::Ready(written) = self.poll_write(stream.as_mut(), &mut progress, cx)
                    && written? == Stream::Closed
                {
                    return Poll::Ready(Ok(()));
                }
                if progress.ended || !self.service.lock().hub.wants_read(self.conn) {
                    return Poll::Pending;
                }
                ready!(self.poll_read(stream.as_mut(), &mut progress, cx))?;
            }
        })
        .await
    }

    /// From now on, whatever the hub has for the stream wakes the task.
    fn listen(&self, waker: &Waker) {
        if let Some(known) = self.service.lock().streams.get_mut(&self.conn)
            && known.as_ref().is_none_or(|known| !known.will_wake(waker))
        {
            *known = Some(waker.clone());
        }
    }

    /// Writes everything that is owed; then what the hub wants of the stream.
    fn poll_write(
        &self,
        mut stream: Pin<&mut impl AsyncWrite>,
        progress: &mut Progress,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Stream>> {
        let wanted = loop {
            let written = BUFFER.with_borrow_mut(|buffer| {
                // Copied, so that nobody waits for the hub while this is written.
                let state = self.service.lock();
                let (count, wanted) = (state.hub.copy_outgoing(self.conn, buffer), state.hub.stream(self.conn));
                drop(state);
                match count {
                    0 => Err(wanted),
                    _ => Ok(stream.as_mut().poll_write(cx, &buffer[..count])),
                }
            });
            match written {
                Err(wanted) => break wanted,
                Ok(written) => match ready!(written)? {
                    0 => return Poll::Ready(Err(ErrorKind::WriteZero.into())),
                    count => self.sent(count),
                },
            }
            progress.unflushed = true;
        };
        if progress.unflushed {
            ready!(stream.as_mut().poll_flush(cx))?;
            progress.unflushed = false;
        }
        if wanted > Stream::Open && !progress.shut {
            ready!(stream.poll_shutdown(cx))?;
            progress.shut = true;
        }
        Poll::Ready(Ok(wanted))
    }

    fn sent(&self, count: usize) {
        let mut state = self.service.lock();
        state.hub.sent(now(), self.conn, count);
        self.service.settle(state, Some(self.conn));
    }

    /// One read, and what it means.
    fn poll_read(
        &self,
        stream: Pin<&mut impl AsyncRead>,
        progress: &mut Progress,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        BUFFER.with_borrow_mut(|buffer| {
            let mut buffer = ReadBuf::new(buffer);
            ready!(stream.poll_read(cx, &mut buffer))?;
            let (mut state, now) = (self.service.lock(), now());
            let State { hub, application, .. } = &mut *state;
            let mut input = buffer.filled_mut();
            if input.is_empty() {
                progress.ended = true;
                hub.receive_eof(now, self.conn);
            }
            while let Some(event) = hub.receive(now, self.conn, &mut input) {
                application.handle(hub, now, event);
            }
            self.service.settle(state, Some(self.conn));
            Poll::Ready(Ok(()))
        })
    }
}
