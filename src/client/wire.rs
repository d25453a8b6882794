//! One byte stream to the server, and what a session's streams share.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;
use core::time::Duration;

use super::config::Config;
use super::cookies::Cookies;
use super::error::Error;
use super::ids::StreamId;
use crate::cursor::read_shared;
use crate::entropy::Entropy;
use crate::http::{self, ClientConnection, ClientEvent, HeaderError, OutgoingRequest, ReceivedResponse};
use crate::stream::Stream;
use crate::time::Instant;
use crate::ws::{self, Opening};

/// What all sessions of a client share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) config: Config,
    pub(super) http_config: Arc<http::ClientConfig>,
    pub(super) ws_config: Arc<ws::Config>,
    pub(super) now: Instant,
    pub(super) entropy: Entropy,
    cookies: Cookies,
    next_stream: u64,
    /// Streams that were given up, and of which the driver is still to be told.
    pub(super) given_up: VecDeque<StreamId>,
}

impl Shared {
    pub(super) fn new(config: Config, seed: [u8; 32], now: Instant) -> Self {
        let http_config = Arc::new(config.http());
        let http = http::Config {
            limits: http_config.limits,
            head_timeout: config.connect_timeout,
            write_timeout: config.write_timeout,
            ..http::Config::default()
        };
        let ws_config = Arc::new(ws::Config {
            limits: ws::Limits {
                message_bytes_max: config.limits.message_bytes_max,
                // What is emitted is held to the limit before, in whatever queue it waits.
                outbox_bytes_max: config.limits.outbox_bytes_max.saturating_mul(2),
                // Not before it is full: a client with much to say that stopped to read would wait for a server that does the same.
                read_pause_bytes: config.limits.outbox_bytes_max,
                ..ws::Limits::default()
            },
            http: Arc::new(http),
            // Engine.IO has a heartbeat of its own.
            ping_interval: None,
            close_timeout: config.close_timeout,
            write_timeout: config.write_timeout,
            ..ws::Config::default()
        });
        let entropy = Entropy::new(seed);
        let (cookies, given_up) = (Cookies::default(), VecDeque::new());
        Self { config, http_config, ws_config, now, entropy, cookies, next_stream: 0, given_up }
    }

    fn stream_id(&mut self) -> StreamId {
        self.next_stream = self.next_stream.saturating_add(1);
        StreamId(self.next_stream)
    }

    /// A request with the headers that all have.
    pub(super) fn request(&self, method: &'static str, target: &str) -> Result<OutgoingRequest, HeaderError> {
        let mut request =
            OutgoingRequest::new(method, &self.config.origin.authority(), target)?.header("accept", "*/*")?;
        for (name, value) in self.headers() {
            request = request.header(name, &value)?;
        }
        Ok(request)
    }

    /// The cookies that came with a response.
    pub(super) fn note_cookies(&mut self, response: &ReceivedResponse) {
        self.cookies.note(response, self.now, self.config.limits.cookies_bytes_max);
    }

    /// The application's header lines. Cookies are gathered into one (RFC 6265 section 5.4).
    fn headers(&self) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
        let lines = || self.config.headers.0.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let is_cookie = |name: &str| name.eq_ignore_ascii_case("cookie");
        let own = lines().filter(move |(name, _)| is_cookie(name)).map(|(_, value)| value);
        let cookies = Some(self.cookies.header(own, self.now)).filter(|cookies| !cookies.is_empty());
        let others =
            lines().filter(move |(name, _)| !is_cookie(name)).map(|(name, value)| (name, Cow::Borrowed(value)));
        others.chain(cookies.map(|cookies| ("cookie", Cow::Owned(cookies))))
    }
}

/// One byte stream: opened by the driver, spoken on by one of two protocols.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) id: StreamId,
    kind: Kind,
    /// Whether the driver was asked to open it.
    asked: bool,
    /// What the driver knows of: how much there is to write, and what is to be done then.
    told: (usize, Stream),
}

#[derive(Debug)]
enum Kind {
    /// Not open yet. No time runs against the server but that to open it.
    Waiting {
        until: Instant,
        first: Option<First>,
    },
    Http(ClientConnection),
    WebSocket(Box<ws::Connection>),
}

