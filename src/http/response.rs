//! Responses as a server sends them, and how they are written.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write as _};

use bytes::Bytes;

use super::token::is_token;

/// A response that is still a value: status, headers, body.
///
/// `Content-Length` and `Connection` are written by the [`Connection`](super::Connection); with a header `Upgrade` the second lists
/// that too.
///
/// ```
/// use roomwire::http::Response;
/// let page = Response::new(200).header("content-type", "text/html")?.body("<!doctype html>");
/// assert!(Response::new(200).header("x-name", "a\r\nset-cookie: b=c").is_err());
/// # Ok::<(), roomwire::http::HeaderError>(())
/// ```
#[derive(Clone)]
pub struct Response {
    status: u16,
    /// Whether `Upgrade` is among the headers, which `Connection` lists then (RFC 9110 section 7.8).
    upgrades: bool,
    /// The status line and the header lines as they are written, each with its line end; nothing before the first header.
    head: String,
    body: Bytes,
}

/// A header that must not be sent; or what stands before the headers of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// The name is no token (RFC 9110 section 5.1).
    #[error("header name is not a token")]
    Name,
    /// The value holds CR, LF, NUL or another control character, which could split the response
    /// (RFC 9110 section 5.5).
    #[error("header value has a control character")]
    Value,
    /// The header belongs to the writer: `Content-Length`, `Transfer-Encoding`, `Connection`.
    #[error("header is written by the connection itself")]
    Reserved,
    /// The method is no token (RFC 9110 section 9.1), or it is CONNECT: this crate's client makes no tunnels.
    #[error("method is not a token, or it is CONNECT")]
    Method,
    /// The target does not begin with a slash, or is not printable ASCII (RFC 9112 section 3.2.1).
    #[error("request target is not in origin form")]
    Target,
}

impl Response {
    /// An empty response. `status` is that of a final response, 200 to 999; anything else is sent as 500, since a peer
    /// takes what comes behind 1xx for the answer (RFC 9110 section 15.2).
    #[must_use]
    pub const fn new(status: u16) -> Self {
        let status = if matches!(status, 200..=999) { status } else { 500 };
        Self { status, upgrades: false, head: String::new(), body: Bytes::new() }
    }

