//! The client's side of one byte stream.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::time::Duration;

use super::exchange::{Exchange, ExchangeReader};
use super::reader::{Limits, LimitsError};
use super::token::decimal;
use super::{Error, OutgoingRequest, ReceivedResponse};
use crate::outflow::{Outflow, Patience};
use crate::stream::Stream;
use crate::time::Instant;

/// How a [`ClientConnection`] behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientConfig {
    /// What a server may make the connection hold.
    pub limits: Limits,
    /// How long a stream without a request is kept; less if the server says so in `Keep-Alive`. Default 4 s, since servers
    /// on Node close after 5 s, and a request that meets the end of its stream is lost.
    pub idle_timeout: Duration,
    /// How long a server may take to read 16 KiB of what is sent to it, or all that waited when the time
    /// began if that is less. Default 30 s.
    pub write_timeout: Duration,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self { limits: Limits::default(), idle_timeout: Duration::from_secs(4), write_timeout: Duration::from_secs(30) }
    }
}

impl ClientConfig {
    /// Whether these settings can work.
    ///
    /// # Errors
    /// The first limit that is out of its range.
    pub fn validate(&self) -> Result<(), LimitsError> {
        self.limits.validate()?;
        LimitsError::positive("idle_timeout", self.idle_timeout)?;
        LimitsError::positive("write_timeout", self.write_timeout)
    }

    const fn patience(&self) -> Patience {
        Patience { write: self.write_timeout, linger: Duration::ZERO }
    }
}

/// What happened on a [`ClientConnection`].
#[derive(Debug)]
#[non_exhaustive]
pub enum ClientEvent {
    /// The answer to the request.
    Response(Box<ReceivedResponse>),
    /// The connection is over; always the last event, exactly once. If a request was under way it has no answer.
    Closed {
        /// What went wrong, if anything did: an end between exchanges is none.
        error: Option<Error>,
    },
}

/// A request cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The one before has no answer yet.
    #[error("a request is under way")]
    Busy,
    /// The stream can carry no further one.
    #[error("connection is closed")]
    Closed,
}

/// The client's side of one byte stream: one request at a time, kept alive between them. The answer to a HEAD is whole with
/// its head, whatever that says of a body; there is no CONNECT.
///
/// ```text
///        request              answer, kept alive
///  Idle ─────────▶ Awaiting ─────────────────────▶ Idle
///   │ idle_timeout,   │ write_timeout, the request's time-out,
///   │ the stream's end│ an error, an answer that is the last
///   └─────────────────┴──────▶ Closed
/// ```
#[derive(Debug)]
pub struct ClientConnection {
    config: Arc<ClientConfig>,
    reader: ExchangeReader,
    /// Nothing is worth writing to its end: it only ever ends at once.
    out: Outflow<Error>,
    phase: Phase,
    now: Instant,
    /// The end of the present phase's patience.
    deadline: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Idle,
    Awaiting {
        /// Whether a HEAD was asked, whose answer has no body.
        head_only: bool,
        /// How long the server may take, once it has the request.
        timeout: Duration,
    },
    Closed,
}

impl ClientConnection {
    /// A connection at the beginning of its stream.
    #[must_use]
    pub fn new(config: Arc<ClientConfig>, now: Instant) -> Self {
        let deadline = now.saturating_add(config.idle_timeout);
        Self { config, reader: ExchangeReader::default(), out: Outflow::new(), phase: Phase::Idle, now, deadline }
    }

    /// Queues a request, whose answer must be whole within `timeout` from when it is written. How long that may take,
    /// [`ClientConfig::write_timeout`] says.
    ///
    /// # Errors
    /// If another is under way or the connection is over; nothing is queued then.
    pub fn request(&mut self, now: Instant, request: &OutgoingRequest, timeout: Duration) -> Result<(), RequestError> {
        self.clock(now);
        match self.phase {
            Phase::Idle => {}
            Phase::Awaiting { .. } => return Err(RequestError::Busy),
            Phase::Closed => return Err(RequestError::Closed),
        }
        self.out.write(self.now, self.config.patience(), |outbox| {
            outbox.push_with(|head| request.write_head(head));
            outbox.push_shared(request.body_bytes());
        });
        self.phase = Phase::Awaiting { head_only: request.is_head(), timeout };
        self.deadline = Instant::NEVER;
        Ok(())
    }

