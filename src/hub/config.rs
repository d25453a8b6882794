//! Settings and limits of a hub.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::handshake::KeepHandshakes;
use super::history::Recovery;
use super::origins::{Cors, Origins};
use super::presence::PresenceEvents;
use crate::engineio;
use crate::http;
use crate::lines;
use crate::socketio::Parser;
use crate::ws::DeflateConfig;

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

/// A path whose clients bring the application's own messages, without Socket.IO: each client is one socket of a namespace,
/// joins rooms as others do, and gets events as text, `["name",arg,…]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plain {
    /// The path; not Socket.IO's own. That of WebSockets exactly, that of Engine.IO also without its last slash.
    pub path: String,
    /// The namespace whose rooms and events these sockets share, one of [`Config::namespaces`].
    pub namespace: String,
    /// The subprotocols that are spoken there (RFC 6455 section 1.9). The first of them that a client offers is chosen; who
    /// offers none of them gets none, with which a browser that has offered some gives up. Default none, which on Engine.IO
    /// means whichever is offered first, as in the official server.
    pub subprotocols: Vec<String>,
    /// Whether clients speak Engine.IO there, whose messages these are: by long polling, by WebSocket, or by the one and then
    /// the other. All of [`Config::engine`] holds for them but the path. Default false: they come by bare WebSockets.
    pub engine_io: bool,
}

impl Plain {
    /// A path for bare WebSockets and its namespace, without subprotocols.
    #[must_use]
    pub fn new(path: &str, namespace: &str) -> Self {
        Self { path: path.into(), namespace: namespace.into(), subprotocols: Vec::new(), engine_io: false }
    }

    /// A path for Engine.IO and its namespace. The official client's default path is `/engine.io/`.
    #[must_use]
    pub fn engine_io(path: &str, namespace: &str) -> Self {
        Self { engine_io: true, ..Self::new(path, namespace) }
    }

    pub(super) fn serves(&self, path: &str) -> bool {
        if self.engine_io { engineio::is_path_of(&self.path, path) } else { self.path == path }
    }
}

/// What the messages of Engine.IO are at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Packets of Socket.IO.
    SocketIo,
    /// The application's own: at which place in [`Config::plain`] the path stands.
    Plain(usize),
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
    /// [`Congested`](super::Event::Congested), and volatile events are dropped, or only the newest kept
    /// ([`Target::latest`](super::Target::latest)). Default 65,536.
    pub congested_bytes: usize,
    /// Keys under which events wait for one session while it is congested, see [`Target::latest`](super::Target::latest). Default
    /// 64.
    pub latest_keys_max: usize,
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
    /// what becomes of one as JSON that counts, of whatever type it is. Also of all that a [`Plain`] client says before it is
    /// accepted, each message counted with 64 bytes more, and the first taken in any case.
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
            latest_keys_max: 64,
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
    /// What the browsers of those pages are told.
    pub cors: Cors,
    /// Which namespaces there are. Default `/` alone.
    pub namespaces: Namespaces,
    /// Paths at which clients without Socket.IO are served. Default none.
    pub plain: Vec<Plain>,
    /// The form of Socket.IO packets on Engine.IO. Default [`Parser::Json`].
    pub parser: Parser,
    /// Compression of WebSocket messages (RFC 7692), each on its own, so that an event for many is compressed once for each
    /// size of window that they agreed on, of eight that there are. Events, acknowledgements and plain messages are compressed,
    /// what belongs to sessions is not. Where a secret and text of somebody else's choice stand in one event, see
    /// [`Target::uncompressed`](super::Target::uncompressed). What clients compress takes some 48 KB for each of them, which with
    /// `client_no_context_takeover` is given back by the next heartbeat.
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
    /// How long the attachments of a packet may take to follow it, from when that came, or the last part of one that comes in
    /// several. Default 30 s.
    pub attachments_timeout: Duration,
    /// How long [`Hub::handshake`](super::Hub::handshake) lasts; some 500 bytes for each session. Default
    /// [`KeepHandshakes::WhileNeeded`].
    pub keep_handshakes: KeepHandshakes,
    /// How long a socket whose transport is lost stays away before it has left; zero for not at all. Default 30 s.
    pub away_timeout: Duration,
    /// Whether clients that come back get what they have missed by themselves, see the [module](super#recovery). Default not, as
    /// in the official server: every event then has one argument more, which listeners are given too.
    pub recovery: Option<Recovery>,
    /// How long changes of presence are gathered. Default 50 ms.
    pub presence_window: Duration,
    /// By which events rooms are told who is there.
    pub presence_events: PresenceEvents,
    /// How long to wait for the answer to a close frame. Default 5 s.
    pub close_timeout: Duration,
    /// How long a peer may take to read 16 KiB of what is sent to it, or all that waited when the time
    /// began if that is less. Default 30 s.
    pub write_timeout: Duration,
}

impl Config {
    /// The defaults, with the one choice that has none.
    #[must_use]
    pub fn new(origins: Origins) -> Self {
        Self {
            origins,
            cors: Cors::default(),
            namespaces: Namespaces::Listed(alloc::vec!["/".into()]),
            plain: Vec::new(),
            parser: Parser::default(),
            deflate: None,
            engine: engineio::Config::default(),
            http: http::Config::default(),
            limits: Limits::default(),
            connect_timeout: Duration::from_secs(45),
            attachments_timeout: Duration::from_secs(30),
            keep_handshakes: KeepHandshakes::WhileNeeded,
            away_timeout: Duration::from_secs(30),
            recovery: None,
            presence_window: Duration::from_millis(50),
            presence_events: PresenceEvents::default(),
            close_timeout: Duration::from_secs(5),
            write_timeout: Duration::from_secs(30),
        }
    }

    /// How its streams of lines behave.
    pub(super) fn lines(&self) -> lines::Config {
        lines::Config {
            line_bytes_max: self.engine.max_payload,
            outbox_bytes_max: self.limits.outbox_bytes_max,
            read_pause_bytes: self.limits.congested_bytes,
            write_timeout: self.write_timeout,
            idle_interval: Some(self.engine.ping_interval),
            ..lines::Config::default()
        }
    }

    /// What Engine.IO carries at a path, if it is served there.
    pub(super) fn content_at(&self, path: &str) -> Option<Content> {
        if self.engine.serves(path) {
            return Some(Content::SocketIo);
        }
        self.plain.iter().position(|plain| plain.engine_io && plain.serves(path)).map(Content::Plain)
    }

    /// At which place in `plain` a path for bare WebSockets stands.
    pub(super) fn bare_at(&self, path: &str) -> Option<usize> {
        self.plain.iter().position(|plain| !plain.engine_io && plain.serves(path))
    }
}
