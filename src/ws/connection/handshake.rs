//! The opening handshake, both ends of it.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::{Connection, Event, Extras, Requested, State};
use crate::cursor::read_shared;
use crate::entropy::Entropy;
use crate::http::{self, ReceivedResponse, Response, ResponseReader, Upgraded};
use crate::outbox::Outbox;
use crate::time::Instant;
use crate::ws::close::{CloseCode, Endpoint};
use crate::ws::deflate::{self, Agreed, Deflate};
use crate::ws::handshake::{Accept, AcceptError, HandshakeError, Upgrade};
use crate::ws::opening::{Opened, Opening};
use crate::ws::reader::{MessageReader, Waiting};
use crate::ws::{Config, Error, Role};

impl Connection {
    /// The client's end, at the beginning of the byte stream: the request for the opening handshake is queued, and
    /// [`Event::Opened`] tells when it is accepted. Its key and the masking keys (RFC 6455 section 10.3) are drawn from
    /// `seed`, which must be secret and fresh.
    #[must_use]
    pub fn client(config: Arc<Config>, opening: Opening, seed: [u8; 32], now: Instant) -> Self {
        let mut entropy = Entropy::new(seed);
        let mut outbox = Outbox::new();
        let expected = outbox.push_with(|out| opening.write(config.deflate.as_ref(), &mut entropy, out));
        let requested = Requested { reader: ResponseReader::new(), expected };
        let deadline = now.saturating_add(config.http.head_timeout);
        let mut conn = Self::new(Role::Client, config, State::Requested(Box::new(requested)), outbox, now);
        conn.extras = Some(Box::new(Extras { masks: Some(entropy), ..Extras::default() }));
        conn.deadline = deadline;
        conn.watch_writes();
        conn
    }

    /// The server's end of a stream whose requests somebody else reads, such as hyper: the response that somebody else is
    /// to send, and the connection that goes on behind it. Over HTTP/1.1 the response is a 101, and the stream is the
    /// connection's; over HTTP/2 it is a 200, and the stream is that of the request.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use roomwire::{Instant, http::Request, ws};
    ///
    /// let headers = [
    ///     ("host", &b"localhost"[..]), ("upgrade", b"websocket"), ("connection", b"Upgrade"),
    ///     ("sec-websocket-version", b"13"), ("sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ=="),
    /// ];
    /// let upgrade = ws::Upgrade::check(Request::from_parts("GET", "/chat", 1, headers)?)?;
    /// let (config, accept) = (Arc::new(ws::Config::default()), ws::Accept::new());
    /// let (response, conn) = ws::Connection::server_behind(config, &upgrade, &accept, Instant::ORIGIN)?;
    /// assert_eq!((response.status(), conn.is_open()), (101, true));
    /// assert!(response.headers().any(|line| line == ("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If a subprotocol is chosen that was not offered.
    pub fn server_behind(
        config: Arc<Config>,
        upgrade: &Upgrade,
        accept: &Accept,
        now: Instant,
    ) -> Result<(Response, Self), AcceptError> {
        let (response, agreed) = upgrade.accept(accept, config.deflate.as_ref())?;
        let behind = Upgraded { outbox: Outbox::new(), early: Vec::new(), peer_ended: false };
        Ok((response, Self::upgraded(config, behind, agreed, now)))
    }