    /// Whether a request can be sent.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.phase == Phase::Idle
    }

    /// Takes bytes off the front of `input` until there is something to tell; `None` when all are consumed.
    #[must_use = "what happened is told only once"]
    pub fn receive(&mut self, now: Instant, input: &mut &[u8]) -> Option<ClientEvent> {
        self.clock(now);
        if let Phase::Awaiting { head_only, .. } = self.phase {
            match self.reader.read(&self.config.limits, head_only, input) {
                Ok(None) => {}
                Ok(Some(exchange)) => return Some(self.answered(exchange)),
                Err(error) => self.end(Some(error)),
            }
        }
        match self.phase {
            // Unasked for, a server says nothing but that it closes (408).
            Phase::Idle if !input.is_empty() => self.end(None),
            Phase::Idle | Phase::Awaiting { .. } => return None,
            Phase::Closed => {}
        }
        *input = &[];
        self.poll_event()
    }

    /// The server will send no more.
    #[must_use = "the end is told only once"]
    pub fn receive_eof(&mut self, now: Instant) -> Option<ClientEvent> {
        self.clock(now);
        match self.phase {
            Phase::Idle => self.end(None),
            Phase::Awaiting { .. } => match self.reader.finish() {
                Some(exchange) => return Some(self.answered(exchange)),
                None => self.end(Some(Error::UnexpectedEof)),
            },
            Phase::Closed => {}
        }
        self.poll_event()
    }

    /// The end, if it is still to be told.
    #[must_use = "what happened is told only once"]
    pub fn poll_event(&mut self) -> Option<ClientEvent> {
        self.out.poll_ended().map(|error| ClientEvent::Closed { error })
    }

    /// Gives the connection up at once; [`ClientEvent::Closed`] is still told, unless it was.
    pub fn abort(&mut self, now: Instant) {
        self.clock(now);
        self.end(None);
    }

    /// Bytes to be written, in order.
    pub fn outgoing(&self) -> impl Iterator<Item = &[u8]> {
        self.out.outbox().chunks()
    }

    /// How many bytes are to be written.
    #[must_use]
    pub const fn outgoing_len(&self) -> usize {
        self.out.outbox().len()
    }

    /// So many bytes of [`outgoing`](Self::outgoing) were written.
    pub fn sent(&mut self, now: Instant, count: usize) {
        self.clock(now);
        let waited = self.outgoing_len() > 0;
        self.out.sent(self.now, self.config.patience(), count);
        if let Phase::Awaiting { timeout, .. } = self.phase
            && waited
            && self.outgoing_len() == 0
        {
            self.deadline = self.now.saturating_add(timeout);
        }
    }

    /// What is to be done with the byte stream.
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
    pub fn handle_timeout(&mut self, now: Instant) -> Option<ClientEvent> {
        self.clock(now);
        if self.out.deadline() <= self.now {
            self.end(Some(Error::WriteTimeout));
        } else if self.deadline <= self.now {
            self.end(matches!(self.phase, Phase::Awaiting { .. }).then_some(Error::Timeout));
        }
        self.poll_event()
    }

    fn answered(&mut self, Exchange { response, keep_alive }: Exchange) -> ClientEvent {
        // An answer before all of the request was read: the rest of it is not wanted, and nothing can follow it.
        if keep_alive && self.outgoing_len() == 0 {
            let told = response.header("keep-alive").and_then(keep_alive_timeout);
            let idle = told.map_or(self.config.idle_timeout, |told| told.min(self.config.idle_timeout));
            self.phase = Phase::Idle;
            self.deadline = self.now.saturating_add(idle);
            if idle.is_zero() {
                self.end(None);
            }
        } else {
            self.end(None);
        }
        ClientEvent::Response(response)
    }

    fn end(&mut self, error: Option<Error>) {
        self.out.abandon(error);
        self.phase = Phase::Closed;
        self.reader = ExchangeReader::default();
        self.deadline = Instant::NEVER;
    }

    fn clock(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }
}

