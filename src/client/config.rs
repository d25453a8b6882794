//! What a client is told once: where its server is, how it gets there, and its limits.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use super::error::ConfigError;
use crate::engineio::Transports;
use crate::http::{self, HeaderError, LimitsError, OutgoingRequest, percent_encode};
use crate::socketio::{Parser, Protocol};
use crate::ws::Opening;

/// What the server, and the application, may make a [`Client`](super::Client) hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a message or of the answer to a poll. Default 16 MiB, as for [`ws`](crate::ws::Limits).
    pub message_bytes_max: usize,
    /// Packets in the answer to a poll. Default 65,536.
    pub payload_packets_max: usize,
    /// Bytes of the body of a POST; less if the server says so. Default 1,000,000, the official server's `maxHttpBufferSize`.
    /// A packet that alone is longer goes alone.
    pub post_bytes_max: usize,
    /// Packets in the body of a POST. Default 16: the Python servers take no more, and drop all of them without a word.
    pub post_packets_max: usize,
    /// Bytes of what is emitted while connected and not yet handed over to a stream. Default 1 MiB, as for the hub.
    pub outbox_bytes_max: usize,
    /// Bytes on their way above which volatile events are dropped. Default 65,536.
    pub congested_bytes: usize,
    /// Events that wait for their namespace to be connected, and with [`Config::retries`] all that are not acknowledged yet.
    /// Default 1,000 (the official client has no limit).
    pub offline_events_max: usize,
    /// Bytes of these events. Default 1 MiB.
    pub offline_bytes_max: usize,
    /// Binary attachments of one event or acknowledgement. Default 10, the official parser's.
    pub attachments_max: usize,
    /// Bytes of one event or acknowledgement with all of its attachments. Default 16 MiB.
    pub packet_bytes_max: usize,
    /// Namespaces at once. Default 16.
    pub namespaces_max: usize,
    /// Bytes of a namespace's name. Default 128.
    pub namespace_bytes_max: usize,
    /// Bytes of what is sent for authentication. Default 8,192.
    pub auth_bytes_max: usize,
    /// Acknowledgements awaited on one socket. Default 1,024.
    pub acks_per_socket_max: usize,
    /// Bytes of an offset of connection state recovery, and of the ids that the server gives. Default 256; longer strings
    /// at the end of an event are no offsets.
    pub offset_bytes_max: usize,
    /// Bytes of the cookies that the server sets, 64 more for each; beyond them the oldest go. Default 4,096; with 0 none is
    /// kept.
    pub cookies_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes_max: 16 << 20,
            payload_packets_max: 65_536,
            post_bytes_max: 1_000_000,
            post_packets_max: 16,
            outbox_bytes_max: 1 << 20,
            congested_bytes: 65_536,
            offline_events_max: 1000,
            offline_bytes_max: 1 << 20,
            attachments_max: 10,
            packet_bytes_max: 16 << 20,
            namespaces_max: 16,
            namespace_bytes_max: 128,
            auth_bytes_max: 8192,
            acks_per_socket_max: 1024,
            offset_bytes_max: 256,
            cookies_bytes_max: 4096,
        }
    }
}

/// When a session that was lost is opened again: after `delay`, doubled for each attempt up to `delay_max`, each time varied
/// by chance. The defaults are the official client's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reconnection {
    /// Before the first attempt. Default 1 s.
    pub delay: Duration,
    /// The longest, whatever chance adds. Default 5 s.
    pub delay_max: Duration,
    /// How much the delay grows with each attempt. Default 2.
    pub factor: u32,
    /// How much of a delay chance may add or take away, from 0 to 1. Default 0.5. It keeps the clients of a server that
    /// restarts from coming all at once.
    pub randomization: f32,
    /// Attempts until it is given up; 0 for none. Default `None`: for ever.
    pub attempts_max: Option<u32>,
}

impl Default for Reconnection {
    fn default() -> Self {
        Self {
            delay: Duration::from_secs(1),
            delay_max: Duration::from_secs(5),
            factor: 2,
            randomization: 0.5,
            attempts_max: None,
        }
    }
}

