//! An application and a driver around `http::Connection`, and what they saw.

use std::sync::Arc;
use std::time::Duration;

use roomwire::http::{Config, Connection, Error, Event, Limits, Request, RequestReader, Response};
use roomwire::{Instant, Stream};

use super::cuts::Bytes;

/// An event, on its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    Request(Asked),
    Closed(Option<Error>),
}

/// What a request says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub method: String,
    pub target: String,
    pub minor_version: u8,
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
    pub keep_alive: bool,
}

impl From<&Request> for Asked {
    fn from(request: &Request) -> Self {
        Self {
            method: request.method().into(),
            target: request.target().into(),
            minor_version: request.minor_version(),
            headers: request.headers().map(|(name, value)| (name.into(), value.into())).collect(),
            body: request.body().into(),
            keep_alive: request.keep_alive(),
        }
    }
}

/// What came of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    pub seen: Vec<Seen>,
    pub outgoing: Bytes,
    pub stream: Stream,
}

impl Trace {
    pub fn error(&self) -> Option<Error> {
        self.seen.iter().find_map(|seen| match seen {
            Seen::Closed(error) => *error,
            Seen::Request(_) => None,
        })
    }

    pub fn requests(&self) -> Vec<&Asked> {
        self.seen.iter().filter_map(|seen| if let Seen::Request(asked) = seen { Some(asked) } else { None }).collect()
    }

    /// The responses, taken apart.
    pub fn responses(&self) -> Vec<Answered> {
        let methods: Vec<&str> = self.requests().into_iter().map(|asked| asked.method.as_str()).collect();
        responses(&self.outgoing, &methods)
    }

    /// The status of each response.
    pub fn statuses(&self) -> Vec<u16> {
        self.responses().into_iter().map(|response| response.status).collect()
    }
}

/// When the application answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// While it holds the event.
    AtOnce,
    /// When everything was read.
    Late,
    Never,
}

/// Limits small enough for generated streams to reach them.
pub fn small() -> Config {
    Config {
        limits: Limits { head_bytes_max: 400, headers_max: 8, target_bytes_max: 60, body_bytes_max: 200 },
        pipelined_bytes_max: 500,
        head_timeout: Duration::from_millis(1009),
        body_timeout: Duration::from_millis(3001),
        idle_timeout: Duration::from_millis(6007),
        answer_timeout: Duration::from_millis(7001),
        write_timeout: Duration::from_millis(4001),
        linger_timeout: Duration::from_millis(211),
    }
}

/// The application: it says back what it was asked, and ends the stream when the path is `/last`.
pub fn answer(conn: &mut Connection, now: Instant, request: &Request) {
    let response = match request.path() {
        "/empty" => Response::new(204),
        "/large" => Response::new(200).body(vec![b'x'; 600]),
        path => Response::new(200).header("x-path", path).unwrap().body(request.body().to_vec()),
    };
    if request.path() == "/last" {
        conn.respond_last(now, response).unwrap();
    } else {
        conn.respond(now, response).unwrap();
    }
}

/// Feeds `pieces`, then the end of the stream if `eof`. The peer reads nothing before all is fed; then as long as requests wait
/// for that.
pub fn run(config: Config, pieces: &[&[u8]], answers: Answers, eof: bool) -> Trace {
    let now = Instant::from_nanos(1);
    let waits_at = config.pipelined_bytes_max;
    let mut conn = Connection::new(Arc::new(config), now);
    let (mut seen, mut written) = (Vec::new(), Vec::new());
    let mut owed: Option<Request> = None;
    for piece in pieces.iter().copied().chain([&[][..]]) {
        let mut input = piece;
        while let Some(event) = conn.receive(now, &mut input) {
            take(&mut conn, now, event, answers, &mut seen, &mut owed);
        }
        assert!(input.is_empty(), "receive yielded None with bytes left");
    }
    for ended in [false, true] {
        if ended
            && eof
            && let Some(event) = conn.receive_eof(now)
        {
            take(&mut conn, now, event, answers, &mut seen, &mut owed);
        }
        loop {
            if let Some(request) = owed.take() {
                answer(&mut conn, now, &request);
            } else if conn.stream() == Stream::Open && conn.outgoing_len() >= waits_at {
                written.extend(conn.outgoing().flatten());
                conn.sent(now, usize::MAX);
            } else {
                break;
            }
            while let Some(event) = conn.receive(now, &mut &[][..]) {
                take(&mut conn, now, event, answers, &mut seen, &mut owed);
            }
        }
    }
    written.extend(conn.outgoing().flatten());
    let trace = Trace { seen, outgoing: Bytes(written), stream: conn.stream() };
    check_end(&mut conn, now, &trace);
    trace
}

