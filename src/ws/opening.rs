//! The client's side of the opening handshake (RFC 6455 section 4.1), as values.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::Ipv6Addr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::deflate::{self, Deflate, DeflateConfig};
use super::frame::Role;
use super::handshake::{HandshakeError, accept_key};
use crate::entropy::Entropy;
use crate::http::{HeaderError, Names, ReceivedResponse, decimal, is_token, percent_encode, push_header};

/// What a client asks for: where, and with which subprotocols and headers.
///
/// ```
/// use roomwire::ws::Opening;
/// let opening = Opening::url("wss://example.org/chat room?x=1")?.subprotocol("chat")?.header("origin", "https://example.org")?;
/// assert_eq!((opening.host(), opening.port(), opening.is_secure()), ("example.org", 443, true));
/// assert_eq!(opening.target(), "/chat%20room?x=1");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Opening {
    secure: bool,
    host: String,
    port: u16,
    target: String,
    subprotocols: Vec<String>,
    headers: String,
}

/// A URL that names no WebSocket (RFC 6455 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// The scheme is neither `ws` nor `wss`.
    #[error("scheme is not ws or wss")]
    Scheme,
    /// The host is missing or has characters that no host has.
    #[error("invalid host")]
    Host,
    /// The port is no number from 1 to 65535.
    #[error("invalid port")]
    Port,
    /// There is a user or a password: send an `Authorization` header instead.
    #[error("user information in a WebSocket URL")]
    UserInfo,
    /// There is a fragment, which WebSocket URLs must not have.
    #[error("fragment in a WebSocket URL")]
    Fragment,
}

/// A subprotocol cannot be offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("subprotocol is not a token, or offered already")]
pub struct SubprotocolError;

impl Opening {
    /// Reads a `ws:` or `wss:` URL. Characters that must not stand in a target are percent-encoded.
    ///
    /// # Errors
    /// If it names no WebSocket.
    pub fn url(url: &str) -> Result<Self, UrlError> {
        let (scheme, rest) = url.split_once("://").ok_or(UrlError::Scheme)?;
        let secure = match scheme {
            _ if scheme.eq_ignore_ascii_case("ws") => false,
            _ if scheme.eq_ignore_ascii_case("wss") => true,
            _ => return Err(UrlError::Scheme),
        };
        if rest.contains('#') {
            return Err(UrlError::Fragment);
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at_checked(end).unwrap_or((rest, ""));
        if authority.contains('@') {
            return Err(UrlError::UserInfo);
        }
        // The colons within brackets are an IPv6 address's.
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, Some(port)),
            _ => (authority, None),
        };
        let port = match port {
            None | Some("") => {
                if secure {
                    443
                } else {
                    80
                }
            }
            Some(port) => decimal(port).filter(|port| *port > 0).ok_or(UrlError::Port)?,
        };
        let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let valid = match address {
            Some(address) => address.parse::<Ipv6Addr>().is_ok(),
            None => !host.is_empty() && host.chars().all(named),
        };
        if !valid {
            return Err(UrlError::Host);
        }
        let target = if target.starts_with('/') { escape(target) } else { format!("/{}", escape(target)) };
        Ok(Self { secure, host: host.into(), port, target, subprotocols: Vec::new(), headers: String::new() })
    }

    /// Offers a subprotocol; the first is preferred.
    ///
    /// # Errors
    /// If it is no token, or offered already.
    pub fn subprotocol(mut self, name: &str) -> Result<Self, SubprotocolError> {
        if !is_token(name) || self.subprotocols.iter().any(|offered| offered == name) {
            return Err(SubprotocolError);
        }
        self.subprotocols.push(name.into());
        Ok(self)
    }

    /// Adds a header line, like `Origin`, `Cookie` or `Authorization`.
    ///
    /// # Errors
    /// If the name or the value could break the head, or the header belongs to the handshake.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, HeaderError> {
        let own = ["host", "upgrade", "connection", "content-length", "transfer-encoding"];
        let prefix = name.get(..14).is_some_and(|start| start.eq_ignore_ascii_case("sec-websocket-"));
        if prefix || own.iter().any(|own| name.eq_ignore_ascii_case(own)) {
            return Err(HeaderError::Reserved);
        }
        push_header(&mut self.headers, name, value)?;
        Ok(self)
    }

    /// The host to connect to; an IPv6 address stands in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port to connect to.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Whether TLS is to be spoken below.
    #[must_use]
    pub const fn is_secure(&self) -> bool {
        self.secure
    }

    /// The request target.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Appends the request, and what its answer is held to.
    pub(super) fn write(self, deflate: Option<&DeflateConfig>, entropy: &mut Entropy, out: &mut Vec<u8>) -> Expected {
        let key = STANDARD.encode(entropy.bytes::<16>());
        let mut head = format!("GET {} HTTP/1.1\r\nHost: {}", self.target, self.host);
        if self.port != if self.secure { 443 } else { 80 } {
            head.push_str(&format!(":{}", self.port));
        }
        head.push_str(
            "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ",
        );
        head.push_str(&key);
        if !self.subprotocols.is_empty() {
            head.push_str("\r\nSec-WebSocket-Protocol: ");
            head.push_str(&self.subprotocols.join(", "));
        }
        if let Some(config) = deflate {
            head.push_str("\r\nSec-WebSocket-Extensions: ");
            head.push_str(&deflate::offer(config));
        }
        head.push_str("\r\n");
        head.push_str(&self.headers);
        head.push_str("\r\n");
        out.extend_from_slice(head.as_bytes());
        Expected { accept: accept_key(&key), subprotocols: self.subprotocols, deflate: deflate.copied() }
    }
}

