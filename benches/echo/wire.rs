//! What goes over the wire: one handshake and one message, always the same.

/// With the key of RFC 6455 section 1.3.
pub const REQUEST: &str = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// The answer to that request, and to no other.
pub const ANSWER: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// Of either.
pub const HEAD_END: &[u8] = b"\r\n\r\n";

/// The longest that a header of two bytes can announce.
pub const PAYLOAD_BYTES: usize = 125;

/// Masks every message.
pub const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

/// A message as a client sends it: header, key, payload.
pub const MASKED_BYTES: usize = 6 + PAYLOAD_BYTES;
