//! HTTP requests: those of Engine.IO are served here, all others are the application's.

use alloc::boxed::Box;
use alloc::sync::Arc;

use super::config::Content;
use super::connection::Link;
use super::event::{Error, Event};
use super::foreign::Answered;
use super::form::{Form, wants_base64};
use super::front::Hub;
use super::ids::{ConnId, RequestId, SessionId};
use crate::engineio::{self, RequestError, Revision, SessionRequest, Transport};
use crate::http::{self, Request, Response};
use crate::ws::{self, Accept, HandshakeError, Upgrade};

/// What a request of Engine.IO asks for.
enum Asked {
    Open(Revision, Transport),
    Poll(SessionId),
    Post(SessionId),
    Upgrade(SessionId),
}

impl Hub {
    /// A request has arrived whole.
    pub(super) fn http_request(&mut self, conn: ConnId, request: Request) -> Option<Event<'static>> {
        let content = self.config.content_at(request.path());
        if let Some(response) = request.refused().and_then(http::Error::response) {
            self.respond_to(conn, if content.is_some() { self.config.admit(&request, response) } else { response });
            return None;
        }
        let Some(content) = content else { return self.other_request(conn, request) };
        if let Some(response) = self.config.preflight(&request) {
            self.respond_to(conn, response);
            return None;
        }
        let asked = match self.asked(&request, content) {
            Ok(asked) => asked,
            Err(error) => {
                let upgrade = Upgrade::is_asked(&request);
                self.respond_to(conn, self.config.admit(&request, error.response(upgrade)));
                return Some(Event::Refused { conn, error });
            }
        };
        // That of a handshake is made elsewhere.
        let response = || self.config.admit(&request, Response::new(200)).own_lines("cache-control: no-store\r\n");
        match asked {
            Asked::Open(revision, Transport::Polling) => {
                let (form, response) = (Form::of(&request, revision), response());
                return self.open_polling(conn, request.into(), content, form, response);
            }
            Asked::Poll(session) => {
                let compression = self.config.engine.http_compression;
                let response = match compression {
                    Some(_) => response().own_lines("vary: Accept-Encoding\r\n"),
                    None => response(),
                };
                self.poll(conn, session, response, compression.filter(|_| engineio::takes_gzip(&request)));
            }
            Asked::Post(session) => {
                let response = response();
                self.post(conn, session, request, response);
            }
            Asked::Open(revision, Transport::WebSocket) => {
                let request = self.open_websocket(conn, request, self.ws_config.clone(), content)?;
                self.note_form(conn, &request, revision);
                return self.open_websocket_session(conn, request, content, revision);
            }
            Asked::Upgrade(session) => {
                let revision = self.sessions.get(session)?.engine()?.revision();
                let request = self.open_websocket(conn, request, self.ws_config.clone(), content)?;
                self.note_form(conn, &request, revision);
                self.begin_upgrade(conn, session);
            }
        }
        None
    }

    /// A request for another path than those of Engine.IO: a bare WebSocket, or something of the application's.
    fn other_request(&mut self, conn: ConnId, request: Request) -> Option<Event<'static>> {
        let plain = self.config.bare_at(request.path());
        let Some(plain) = plain.filter(|_| Upgrade::is_asked(&request)) else {
            return Some(Event::Request { conn, request });
        };
        let refused = if !self.config.origins.allow(&request) {
            Some(RequestError::Forbidden)
        } else if self.takes_no_sessions() {
            Some(RequestError::TooManySessions)
        } else {
            None
        };
        if let Some(error) = refused {
            self.respond_to(conn, error.response(true));
            return Some(Event::Refused { conn, error });
        }
        let request = self.open_websocket(conn, request, self.plain_config.clone(), Content::Plain(plain))?;
        self.open_plain_session(conn, request, plain)
    }

    /// Whether there are as many sessions as may be, or more of them than are wanted at a shutdown.
    fn takes_no_sessions(&self) -> bool {
        self.is_shutting_down() || self.sessions.len() >= self.config.limits.sessions_max
    }

    /// What a request asks for, in the order in which the official server checks it.
    fn asked(&self, request: &Request, content: Content) -> Result<Asked, RequestError> {
        let upgrade = Upgrade::is_asked(request);
        let parsed = SessionRequest::parse(request, &self.config.engine, upgrade)?;
        if !self.config.origins.allow(request) {
            return Err(RequestError::Forbidden);
        }
        let (sid, revision, transport) = match parsed {
            SessionRequest::Open { .. } if self.takes_no_sessions() => {
                return Err(RequestError::TooManySessions);
            }
            SessionRequest::Open { revision, transport: Transport::Polling }
                if Form::of(request, revision).is_script() && !self.config.origins.allow_script(request) =>
            {
                return Err(RequestError::Forbidden);
            }
            SessionRequest::Open { revision, transport } => return Ok(Asked::Open(revision, transport)),
            SessionRequest::Continue { sid, revision, transport } => (sid, revision, transport),
        };
        let id = *self.sids.get(&sid).ok_or(RequestError::UnknownSession)?;
        let session = self.sessions.get(id).filter(|session| session.content() == Some(content));
        let session = session.ok_or(RequestError::UnknownSession)?;
        // A session speaks one revision for all its life.
        if revision != session.engine().map(engineio::Session::revision) {
            return Err(RequestError::BadRequest);
        }
        match (transport, upgrade, session.carrier.transport(), request.method()) {
            (Transport::WebSocket, true, _, "GET") => Ok(Asked::Upgrade(id)),
            (Transport::WebSocket, true, _, _) if request.protocol().is_some() => Ok(Asked::Upgrade(id)),
            (Transport::Polling, false, Transport::Polling, "GET") => Ok(Asked::Poll(id)),
            (Transport::Polling, false, Transport::Polling, "POST") => Ok(Asked::Post(id)),
            _ => Err(RequestError::BadRequest),
        }
    }

    /// The session that a request brings packets for, of which the head is there.
    pub(super) fn posts_to(&self, request: &Request) -> Option<SessionId> {
        match self.asked(request, self.config.content_at(request.path())?) {
            Ok(Asked::Post(session)) => Some(session),
            _ => None,
        }
    }

    /// Answers a request, whoever reads it.
    pub(super) fn respond_to(&mut self, conn: ConnId, response: Response) {
        let Some(entry) = self.conns.get_mut(conn) else { return };
        if matches!(entry.link, Link::Foreign) {
            self.conns.remove(conn);
            self.responses.push_back(Answered { request: RequestId(conn), response, delivers: None });
            return;
        }
        entry.respond(self.now, response);
        if entry.has_more() {
            // What was sent behind it is looked at in its turn.
            self.unsettled.push_back(conn);
        } else {
            self.touch(conn);
        }
    }

    /// Changes a stream to WebSocket; the request that asked for it, unless it was none.
    fn open_websocket(
        &mut self,
        conn: ConnId,
        request: Request,
        config: Arc<ws::Config>,
        content: Content,
    ) -> Option<Arc<Request>> {
        let upgrade = match Upgrade::check(request) {
            Ok(upgrade) => upgrade,
            Err(error) => {
                self.refuse_handshake(conn, error);
                return None;
            }
        };
        let now = self.now;
        let plain = match content {
            Content::SocketIo => None,
            Content::Plain(at) => self.config.plain.get(at),
        };
        let subprotocol = match plain.filter(|plain| !plain.engine_io || !plain.subprotocols.is_empty()) {
            Some(plain) => upgrade.subprotocols().find(|offered| plain.subprotocols.iter().any(|own| own == offered)),
            // Browsers fail a connection whose offer of subprotocols is not answered; the official server takes the first.
            None => upgrade.subprotocols().next(),
        };
        let accept = subprotocol.map_or_else(Accept::new, |chosen| Accept::new().subprotocol(chosen));
        let entry = self.conns.get_mut(conn)?;
        // What is chosen was offered.
        let ws = match &mut entry.link {
            Link::Http(http) => {
                let fresh = http::Connection::new(self.http_config.clone(), now);
                let http = core::mem::replace(&mut **http, fresh);
                ws::Connection::upgrade_http(http, &upgrade, &accept, config, now).ok()?
            }
            Link::Foreign => {
                let (response, ws) = ws::Connection::server_behind(config, &upgrade, &accept, now).ok()?;
                entry.switched = Some(Box::new(response));
                ws
            }
            Link::WebSocket(_) | Link::Lines(_) => return None,
        };
        entry.link = Link::WebSocket(ws);
        Some(upgrade.request().clone())
    }

    /// Notes whether a WebSocket is to carry nothing binary to the client.
    fn note_form(&mut self, conn: ConnId, request: &Request, revision: Revision) {
        if let Some(entry) = self.conns.get_mut(conn) {
            entry.base64 = wants_base64(request).then_some(revision);
        }
    }

    fn refuse_handshake(&mut self, conn: ConnId, error: HandshakeError) {
        let now = self.now;
        let Some(entry) = self.conns.get_mut(conn) else { return };
        entry.error = Some(Error::Handshake(error));
        if let Link::Http(http) = &mut entry.link {
            // It is awaited: the request was just told.
            let _ = http.respond_last(now, error.response());
            self.unsettled.push_back(conn);
        } else {
            self.respond_to(conn, error.response());
        }
    }
}
