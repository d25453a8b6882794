use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::parser::Parser;
use crate::engineio;
use crate::http::{self, LimitsError, Request, Response};
use crate::ws::{self, DeflateConfig};

/// Which pages may connect (RFC 6455 section 10.2). Browsers say truthfully from where a page came; a server
/// that knows its users by cookies must refuse all but its own pages, or any page can speak for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    /// All. Right where nothing that the browser adds by itself, like a cookie, identifies anybody.
    Any,
    /// Those that were served under the host and port that the request itself names.
    SameHost,
    /// These, each written as browsers write it: `https://example.org`, with the port only if it is not the
    /// scheme's own.
    Listed(Vec<String>),
}

impl Origins {
    /// Adds to the answer to a request what tells a browser that the page may read it, if it may (the CORS protocol of the
    /// Fetch standard, section 3.3).
    pub(super) fn admit(&self, request: &Request, response: Response) -> Response {
        // Whatever stands there: what is kept for one page is not another's.
        let response = response.own_header("vary", "Origin");
        let Some(origin) = request.header("origin").filter(|_| self.allow(request)) else { return response };
        let Ok(response) = response.clone().header("access-control-allow-origin", origin) else { return response };
        // Clients of revision 3 send credentials unless they are told not to, and their browser then insists on this.
        response.own_header("access-control-allow-credentials", "true")
    }

    /// Whether a request may pass. One without `Origin` comes from no page and may.
    #[must_use]
    pub fn allow(&self, request: &Request) -> bool {
        let mut origins = request.headers().filter(|(name, _)| name.eq_ignore_ascii_case("origin"));
        let Some((_, first)) = origins.next() else { return true };
        let origin = match (core::str::from_utf8(first), origins.next()) {
            (Ok(origin), None) => origin,
            _ => return *self == Self::Any,
        };
        self.contain(origin, request)
    }

    /// Whether the answer to a request may be a script. A page takes in scripts from anywhere and can read what they hand
    /// over, and its browser sends no `Origin` for them: what it says by other headers has to do (`Referer`, RFC 9110 section
    /// 10.1.3, which a page can keep back but not forge; `Sec-Fetch-Site`, Fetch Metadata).
    pub(super) fn allow_script(&self, request: &Request) -> bool {
        if *self == Self::Any || request.headers().any(|(name, _)| name.eq_ignore_ascii_case("origin")) {
            return self.allow(request);
        }
        let referer = request.header("referer").and_then(|page| {
            let (scheme, rest) = page.split_once("://")?;
            let authority = rest.split(['/', '?', '#']).next()?;
            Some(alloc::format!("{scheme}://{authority}"))
        });
        request.header("sec-fetch-site") == Some("same-origin")
            || referer.is_some_and(|origin| self.contain(&origin, request))
    }

    fn contain(&self, origin: &str, request: &Request) -> bool {
        match self {
            Self::Any => true,
            Self::SameHost => {
                let authority = origin.split_once("://").map(|(_, authority)| authority);
                authority.is_some() && authority == request.header("host")
            }
            Self::Listed(listed) => listed.iter().any(|allowed| allowed == origin),
        }
    }
}

/// Which namespaces clients may connect to; the application still accepts or refuses each client.
#[derive(Clone, Debug)]
pub enum Namespaces {
    /// These.
    Listed(Vec<String>),
    /// Those for which the function says so.
    Matching(fn(&str) -> bool),
}

impl Namespaces {
    pub(super) fn contain(&self, name: &str) -> bool {
        match self {
            Self::Listed(listed) => listed.iter().any(|own| own == name),
            Self::Matching(matches) => matches(name),
        }
    }
}

/// A path whose WebSockets carry the application's own messages, without Socket.IO: each is one socket of a namespace, joins
/// rooms as others do, and gets events as text, `["name",arg,…]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plain {
    /// The path, exactly.
    pub path: String,
    /// The namespace whose rooms and events these sockets share.
    pub namespace: String,
}

/// What peers, and the application for them, may make a [`Hub`](super::Hub) hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Byte streams at once. Default 100,000.
    pub connections_max: usize,
    /// Sessions at once; on long polling they have no connection of their own. Default 100,000.
    pub sessions_max: usize,
    /// Sockets that are away at once; beyond that a lost socket has left. Default 100,000.
    pub away_max: usize,
    /// Bytes that wait to be written to one connection; who falls behind further is cut off and may resume. Default 1 MiB (the
    /// official server has no limit here, which is what its users suffer from most).
    pub outbox_bytes_max: usize,
    /// Bytes that wait to be written above which a connection is
    /// [`Congested`](super::Event::Congested), and volatile events are dropped. Default 65,536.
    pub congested_bytes: usize,
    /// Namespaces of one session. Default 16.
    pub namespaces_per_session_max: usize,
    /// Bytes of a namespace's name. Default 128.
    pub namespace_bytes_max: usize,
    /// Rooms of one socket. Default 256.
    pub rooms_per_socket_max: usize,
    /// Bytes of a room's or a user's name. Default 256.
    pub name_bytes_max: usize,
    /// Binary attachments of one event or acknowledgement. Default 10, the official server's.
    pub attachments_max: usize,
    /// Bytes of one event or acknowledgement with all of its attachments. Default 1,000,000. Where packets are MessagePack it is
    /// what becomes of one as JSON that counts, of whatever type it is.
    pub packet_bytes_max: usize,
    /// Acknowledgements awaited from one socket. Default 1,024.
    pub acks_per_socket_max: usize,
    /// Bytes of what is shown of a user in a room. Default 1,024.
    pub meta_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 100_000,
            sessions_max: 100_000,
            away_max: 100_000,
            outbox_bytes_max: 1 << 20,
            congested_bytes: 65_536,
            namespaces_per_session_max: 16,
            namespace_bytes_max: 128,
            rooms_per_socket_max: 256,
            name_bytes_max: 256,
            attachments_max: 10,
            packet_bytes_max: 1_000_000,
            acks_per_socket_max: 1024,
            meta_bytes_max: 1024,
        }
    }
}

