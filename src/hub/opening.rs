//! How sessions begin.

use alloc::borrow::ToOwned as _;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::carrier::Carrier;
use super::config::Content;
use super::connection::{Conn, Link, Tie};
use super::error::ConnectError;
use super::event::{Event, Refusal};
use super::form::Form;
use super::front::Hub;
use super::handshake::{Handshake, Peer};
use super::ids::{ConnId, SessionId};
use super::polling::Polling;
use super::session::{Early, PlainSpeech, Session, Speech, session_place};
use super::timers::Scheduled;
use crate::engineio::{self, Revision, Sid};
use crate::http::{Request, Response};
use crate::lines;
use crate::time::Instant;
use crate::ws::Prepared;

/// For the driver: streams of lines.
impl Hub {
    /// Registers a new byte stream that carries Socket.IO packets as lines of text, without HTTP or WebSocket: protocol 5, each
    /// packet on a line of its own and without any framing before it. A binary attachment is a line that begins with `b`, in
    /// base64. Lines that begin otherwise are told by [`Event::Message`]. A stream that begins as a request of HTTP is ended: no
    /// [`Origins`](super::Origins) protect it from pages. A client that breaks the protocol is told why by a last line.
    ///
    /// # Errors
    /// If there are too many already, or the hub shuts down.
    pub fn connect_lines(&mut self, now: Instant, peer: Peer) -> Result<ConnId, ConnectError> {
        self.clock(now);
        if self.sessions.len() >= self.config.limits.sessions_max {
            return Err(ConnectError::Full);
        }
        let lines = lines::Connection::new(self.lines_config.clone(), self.now);
        let conn = self.register(Conn::over(Link::Lines(Box::new(lines)), peer))?;
        let opened = self.open_session(conn, Carrier::Stream(conn), None, Speech::Lines);
        let session = opened.ok_or(ConnectError::Full)?;
        self.tie(conn, Tie::Carries(session));
        self.touch_session(session);
        Ok(conn)
    }

    pub(super) fn register(&mut self, conn: Conn) -> Result<ConnId, ConnectError> {
        // Who has still something to fetch may ask for it.
        let may_fetch = matches!(conn.link, Link::Foreign) && self.sessions.len() > 0;
        if self.is_shutting_down() && !may_fetch {
            return Err(ConnectError::ShuttingDown);
        }
        if self.conns.len() >= self.config.limits.connections_max {
            return Err(ConnectError::Full);
        }
        let id = self.conns.insert(conn).ok_or(ConnectError::Full)?;
        self.touch(id);
        Ok(id)
    }

    /// A WebSocket was opened for a session that begins.
    pub(super) fn open_websocket_session(
        &mut self,
        conn: ConnId,
        request: Arc<Request>,
        content: Content,
        revision: Revision,
    ) -> Option<Event<'static>> {
        let speech = self.speech(content, revision);
        let id = self.open_session(conn, Carrier::Stream(conn), Some(request), speech)?;
        self.tie(conn, Tie::Carries(id));
        self.begin_session(id)
    }

    /// A WebSocket was opened that carries the application's own messages.
    pub(super) fn open_plain_session(
        &mut self,
        conn: ConnId,
        request: Arc<Request>,
        at: usize,
    ) -> Option<Event<'static>> {
        let speech = Speech::Plain(Box::new(PlainSpeech { at, engine: None, early: Early::default() }));
        let id = self.open_session(conn, Carrier::Stream(conn), Some(request), speech)?;
        self.tie(conn, Tie::Carries(id));
        self.touch_session(id);
        self.connect_plain(id, at)
    }

    /// Who has messages alone is one socket, from the beginning.
    fn connect_plain(&mut self, id: SessionId, at: usize) -> Option<Event<'static>> {
        let namespace = self.config.plain.get(at)?.namespace.clone();
        let handshake = self.sessions.get(id)?.handshake.as_ref()?;
        let query = handshake.request.as_ref().map_or("", |request| request.query()).to_owned();
        self.connecting(id, &namespace, "".into(), query.into())
    }

    /// A session begins on long polling; its first packets answer the request that opens it.
    pub(super) fn open_polling(
        &mut self,
        conn: ConnId,
        request: Arc<Request>,
        content: Content,
        form: Form,
        response: Response,
    ) -> Option<Event<'static>> {
        let speech = self.speech(content, form.revision);
        let carrier = Carrier::Polling(Box::new(Polling::new(form, conn)));
        let id = self.open_session(conn, carrier, Some(request), speech)?;
        let engine = self.sessions.get(id).and_then(Session::engine);
        let response = match (&self.config.engine.cookie, engine) {
            (Some(cookie), Some(engine)) => response.own_header("set-cookie", &cookie.set(engine.sid())),
            _ => response,
        };
        // What it opens with is short.
        self.poll(conn, id, response, None);
        self.begin_session(id)
    }

    fn speech(&mut self, content: Content, revision: Revision) -> Speech {
        let sid = Sid::new(&mut self.entropy);
        let engine = engineio::Session::new(sid, revision, &self.config.engine, self.now);
        match content {
            Content::SocketIo => Speech::Engine(engine),
            Content::Plain(at) => {
                Speech::Plain(Box::new(PlainSpeech { at, engine: Some(engine), early: Early::default() }))
            }
        }
    }

    fn open_session(
        &mut self,
        conn: ConnId,
        carrier: Carrier,
        request: Option<Arc<Request>>,
        speech: Speech,
    ) -> Option<SessionId> {
        let peer = self.conns.get(conn)?.peer;
        let session = Session {
            speech,
            carrier,
            sockets: Vec::new(),
            handshake: Some(Box::new(Handshake { request, peer, time: self.now })),
            connect_by: self.now.saturating_add(self.config.connect_timeout),
            dismissed: None,
            assembling: None,
            latest: None,
            scheduled: Scheduled::default(),
        };
        let sid = session.engine().map(|engine| *engine.sid());
        let id = self.sessions.insert(session)?;
        if let Some(sid) = sid {
            self.sids.insert(sid, id);
        }
        Some(id)
    }

    /// The first packets of a session, and its first socket where that needs no asking for: in protocol 4, and without
    /// Socket.IO.
    fn begin_session(&mut self, id: SessionId) -> Option<Event<'static>> {
        let session = self.sessions.get(id)?;
        let engine = session.engine()?;
        let open = Prepared::text(&engine.open_packet(&self.config.engine, session.carrier.transport()));
        let (revision, content) = (engine.revision(), session.content());
        self.send(session_place(id), &[open]);
        self.touch_session(id);
        if let Some(Content::Plain(at)) = content {
            return self.connect_plain(id, at);
        }
        // In protocol 4 a session is connected to the main namespace unasked.
        if revision == Revision::V4 {
            return None;
        }
        if !self.config.namespaces.contain("/") {
            self.send_connect_error(session_place(id), "/", &Refusal::new("Invalid namespace"));
            return None;
        }
        self.connecting(id, "/", "".into(), "".into())
    }
}