/// How long a server keeps a stream, less a second in which a request may be on its way to it.
fn keep_alive_timeout(value: &str) -> Option<Duration> {
    let seconds = value.split(',').find_map(|part| part.trim().strip_prefix("timeout="))?;
    decimal::<u32>(seconds).map(|seconds| Duration::from_secs(u64::from(seconds.saturating_sub(1))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::HeaderError;
    use alloc::string::String;
    use alloc::vec::Vec;
    use std::format;

    fn at(seconds: u64) -> Instant {
        Instant::from(Duration::from_secs(seconds))
    }

    fn get() -> OutgoingRequest {
        OutgoingRequest::new("GET", "h", "/a").unwrap()
    }

    fn asking() -> ClientConnection {
        let conn = asking_for(&get());
        assert_eq!(conn.1, b"GET /a HTTP/1.1\r\nhost: h\r\n\r\n");
        conn.0
    }

    /// A connection that awaits an answer, and what it has sent.
    fn asking_for(request: &OutgoingRequest) -> (ClientConnection, Vec<u8>) {
        let config = ClientConfig {
            limits: Limits { body_bytes_max: 100, head_bytes_max: 200, ..Limits::default() },
            ..ClientConfig::default()
        };
        let mut conn = ClientConnection::new(Arc::new(config), at(0));
        conn.request(at(0), request, Duration::from_secs(9)).unwrap();
        let sent = conn.outgoing().collect::<Vec<_>>().concat();
        conn.sent(at(0), sent.len());
        (conn, sent)
    }

    /// What is told of a stream of the server's, in a word each; then whether another request can go.
    fn told(stream: &str, chunk: usize, eof: bool) -> (Vec<String>, bool) {
        told_by(&mut asking(), stream, chunk, eof)
    }

    fn told_by(conn: &mut ClientConnection, stream: &str, chunk: usize, eof: bool) -> (Vec<String>, bool) {
        let mut told = Vec::new();
        let mut tell = |event: ClientEvent| {
            told.push(match event {
                ClientEvent::Response(r) => format!("{} {}", r.status(), core::str::from_utf8(r.body()).unwrap()),
                ClientEvent::Closed { error } => format!("{error:?}"),
            });
        };
        for mut piece in stream.as_bytes().chunks(chunk) {
            while let Some(event) = conn.receive(at(1), &mut piece) {
                tell(event);
            }
            assert!(piece.is_empty());
        }
        if eof {
            conn.receive_eof(at(1)).into_iter().for_each(&mut tell);
        }
        while let Some(event) = conn.poll_event() {
            tell(event);
        }
        (told, conn.is_idle())
    }

    #[test]
    fn responses_in_every_framing() {
        for (stream, expected, idle) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", &["200 ok"][..], true),
            ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", &["200 ok"], true),
            ("HTTP/1.1 204 No\r\n\r\n", &["204 "], true),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n1\r\n!\r\n0\r\n\r\n", &["200 ok!"], true),
            ("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", &["200 ok", "None"], false),
            ("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", &["200 ok", "None"], false),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nKeep-Alive: timeout=1\r\n\r\nok", &["200 ok", "None"], false),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 408", &["200 ok", "None"], false),
        ] {
            for chunk in [1, 7, 1000] {
                assert_eq!(
                    told(stream, chunk, false),
                    (expected.iter().map(|s| (*s).into()).collect(), idle),
                    "{stream}"
                );
            }
        }
        assert_eq!(told("HTTP/1.1 200 OK\r\n\r\nok", 3, true), (["200 ok".into(), "None".into()].to_vec(), false));
    }

    /// RFC 9112 section 6.3, rule 1: what the head says of a body is said of the answer to GET.
    #[test]
    fn an_answer_to_head_has_no_body() {
        for (lines, idle) in [
            ("Content-Length: 5\r\n", true),
            ("Content-Length: 999999999\r\n", true),
            ("Transfer-Encoding: chunked\r\n", true),
            ("Transfer-Encoding: gzip, chunked\r\n", true),
            ("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", true),
            ("", true),
            ("Content-Length: 5\r\nConnection: close\r\n", false),
        ] {
            for chunk in [1, 7, 1000] {
                let (mut conn, sent) = asking_for(&OutgoingRequest::new("HEAD", "h", "/a").unwrap());
                assert_eq!(sent, b"HEAD /a HTTP/1.1\r\nhost: h\r\n\r\n");
                let stream = format!("HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\n{lines}\r\n");
                let end = (!idle).then(|| "None".into());
                let expected = ["200 ".into()].into_iter().chain(end).collect();
                assert_eq!(told_by(&mut conn, &stream, chunk, false), (expected, idle), "{stream}");
                if !idle {
                    continue;
                }
                // What is asked for behind it has its body.
                conn.request(at(1), &get(), Duration::from_secs(9)).unwrap();
                conn.sent(at(1), conn.outgoing_len());
                let next = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
                assert_eq!(told_by(&mut conn, next, chunk, false), (["200 ok".into()].to_vec(), true), "{stream}");
            }
        }
    }

    #[test]
    fn a19_what_must_not_be_asked() {
        for method in ["CONNECT", "", "GE T", "GET\r\n"] {
            assert_eq!(OutgoingRequest::new(method, "h", "/").err(), Some(HeaderError::Method), "{method:?}");
        }
        for target in ["", "a", "*", "http://h/", "/a b", "/\u{e4}", "/\r\nx: y"] {
            assert_eq!(OutgoingRequest::new("GET", "h", target).err(), Some(HeaderError::Target), "{target:?}");
        }
        assert_eq!(OutgoingRequest::new("GET", "h\r\nx: y", "/").err(), Some(HeaderError::Value));
    }

    #[test]
    fn a15_a17_no_acceptable_responses() {
        for (stream, error) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok", Error::AmbiguousLength),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok", Error::AmbiguousLength),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", Error::AmbiguousLength),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok", Error::AmbiguousLength),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\nok", Error::TransferCoding),
            ("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", Error::AmbiguousLength),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx", Error::Chunk),
            ("HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\nok", Error::BodyTooLarge),
            ("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\nok", Error::BodyTooLarge),
            ("HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\nok", Error::BareLineEnd),
            ("HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", Error::MalformedHead),
            ("HTTP/2.0 200 OK\r\n\r\n", Error::Version),
            ("ICY 200 OK\r\n\r\n", Error::Version),
        ] {
            for chunk in [1, 1000] {
                assert_eq!(told(stream, chunk, false), ([format!("{:?}", Some(error))].to_vec(), false), "{stream}");
            }
        }
        let long = format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(101));
        assert_eq!(told(&long, 1, false).0, ["Some(BodyTooLarge)"]);
        assert_eq!(told("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no", 1, true).0, ["Some(UnexpectedEof)"]);
        assert_eq!(
            told("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n", 1, true).0,
            ["Some(UnexpectedEof)"]
        );
        assert_eq!(told("", 1, true).0, ["Some(UnexpectedEof)"]);
    }

    #[test]
    fn waiting_ends() {
        let mut conn = asking();
        assert_eq!(conn.poll_timeout(), Some(at(9)));
        assert!(conn.handle_timeout(at(8)).is_none());
        assert!(matches!(conn.handle_timeout(at(9)), Some(ClientEvent::Closed { error: Some(Error::Timeout) })));
        assert_eq!((conn.poll_timeout(), conn.stream()), (None, Stream::Closed));
        assert_eq!(conn.request(at(9), &get(), Duration::from_secs(9)), Err(RequestError::Closed));

        let mut conn = asking();
        assert_eq!(conn.request(at(1), &get(), Duration::from_secs(9)), Err(RequestError::Busy));
        let mut input = &b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=3, max=9\r\nContent-Length: 0\r\n\r\n"[..];
        assert!(matches!(conn.receive(at(1), &mut input), Some(ClientEvent::Response(_))));
        assert_eq!(conn.poll_timeout(), Some(at(3)), "a second before the server's own");
        assert!(matches!(conn.handle_timeout(at(3)), Some(ClientEvent::Closed { error: None })));

        let mut conn = asking();
        let mut input = &b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=600\r\nContent-Length: 0\r\n\r\n"[..];
        assert!(matches!(conn.receive(at(1), &mut input), Some(ClientEvent::Response(_))));
        assert_eq!(conn.poll_timeout(), Some(at(5)), "no longer than our own");

        let mut conn = asking();
        let mut input = &b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=+3\r\nContent-Length: 0\r\n\r\n"[..];
        assert!(matches!(conn.receive(at(1), &mut input), Some(ClientEvent::Response(_))));
        assert_eq!(conn.poll_timeout(), Some(at(5)), "no number");
    }

    /// The server answers before it has read all: the rest is not sent behind the answer.
    #[test]
    fn an_early_answer_is_the_last() {
        let mut conn = ClientConnection::new(Arc::default(), at(0));
        let post = OutgoingRequest::new("POST", "h", "/").unwrap().body(alloc::vec![0; 1000]);
        conn.request(at(0), &post, Duration::from_secs(9)).unwrap();
        conn.sent(at(0), 100);
        let mut input = &b"HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n"[..];
        assert!(matches!(conn.receive(at(1), &mut input), Some(ClientEvent::Response(_))));
        assert_eq!((conn.outgoing_len(), conn.stream()), (0, Stream::Closed));
        assert!(matches!(conn.poll_event(), Some(ClientEvent::Closed { error: None })));
        let mut stalled = ClientConnection::new(Arc::default(), at(0));
        stalled.request(at(0), &post, Duration::from_secs(99)).unwrap();
        assert!(matches!(
            stalled.handle_timeout(at(30)),
            Some(ClientEvent::Closed { error: Some(Error::WriteTimeout) })
        ));
    }
}