/// How a [`Hub`](super::Hub) behaves.
#[derive(Clone, Debug)]
pub struct Config {
    /// Which pages may connect: a choice that has to be made.
    pub origins: Origins,
    /// Which namespaces there are. Default `/` alone.
    pub namespaces: Namespaces,
    /// Paths at which WebSockets without Socket.IO are served. Default none.
    pub plain: Vec<Plain>,
    /// The form of Socket.IO packets on Engine.IO. Default [`Parser::Json`].
    pub parser: Parser,
    /// Compression of WebSocket messages (RFC 7692), each on its own, so that an event for many is compressed once for each
    /// size of window that they agreed on, of eight that there are. Events, acknowledgements and plain messages are compressed,
    /// what belongs to sessions is not. Where a secret and text of somebody else's choice stand in one event, see
    /// [`Target::uncompressed`](super::Target::uncompressed).
    /// Default none; without the feature `deflate` there is no other value.
    pub deflate: Option<DeflateConfig>,
    /// Path, heartbeat and message size.
    pub engine: engineio::Config,
    /// Limits and time-outs of HTTP.
    pub http: http::Config,
    /// What peers may make the hub hold.
    pub limits: Limits,
    /// How long a client may take to connect a namespace, and the application to accept it. Default 45 s, the official server's.
    pub connect_timeout: Duration,
    /// How long the attachments of a packet may take to follow it. Default 30 s.
    pub attachments_timeout: Duration,
    /// Whether [`Hub::handshake`](super::Hub::handshake) lasts as long as the session; some 500 bytes for each. Default false.
    pub keep_handshakes: bool,
    /// How long a socket whose transport is lost stays away before it has left; zero for not at all. Default 30 s.
    pub away_timeout: Duration,
    /// How long changes of presence are gathered. Default 50 ms.
    pub presence_window: Duration,
    /// How long to wait for the answer to a close frame. Default 5 s.
    pub close_timeout: Duration,
    /// How long a peer may take to read 16 KiB of what is sent to it, or all of it if that is less. Default 30 s.
    pub write_timeout: Duration,
}

impl Config {
    /// The defaults, with the one choice that has none.
    #[must_use]
    pub fn new(origins: Origins) -> Self {
        Self {
            origins,
            namespaces: Namespaces::Listed(alloc::vec!["/".into()]),
            plain: Vec::new(),
            parser: Parser::default(),
            deflate: None,
            engine: engineio::Config::default(),
            http: http::Config::default(),
            limits: Limits::default(),
            connect_timeout: Duration::from_secs(45),
            attachments_timeout: Duration::from_secs(30),
            keep_handshakes: false,
            away_timeout: Duration::from_secs(30),
            presence_window: Duration::from_millis(50),
            close_timeout: Duration::from_secs(5),
            write_timeout: Duration::from_secs(30),
        }
    }

    /// Whether these settings can work.
    ///
    /// # Errors
    /// The first limit that is out of its range.
    pub fn validate(&self) -> Result<(), LimitsError> {
        self.http.validate()?;
        ws::Config { deflate: self.deflate, ..ws::Config::default() }.validate()?;
        let limits = &self.limits;
        LimitsError::positive("ping_interval", self.engine.ping_interval)?;
        LimitsError::positive("ping_timeout", self.engine.ping_timeout)?;
        LimitsError::positive("connect_timeout", self.connect_timeout)?;
        LimitsError::positive("close_timeout", self.close_timeout)?;
        LimitsError::positive("write_timeout", self.write_timeout)?;
        LimitsError::positive("attachments_timeout", self.attachments_timeout)?;
        LimitsError::positive("upgrade_timeout", self.engine.upgrade_timeout)?;
        LimitsError::check("payload_packets_max", self.engine.payload_packets_max, 1, isize::MAX as usize)?;
        LimitsError::check("poll_packets_max", self.engine.poll_packets_max, 1, isize::MAX as usize)?;
        LimitsError::check("max_payload", self.engine.max_payload, 128, isize::MAX as usize)?;
        LimitsError::check("connections_max", limits.connections_max, 1, u32::MAX as usize)?;
        LimitsError::check("sessions_max", limits.sessions_max, 1, u32::MAX as usize)?;
        LimitsError::check("outbox_bytes_max", limits.outbox_bytes_max, 1024, isize::MAX as usize)?;
        LimitsError::check("congested_bytes", limits.congested_bytes, 1, limits.outbox_bytes_max)?;
        LimitsError::check("namespaces_per_session_max", limits.namespaces_per_session_max, 1, 1 << 16)?;
        LimitsError::check("namespace_bytes_max", limits.namespace_bytes_max, 1, 1 << 16)?;
        LimitsError::check("rooms_per_socket_max", limits.rooms_per_socket_max, 0, 1 << 20)?;
        LimitsError::check("name_bytes_max", limits.name_bytes_max, 1, 1 << 16)
    }
}