    /// The client's end of a stream on which somebody else has made the opening handshake, such as an HTTP/2 client, with
    /// [`Config::extensions`] in the request: `answered` are the values of `Sec-WebSocket-Extensions` in the response, all
    /// lines of that name. Masking keys (RFC 6455 section 10.3) are drawn from `seed`, which must be secret and fresh.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use roomwire::{Instant, ws};
    ///
    /// let config = Arc::new(ws::Config::default());
    /// assert_eq!(config.extensions(), None, "no compression is configured");
    /// let conn = ws::Connection::client_behind(config.clone(), [], [7; 32], Instant::ORIGIN)?;
    /// assert!(conn.is_open());
    /// assert!(ws::Connection::client_behind(config, ["permessage-deflate"], [7; 32], Instant::ORIGIN).is_err());
    /// # Ok::<(), ws::HandshakeError>(())
    /// ```
    ///
    /// # Errors
    /// If the server chose what was not offered: the client must fail the connection (section 4.1), so give up the stream.
    pub fn client_behind<'a>(
        config: Arc<Config>,
        answered: impl IntoIterator<Item = &'a str>,
        seed: [u8; 32],
        now: Instant,
    ) -> Result<Self, HandshakeError> {
        let mut answered = answered.into_iter();
        let deflate = match &config.deflate {
            Some(offered) => {
                deflate::check(offered, answered)?.map(|agreed| Box::new(Deflate::new(Role::Client, agreed, *offered)))
            }
            None if answered.next().is_some() => return Err(HandshakeError::Extension),
            None => None,
        };
        let mut conn = Self::client_after_upgrade(config, seed, now);
        conn.extras.get_or_insert_default().deflate = deflate;
        Ok(conn)
    }

    /// Goes on behind an HTTP connection whose last request is `upgrade`.
    pub(crate) fn upgrade_http(
        mut http: http::Connection,
        upgrade: &Upgrade,
        accept: &Accept,
        config: Arc<Config>,
        now: Instant,
    ) -> Result<Self, AcceptError> {
        let (response, agreed) = upgrade.accept(accept, config.deflate.as_ref())?;
        http.write_switching(response);
        Ok(Self::upgraded(config, http.into_upgraded(), agreed, now))
    }

    /// The server's end behind an HTTP connection.
    pub(super) fn upgraded(config: Arc<Config>, http: Upgraded, agreed: Option<Agreed>, now: Instant) -> Self {
        let mut conn = Self::open(Role::Server, config, http.outbox, http.early, now);
        let deflate = agreed.zip(conn.config.deflate.as_ref());
        let deflate = deflate.map(|(agreed, config)| Box::new(Deflate::new(Role::Server, agreed, *config)));
        if deflate.is_some() {
            conn.extras.get_or_insert_default().deflate = deflate;
        }
        conn.peer_ended = http.peer_ended;
        conn
    }

    /// Accepts the opening handshake that was told by [`Event::Upgrade`].
    ///
    /// # Errors
    /// If there is none, or the subprotocol was not offered; nothing is sent then.
    pub fn accept(&mut self, now: Instant, accept: &Accept) -> Result<(), AcceptError> {
        self.clock(now);
        let State::Handshake(handshake) = &mut self.state else { return Err(AcceptError::NotAwaited) };
        let upgrade = handshake.upgrade.as_ref().ok_or(AcceptError::NotAwaited)?;
        let (response, agreed) = upgrade.accept(accept, self.config.deflate.as_ref())?;
        handshake.http.write_switching(response);
        if let State::Handshake(handshake) = core::mem::replace(&mut self.state, State::Closed) {
            *self = Self::upgraded(self.config.clone(), handshake.http.into_upgraded(), agreed, self.now);
        }
        Ok(())
    }

    /// Answers the opening handshake with another response, and ends.
    ///
    /// # Errors
    /// If no handshake awaits an answer.
    pub fn reject(&mut self, now: Instant, response: Response) -> Result<(), AcceptError> {
        self.clock(now);
        let State::Handshake(handshake) = &mut self.state else { return Err(AcceptError::NotAwaited) };
        handshake.upgrade.take().ok_or(AcceptError::NotAwaited)?;
        self.refuse(HandshakeError::Rejected, response);
        Ok(())
    }

    /// Reads on in the server's response; what follows a 101 stays in the input.
    pub(super) fn read_response<'a>(&mut self, input: &mut &mut [u8]) -> Option<Event<'a>> {
        let State::Requested(requested) = &mut self.state else { return None };
        match read_shared(input, |input| requested.reader.read(&self.config.http.limits, input)) {
            Ok(None) => None,
            Ok(Some(response)) => Some(self.answered(response)),
            Err(error) => {
                self.fail(Error::Http(error));
                self.poll_event()
            }
        }
    }

    /// What the server's response means.
    pub(super) fn answered<'a>(&mut self, response: ReceivedResponse) -> Event<'a> {
        let checked = match &self.state {
            State::Requested(requested) => requested.expected.check(&response),
            _ => Err(HandshakeError::Status(response.status())),
        };
        match checked {
            Ok((subprotocol, deflate)) => {
                // A client has them already, for its masking keys.
                self.extras.get_or_insert_default().deflate = deflate.map(Box::new);
                self.state = State::Open(MessageReader::new(), Waiting::default());
                self.heard();
                Event::Opened(Box::new(Opened { subprotocol, response }))
            }
            Err(error) => {
                self.fail(Error::Handshake(error));
                Event::Refused(Box::new(response))
            }
        }
    }

    pub(super) fn handshake_event<'a>(&mut self, event: http::Event, silence: Error) -> Option<Event<'a>> {
        match event {
            http::Event::Request(request) => match Upgrade::check(request) {
                Ok(upgrade) => {
                    if let State::Handshake(handshake) = &mut self.state {
                        handshake.upgrade = Some(upgrade.clone());
                    }
                    Some(Event::Upgrade(upgrade))
                }
                Err(error) => {
                    self.refuse(error, error.response());
                    self.poll_event()
                }
            },
            http::Event::Closed { error } => {
                if let State::Handshake(handshake) = &mut self.state {
                    handshake.upgrade = None;
                }
                let error = error.map_or(silence, Error::Http);
                let by = match error {
                    Error::UnexpectedEof | Error::Http(http::Error::UnexpectedEof) => Endpoint::Peer,
                    _ => Endpoint::Local,
                };
                self.end(CloseCode::ABNORMAL, "", by, Some(error));
                self.poll_event()
            }
        }
    }

    pub(super) fn refuse(&mut self, error: HandshakeError, response: Response) {
        if let State::Handshake(handshake) = &mut self.state {
            // It is awaited, since the request was just told; that this ends the stream is told below.
            let _ = handshake.http.respond_last(self.now, response);
            let _ = handshake.http.poll_event();
        }
        self.end(CloseCode::ABNORMAL, "", Endpoint::Local, Some(Error::Handshake(error)));
    }
}