/// What is said first on a stream, when it is open.
enum First {
    Request(Box<OutgoingRequest>, Duration),
    Opening(Box<Opening>),
}

impl fmt::Debug for First {
    /// Shows nothing: there may be credentials in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("First")
    }
}

/// What happened on a [`Wire`].
#[derive(Debug)]
pub(super) enum WireEvent<'a> {
    Http(ClientEvent),
    WebSocket(ws::Event<'a>),
    /// It was not open in time, or not at all.
    Unreachable,
}

impl Wire {
    /// A stream for requests.
    pub(super) fn http(shared: &mut Shared) -> Self {
        Self::new(shared, None)
    }

    /// A stream for a WebSocket.
    pub(super) fn websocket(shared: &mut Shared, target: &str) -> Result<Self, Error> {
        let origin = &shared.config.origin;
        let scheme = if origin.secure { "wss" } else { "ws" };
        let malformed = Error::Http(http::Error::MalformedHead);
        let url = alloc::format!("{scheme}://{}:{}{target}", origin.host, origin.port);
        let mut opening = Opening::url(&url).map_err(|_| malformed)?;
        for (name, value) in shared.headers() {
            opening = opening.header(name, &value).map_err(|_| malformed)?;
        }
        Ok(Self::new(shared, Some(First::Opening(Box::new(opening)))))
    }

    fn new(shared: &mut Shared, first: Option<First>) -> Self {
        let until = shared.now.saturating_add(shared.config.connect_timeout);
        let kind = Kind::Waiting { until, first };
        Self { id: shared.stream_id(), kind, asked: false, told: (0, Stream::Open) }
    }

    /// Its id, if the driver is to open it and was not told yet.
    pub(super) fn poll_open(&mut self) -> Option<StreamId> {
        (!core::mem::replace(&mut self.asked, true)).then_some(self.id)
    }

    /// The stream is open.
    ///
    /// # Errors
    /// If what is said first cannot be.
    pub(super) fn opened(&mut self, shared: &mut Shared) -> Result<(), Error> {
        let Kind::Waiting { first, .. } = &mut self.kind else { return Ok(()) };
        let first = first.take();
        if let Some(First::Opening(opening)) = first {
            let seed = shared.entropy.bytes();
            let conn = ws::Connection::client(shared.ws_config.clone(), *opening, seed, shared.now);
            self.kind = Kind::WebSocket(Box::new(conn));
            return Ok(());
        }
        self.kind = Kind::Http(ClientConnection::new(shared.http_config.clone(), shared.now));
        match first {
            Some(First::Request(request, timeout)) => self.request(shared.now, *request, timeout),
            _ => Ok(()),
        }
    }

    /// Ends it without another word; the driver is told, unless it never heard of it or knows already.
    pub(super) fn give_up(self, shared: &mut Shared) {
        // What the driver was to write before it closes the stream is not to be written any more.
        if self.asked && (self.told.1 != Stream::Closed || self.told.0 > 0) {
            shared.given_up.push_back(self.id);
        }
    }

