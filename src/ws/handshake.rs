//! The server's side of the opening handshake (RFC 6455 section 4.2), as values.

use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};

use super::deflate::{self, Agreed, DeflateConfig};
use crate::http::{self, HeaderError, Names, Request, Response, is_token, list, list_unquoted};

/// Section 1.3.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// `Sec-WebSocket-Accept` for a `Sec-WebSocket-Key` (section 4.2.2).
#[must_use]
pub fn accept_key(key: &str) -> [u8; 28] {
    let digest = Sha1::new().chain_update(key.as_bytes()).chain_update(GUID).finalize();
    let mut accept = [b'='; 28];
    let written = STANDARD.encode_slice(digest, &mut accept);
    debug_assert_eq!(written, Ok(28));
    accept
}

/// Why an opening handshake failed (sections 4.1 and 4.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The method is not GET, or not CONNECT where that is due.
    #[error("method is not GET")]
    Method,
    /// Older than HTTP/1.1.
    #[error("HTTP/1.1 required")]
    HttpVersion,
    /// `Upgrade` does not name `websocket`.
    #[error("Upgrade: websocket required")]
    Upgrade,
    /// `Connection` does not name `Upgrade`.
    #[error("Connection: Upgrade required")]
    Connection,
    /// `Sec-WebSocket-Key` is not the base64 form of 16 bytes, missing or repeated.
    #[error("invalid Sec-WebSocket-Key")]
    Key,
    /// `Sec-WebSocket-Version` is not 13.
    #[error("Sec-WebSocket-Version 13 required")]
    Version,
    /// The request breaks the grammar of HTTP.
    #[error("malformed request")]
    Malformed,
    /// The application declined.
    #[error("rejected by the application")]
    Rejected,
    /// The server answered with another status than 101.
    #[error("server answered with status {0}")]
    Status(u16),
    /// `Sec-WebSocket-Accept` does not prove that the server read the request.
    #[error("invalid Sec-WebSocket-Accept")]
    Accept,
    /// The server chose an extension that was not offered.
    #[error("extension was not offered")]
    Extension,
    /// The server chose a subprotocol that was not offered.
    #[error("subprotocol was not offered")]
    Subprotocol,
}

impl HandshakeError {
    /// The response that answers this error. One with status 426 names the protocol that is asked for (RFC 9110 section
    /// 15.5.22), and for the wrong version the right one (section 4.2.2).
    #[must_use]
    pub fn response(self) -> Response {
        let response = match self {
            Self::Version => Response::new(426).own_upgrade("websocket").own_header("sec-websocket-version", "13"),
            Self::Upgrade => Response::new(426).own_upgrade("websocket"),
            _ => Response::new(400),
        };
        response.text(&alloc::format!("{self}\n"))
    }
}

/// An opening handshake that is in order and awaits the application's answer.
#[derive(Clone, Debug)]
pub struct Upgrade {
    request: Arc<Request>,
    /// Over HTTP/2 nothing has to be proved.
    accept: Option<[u8; 28]>,
}

impl Upgrade {
    /// Whether a request asks for an upgrade to WebSocket at all, in order or not.
    #[must_use]
    pub fn is_asked(request: &Request) -> bool {
        request.header_lists("upgrade", "websocket") || request.protocol() == Some("websocket")
    }

    /// Checks a request against section 4.2.1, or against RFC 8441 section 5 if it is an
    /// [extended CONNECT](Request::with_protocol): what HTTP/1.1 needs to change protocols (`Upgrade`, `Connection`, a key)
    /// is not there.
    ///
    /// # Errors
    /// The first requirement that it fails.
    pub fn check(request: impl Into<Arc<Request>>) -> Result<Self, HandshakeError> {
        let request = request.into();
        if let Some(protocol) = request.protocol() {
            return if protocol != "websocket" {
                Err(HandshakeError::Upgrade)
            } else if request.header("sec-websocket-version") != Some("13") {
                Err(HandshakeError::Version)
            } else {
                Ok(Self { request, accept: None })
            };
        }
        Err(if request.method() != "GET" {
            HandshakeError::Method
        } else if request.minor_version() < 1 {
            HandshakeError::HttpVersion
        } else if !Self::is_asked(&request) {
            HandshakeError::Upgrade
        } else if !request.header_lists("connection", "upgrade") {
            HandshakeError::Connection
        } else if request.header("sec-websocket-version") != Some("13") {
            HandshakeError::Version
        } else {
            match request.header("sec-websocket-key") {
                Some(key) if STANDARD.decode(key).is_ok_and(|nonce| nonce.len() == 16) => {
                    let accept = Some(accept_key(key));
                    return Ok(Self { request, accept });
                }
                _ => HandshakeError::Key,
            }
        })
    }

