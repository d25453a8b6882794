//! The request that opens a session, and the protocol's own errors.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use bytes::Bytes;

use super::{Config, Revision, Sid};
use crate::http::{Request, Response};
use crate::words;

/// How a session's packets travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// HTTP long polling.
    Polling,
    /// WebSocket.
    WebSocket,
}

/// Why a request is refused; the numbers are the protocol's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// 0: `transport` is missing or names none that is served.
    #[error("Transport unknown")]
    UnknownTransport,
    /// 1: there is no such session.
    #[error("Session ID unknown")]
    UnknownSession,
    /// 2: a session opens with GET.
    #[error("Bad handshake method")]
    BadHandshakeMethod,
    /// 3: the request does not fit the session or the transport.
    #[error("Bad request")]
    BadRequest,
    /// 4: the application or the origin policy says no.
    #[error("Forbidden")]
    Forbidden,
    /// 5: `EIO` names a revision that is not served.
    #[error("Unsupported protocol version")]
    UnsupportedVersion,
    /// There are as many sessions as the server takes; by the protocol's number a bad request.
    #[error("Too many sessions")]
    TooManySessions,
}

impl RequestError {
    /// The protocol's number for it.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::UnknownTransport => 0,
            Self::UnknownSession => 1,
            Self::BadHandshakeMethod => 2,
            Self::BadRequest | Self::TooManySessions => 3,
            Self::Forbidden => 4,
            Self::UnsupportedVersion => 5,
        }
    }

    /// The response: a JSON object with code and message, or for a WebSocket handshake the message alone.
    #[must_use]
    pub fn response(self, upgrade: bool) -> Response {
        let status = match self {
            Self::Forbidden => 403,
            Self::TooManySessions => 503,
            _ => 400,
        };
        let (kind, body) = if upgrade {
            ("text/html", alloc::format!("{self}"))
        } else {
            ("application/json", alloc::format!(r#"{{"code":{},"message":"{self}"}}"#, self.code()))
        };
        let response = Response::new(status).header("content-type", kind);
        response.unwrap_or_else(|_| Response::new(status)).body(Bytes::from(body))
    }
}

/// A request of this protocol, parsed into types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionRequest {
    /// It opens a session.
    Open {
        /// The revision that it will speak.
        revision: Revision,
        /// The transport that it begins on.
        transport: Transport,
    },
    /// It belongs to a session. Whether that exists, and whether the rest fits it, is for whoever keeps sessions
    /// to say: an unknown session is unknown whatever else is wrong.
    Continue {
        /// The session.
        sid: Sid,
        /// The revision that the request names, if it names one.
        revision: Option<Revision>,
        /// The transport that it travels on.
        transport: Transport,
    },
}

impl SessionRequest {
    /// Reads the query of a request, in the order in which the official server checks it. `upgrade` tells
    /// whether it asks for WebSocket.
    ///
    /// # Errors
    /// The first of the protocol's errors that applies. A parameter that stands there twice is as bad as none.
    pub fn parse(request: &Request, config: &Config, upgrade: bool) -> Result<Self, RequestError> {
        let pairs: Vec<_>;
        let query = match Query::plain(request.query()) {
            Some(query) => query,
            None => {
                pairs = request.query_pairs().collect();
                Query::of(&pairs)
            }
        };
        let transport = match query.transport {
            Parameter::Once("polling") if config.transports.polling => Transport::Polling,
            Parameter::Once("websocket") if config.transports.websocket => Transport::WebSocket,
            _ => return Err(RequestError::UnknownTransport),
        };
        let revision = match query.revision {
            Parameter::Once("4") => Some(Revision::V4),
            Parameter::Once("3") if config.allow_revision_3 => Some(Revision::V3),
            // The clients of revision 3 may leave it out.
            Parameter::Missing if config.allow_revision_3 => Some(Revision::V3),
            _ => None,
        };
        match query.sid {
            Parameter::Missing => {}
            Parameter::Once(sid) => {
                let sid = Sid::parse(sid).ok_or(RequestError::UnknownSession)?;
                return Ok(Self::Continue { sid, revision, transport });
            }
            Parameter::Repeated => return Err(RequestError::UnknownSession),
        }
        if request.method() != "GET" && !(upgrade && request.protocol().is_some()) {
            return Err(RequestError::BadHandshakeMethod);
        }
        if upgrade != (transport == Transport::WebSocket) {
            return Err(RequestError::BadRequest);
        }
        let revision = revision.ok_or(RequestError::UnsupportedVersion)?;
        Ok(Self::Open { revision, transport })
    }
}

