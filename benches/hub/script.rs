//! What goes over the wire: always the same bytes, but for the numbers of broadcasts.

/// With the key of RFC 6455 section 1.3.
pub const UPGRADE: &str = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// The answer to that request of who has no more to say.
pub const SWITCHING: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

pub const HEAD_END: &[u8] = b"\r\n\r\n";

/// To the main namespace.
pub const CONNECT: &str = "40";

/// The heartbeat: a server's frame, and the answer to it. Intervals are longer than a measurement, but socketioxide begins
/// with one.
pub const PING: &[u8] = b"\x81\x012";
pub const PONG: &str = "3";

const PAYLOAD: &str = "the quick brown fox jumps over the lazy dog, and the dog goes on with its sleep";

/// Bytes of the number of a broadcast.
const DIGITS: usize = 8;
const BEFORE_NUMBER: &str = "42[\"say\",\"";

/// A broadcast as clients send and get it; the number is text, so that all have the same length.
pub fn say(number: u64) -> String {
    format!("{BEFORE_NUMBER}{number:0DIGITS$}\",\"{PAYLOAD}\"]")
}

/// An event that is to be acknowledged. The answer to the one before was there, so that the id is free again.
pub fn echo() -> String {
    format!("420[\"echo\",\"{PAYLOAD}\"]")
}

/// Its acknowledgement.
pub fn echoed() -> String {
    format!("430[\"{PAYLOAD}\"]")
}

/// The bytes before and behind the number in the frame of a broadcast.
pub struct Broadcast(Vec<u8>);

impl Default for Broadcast {
    fn default() -> Self {
        Self(plain(&say(0)))
    }
}

impl Broadcast {
    /// Bytes of the frame.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The number, if all else is as it must be.
    pub fn number(&self, frame: &[u8]) -> Option<u64> {
        let start = 2 + BEFORE_NUMBER.len();
        let end = start + DIGITS;
        if frame.len() != self.0.len() || frame[..start] != self.0[..start] || frame[end..] != self.0[end..] {
            return None;
        }
        std::str::from_utf8(&frame[start..end]).ok()?.parse().ok()
    }
}

/// A frame of a server.
pub fn plain(text: &str) -> Vec<u8> {
    let mut frame = vec![0x81, length(text)];
    frame.extend_from_slice(text.as_bytes());
    frame
}

/// A frame of a client.
pub fn masked(text: &str) -> Vec<u8> {
    const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];
    let mut frame = vec![0x81, 0x80 | length(text)];
    frame.extend_from_slice(&KEY);
    frame.extend(text.bytes().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

fn length(text: &str) -> u8 {
    assert!(text.len() < 126, "one byte says how long it is");
    text.len() as u8
}
