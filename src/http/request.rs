//! Requests as a server reads them.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::headers::{Headers, Span};
use super::reader::{Limits, parse};
use super::{Error, is_token, percent};

/// A request that has arrived whole: its head, checked, and its body.
///
/// It is one pointer wide, since it is handed on from layer to layer.
#[derive(Clone)]
pub struct Request(pub(super) Box<Parts>);

#[derive(Clone)]
pub(super) struct Parts {
    pub(super) headers: Headers,
    /// These two lie within the head too.
    pub(super) method: Span,
    pub(super) target: Span,
    pub(super) minor_version: u8,
    pub(super) body: Vec<u8>,
    /// What an extended CONNECT asks for.
    pub(super) protocol: Option<String>,
    /// Why its body is not there.
    pub(super) refused: Option<Error>,
}

impl Request {
    /// A request without a body that somebody else has read, such as another HTTP server; it is held to the same rules
    /// as one that was read here. `minor_version` is the digit after `HTTP/1.`; for HTTP/2 and HTTP/3 it is 1.
    ///
    /// Where the target is in absolute form its authority is the `Host`, whatever a line of that name says (RFC 9112 section
    /// 3.2.2, RFC 9113 section 8.3.1). Several `Cookie` lines, as of HTTP/2, become one (RFC 9113 section 8.2.3).
    ///
    /// ```
    /// use roomwire::http::Request;
    /// let crumbs = [("cookie", &b"a=1"[..]), ("cookie", b"b=2")];
    /// let request = Request::from_parts("GET", "https://example.org/chat?x", 1, crumbs)?;
    /// assert_eq!((request.header("host"), request.path()), (Some("example.org"), "/chat"));
    /// assert_eq!(request.header("cookie"), Some("a=1; b=2"));
    /// # Ok::<(), roomwire::http::Error>(())
    /// ```
    ///
    /// # Errors
    /// If a part of it breaks the grammar, or could be read as something else.
    pub fn from_parts<'a>(
        method: &str,
        target: &str,
        minor_version: u8,
        headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) -> Result<Self, Error> {
        let mut head = alloc::format!("{method} {target} HTTP/1.{minor_version}\r\n").into_bytes();
        let mut lines = 1_usize;
        let mut push = |name: &str, value: &[u8]| {
            for part in [name.as_bytes(), b": ", value, b"\r\n"] {
                head.extend_from_slice(part);
            }
            lines = lines.saturating_add(1);
        };
        let authority = absolute_form(target).map(|(authority, _)| authority);
        if let Some(authority) = authority {
            if authority.is_empty() || authority.contains('@') {
                return Err(Error::Host);
            }
            push("host", authority.as_bytes());
        }
        let (mut hosts, mut cookies) = (0_usize, None::<Vec<u8>>);
        for (name, value) in headers {
            if name.eq_ignore_ascii_case("cookie") {
                match &mut cookies {
                    None => cookies = Some(value.to_vec()),
                    Some(cookies) => cookies.extend_from_slice(&[b"; ", value].concat()),
                }
            } else if authority.is_some() && name.eq_ignore_ascii_case("host") {
                hosts = hosts.saturating_add(1);
            } else if is_token(name) {
                push(name, value);
            } else {
                return Err(Error::MalformedHead);
            }
        }
        if let Some(cookies) = cookies {
            push("cookie", &cookies);
        }
        if hosts > 1 {
            return Err(Error::Host);
        }
        // What was put in as one line must be one line.
        if head.iter().filter(|byte| matches!(byte, b'\r' | b'\n')).count() != lines.saturating_mul(2) {
            return Err(Error::BareLineEnd);
        }
        head.extend_from_slice(b"\r\n");
        let limits = Limits { target_bytes_max: usize::MAX, ..Limits::default() };
        parse(head, lines, &limits)
    }

    /// The same with a body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.0.body = body.into();
        self
    }

    /// The same as an extended CONNECT of HTTP/2 or HTTP/3 (RFC 8441 section 4, RFC 9220) with this `:protocol`. To requests
    /// with another method it does nothing.
    ///
    /// ```
    /// use roomwire::{http::Request, ws::Upgrade};
    /// let version = [("sec-websocket-version", &b"13"[..])];
    /// let request = Request::from_parts("CONNECT", "https://example.org/chat", 1, version)?;
    /// assert!(Upgrade::check(request.clone()).is_err());
    /// assert!(Upgrade::check(request.with_protocol("websocket")).is_ok());
    /// # Ok::<(), roomwire::http::Error>(())
    /// ```
    #[must_use]
    pub fn with_protocol(mut self, name: &str) -> Self {
        self.0.protocol = (self.method() == "CONNECT").then(|| name.into());
        self
    }

    /// The protocol that an extended CONNECT asks for; `None` for every other request.
    #[must_use]
    pub fn protocol(&self) -> Option<&str> {
        self.0.protocol.as_deref()
    }

    /// The method, case-sensitive (RFC 9110 section 9.1).
    #[must_use]
    pub fn method(&self) -> &str {
        self.0.headers.text(self.0.method)
    }

    /// The request target as it was sent: printable ASCII without spaces.
    #[must_use]
    pub fn target(&self) -> &str {
        self.0.headers.text(self.0.target)
    }

    /// The path of the target, still percent-encoded. The authority of a target in absolute form
    /// is left out (RFC 9112 section 3.2.2).
    #[must_use]
    pub fn path(&self) -> &str {
        split_at_byte(self.origin_form(), b'?').0
    }

    /// What follows the first `?` of the target, still percent-encoded.
    #[must_use]
    pub fn query(&self) -> &str {
        split_at_byte(self.origin_form(), b'?').1
    }

    /// The members of the query in their order, percent-decoded (`+` is a space).
    pub fn query_pairs(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        let mut rest = self.query();
        // Mostly nothing is escaped in all of it.
        let plain = is_plain(rest);
        core::iter::from_fn(move || {
            while !rest.is_empty() {
                let (pair, behind) = split_at_byte(rest, b'&');
                rest = behind;
                if !pair.is_empty() {
                    let (name, value) = split_at_byte(pair, b'=');
                    return Some(if plain { (name.into(), value.into()) } else { (decode(name), decode(value)) });
                }
            }
            None
        })
    }

    /// The value of a query member that stands there exactly once.
    #[must_use]
    pub fn query_value(&self, name: &str) -> Option<Cow<'_, str>> {
        let mut values = self.query_pairs().filter(|(found, _)| found == name).map(|(_, value)| value);
        let first = values.next()?;
        values.next().is_none().then_some(first)
    }

    /// The digit after `HTTP/1.`.
    #[must_use]
    pub const fn minor_version(&self) -> u8 {
        self.0.minor_version
    }

    /// The header lines in their order. Values may hold bytes beyond ASCII.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.headers.iter()
    }

    /// The values of all lines with this name (in any case) that are UTF-8, in their order.
    pub fn header_values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.headers.values(name)
    }

    /// The value of the only line with this name (in any case). `None` if there is none, if there
    /// are several (take [`header_values`](Self::header_values) for lists) or if it is not UTF-8.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.0.headers.only(name)
    }

    /// Whether a header that is a comma-separated list has this member, in any case.
    #[must_use]
    pub fn header_lists(&self, name: &str, member: &str) -> bool {
        self.0.headers.lists(name, member)
    }

    /// The values of all lines with this name (in any case), whatever they are, in their order.
    pub(crate) fn header_bytes<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.0.headers.named(name)
    }

    pub(super) fn count(&self, name: &str) -> usize {
        self.0.headers.count(name)
    }

    /// The body; empty if there is none.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.0.body
    }

    /// Why the request cannot be served, where its owner is to say so: see
    /// [`Connection::telling_refusals`](super::Connection::telling_refusals).
    pub(crate) const fn refused(&self) -> Option<Error> {
        self.0.refused
    }

    pub(crate) fn into_body(self) -> Vec<u8> {
        self.0.body
    }

    /// Whether the stream may carry another request after this one (RFC 9112 section 9.3).
    #[must_use]
    pub fn keep_alive(&self) -> bool {
        self.0.headers.keep_alive(self.0.minor_version)
    }

    /// Whether the peer said that it waits for `100 Continue` before it sends a body.
    pub(super) fn awaits_continue(&self) -> bool {
        let has_body =
            || self.header("content-length").map_or(self.count("transfer-encoding") > 0, |length| length != "0");
        self.0.minor_version >= 1 && self.count("expect") > 0 && has_body()
    }

    /// Bytes of memory that this request holds.
    #[must_use]
    pub fn retained_bytes(&self) -> usize {
        let protocol = self.0.protocol.as_ref().map_or(0, String::capacity);
        let parts = size_of::<Parts>().saturating_add(self.0.headers.retained_bytes());
        parts.saturating_add(self.0.body.capacity()).saturating_add(protocol)
    }

    fn origin_form(&self) -> &str {
        let target = self.target();
        if target.starts_with('/') {
            return target;
        }
        match absolute_form(target) {
            Some((_, "")) => "/",
            Some((_, rest)) => rest,
            None => target,
        }
    }
}

