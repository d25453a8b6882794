//! Requests as a client sends them, and how they are written.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;

use super::response::{HeaderError, Names, Text, push_header};
use super::token::is_token;

/// A request that a client sends: method, target, headers, body. `Content-Length` is written by the
/// [`ClientConnection`](super::ClientConnection).
///
/// ```
/// use roomwire::http::OutgoingRequest;
/// let request = OutgoingRequest::new("GET", "localhost:8080", "/a?b=c")?.header("accept", "*/*")?;
/// assert!(OutgoingRequest::new("GET", "localhost", "/a b").is_err());
/// # Ok::<(), roomwire::http::HeaderError>(())
/// ```
#[derive(Clone)]
pub struct OutgoingRequest {
    method: &'static str,
    target: String,
    /// Header lines as they are written, each with its line end.
    headers: String,
    body: Bytes,
}

impl OutgoingRequest {
    /// A request without a body. `host` is what the header `Host` says; `target` is in origin form (RFC 9112 section
    /// 3.2.1). Any method but CONNECT will do, which would make a tunnel of the stream (RFC 9110 section 9.3.6).
    ///
    /// # Errors
    /// [`HeaderError::Method`] if the method is no token or CONNECT, [`HeaderError::Target`] if the target is not printable
    /// ASCII beginning with a slash, [`HeaderError::Value`] if the host could break the head.
    pub fn new(method: &'static str, host: &str, target: &str) -> Result<Self, HeaderError> {
        if !is_token(method) || method == "CONNECT" {
            return Err(HeaderError::Method);
        }
        if !target.starts_with('/') || !target.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(HeaderError::Target);
        }
        let mut headers = String::new();
        push_header(&mut headers, "host", host)?;
        Ok(Self { method, target: target.into(), headers, body: Bytes::new() })
    }

    /// Adds a header line.
    ///
    /// # Errors
    /// If the name or value could break the head, or the header is not the application's to write.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, HeaderError> {
        let own = ["host", "content-length", "transfer-encoding", "connection", "upgrade", "expect"];
        if own.iter().any(|own| name.eq_ignore_ascii_case(own)) {
            return Err(HeaderError::Reserved);
        }
        push_header(&mut self.headers, name, value)?;
        Ok(self)
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Whether the answer has no body, whatever it says of one. Methods are case-sensitive (RFC 9110 section 9.1).
    pub(super) fn is_head(&self) -> bool {
        self.method == "HEAD"
    }

    pub(super) const fn body_bytes(&self) -> &Bytes {
        &self.body
    }

    pub(super) fn write_head(&self, out: &mut Vec<u8>) {
        let _ =
            fmt::write(&mut Text(out), format_args!("{} {} HTTP/1.1\r\n{}", self.method, self.target, self.headers));
        // RFC 9110 section 8.6: not for methods that have no body by nature, if there is none.
        if !self.body.is_empty() || !matches!(self.method, "GET" | "HEAD" | "DELETE" | "OPTIONS") {
            let _ = fmt::write(&mut Text(out), format_args!("content-length: {}\r\n", self.body.len()));
        }
        out.extend_from_slice(b"\r\n");
    }
}

impl fmt::Debug for OutgoingRequest {
    /// Shows neither the query nor header values nor the body, which may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutgoingRequest")
            .field("method", &self.method)
            .field("path", &self.target.split('?').next().unwrap_or_default())
            .field("headers", &Names(&self.headers))
            .field("body_bytes", &self.body.len())
            .finish()
    }
}