/// The parameters that matter, read in one pass: each request of long polling comes by here.
#[derive(Debug, Default, PartialEq)]
struct Query<'a> {
    transport: Parameter<'a>,
    revision: Parameter<'a>,
    sid: Parameter<'a>,
}

/// A parameter that stands there twice is as bad as none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Parameter<'a> {
    #[default]
    Missing,
    Once(&'a str),
    Repeated,
}

impl<'a> Query<'a> {
    /// Reads a query in which nothing is escaped, as nearly all clients write it; `None` if something is.
    fn plain(query: &'a str) -> Option<Self> {
        let (mut parameters, mut rest) = (Self::default(), query);
        while !rest.is_empty() {
            let end = words::first_of(*b"&%+", rest.as_bytes()).unwrap_or(rest.len());
            let (pair, behind) = rest.split_at_checked(end)?;
            rest = match behind.as_bytes().first() {
                None => "",
                Some(b'&') => behind.get(1..)?,
                Some(_) => return None,
            };
            // Names are known by how a pair begins.
            if let Some(value) = value_of("transport", pair) {
                parameters.transport.add(value);
            } else if let Some(value) = value_of("EIO", pair) {
                parameters.revision.add(value);
            } else if let Some(value) = value_of("sid", pair) {
                parameters.sid.add(value);
            }
        }
        Some(parameters)
    }

    fn of(pairs: &'a [(Cow<'_, str>, Cow<'_, str>)]) -> Self {
        let mut parameters = Self::default();
        for (name, value) in pairs {
            match &**name {
                "transport" => parameters.transport.add(value),
                "EIO" => parameters.revision.add(value),
                "sid" => parameters.sid.add(value),
                _ => {}
            }
        }
        parameters
    }
}

/// The value in a pair of this name, in which nothing is escaped.
#[inline]
fn value_of<'a>(name: &str, pair: &'a str) -> Option<&'a str> {
    let rest = pair.strip_prefix(name)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix('=') }
}

impl<'a> Parameter<'a> {
    const fn add(&mut self, value: &'a str) {
        *self = match self {
            Self::Missing => Self::Once(value),
            Self::Once(_) | Self::Repeated => Self::Repeated,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The value of each parameter as the pairs say it, one by one.
    fn naive<'a>(pairs: &'a [(Cow<'_, str>, Cow<'_, str>)], name: &str) -> Parameter<'a> {
        let values: Vec<_> = pairs.iter().filter(|(found, _)| found == name).collect();
        match &*values {
            [] => Parameter::Missing,
            [(_, value)] => Parameter::Once(value),
            _ => Parameter::Repeated,
        }
    }

    proptest! {
        #[test]
        fn the_parameters_are_those_of_the_pairs(
            parts in prop::collection::vec(
                prop::sample::select(
                    ["&", "&", "=", "=", "sid", "EIO", "transport", "sid=", "&EIO=4", "&transport=polling", "x", "%69", "s%69d", "+", "%"]
                        .to_vec(),
                ),
                0..12,
            )
        ) {
            let target = ["/socket.io/?", &parts.concat()].concat();
            let request = Request::from_parts("GET", &target, 1, [("host", &b"a"[..])]).unwrap();
            let pairs: Vec<_> = request.query_pairs().collect();
            let [transport, revision, sid] = ["transport", "EIO", "sid"].map(|name| naive(&pairs, name));
            let expected = Query { transport, revision, sid };
            let plain = Query::plain(request.query());
            prop_assert_eq!(plain.is_none(), request.query().contains(['%', '+']));
            prop_assert!(plain.is_none_or(|plain| plain == expected));
            prop_assert_eq!(Query::of(&pairs), expected);
        }
    }
}
