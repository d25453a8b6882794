use alloc::string::String;
use core::time::Duration;

/// What a server tells its clients when a session opens, and what it holds them to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The path of all requests. Default `/socket.io/`; it is also found without its last slash.
    pub path: String,
    /// How often a heartbeat passes. Default 25 s, the official server's.
    pub ping_interval: Duration,
    /// How long the other side may take to answer it. Default 20 s, the official server's.
    pub ping_timeout: Duration,
    /// Bytes of the longest message from a client. Default 1,000,000, the official server's `maxHttpBufferSize`.
    pub max_payload: usize,
    /// Whether clients of revision 3 (Socket.IO 1.x and 2.x) are served. Default true.
    pub allow_revision_3: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            path: "/socket.io/".into(),
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            max_payload: 1_000_000,
            allow_revision_3: true,
        }
    }
}

impl Config {
    /// Whether a request for `path` belongs to this protocol.
    #[must_use]
    pub fn serves(&self, path: &str) -> bool {
        path.trim_end_matches('/') == self.path.trim_end_matches('/')
    }
}
