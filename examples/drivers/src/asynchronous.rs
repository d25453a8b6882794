//! The loop of one connection over any byte stream of tokio's.

use std::future::pending;
use std::io;
use std::time::Duration;

use roomwire::{Instant, Stream, ws};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::time::{Instant as Clock, sleep_until};

use crate::{ORIGIN, echo, gather, now};

/// What the writing half does next.
#[derive(Clone, Copy)]
enum Step {
    Write,
    Flush,
    Shutdown,
    Wait,
}

/// Drives `conn` until it is over. Reading, writing and time go on side by side; whatever is ready is done.
pub async fn drive(stream: impl AsyncRead + AsyncWrite, mut conn: ws::Connection) -> io::Result<()> {
    let (mut reading, mut writing) = split(stream);
    let mut buffer = vec![0; 16 * 1024];
    let alarm = sleep_until(clock(conn.poll_timeout()));
    tokio::pin!(alarm);
    let (mut flushed, mut shut) = (true, false);
    loop {
        // All answers to one read go out in one write.
        let (slices, filled) = gather(&conn);
        let step = match conn.stream() {
            _ if filled > 0 => Step::Write,
            _ if !flushed => Step::Flush,
            Stream::HalfClosed | Stream::Closed if !shut => Step::Shutdown,
            Stream::Open | Stream::HalfClosed => Step::Wait,
            Stream::Closed => return Ok(()),
        };
        let write = async {
            match step {
                Step::Write => writing.write_vectored(&slices[..filled]).await,
                Step::Flush => writing.flush().await.map(|()| 0),
                Step::Shutdown => writing.shutdown().await.map(|()| 0),
                Step::Wait => pending().await,
            }
        };
        // A deadline that moved to later leaves the alarm alone: when it rings, the connection is asked again.
        let deadline = clock(conn.poll_timeout());
        if deadline < alarm.deadline() {
            alarm.as_mut().reset(deadline);
        }
        tokio::select! {
            biased;
            count = write => {
                conn.sent(now(), count?);
                match step {
                    Step::Write => flushed = false,
                    Step::Flush => flushed = true,
                    Step::Shutdown | Step::Wait => shut = true,
                }
            }
            () = &mut alarm => {
                echo::time_passed(&mut conn, now());
                alarm.as_mut().reset(clock(conn.poll_timeout()));
            }
            count = reading.read(&mut buffer), if conn.wants_read() => match count? {
                0 => echo::ended(&mut conn, now()),
                count => echo::received(&mut conn, now(), &mut buffer[..count]),
            },
        }
    }
}

/// A deadline in tokio's time; far away if there is none.
fn clock(deadline: Option<Instant>) -> Clock {
    const FAR: Duration = Duration::from_secs(1 << 30);
    let after = deadline.map_or(FAR, |at| at.saturating_since(Instant::ORIGIN).min(FAR));
    Clock::from_std(*ORIGIN + after)
}