    pub(super) fn receive<'a>(&mut self, now: Instant, input: &mut &'a mut [u8]) -> Option<WireEvent<'a>> {
        match &mut self.kind {
            Kind::Waiting { .. } => {
                *input = &mut [];
                None
            }
            Kind::Http(conn) => read_shared(input, |input| conn.receive(now, input)).map(WireEvent::Http),
            Kind::WebSocket(conn) => conn.receive(now, input).map(WireEvent::WebSocket),
        }
    }

    pub(super) fn receive_eof(&mut self, now: Instant) -> Option<WireEvent<'static>> {
        match &mut self.kind {
            Kind::Waiting { .. } => Some(WireEvent::Unreachable),
            Kind::Http(conn) => conn.receive_eof(now).map(WireEvent::Http),
            Kind::WebSocket(conn) => conn.receive_eof(now).map(WireEvent::WebSocket),
        }
    }

    pub(super) fn poll_event(&mut self) -> Option<WireEvent<'static>> {
        match &mut self.kind {
            Kind::Waiting { .. } => None,
            Kind::Http(conn) => conn.poll_event().map(WireEvent::Http),
            Kind::WebSocket(conn) => conn.poll_event().map(WireEvent::WebSocket),
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) -> Option<WireEvent<'static>> {
        match &mut self.kind {
            Kind::Waiting { until, .. } => (*until <= now).then_some(WireEvent::Unreachable),
            Kind::Http(conn) => conn.handle_timeout(now).map(WireEvent::Http),
            Kind::WebSocket(conn) => conn.handle_timeout(now).map(WireEvent::WebSocket),
        }
    }

    pub(super) fn poll_timeout(&self) -> Instant {
        let own = match &self.kind {
            Kind::Waiting { until, .. } => return *until,
            Kind::Http(conn) => conn.poll_timeout(),
            Kind::WebSocket(conn) => conn.poll_timeout(),
        };
        own.unwrap_or(Instant::NEVER)
    }

    pub(super) fn outgoing(&self) -> impl Iterator<Item = &[u8]> {
        let (http, websocket) = match &self.kind {
            Kind::Waiting { .. } => (None, None),
            Kind::Http(conn) => (Some(conn), None),
            Kind::WebSocket(conn) => (None, Some(conn)),
        };
        let http = http.into_iter().flat_map(ClientConnection::outgoing);
        http.chain(websocket.into_iter().flat_map(|conn| conn.outgoing()))
    }

    pub(super) fn outgoing_len(&self) -> usize {
        match &self.kind {
            Kind::Waiting { .. } => 0,
            Kind::Http(conn) => conn.outgoing_len(),
            Kind::WebSocket(conn) => conn.outgoing_len(),
        }
    }

    pub(super) fn sent(&mut self, now: Instant, count: usize) {
        self.told.0 = self.told.0.saturating_sub(count);
        match &mut self.kind {
            Kind::Waiting { .. } => {}
            Kind::Http(conn) => conn.sent(now, count),
            Kind::WebSocket(conn) => conn.sent(now, count),
        }
    }

    pub(super) fn wants_read(&self) -> bool {
        match &self.kind {
            Kind::Waiting { .. } | Kind::Http(_) => true,
            Kind::WebSocket(conn) => conn.wants_read(),
        }
    }

    pub(super) fn stream(&self) -> Stream {
        match &self.kind {
            Kind::Waiting { .. } => Stream::Open,
            Kind::Http(conn) => conn.stream(),
            Kind::WebSocket(conn) => conn.stream(),
        }
    }

    /// Whether the driver has something to do that it does not know of yet.
    pub(super) fn wants_transmit(&mut self) -> bool {
        if matches!(self.kind, Kind::Waiting { .. }) {
            return false;
        }
        let (size, stream) = (self.outgoing_len(), self.stream());
        let new = size > self.told.0 || stream > self.told.1;
        self.told = (size, stream);
        new
    }

    /// Whether everything is written and nothing is awaited any more.
    pub(super) fn is_finished(&self) -> bool {
        self.stream() == Stream::Closed && self.outgoing_len() == 0
    }

    /// Sends a request on a stream for requests.
    pub(super) fn request(&mut self, now: Instant, request: OutgoingRequest, timeout: Duration) -> Result<(), Error> {
        match &mut self.kind {
            Kind::Waiting { first: first @ None, .. } => {
                *first = Some(First::Request(Box::new(request), timeout));
                Ok(())
            }
            Kind::Http(conn) => conn.request(now, &request, timeout).map_err(|_| Error::Unreachable),
            Kind::Waiting { .. } | Kind::WebSocket(_) => Err(Error::Unreachable),
        }
    }

    /// Whether it can carry another request.
    pub(super) fn is_idle(&self) -> bool {
        match &self.kind {
            Kind::Waiting { first, .. } => first.is_none(),
            Kind::Http(conn) => conn.is_idle(),
            Kind::WebSocket(_) => false,
        }
    }

    pub(super) fn websocket_mut(&mut self) -> Option<&mut ws::Connection> {
        match &mut self.kind {
            Kind::Waiting { .. } | Kind::Http(_) => None,
            Kind::WebSocket(conn) => Some(conn),
        }
    }
}

/// The request target of a session's requests.
pub(super) fn target(config: &Config, eio: char, transport: &str, sid: &str) -> String {
    let sid = if sid.is_empty() { String::new() } else { alloc::format!("&sid={}", super::config::encode(sid)) };
    alloc::format!("{}?EIO={eio}&transport={transport}{sid}{}", config.path, config.query.0)
}
