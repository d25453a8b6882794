//! Lines of text on a byte stream, for those who have neither HTTP nor WebSocket: `nc`, a microcontroller.
//!
//! A line ends with a line feed; a carriage return before it is no part of it. Empty lines mean nothing, and are sent
//! as a sign of life. Who breaks these rules is told so by a last line.
//!
//! A stream that begins as a request of HTTP is ended: any web page can make a browser send one, to whatever port, and the
//! lines of its body would be obeyed.
//!
//! ```
//! use roomwire::{Instant, lines};
//!
//! let now = Instant::ORIGIN;
//! let mut conn = lines::Connection::new(lines::Config::default().into(), now);
//! let mut buffer = *b"hello\r\nwor";
//! let mut input = &mut buffer[..];
//! while let Some(event) = conn.receive(now, &mut input) {
//!     if let lines::Event::Line(line) = event {
//!         conn.send(now, &line).unwrap();
//!     }
//! }
//! assert_eq!(conn.outgoing().collect::<Vec<_>>().concat(), b"hello\n");
//! ```

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::http::LimitsError;
use crate::outbox::Outbox;
use crate::outflow::{Outflow, Patience};
use crate::stream::Stream;
use crate::time::Instant;
use crate::utf8;

/// How a [`Connection`] behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Bytes of the longest line from a peer, without its end. Default 1,000,000, Socket.IO's `maxHttpBufferSize`.
    pub line_bytes_max: usize,
    /// Bytes that wait to be written. Default 1 MiB.
    pub outbox_bytes_max: usize,
    /// Bytes that wait to be written above which no more is read. Default 65,536.
    pub read_pause_bytes: usize,
    /// How long a peer may take to read 16 KiB of what is sent to it, or all that waited when the time
    /// began if that is less. Default 30 s.
    pub write_timeout: Duration,
    /// After so long without anything to write an empty line is written: on a stream whose other end is gone that fails in
    /// the end. Default 25 s; `None` for never.
    pub idle_interval: Option<Duration>,
    /// After the last byte: how long to wait for the peer to end the stream. Default 2 s.
    pub linger_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            line_bytes_max: 1_000_000,
            outbox_bytes_max: 1 << 20,
            read_pause_bytes: 65_536,
            write_timeout: Duration::from_secs(30),
            idle_interval: Some(Duration::from_secs(25)),
            linger_timeout: Duration::from_secs(2),
        }
    }
}

impl Config {
    /// Whether these settings can work.
    ///
    /// # Errors
    /// The first limit that is out of its range.
    pub fn validate(&self) -> Result<(), LimitsError> {
        LimitsError::check("line_bytes_max", self.line_bytes_max, 1, isize::MAX as usize)?;
        LimitsError::check("outbox_bytes_max", self.outbox_bytes_max, 1024, isize::MAX as usize)?;
        LimitsError::check("read_pause_bytes", self.read_pause_bytes, 1, isize::MAX as usize)?;
        LimitsError::positive("write_timeout", self.write_timeout)?;
        LimitsError::positive("idle_interval", self.idle_interval.unwrap_or(Duration::MAX))?;
        LimitsError::positive("linger_timeout", self.linger_timeout)
    }

    const fn patience(&self) -> Patience {
        Patience { write: self.write_timeout, linger: self.linger_timeout }
    }
}

/// What happened on a [`Connection`].
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A line without its end; lent if it lay whole in the input.
    Line(Cow<'a, str>),
    /// The connection is over; always the last event, exactly once.
    Closed {
        /// What went wrong, if anything did.
        error: Option<Error>,
    },
}

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A line longer than [`Config::line_bytes_max`].
    #[error("line too long")]
    TooLong,
    /// A line that is not UTF-8.
    #[error("line is not UTF-8")]
    Utf8,
    /// The first line is that of a request of HTTP.
    #[error("HTTP is not spoken here")]
    Http,
    /// The peer did not read what was sent to it.
    #[error("peer stopped reading")]
    WriteTimeout,
}

/// A line cannot be sent; nothing has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The connection is over.
    #[error("connection is not open")]
    NotOpen,
    /// There is no room for it.
    #[error("outbox is full")]
    OutboxFull,
}