/// The authority of a target in absolute form, and what follows it.
fn absolute_form(target: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = target.split_once("://")?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    (!scheme.contains(['/', '?'])).then(|| rest.split_at(end))
}

impl fmt::Debug for Request {
    /// Shows neither the query nor header values, which may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method())
            .field("path", &self.path())
            .field("headers", &self.0.headers.len())
            .field("body_bytes", &self.0.body.len())
            .finish()
    }
}

/// Percent-decoding that leaves alone what is no escape and replaces what is no UTF-8.
fn decode(text: &str) -> Cow<'_, str> {
    if is_plain(text) {
        return Cow::Borrowed(text);
    }
    let bytes: Vec<u8> = percent::decode(text.as_bytes()).map(|byte| byte.unwrap_or(b'%')).collect();
    Cow::Owned(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

/// What stands before the first such byte, which is ASCII, and behind it. For short texts a plain loop is the fastest search.
fn split_at_byte(text: &str, byte: u8) -> (&str, &str) {
    let split = |at: usize| Some((text.get(..at)?, text.get(at.saturating_add(1)..)?));
    text.bytes().position(|found| found == byte).and_then(split).unwrap_or((text, ""))
}

/// Whether nothing is escaped.
fn is_plain(text: &str) -> bool {
    // To the end in any case, which vectors are faster at.
    text.bytes().fold(true, |plain, byte| plain & !matches!(byte, b'%' | b'+'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_parts_that_somebody_else_has_read() {
        let request = Request::from_parts("GET", "/a?b", 1, [("host", &b"h"[..]), ("x", b"\xFF")]).unwrap();
        assert_eq!((request.method(), request.path(), request.header("HOST")), ("GET", "/a", Some("h")));
        assert_eq!(request.headers().count(), 2);
        for (method, target, name, value) in [
            ("GET", "/ HTTP/1.1\r\nx: y\r\n\r\nGET /", "host", &b"h"[..]),
            ("GET", "/", "host", b"h\r\nx: y"),
            ("GET", "/", "host", b"h\n"),
            ("GET", "/", "host: a\r\nx", b"h"),
            ("GET", "/a b", "host", b"h"),
            ("G T", "/", "host", b"h"),
            ("GET", "/", "x", b"h"),
            ("GET", "/", "host:h", b""),
            ("GET", "/", "host: h", b""),
        ] {
            assert!(Request::from_parts(method, target, 1, [(name, value)]).is_err(), "{target} {name}");
        }
        for name in ["x: y", "x:", ":x", "x y", "", "\u{e4}"] {
            let parts = Request::from_parts("GET", "/", 1, [("host", &b"h"[..]), (name, b"z")]);
            assert_eq!(parts.err(), Some(Error::MalformedHead), "{name:?}");
        }
    }

    /// What stacks for HTTP/2 give: the authority is in the target, cookies come in pieces.
    #[test]
    fn from_parts_of_http_2() {
        let parts = |target: &str, headers: &[(&str, &str)]| {
            let headers = headers.iter().map(|(name, value)| (*name, value.as_bytes()));
            Request::from_parts("GET", target, 1, headers)
        };
        let host = |target: &str, headers: &[(&str, &str)]| {
            parts(target, headers).map(|request| request.header("host").map(String::from))
        };
        for (target, expected) in
            [("https://h:8443/a?b", "h:8443"), ("http://h", "h"), ("http://h?b", "h"), ("http://[::1]:80/", "[::1]:80")]
        {
            assert_eq!(host(target, &[]), Ok(Some(expected.into())), "{target}");
            assert_eq!(host(target, &[("Host", "other")]), Ok(Some(expected.into())), "{target}");
            assert_eq!(host(target, &[("host", "h"), ("host", "h")]), Err(Error::Host), "{target}");
        }
        for target in ["http://u@h/", "http:///a", "/a?b=http://h/", "/a://h/", "*"] {
            assert_eq!(host(target, &[]), Err(Error::Host), "{target}");
        }
        assert!(host("http://h x: y/", &[]).is_err());
        assert_eq!(host("http://h\r\nx: y/", &[]), Err(Error::BareLineEnd));
        let cookies = |values: &[(&str, &str)]| {
            let request = parts("http://h/", values)?;
            Ok::<_, Error>((request.header("cookie").map(String::from), request.headers().count()))
        };
        assert_eq!(cookies(&[]), Ok((None, 1)));
        assert_eq!(cookies(&[("cookie", "a=1"), ("x", "y"), ("Cookie", "b")]), Ok((Some("a=1; b".into()), 3)));
        assert_eq!(cookies(&[("cookie", "a=1\r\nx: y"), ("cookie", "b")]), Err(Error::BareLineEnd));
    }

    #[test]
    fn only_connect_is_extended() {
        let request = |method| Request::from_parts(method, "http://h/", 1, []).unwrap().with_protocol("websocket");
        assert_eq!(request("CONNECT").protocol(), Some("websocket"));
        assert_eq!(request("GET").protocol(), None);
    }

    #[test]
    fn members_of_a_query() {
        let query = |query: &str| {
            let request = Request::from_parts("GET", &alloc::format!("/a{query}"), 1, [("host", &b"h"[..])]).unwrap();
            let pairs = request.query_pairs().map(|(name, value)| alloc::format!("{name}>{value}"));
            pairs.collect::<Vec<_>>().join(" ")
        };
        for (text, expected) in [
            ("", ""),
            ("?", ""),
            ("?a=1&b=2", "a>1 b>2"),
            ("?&&a=1&&b&", "a>1 b>"),
            ("?=&=1&a=", "> >1 a>"),
            ("?a=b=c?d/e&f", "a>b=c?d/e f>"),
            ("?a=%26&b%3D=1", "a>& b=>1"),
        ] {
            assert_eq!(query(text), expected, "{text}");
        }
    }

    #[test]
    fn percent_decoding() {
        for (text, expected) in
            [("a+b", "a b"), ("%41%e2%82%ac", "A€"), ("100%", "100%"), ("%zz%4", "%zz%4"), ("%ff", "\u{fffd}")]
        {
            assert_eq!(decode(text), expected);
        }
    }
}