fn take(
    conn: &mut Connection,
    now: Instant,
    event: Event,
    answers: Answers,
    seen: &mut Vec<Seen>,
    owed: &mut Option<Request>,
) {
    assert!(!matches!(seen.last(), Some(Seen::Closed(_))), "an event after Closed: {event:?}");
    match event {
        Event::Request(request) => {
            seen.push(Seen::Request(Asked::from(&request)));
            assert!(owed.is_none(), "a second request before the first is answered");
            match answers {
                Answers::AtOnce => answer(conn, now, &request),
                Answers::Late => *owed = Some(request),
                Answers::Never => {}
            }
        }
        Event::Closed { error } => {
            seen.push(Seen::Closed(error));
            *owed = None;
        }
        other => panic!("an event that this test does not know: {other:?}"),
    }
}

/// After the end nothing happens any more, whatever is received.
fn check_end(conn: &mut Connection, now: Instant, trace: &Trace) {
    let ended = matches!(trace.seen.last(), Some(Seen::Closed(_)));
    assert_eq!(ended, trace.stream != Stream::Open);
    if ended {
        let mut input = &b"GET /late HTTP/1.1\r\nhost: a\r\n\r\n"[..];
        assert!(conn.receive(now, &mut input).is_none() && input.is_empty());
        assert!(conn.respond(now, Response::new(200)).is_err());
        assert!(conn.receive_eof(now).is_none() && conn.poll_event().is_none());
        let unread = conn.outgoing().collect::<Vec<_>>().concat();
        assert_eq!(unread.len(), conn.outgoing_len());
        assert!(trace.outgoing.0.ends_with(&unread));
    }
}

/// What a bare reader makes of the pieces.
pub fn read(limits: &Limits, pieces: &[&[u8]]) -> (Vec<Asked>, Option<Error>) {
    let mut reader = RequestReader::new();
    let mut requests = Vec::new();
    for mut input in pieces.iter().copied() {
        loop {
            match reader.read(limits, &mut input) {
                Ok(Some(request)) => requests.push(Asked::from(&request)),
                Ok(None) => break,
                Err(error) => {
                    let mut more = &b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"[..];
                    let before = more.len();
                    assert_eq!(
                        reader.read(limits, &mut more).ok().flatten().map(|request| Asked::from(&request)),
                        None
                    );
                    assert_eq!(more.len(), before, "consumed after an error");
                    return (requests, Some(error));
                }
            }
        }
        assert!(input.is_empty(), "read yielded None with bytes left");
    }
    (requests, None)
}

/// One response, taken apart by the plainest means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// Takes responses apart; panics on anything that is not a sequence of whole ones. `methods` are those of the
/// requests in their order: an answer to HEAD has a length and no body.
pub fn responses(mut bytes: &[u8], methods: &[&str]) -> Vec<Answered> {
    let mut responses = Vec::new();
    let mut methods = methods.iter();
    while !bytes.is_empty() {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a head without end");
        let head = std::str::from_utf8(&bytes[..end]).expect("a head that is no text");
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 ")).expect("no status line");
        let status: u16 = status[..3].parse().expect("no status");
        let headers: Vec<(String, String)> = lines
            .map(|line| line.split_once(": ").expect("no header line"))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let mut lengths = headers.iter().filter(|(name, _)| name == "content-length");
        let mut length = lengths.next().map_or(0, |(_, value)| value.parse::<usize>().unwrap());
        assert!(lengths.next().is_none(), "two lengths");
        if status >= 200 && methods.next() == Some(&"HEAD") {
            length = 0;
        }
        let from = end + 4;
        responses.push(Answered { status, headers, body: bytes[from..from + length].to_vec() });
        bytes = &bytes[from + length..];
    }
    responses
}
