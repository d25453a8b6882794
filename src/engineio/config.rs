//! Settings of Engine.IO.

use alloc::string::String;
use core::time::Duration;

use super::{Cookie, HttpCompression};

/// What a server tells its clients when a session opens, and what it holds them to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The path of all requests. Default `/socket.io/`; it is also found without its last slash.
    pub path: String,
    /// How often a heartbeat passes. Default 25 s, the official server's.
    pub ping_interval: Duration,
    /// How long the other side may take to answer it, from when it is written; or from when the last part came of a message, or of a
    /// POST, that the answer may stand behind. Default 20 s, the official server's.
    pub ping_timeout: Duration,
    /// Bytes of the longest message, and of the longest POST, from a client. Default 1,000,000, the official server's
    /// `maxHttpBufferSize`. Of an event with attachments see also `packet_bytes_max` of the hub's limits.
    pub max_payload: usize,
    /// Whether clients of revision 3 (Socket.IO 1.x and 2.x) are served. Default true.
    pub allow_revision_3: bool,
    /// The transports that are served. Default both, and the upgrade from the one to the other.
    pub transports: Transports,
    /// How long a WebSocket may take to complete the upgrade of a session. Default 10 s, the official server's.
    pub upgrade_timeout: Duration,
    /// Packets in the body of one POST. Default 10,000: clients send all that they have queued at once.
    pub payload_packets_max: usize,
    /// Packets in the answer to one GET; the rest waits for the next. Default 16: the Python clients take no more.
    pub poll_packets_max: usize,
    /// A cookie with the session's id, set by the first response of long polling. Default none.
    pub cookie: Option<Cookie>,
    /// Which answers of long polling are compressed. Default none; the official server compresses from 1,024 bytes on.
    pub http_compression: Option<HttpCompression>,
}

/// Which transports are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transports {
    /// HTTP long polling, which the official clients begin with unless they are told otherwise.
    pub polling: bool,
    /// WebSocket, from the beginning or by upgrade.
    pub websocket: bool,
}

impl Transports {
    /// Both.
    pub const ALL: Self = Self { polling: true, websocket: true };
}

impl Default for Config {
    fn default() -> Self {
        Self {
            path: "/socket.io/".into(),
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            max_payload: 1_000_000,
            allow_revision_3: true,
            transports: Transports::ALL,
            upgrade_timeout: Duration::from_secs(10),
            payload_packets_max: 10_000,
            poll_packets_max: 16,
            cookie: None,
            http_compression: None,
        }
    }
}

impl Config {
    /// Whether a request for `path` belongs to this protocol.
    #[must_use]
    pub fn serves(&self, path: &str) -> bool {
        is_path_of(&self.path, path)
    }
}

/// Whether a path is that of a server, which is also found without its last slash.
pub(crate) fn is_path_of(own: &str, path: &str) -> bool {
    path == own || path.trim_end_matches('/') == own.trim_end_matches('/')
}