/// One byte stream that carries lines.
pub struct Connection {
    config: Arc<Config>,
    /// Whether a line has come.
    spoken: bool,
    /// The line that has begun, and when it did.
    begun: Vec<u8>,
    begun_at: Instant,
    /// When it ends nothing more is read.
    out: Outflow<Error>,
    now: Instant,
    /// When an empty line is due.
    deadline: Instant,
}

impl fmt::Debug for Connection {
    /// Shows how much there is of what was received and is to be sent, not what: it may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("config", &self.config)
            .field("spoken", &self.spoken)
            .field("begun_bytes", &self.begun.len())
            .field("out", &self.out)
            .field("now", &self.now)
            .field("deadline", &self.deadline)
            .finish()
    }
}

impl Connection {
    /// A connection at the beginning of its byte stream.
    #[must_use]
    pub fn new(config: Arc<Config>, now: Instant) -> Self {
        Self {
            deadline: idle_deadline(&config, now),
            config,
            spoken: false,
            begun: Vec::new(),
            begun_at: now,
            out: Outflow::new(),
            now,
        }
    }

    /// Takes bytes off the front of `input` until there is something to tell; `None` when all are consumed.
    #[must_use = "what happened is told only once"]
    pub fn receive<'a>(&mut self, now: Instant, input: &mut &'a mut [u8]) -> Option<Event<'a>> {
        self.clock(now);
        while self.out.is_open() && !input.is_empty() {
            let Some(end) = input.iter().position(|byte| *byte == b'\n') else {
                if self.is_too_long(input) {
                    self.fail(Error::TooLong);
                    break;
                }
                if self.begun.is_empty() {
                    self.begun_at = self.now;
                }
                self.begun.extend_from_slice(input);
                break;
            };
            let (line, rest) = core::mem::take(input).split_at_mut(end);
            *input = rest.get_mut(1..).unwrap_or_default();
            if let Some(event) = self.line(line) {
                return Some(event);
            }
        }
        *input = &mut [];
        self.poll_event()
    }

    /// A line whose end has come.
    fn line<'a>(&mut self, line: &'a [u8]) -> Option<Event<'a>> {
        if self.is_too_long(line) {
            self.fail(Error::TooLong);
            return None;
        }
        let line = if self.begun.is_empty() {
            utf8::check(without_return(line)).map(Cow::Borrowed)
        } else {
            let mut whole = core::mem::take(&mut self.begun);
            whole.extend_from_slice(line);
            whole.truncate(without_return(&whole).len());
            String::from_utf8(whole).map(Cow::Owned).map_err(|_| utf8::InvalidUtf8)
        };
        match line {
            Ok(line) if !core::mem::replace(&mut self.spoken, true) && is_request(&line) => self.fail(Error::Http),
            Ok(line) if line.is_empty() => {}
            Ok(line) => return Some(Event::Line(line)),
            Err(_) => self.fail(Error::Utf8),
        }
        None
    }

    /// Whether the line that has begun is too long with these bytes. A carriage return behind the others is none of it if the
    /// line ends there; if it goes on it is too long then.
    fn is_too_long(&self, more: &[u8]) -> bool {
        let ends_with_return = more.last().or(self.begun.last()) == Some(&b'\r');
        let bytes = self.begun.len().saturating_add(more.len()).saturating_sub(usize::from(ends_with_return));
        bytes > self.config.line_bytes_max
    }

    /// When the line began to come whose end has not come; never, if there is none.
    pub(crate) const fn begun(&self) -> Instant {
        if self.begun.is_empty() { Instant::NEVER } else { self.begun_at }
    }

    /// The peer will send no more. A line without its end is dropped.
    #[must_use = "the end is told only once"]
    pub fn receive_eof(&mut self, now: Instant) -> Option<Event<'static>> {
        self.clock(now);
        self.out.receive_eof();
        self.end(None);
        self.poll_event()
    }

    /// What happened without input: the end.
    #[must_use = "what happened is told only once"]
    pub fn poll_event(&mut self) -> Option<Event<'static>> {
        self.out.poll_ended().map(|error| Event::Closed { error })
    }

    /// Queues a line. Line ends within it become spaces.
    ///
    /// # Errors
    /// If the connection is over, or there is no room.
    pub fn send(&mut self, now: Instant, line: &str) -> Result<(), SendError> {
        self.clock(now);
        if !self.out.is_open() {
            return Err(SendError::NotOpen);
        }
        if self.outgoing_len().saturating_add(line.len()) >= self.config.outbox_bytes_max {
            return Err(SendError::OutboxFull);
        }
        self.push(line);
        Ok(())
    }

    fn push(&mut self, line: &str) {
        let write = |out: &mut Vec<u8>| {
            if line.contains(['\n', '\r']) {
                out.extend(line.bytes().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte }));
            } else {
                out.extend_from_slice(line.as_bytes());
            }
            out.push(b'\n');
        };
        self.out.write(self.now, self.config.patience(), |outbox| outbox.push_with(write));
        self.deadline = idle_deadline(&self.config, self.now);
    }

    /// Ends the stream after what is already queued, and after a line that says why: `closed: ` and the reason, unless that is
    /// empty.
    pub fn close(&mut self, now: Instant, reason: &str) {
        self.clock(now);
        if self.out.is_open() && !reason.is_empty() {
            self.push(&format!("closed: {reason}"));
        }
        self.end(None);
    }

    /// Ends the stream for what the peer did.
    fn fail(&mut self, error: Error) {
        self.push(&format!("closed: {error}"));
        self.end(Some(error));
    }

    /// Gives the connection up at once: nothing queued is written any more.
    pub fn abort(&mut self, now: Instant) {
        self.clock(now);
        self.out.abandon(None);
        self.end(None);
    }

    /// Bytes to be written, in order.
    pub fn outgoing(&self) -> impl Iterator<Item = &[u8]> {
        self.out.outbox().chunks()
    }

    pub(crate) const fn outbox(&self) -> &Outbox {
        self.out.outbox()
    }

    /// How many bytes are to be written.
    #[must_use]
    pub const fn outgoing_len(&self) -> usize {
        self.out.outbox().len()
    }

    /// So many bytes of [`outgoing`](Self::outgoing) were written.
    pub fn sent(&mut self, now: Instant, count: usize) {
        self.clock(now);
        self.out.sent(self.now, self.config.patience(), count);
    }

    /// Whether it is worth while to read.
    #[must_use]
    pub fn wants_read(&self) -> bool {
        match self.stream() {
            Stream::Open => self.outgoing_len() <= self.config.read_pause_bytes,
            Stream::HalfClosed => true,
            Stream::Closed => false,
        }
    }

    /// What is to be done with the byte stream once everything is written.
    #[must_use]
    pub const fn stream(&self) -> Stream {
        self.out.stream()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called, at the latest.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadline.min(self.out.deadline()).finite()
    }

    /// Does what is due at `now`; afterwards [`poll_timeout`](Self::poll_timeout) is later than `now`.
    #[must_use = "the end is told only once"]
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Event<'static>> {
        self.clock(now);
        self.out.handle_timeout(self.now, Error::WriteTimeout);
        if !self.out.is_open() {
            self.end(None);
        } else if self.deadline <= self.now {
            self.deadline = idle_deadline(&self.config, self.now);
            // What waits is a sign of life already.
            if self.outgoing_len() == 0 {
                let _ = self.send(now, "");
            }
        }
        self.poll_event()
    }

    /// Nothing more is read; what is queued still goes out.
    fn end(&mut self, error: Option<Error>) {
        self.out.end(self.now, self.config.patience(), error);
        self.begun = Vec::new();
        self.deadline = Instant::NEVER;
    }

    fn clock(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }
}