/// How a [`Client`](super::Client) behaves.
#[derive(Clone, Debug)]
pub struct Config {
    /// The path of all requests. Default `/socket.io/`.
    pub path: String,
    /// Which protocol to speak. Default 5; servers 2.x speak protocol 4 only.
    pub protocol: Protocol,
    /// Which transports to use. Default both: long polling first, then the change to WebSocket if the server offers it.
    pub transports: Transports,
    /// The form of Socket.IO packets. Default [`Parser::Json`].
    pub parser: Parser,
    /// Whether and when a lost session is opened again.
    pub reconnection: Reconnection,
    /// How often an event is sent again that was not acknowledged within [`ack_timeout`](Self::ack_timeout). Default 0: it
    /// is sent once. Otherwise events that are not volatile are sent one after the other, each when the one before was
    /// acknowledged or given up; until their namespace is connected they wait without end. The server may see one twice, with
    /// another acknowledgement id.
    pub retries: u32,
    /// For [`retries`](Self::retries): how long to wait for an acknowledgement; again as long while what is queued leaves no room
    /// for another try. Default 10 s.
    pub ack_timeout: Duration,
    /// What may be held.
    pub limits: Limits,
    /// How long a session may take to open, and a byte stream. Default 20 s, the official client's.
    pub connect_timeout: Duration,
    /// How long the server may take to answer that a namespace is connected. Default 45 s, what servers give clients.
    pub namespace_timeout: Duration,
    /// How long the change to WebSocket may take. Default 10 s, the official server's.
    pub upgrade_timeout: Duration,
    /// How long the server may take to answer a POST, from when it is written. Default 20 s.
    pub request_timeout: Duration,
    /// How long the attachments of a packet may take to follow it; again as long while a part of one has come. Default 30 s.
    pub attachments_timeout: Duration,
    /// How long an orderly end may take. Default 5 s.
    pub close_timeout: Duration,
    /// How long the server may take to read 16 KiB of what is sent to it, or all that waited when the time
    /// began if that is less. Default 30 s.
    pub write_timeout: Duration,
    pub(super) origin: Origin,
    pub(super) headers: Private<Vec<(String, String)>>,
    /// Encoded, each member with an ampersand before it.
    pub(super) query: Private<String>,
}

/// What may hold a secret: it is not shown.
#[derive(Clone, Default)]
pub(super) struct Private<T>(pub(super) T);

impl<T> fmt::Debug for Private<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(private)")
    }
}

/// Where the server is.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    pub(super) secure: bool,
    pub(super) host: String,
    pub(super) port: u16,
}

impl Origin {
    /// What the header `Host` says.
    pub(super) fn authority(&self) -> String {
        let default = if self.secure { 443 } else { 80 };
        if self.port == default { self.host.clone() } else { format!("{}:{}", self.host, self.port) }
    }
}

impl Config {
    /// The defaults for the server at `url`: `http://localhost:3000`, `https://example.org`; `ws:` and `wss:` mean the
    /// same. Official clients take a path behind it for a namespace; here that is named to
    /// [`Client::connect`](super::Client::connect).
    ///
    /// # Errors
    /// If the URL names no server, or more than a server.
    pub fn new(url: &str) -> Result<Self, ConfigError> {
        let lower = |prefix: &str| url.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
        let rest = url.get(4..).unwrap_or_default();
        let opening = if lower("http") { Opening::url(&format!("ws{rest}"))? } else { Opening::url(url)? };
        if opening.target() != "/" {
            return Err(ConfigError::UrlPath);
        }
        let origin = Origin { secure: opening.is_secure(), host: opening.host().into(), port: opening.port() };
        Ok(Self {
            path: "/socket.io/".into(),
            protocol: Protocol::V5,
            transports: Transports::ALL,
            parser: Parser::default(),
            reconnection: Reconnection::default(),
            retries: 0,
            ack_timeout: Duration::from_secs(10),
            limits: Limits::default(),
            connect_timeout: Duration::from_secs(20),
            namespace_timeout: Duration::from_secs(45),
            upgrade_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(20),
            attachments_timeout: Duration::from_secs(30),
            close_timeout: Duration::from_secs(5),
            write_timeout: Duration::from_secs(30),
            origin,
            headers: Private::default(),
            query: Private::default(),
        })
    }