    /// Adds a header line.
    ///
    /// # Errors
    /// If the name or value could break the head, or the header is not the application's to write.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, HeaderError> {
        if ["content-length", "transfer-encoding", "connection"].iter().any(|own| name.eq_ignore_ascii_case(own)) {
            return Err(HeaderError::Reserved);
        }
        push_header(self.begun(), name, value)?;
        self.upgrades |= name.eq_ignore_ascii_case("upgrade");
        Ok(self)
    }

    /// Sets the body. Take `Bytes::from_static` for what is embedded in the program: it is not copied.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets a plain text body with its `content-type`.
    #[must_use]
    pub fn text(mut self, text: &str) -> Self {
        self.begun().push_str("content-type: text/plain; charset=utf-8\r\n");
        self.body(Bytes::copy_from_slice(text.as_bytes()))
    }

    /// The same for a value that came from outside; without the header if it could break the head.
    pub(crate) fn try_header(self, name: &str, value: &str) -> Result<Self, Self> {
        if is_field_value(value) { Ok(self.own_header(name, value)) } else { Err(self) }
    }

    /// The same with another status.
    pub(crate) fn with_status(self, status: u16) -> Self {
        let mut other = Self { status, upgrades: self.upgrades, head: String::new(), body: self.body };
        if let Some((_, lines)) = self.head.split_once("\r\n") {
            other.begun().push_str(lines);
        }
        other
    }

    /// Adds a header line of this crate's own, whose parts are known to be good.
    pub(crate) fn own_header(mut self, name: &str, value: &str) -> Self {
        push_line(self.begun(), name, value);
        self
    }

    /// Names the protocol that the peer is to change to.
    pub(crate) fn own_upgrade(self, protocol: &'static str) -> Self {
        Self { upgrades: true, ..self.own_header("upgrade", protocol) }
    }

    /// Adds header lines of this crate's own as they are written, each with its line end: what is the same in every answer is
    /// one piece.
    pub(crate) fn own_lines(mut self, lines: &'static str) -> Self {
        self.begun().push_str(lines);
        self
    }

    /// Adds header lines that were checked one by one.
    pub(crate) fn checked_lines(mut self, lines: &str) -> Self {
        self.begun().push_str(lines);
        self
    }

    /// The head, which begins with the status line.
    #[inline]
    fn begun(&mut self) -> &mut String {
        if self.head.is_empty() {
            self.begin();
        }
        &mut self.head
    }

    /// Writes the status line, with room for what mostly follows.
    fn begin(&mut self) {
        self.head = String::with_capacity(HEAD_BYTES);
        match status_line(self.status) {
            // Writing to a string does not fail.
            "" => drop(write!(self.head, "HTTP/1.1 {} \r\n", self.status)),
            line => self.head.push_str(line),
        }
    }

    /// The header lines, for a server that writes responses itself. The length of the body is not among them. With `Upgrade`
    /// comes the `Connection` that it asks for; HTTP/2 and HTTP/3 have neither (RFC 9113 section 8.2.2).
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let lines = self.head.split("\r\n").skip(1).filter_map(|line| line.split_once(": "));
        lines.chain(self.upgrades.then_some(("connection", "upgrade")))
    }

    /// The status code.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The body.
    #[must_use]
    pub const fn body_bytes(&self) -> &Bytes {
        &self.body
    }

    /// Whether responses of this status have neither body nor length (RFC 9110 section 6.4.1).
    pub(super) const fn is_bodiless(&self) -> bool {
        matches!(self.status, 100..=199 | 204 | 304)
    }

    /// The head to its blank line, and the body.
    pub(super) fn into_parts(mut self, connection: Option<&str>) -> (Vec<u8>, Bytes) {
        let mut head = core::mem::take(self.begun()).into_bytes();
        if !self.is_bodiless() {
            head.extend_from_slice(b"content-length: ");
            write_decimal(self.body.len() as u64, &mut head);
            head.extend_from_slice(b"\r\n");
        }
        let options = match (self.upgrades, connection) {
            (false, None) => None,
            (false, Some(option)) => Some(["", option]),
            (true, None) => Some(["upgrade", ""]),
            (true, Some(option)) => Some(["upgrade, ", option]),
        };
        if let Some([upgrade, option]) = options {
            for part in ["connection: ", upgrade, option, "\r\n"] {
                head.extend_from_slice(part.as_bytes());
            }
        }
        head.extend_from_slice(b"\r\n");
        (head, self.body)
    }
}

impl fmt::Debug for Response {
    /// Shows neither header values nor the body, which may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("headers", &Names(&self.head))
            .field("body_bytes", &self.body.len())
            .finish()
    }
}

/// Shows the names of header lines, as they are written, without the values.
pub(crate) struct Names<'a>(pub(crate) &'a str);

impl fmt::Debug for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.0.split("\r\n").filter_map(|line| line.split_once(": ")).map(|(name, _)| name);
        f.debug_list().entries(names).finish()
    }
}

/// What an answer takes as a rule, with a short body.
const HEAD_BYTES: usize = 256;

/// Appends a number; without the detour over formatting, since every answer has two.
pub(crate) fn write_decimal(mut number: u64, out: &mut Vec<u8>) {
    let (mut digits, mut used) = ([0; 20], 0_usize);
    for digit in digits.iter_mut().rev() {
        *digit = (number % 10) as u8 | b'0';
        used = used.saturating_add(1);
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(digits.len().saturating_sub(used)..).unwrap_or_default());
}

/// Appends a header line that was checked.
pub(crate) fn push_header(lines: &mut String, name: &str, value: &str) -> Result<(), HeaderError> {
    if !is_token(name) {
        return Err(HeaderError::Name);
    }
    if !is_field_value(value) {
        return Err(HeaderError::Value);
    }
    push_line(lines, name, value);
    Ok(())
}

fn push_line(lines: &mut String, name: &str, value: &str) {
    for part in [name, ": ", value, "\r\n"] {
        lines.push_str(part);
    }
}

/// Whether a value holds no control character.
fn is_field_value(value: &str) -> bool {
    let fits = |c: char| !c.is_control() || c == '\t';
    // Nearly all is ASCII, where a byte is a character; to the end in any case, which vectors are faster at.
    if value.is_ascii() {
        value.bytes().fold(true, |all, byte| all & fits(char::from(byte)))
    } else {
        value.chars().all(fits)
    }
}

/// Lets `core::fmt` append to bytes; it never fails.
pub(crate) struct Text<'a>(pub(crate) &'a mut Vec<u8>);