/// When an empty line is due.
fn idle_deadline(config: &Config, now: Instant) -> Instant {
    config.idle_interval.map_or(Instant::NEVER, |interval| now.saturating_add(interval))
}

/// Whether a line is the first of a request (RFC 9112 section 3).
fn is_request(line: &str) -> bool {
    line.rsplit_once(' ').is_some_and(|(before, version)| version.starts_with("HTTP/") && before.contains(' '))
}

fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(conn: &mut Connection, bytes: &[u8]) -> Vec<Event<'static>> {
        let mut buffer = bytes.to_vec();
        let mut input = &mut buffer[..];
        let mut events = Vec::new();
        while let Some(event) = conn.receive(Instant::ORIGIN, &mut input) {
            events.push(match event {
                Event::Line(line) => Event::Line(line.into_owned().into()),
                Event::Closed { error } => Event::Closed { error },
            });
        }
        assert!(input.is_empty());
        events
    }

    fn conn(line_bytes_max: usize) -> Connection {
        Connection::new(Config { line_bytes_max, ..Config::default() }.into(), Instant::ORIGIN)
    }

    fn line(text: &str) -> Event<'static> {
        Event::Line(String::from(text).into())
    }

    proptest! {
        #[test]
        fn chunking_is_invisible(text in "[a\u{e9}\r\n\\PC]{0,40}", junk: Vec<u8>, cuts in prop::collection::vec(0usize..90, 0..6)) {
            let bytes = [text.as_bytes(), b"\n", &junk, b"\nend\n"].concat();
            let whole = read(&mut conn(30), &bytes);
            let mut cut = conn(30);
            let mut events = Vec::new();
            let (mut from, mut cuts) = (0, cuts);
            cuts.sort_unstable();
            for to in cuts.into_iter().map(|cut| cut.min(bytes.len())).chain([bytes.len()]) {
                events.extend(read(&mut cut, &bytes[from..to]));
                from = to;
            }
            prop_assert_eq!(events, whole);
        }
    }

    /// What is to be told of a text of single bytes, read in one go by nothing but its rules.
    fn expected(text: &str, line_bytes_max: usize) -> Vec<Event<'static>> {
        let mut events = Vec::new();
        for whole in text.split_inclusive('\n') {
            let ended = whole.strip_suffix('\n');
            let content = ended.unwrap_or(whole);
            let content = content.strip_suffix('\r').unwrap_or(content);
            if content.len() > line_bytes_max {
                events.push(Event::Closed { error: Some(Error::TooLong) });
                break;
            }
            if ended.is_some() && !content.is_empty() {
                events.push(line(content));
            }
        }
        events
    }

    proptest! {
        /// The return before a line's end takes no room from it, wherever the bytes were cut; any other does.
        #[test]
        fn the_limit_is_of_what_the_line_is_without_its_end(
            text in "[a\r\n]{0,9}(aaa\r\n)?[a\r\n]{0,9}",
            cuts in prop::collection::vec(0usize..24, 0..8),
        ) {
            let (mut conn, mut events, mut from) = (conn(3), Vec::new(), 0);
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(text.len())).chain([text.len()]).collect();
            cuts.sort_unstable();
            for to in cuts {
                events.extend(read(&mut conn, &text.as_bytes()[from..to]));
                prop_assert!(conn.begun.len() <= 4);
                from = to;
            }
            prop_assert_eq!(events, expected(&text, 3));
        }
    }

    #[test]
    fn settings_that_cannot_work() {
        let refused = |change: fn(&mut Config)| {
            let mut config = Config::default();
            change(&mut config);
            config.validate().err().map(|error| error.name)
        };
        assert_eq!(refused(|_| {}), None);
        assert_eq!(refused(|config| config.idle_interval = None), None);
        assert_eq!(refused(|config| config.line_bytes_max = 0), Some("line_bytes_max"));
        assert_eq!(refused(|config| config.outbox_bytes_max = 1023), Some("outbox_bytes_max"));
        assert_eq!(refused(|config| config.read_pause_bytes = 0), Some("read_pause_bytes"));
        assert_eq!(refused(|config| config.write_timeout = Duration::ZERO), Some("write_timeout"));
        assert_eq!(refused(|config| config.idle_interval = Some(Duration::ZERO)), Some("idle_interval"));
        assert_eq!(refused(|config| config.linger_timeout = Duration::ZERO), Some("linger_timeout"));
    }

    #[test]
    fn lines_and_their_ends() {
        assert_eq!(read(&mut conn(9), b"a\r\n\n\r\nb c\nrest"), [line("a"), line("b c")]);
        assert_eq!(read(&mut conn(9), b"\r\r\n"), [line("\r")], "one return belongs to the end");
        let too_long = Event::Closed { error: Some(Error::TooLong) };
        assert_eq!(read(&mut conn(3), b"abcd\nx\n"), [too_long]);
        assert_eq!(read(&mut conn(3), b"abc\nabcd"), [line("abc"), Event::Closed { error: Some(Error::TooLong) }]);
        assert_eq!(read(&mut conn(3), b"abc\r\nabc\rd"), [line("abc"), Event::Closed { error: Some(Error::TooLong) }]);
        assert_eq!(read(&mut conn(9), b"\xFF\nx\n"), [Event::Closed { error: Some(Error::Utf8) }]);
    }

    #[test]
    fn who_breaks_the_rules_is_told() {
        let said = |bytes: &[u8]| {
            let mut conn = conn(40);
            read(&mut conn, bytes);
            String::from_utf8(conn.outgoing().collect::<Vec<_>>().concat()).unwrap()
        };
        assert_eq!(said(&[b'x'; 41]), "closed: line too long\n");
        assert_eq!(said(b"\xFF\n"), "closed: line is not UTF-8\n");
        let mut conn = conn(40);
        conn.close(Instant::ORIGIN, "no\nmore");
        conn.close(Instant::ORIGIN, "again");
        assert_eq!(conn.outgoing().collect::<Vec<_>>().concat(), b"closed: no more\n");
    }

    #[test]
    fn no_sign_of_life_is_due_where_none_is_asked_for() {
        let config = Config { idle_interval: None, ..Config::default() };
        let mut conn = Connection::new(config.into(), Instant::ORIGIN);
        assert_eq!(conn.poll_timeout(), None);
        conn.send(Instant::ORIGIN, "a").unwrap();
        conn.sent(Instant::ORIGIN, 2);
        assert_eq!((conn.poll_timeout(), conn.handle_timeout(Instant::ORIGIN)), (None, None));
    }

    /// A form on a web page posts any text to any port.
    #[test]
    fn requests_of_http_are_not_obeyed() {
        for request in ["POST / HTTP/1.1\r\n", "GET /0 HTTP/1.0\n", "PRI * HTTP/2.0\r\n"] {
            let mut conn = conn(40);
            let told = read(&mut conn, format!("{request}Host: a\r\n\r\n0\n").as_bytes());
            assert_eq!(told, [Event::Closed { error: Some(Error::Http) }], "{request}");
        }
        // An empty line before a request is none of a browser's. Later, and with less of a request, it is text.
        let text = "a HTTP/1.1";
        assert_eq!(
            read(&mut conn(40), format!("{text}\nGET / HTTP/1.1\n").as_bytes()),
            [line(text), line("GET / HTTP/1.1")]
        );
    }

    #[test]
    fn what_is_sent_is_one_line() {
        let mut conn = conn(9);
        conn.send(Instant::ORIGIN, "a\r\nb").unwrap();
        assert_eq!(conn.outgoing().collect::<Vec<_>>().concat(), b"a  b\n");
        conn.close(Instant::ORIGIN, "");
        assert_eq!(conn.send(Instant::ORIGIN, "c"), Err(SendError::NotOpen));
        assert_eq!(conn.poll_event(), Some(Event::Closed { error: None }));
        assert_eq!((conn.stream(), conn.outgoing_len()), (Stream::HalfClosed, 5), "what is queued still goes out");
        assert_eq!(conn.receive_eof(Instant::ORIGIN), None);
        assert_eq!(conn.stream(), Stream::Closed);
    }

    #[test]
    fn a_sign_of_life_and_a_peer_that_does_not_read() {
        let (mut conn, second) = (conn(9), Instant::from(Duration::from_secs(25)));
        assert_eq!(conn.poll_timeout(), Some(second));
        assert_eq!(conn.handle_timeout(second), None);
        assert_eq!(conn.outgoing().collect::<Vec<_>>().concat(), b"\n");
        let stalled = Instant::from(Duration::from_secs(55));
        assert_eq!(conn.handle_timeout(Instant::from(Duration::from_secs(50))), None);
        assert_eq!(conn.outgoing_len(), 1, "not one more for each interval");
        assert_eq!(conn.handle_timeout(stalled), Some(Event::Closed { error: Some(Error::WriteTimeout) }));
        assert_eq!((conn.stream(), conn.poll_timeout()), (Stream::Closed, None));
    }
}