    /// Adds a header line to every request, like `Authorization` or `Cookie`. The cookies that the server sets are sent back
    /// beside these, but for those of the same names; see [`Limits::cookies_bytes_max`].
    ///
    /// # Errors
    /// If the name or value could break a request, or the header is not the application's to write.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, HeaderError> {
        check_header(name, value)?;
        self.headers.0.push((name.into(), value.into()));
        Ok(self)
    }

    pub(super) fn set_header(&mut self, name: &str, value: Option<&str>) -> Result<(), HeaderError> {
        check_header(name, value.unwrap_or_default())?;
        self.headers.0.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.headers.0.extend(value.map(|value| (name.into(), value.into())));
        Ok(())
    }

    /// Adds a member to the query of every request.
    #[must_use]
    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.query.0.extend(["&", &encode(name), "=", &encode(value)]);
        self
    }

    pub(super) fn set_query(&mut self, name: &str, value: Option<&str>) {
        let start = format!("{}=", encode(name));
        let others = self.query.0.split('&').filter(|member| !member.is_empty() && !member.starts_with(&start));
        self.query.0 = others.map(|member| format!("&{member}")).collect();
        if let Some(value) = value {
            self.query.0.extend(["&", &start, &encode(value)]);
        }
    }

    /// The host to connect to; an IPv6 address stands in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.origin.host
    }

    /// The port to connect to.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.origin.port
    }

    /// Whether TLS is to be spoken below.
    #[must_use]
    pub const fn is_secure(&self) -> bool {
        self.origin.secure
    }

    /// Whether these settings can work.
    ///
    /// # Errors
    /// The first that cannot.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let path = self.path.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#'));
        if !self.path.starts_with('/') || !path {
            return Err(ConfigError::Path);
        }
        if !self.transports.polling && !self.transports.websocket {
            return Err(ConfigError::NoTransport);
        }
        let limits = &self.limits;
        let most = isize::MAX as usize;
        LimitsError::check("message_bytes_max", limits.message_bytes_max, 128, most)?;
        LimitsError::check("payload_packets_max", limits.payload_packets_max, 1, most)?;
        LimitsError::check("post_bytes_max", limits.post_bytes_max, 128, most)?;
        LimitsError::check("post_packets_max", limits.post_packets_max, 1, most)?;
        LimitsError::check("outbox_bytes_max", limits.outbox_bytes_max, 1024, most / 2)?;
        LimitsError::check("congested_bytes", limits.congested_bytes, 1, limits.outbox_bytes_max)?;
        LimitsError::check("packet_bytes_max", limits.packet_bytes_max, 128, most)?;
        LimitsError::check("namespaces_max", limits.namespaces_max, 1, 1 << 16)?;
        LimitsError::check("namespace_bytes_max", limits.namespace_bytes_max, 1, 1 << 16)?;
        LimitsError::check("offset_bytes_max", limits.offset_bytes_max, 64, 1 << 16)?;
        LimitsError::check("cookies_bytes_max", limits.cookies_bytes_max, 0, 1 << 16)?;
        LimitsError::positive("delay", self.reconnection.delay)?;
        LimitsError::positive("delay_max", self.reconnection.delay_max)?;
        LimitsError::check("factor", self.reconnection.factor as usize, 1, 1000)?;
        if !(0.0..=1.0).contains(&self.reconnection.randomization) {
            return Err(LimitsError { name: "randomization", least: 0, most: 1 }.into());
        }
        LimitsError::positive("ack_timeout", self.ack_timeout)?;
        LimitsError::positive("connect_timeout", self.connect_timeout)?;
        LimitsError::positive("namespace_timeout", self.namespace_timeout)?;
        LimitsError::positive("upgrade_timeout", self.upgrade_timeout)?;
        LimitsError::positive("request_timeout", self.request_timeout)?;
        LimitsError::positive("attachments_timeout", self.attachments_timeout)?;
        LimitsError::positive("close_timeout", self.close_timeout)?;
        LimitsError::positive("write_timeout", self.write_timeout)?;
        Ok(())
    }

    pub(super) fn http(&self) -> http::ClientConfig {
        let limits = http::Limits {
            body_bytes_max: self.limits.message_bytes_max,
            // What servers behind several proxies add to a response may be more than what clients send.
            head_bytes_max: 16_384,
            ..http::Limits::default()
        };
        http::ClientConfig { limits, write_timeout: self.write_timeout, ..http::ClientConfig::default() }
    }
}