impl fmt::Debug for Opening {
    /// Shows neither the query nor subprotocols nor header values, which may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opening")
            .field("secure", &self.secure)
            .field("host", &self.host)
            .field("port", &self.port)
            .field("path", &self.target.split('?').next().unwrap_or_default())
            .field("subprotocols", &self.subprotocols.len())
            .field("headers", &Names(&self.headers))
            .finish()
    }
}

/// Percent-encodes what must not stand in a target; what is encoded already stays so.
fn escape(target: &str) -> String {
    percent_encode(target, |byte| {
        byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}')
    })
}

/// What a server must answer to a request.
pub(super) struct Expected {
    accept: [u8; 28],
    subprotocols: Vec<String>,
    deflate: Option<DeflateConfig>,
}

impl Expected {
    /// Checks a response with status 101 (section 4.1, the list at its end); the chosen subprotocol, and whether
    /// compression was agreed on.
    pub(super) fn check(
        &self,
        response: &ReceivedResponse,
    ) -> Result<(Option<String>, Option<Deflate>), HandshakeError> {
        if response.status() != 101 {
            return Err(HandshakeError::Status(response.status()));
        }
        let upgrade = response.header("upgrade").is_some_and(|value| value.eq_ignore_ascii_case("websocket"));
        if !upgrade {
            return Err(HandshakeError::Upgrade);
        }
        if !response.header_lists("connection", "upgrade") {
            return Err(HandshakeError::Connection);
        }
        if response.header("sec-websocket-accept").map(str::as_bytes) != Some(&self.accept[..]) {
            return Err(HandshakeError::Accept);
        }
        let deflate = match self.deflate {
            Some(config) => deflate::check(&config, response.header_values("sec-websocket-extensions"))?
                .map(|agreed| Deflate::new(Role::Client, agreed, config)),
            // None was offered, so that none may be chosen.
            None if response.header_count("sec-websocket-extensions") > 0 => return Err(HandshakeError::Extension),
            None => None,
        };
        if response.header_count("sec-websocket-protocol") == 0 {
            return Ok((None, deflate));
        }
        let chosen = response.header("sec-websocket-protocol").ok_or(HandshakeError::Subprotocol)?;
        let offered = self.subprotocols.iter().find(|offered| *offered == chosen).ok_or(HandshakeError::Subprotocol)?;
        Ok((Some(offered.clone()), deflate))
    }
}

impl fmt::Debug for Expected {
    /// Shows no subprotocols: where clients cannot send headers these are used to hand over secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Expected")
            .field("subprotocols", &self.subprotocols.len())
            .field("deflate", &self.deflate)
            .finish_non_exhaustive()
    }
}

/// A handshake that a server has accepted.
#[derive(Clone)]
pub struct Opened {
    pub(super) subprotocol: Option<String>,
    pub(super) response: ReceivedResponse,
}

impl fmt::Debug for Opened {
    /// Shows neither the subprotocol nor header values, which may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened")
            .field("has_subprotocol", &self.subprotocol.is_some())
            .field("response", &self.response)
            .finish()
    }
}

impl Opened {
    /// The subprotocol that the server chose.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }

    /// The response, with headers like `Set-Cookie`.
    #[must_use]
    pub const fn response(&self) -> &ReceivedResponse {
        &self.response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        for (url, host, port, target) in [
            ("ws://localhost:8888/socket.io/?EIO=4", "localhost", 8888, "/socket.io/?EIO=4"),
            ("WSS://Example.org", "Example.org", 443, "/"),
            ("ws://[::1]:9001/", "[::1]", 9001, "/"),
            ("ws://[::1]", "[::1]", 80, "/"),
            ("ws://[::ffff:127.0.0.1]:1", "[::ffff:127.0.0.1]", 1, "/"),
            ("ws://h?q=é", "h", 80, "/?q=%C3%A9"),
            ("ws://h/a%20b\r\nx: y", "h", 80, "/a%20b%0D%0Ax:%20y"),
        ] {
            let opening = Opening::url(url).unwrap();
            assert_eq!((opening.host(), opening.port(), opening.target()), (host, port, target), "{url}");
        }
        for (url, error) in [
            ("http://h/", UrlError::Scheme),
            ("h/", UrlError::Scheme),
            ("ws:///x", UrlError::Host),
            ("ws://a b/", UrlError::Host),
            ("ws://h\r\nx/", UrlError::Host),
            ("ws://[::1/", UrlError::Host),
            ("ws://[1234]/", UrlError::Host),
            ("ws://[::1::2]/", UrlError::Host),
            ("ws://[.]/", UrlError::Host),
            ("ws://h:0/", UrlError::Port),
            ("ws://h:65536/", UrlError::Port),
            ("ws://h:+80/", UrlError::Port),
            ("ws://h:-1/", UrlError::Port),
            ("ws://h:8 0/", UrlError::Port),
            ("ws://h:\u{661}/", UrlError::Port),
            ("ws://u:p@h/", UrlError::UserInfo),
            ("ws://h/#x", UrlError::Fragment),
        ] {
            assert_eq!(Opening::url(url).map(|_| ()), Err(error), "{url}");
        }
    }
}