    /// Checks an extended CONNECT request of HTTP/2 or HTTP/3 (RFC 8441, RFC 9220): its pseudo-headers `:method`,
    /// `:protocol`, `:authority` and `:path`, and its other headers; see [`check`](Self::check) for a request that has them.
    ///
    /// # Errors
    /// The first requirement that it fails.
    pub fn extended_connect<'a>(
        method: &str,
        protocol: Option<&str>,
        authority: &'a str,
        path: &str,
        headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) -> Result<Self, HandshakeError> {
        if method != "CONNECT" {
            return Err(HandshakeError::Method);
        }
        let protocol = protocol.ok_or(HandshakeError::Upgrade)?;
        let headers = headers.into_iter().filter(|(name, _)| !name.eq_ignore_ascii_case("host"));
        let headers = core::iter::once(("host", authority.as_bytes())).chain(headers);
        let request = Request::from_parts(method, path, 1, headers).map_err(|_| HandshakeError::Malformed)?;
        Self::check(request.with_protocol(protocol))
    }

    /// The request: target, headers, cookies.
    #[must_use]
    pub const fn request(&self) -> &Arc<Request> {
        &self.request
    }

    /// The origin of the page that asks, as browsers send it (section 10.2). A server that knows its
    /// users by cookies must compare it; other clients leave it out or lie.
    #[must_use]
    pub fn origin(&self) -> Option<&str> {
        self.request.header("origin")
    }

    /// The subprotocols that the client offers, in its order of preference (section 4.1).
    pub fn subprotocols(&self) -> impl Iterator<Item = &str> {
        self.request.header_values("sec-websocket-protocol").flat_map(list).filter(|name| is_token(name))
    }

    /// The extensions that the client offers, each with its parameters as they were sent (section 9.1).
    pub fn extensions(&self) -> impl Iterator<Item = &str> {
        self.request.header_values("sec-websocket-extensions").flat_map(list_unquoted)
    }

    /// The response that accepts (section 4.2.2), and whether compression was agreed on in it, and how.
    pub(super) fn accept(
        &self,
        accept: &Accept,
        deflate: Option<&DeflateConfig>,
    ) -> Result<(Response, Option<Agreed>), AcceptError> {
        let mut response = match &self.accept {
            Some(key) => Response::new(200)
                .with_status(101)
                .own_header("upgrade", "websocket")
                .own_header("connection", "Upgrade")
                .own_header("sec-websocket-accept", core::str::from_utf8(key).unwrap_or_default()),
            None => Response::new(200),
        };
        if let Some(chosen) = &accept.subprotocol {
            if !self.subprotocols().any(|offered| offered == chosen) {
                return Err(AcceptError::SubprotocolNotOffered);
            }
            response = response.own_header("sec-websocket-protocol", chosen);
        }
        let offers = self.request.header_values("sec-websocket-extensions");
        let agreed = match deflate.and_then(|config| deflate::answer(config, offers)) {
            Some((agreed, value)) => {
                response = response.own_header("sec-websocket-extensions", &value);
                Some(agreed)
            }
            None => None,
        };
        Ok((response.checked_lines(&accept.headers), agreed))
    }
}

/// How an opening handshake is accepted.
#[derive(Clone, Default)]
pub struct Accept {
    subprotocol: Option<String>,
    headers: String,
}

/// The handshake cannot be accepted so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AcceptError {
    /// No handshake awaits an answer.
    #[error("no handshake awaits an answer")]
    NotAwaited,
    /// The client did not offer this subprotocol; it would fail the connection (section 4.1).
    #[error("subprotocol was not offered")]
    SubprotocolNotOffered,
}

impl fmt::Debug for Accept {
    /// Shows neither the subprotocol nor header values, which may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accept")
            .field("has_subprotocol", &self.subprotocol.is_some())
            .field("headers", &Names(&self.headers))
            .finish()
    }
}

impl Accept {
    /// Accepts without subprotocol and further headers.
    #[must_use]
    pub const fn new() -> Self {
        Self { subprotocol: None, headers: String::new() }
    }

    /// Chooses one of the offered subprotocols.
    #[must_use]
    pub fn subprotocol(mut self, name: &str) -> Self {
        self.subprotocol = Some(name.into());
        self
    }

    /// Adds a header line to the response, like `Set-Cookie`.
    ///
    /// # Errors
    /// If the name or the value could break the head, or the header belongs to the handshake.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, HeaderError> {
        let own = ["upgrade", "connection", "content-length", "transfer-encoding"];
        let prefix = name.get(..14).is_some_and(|start| start.eq_ignore_ascii_case("sec-websocket-"));
        if prefix || own.iter().any(|own| name.eq_ignore_ascii_case(own)) {
            return Err(HeaderError::Reserved);
        }
        http::push_header(&mut self.headers, name, value)?;
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_section_1_3() {
        assert_eq!(&accept_key("dGhlIHNhbXBsZSBub25jZQ=="), b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
