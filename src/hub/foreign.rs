//! Requests that another HTTP server has read: they are answered as values.

use super::connection::{Conn, Link};
use super::event::DisconnectReason;
use super::front::Hub;
use super::handshake::Peer;
use super::ids::{ConnId, RequestId, SessionId};
use crate::http::{Request, Response};
use crate::time::Instant;
use crate::ws::Upgrade;

/// What [`Hub::handle_request`] makes of a request.
#[must_use = "the request is answered by it"]
#[derive(Debug)]
pub enum Answer {
    /// This is the response.
    Now(Response),
    /// The response comes later, by [`Hub::poll_response`]. When the client goes away before that, tell
    /// [`Hub::cancel_request`].
    Parked(RequestId),
    /// Give this response, and what the stream carries from then on to the connection: it is a byte stream like any that was
    /// registered by [`Hub::connect`]. When there is no such stream after all, tell [`Hub::abort`].
    Upgrade(ConnId, Response),
    /// It is not for this protocol: the path is another.
    NotServed(Request),
}

/// The response to such a request, until it is taken.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) request: RequestId,
    pub(super) response: Response,
    /// Whose packets are in it.
    pub(super) delivers: Option<SessionId>,
}

/// For a driver behind another HTTP server.
impl Hub {
    /// Serves a request that another HTTP server has read whole: see [`Request::from_parts`] and [`Request::with_body`]. The
    /// sessions are the same as those of byte streams. Over HTTP/2 and HTTP/3 a WebSocket is asked for by an extended CONNECT:
    /// see [`Request::with_protocol`].
    ///
    /// That a POST is under way this hub cannot know: the other server should not let one take longer than
    /// [`engineio::Config::ping_timeout`](crate::engineio::Config::ping_timeout).
    ///
    /// As after [`receive`](Self::receive), take the events that are left before the next response: those of a POST are told
    /// before it is answered.
    ///
    /// ```
    /// use roomwire::http::Request;
    /// use roomwire::hub::{Answer, Config, Hub, Origins, Peer};
    /// # use roomwire::Instant;
    /// # let now = Instant::ORIGIN;
    /// # let mut hub = Hub::new(Config::new(Origins::SameHost), [7; 32], now)?;
    /// let request = Request::from_parts("GET", "/socket.io/?EIO=4&transport=polling", 1, [("host", &b"localhost"[..])])?;
    /// let Answer::Parked(parked) = hub.handle_request(now, Peer::default(), request) else { panic!() };
    /// while let Some(_event) = hub.poll_event() {}
    /// let (request, response) = hub.poll_response().unwrap();
    /// assert_eq!((request, response.status(), response.body_bytes()[0]), (parked, 200, b'0'));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn handle_request(&mut self, now: Instant, peer: Peer, request: Request) -> Answer {
        self.clock(now);
        self.elsewhere = true;
        let is_bare = self.config.bare_at(request.path()).is_some() && Upgrade::is_asked(&request);
        if !is_bare && self.config.content_at(request.path()).is_none() {
            return Answer::NotServed(request);
        }
        let Ok(conn) = self.register(Conn::over(Link::Foreign, peer)) else { return Answer::Now(Response::new(503)) };
        let event = self.http_request(conn, request);
        self.events.extend(event);
        if let Some(entry) = self.conns.get_mut(conn)
            && let Some(response) = entry.switched.take()
        {
            self.touch(conn);
            return Answer::Upgrade(conn, *response);
        }
        match self.responses.pop_back() {
            Some(Answered { request: RequestId(answered), response, .. }) if answered == conn => Answer::Now(response),
            other => {
                self.responses.extend(other);
                Answer::Parked(RequestId(conn))
            }
        }
    }

    /// The next response to a request that was parked.
    #[must_use = "what happened is told only once"]
    pub fn poll_response(&mut self) -> Option<(RequestId, Response)> {
        self.answer_polls();
        self.responses.pop_front().map(|answered| (answered.request, answered.response))
    }

    /// The client of a parked request went away. What is in a response that was not taken yet is lost, and its session over.
    pub fn cancel_request(&mut self, now: Instant, request: RequestId) {
        self.clock(now);
        let RequestId(conn) = request;
        if matches!(self.conns.get(conn).map(|entry| &entry.link), Some(Link::Foreign)) {
            self.detach(conn, DisconnectReason::TransportClosed, None);
            self.conns.remove(conn);
        }
        let at = self.responses.iter().position(|answered| answered.request == request);
        if let Some(session) = at.and_then(|at| self.responses.remove(at)?.delivers) {
            self.end_session(session, DisconnectReason::TransportClosed);
        }
    }
}