impl fmt::Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// The status line (RFC 9112 section 4) with the usual reason phrase (RFC 9110 section 15), which clients ignore and people
/// read; nothing for a status without one.
const fn status_line(status: u16) -> &'static str {
    macro_rules! lines {
        ($($status:literal $reason:literal)*) => {
            match status {
                $($status => concat!("HTTP/1.1 ", $status, " ", $reason, "\r\n"),)*
                _ => "",
            }
        };
    }
    lines! {
        101 "Switching Protocols"
        200 "OK"
        201 "Created"
        204 "No Content"
        301 "Moved Permanently"
        302 "Found"
        303 "See Other"
        304 "Not Modified"
        307 "Temporary Redirect"
        308 "Permanent Redirect"
        400 "Bad Request"
        401 "Unauthorized"
        403 "Forbidden"
        404 "Not Found"
        405 "Method Not Allowed"
        408 "Request Timeout"
        411 "Length Required"
        413 "Content Too Large"
        414 "URI Too Long"
        417 "Expectation Failed"
        426 "Upgrade Required"
        429 "Too Many Requests"
        431 "Request Header Fields Too Large"
        500 "Internal Server Error"
        501 "Not Implemented"
        503 "Service Unavailable"
        505 "HTTP Version Not Supported"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString as _;

    #[test]
    fn numbers_are_decimal() {
        for number in [0, 7, 10, 99, 100, 200, 65_535, 1_000_000, u64::MAX] {
            let mut out = Vec::from(*b"=");
            write_decimal(number, &mut out);
            assert_eq!(out, ["=", &number.to_string()].concat().as_bytes());
        }
    }

    #[test]
    fn a_response_is_final() {
        for status in [0, 99, 100, 101, 103, 199, 1000] {
            assert_eq!(Response::new(status).status(), 500);
        }
    }

    #[test]
    fn values_from_outside_cannot_break_a_head() {
        for value in ["", "a b\tc", "https://example.org", "ä€"] {
            let response = Response::new(200).try_header("x", value).expect("it fits");
            assert_eq!(response.headers().collect::<Vec<_>>(), [("x", value)]);
        }
        for value in ["a\r\nb: c", "\n", "\0", "a\x7F", "ä\u{85}", "\x1F"] {
            let response = Response::new(200).try_header("x", value).expect_err("it breaks");
            assert_eq!(response.headers().count(), 0, "{value:?}");
        }
    }

    /// RFC 9110 section 7.8: who sends `Upgrade` lists it in `Connection`.
    #[test]
    fn what_names_a_protocol_says_so() {
        for (connection, expected) in [
            (None, "connection: upgrade\r\n"),
            (Some("close"), "connection: upgrade, close\r\n"),
            (Some("keep-alive"), "connection: upgrade, keep-alive\r\n"),
        ] {
            let response = Response::new(200).header("Upgrade", "h2c").unwrap().with_status(426);
            let told: Vec<_> = response.headers().map(|(name, value)| [name, ": ", value].concat()).collect();
            assert_eq!(told, ["Upgrade: h2c", "connection: upgrade"]);
            let head = String::from_utf8(response.into_parts(connection).0).unwrap();
            let lines = ["HTTP/1.1 426 Upgrade Required\r\nUpgrade: h2c\r\ncontent-length: 0\r\n", expected, "\r\n"];
            assert_eq!(head, lines.concat());
        }
    }

    #[test]
    fn heads() {
        let head = |response: Response, connection| String::from_utf8(response.into_parts(connection).0).unwrap();
        let own = "HTTP/1.1 431 Request Header Fields Too Large\r\n";
        let lines = "x: y\r\ncontent-length: 1\r\nconnection: keep-alive\r\n\r\n";
        let response = Response::new(431).own_header("x", "y").body("z");
        assert_eq!(head(response.clone(), Some("keep-alive")), [own, lines].concat());
        assert_eq!(head(response.with_status(200), Some("keep-alive")), ["HTTP/1.1 200 OK\r\n", lines].concat());
        for (status, expected) in [
            (200, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"),
            (204, "HTTP/1.1 204 No Content\r\n\r\n"),
            (799, "HTTP/1.1 799 \r\ncontent-length: 0\r\n\r\n"),
        ] {
            let response = Response::new(status);
            assert_eq!(response.headers().count(), 0);
            assert_eq!(head(response, None), expected);
        }
    }
}