fn check_header(name: &str, value: &str) -> Result<(), HeaderError> {
    if ["accept", "content-type"].iter().any(|own| name.eq_ignore_ascii_case(own)) {
        return Err(HeaderError::Reserved);
    }
    let opening = Opening::url("ws://localhost").map_err(|_| HeaderError::Value)?;
    opening.header(name, value)?;
    OutgoingRequest::new("GET", "localhost", "/")?.header(name, value)?;
    Ok(())
}

/// Percent-encodes all but the unreserved characters (RFC 3986 section 2.3).
pub(super) fn encode(text: &str) -> String {
    percent_encode(text, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ws::UrlError;

    #[test]
    fn urls() {
        for (url, host, port, secure) in [
            ("http://localhost:3000", "localhost", 3000, false),
            ("https://example.org", "example.org", 443, true),
            ("HTTPS://example.org:444/", "example.org", 444, true),
            ("ws://[::1]", "[::1]", 80, false),
        ] {
            let config = Config::new(url).unwrap();
            assert_eq!((config.host(), config.port(), config.is_secure()), (host, port, secure), "{url}");
            config.validate().unwrap();
        }
        assert_eq!(Config::new("http://h/admin").unwrap_err(), ConfigError::UrlPath);
        assert_eq!(Config::new("http://h?a=b").unwrap_err(), ConfigError::UrlPath);
        assert_eq!(Config::new("httpx://h").unwrap_err(), ConfigError::Url(UrlError::Scheme));
        assert_eq!(Config::new("localhost:3000").unwrap_err(), ConfigError::Url(UrlError::Scheme));
        for url in ["ftp://h", "http://", "http://h:0", "http://u:p@h", "http://h#a", "http://h/a"] {
            let said = alloc::string::ToString::to_string(&Config::new(url).unwrap_err());
            assert!(
                !said.contains("WebSocket") && !said.contains("ws or wss") || said.contains("http"),
                "{url}: {said}"
            );
        }
    }

    #[test]
    fn a19_what_goes_into_a_head_is_checked() {
        let config = || Config::new("http://h").unwrap();
        for (name, value) in [("x", "a\r\nb: c"), ("x\r\n", "a"), ("x y", "a"), ("x", "\0")] {
            assert!(config().header(name, value).is_err(), "{name:?}");
        }
        for name in [
            "Host",
            "content-length",
            "Connection",
            "upgrade",
            "Sec-WebSocket-Key",
            "transfer-encoding",
            "expect",
            "Accept",
            "content-type",
        ] {
            assert_eq!(config().header(name, "x").unwrap_err(), HeaderError::Reserved, "{name}");
        }
        assert_eq!(config().query("a b", "c&d=é\r\n").query.0, "&a%20b=c%26d%3D%C3%A9%0D%0A");
        for path in ["", "socket.io/", "/a b", "/a\r\n", "/a?b", "/é"] {
            let config = Config { path: path.into(), ..config() };
            assert_eq!(config.validate(), Err(ConfigError::Path), "{path:?}");
        }
    }

    #[test]
    fn e11_secrets_are_not_shown() {
        let config = Config::new("http://h").unwrap().query("token", "secret");
        let mut config = config.header("Authorization", "Bearer secret").unwrap();
        config.set_header("Cookie", Some("a=secret")).unwrap();
        assert!(!format!("{config:?}").contains("secret"), "{config:?}");
        assert!(format!("{config:?}").contains("/socket.io/"));
    }
}
