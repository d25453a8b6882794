//! A client of long polling that always asks, for runs that are compared with each other.

use roomwire::hub::ConnId;

use super::ws::masked;

pub struct Poller {
    v3: bool,
    /// Whether its messages are no packets of Socket.IO.
    bare: bool,
    /// The stream of its GETs.
    pub get: ConnId,
    /// The stream of its POSTs.
    pub post: ConnId,
    sid: Option<String>,
    parked: bool,
    ended: bool,
    /// Whether the last answer had more than a noop: then it asks again at once.
    pub heard_something: bool,
    /// The packets that it heard, without noops; at the end what ended it.
    pub heard: Vec<String>,
}

impl Poller {
    pub fn new(v3: bool, bare: bool, get: ConnId, post: ConnId) -> Self {
        let (sid, heard) = (None, Vec::new());
        Self { v3, bare, get, post, sid, parked: false, ended: false, heard_something: true, heard }
    }

    pub fn target(&self, transport: &str) -> String {
        let sid = self.sid.as_ref().map_or(String::new(), |sid| format!("&sid={sid}"));
        // Without binary bodies, so that what a packet looks like does not depend on its neighbours.
        let path = if self.bare { "engine" } else { "socket" };
        format!("/{path}.io/?EIO={}&transport={transport}{sid}", if self.v3 { "3&b64=1" } else { "4" })
    }

    /// Whether it has something to ask for.
    pub const fn asks(&self) -> bool {
        !self.parked && !self.ended
    }

    /// Its GET.
    pub fn ask(&mut self) -> Vec<u8> {
        self.parked = true;
        self.heard_something = false;
        format!("GET {} HTTP/1.1\r\nHost: a\r\n\r\n", self.target("polling")).into_bytes()
    }

    /// A POST of this body, which is counted in revision 3.
    pub fn post(&self, body: &[u8]) -> Vec<u8> {
        let text = std::str::from_utf8(body).ok().filter(|_| self.v3);
        let counted = |text: &str| text.split('\u{1e}').map(count).collect::<String>().into_bytes();
        let body = text.map_or_else(|| body.to_vec(), counted);
        let head =
            format!("POST {} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", self.target("polling"), body.len());
        [head.as_bytes(), &body].concat()
    }

    /// Takes the answer to its GET; more than one would be too many.
    pub fn hears(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n").expect("an answer whole");
        assert!(std::mem::take(&mut self.parked), "an answer to nothing: {text}");
        assert_eq!(text.matches("HTTP/1.1 ").count(), 1, "{text}");
        if !head.starts_with("HTTP/1.1 200 ") {
            self.ended = true;
            return self.heard.push(body.to_owned());
        }
        if self.sid.is_none() {
            self.sid = body.split_once("\"sid\":\"").map(|(_, rest)| rest[..20].to_owned());
        }
        let packets = self.packets(body);
        self.ended |= packets.last().is_some_and(|last| last == "1");
        self.heard_something = packets != ["6"];
        self.heard.extend(packets.into_iter().filter(|packet| packet != "6"));
    }

    /// A payload in packets; one of revision 3 by its lengths.
    fn packets(&self, body: &str) -> Vec<String> {
        if !self.v3 {
            return body.split('\u{1e}').map(str::to_owned).collect();
        }
        let (mut units, mut packets) = (&body.encode_utf16().collect::<Vec<_>>()[..], Vec::new());
        while !units.is_empty() {
            let colon = units.iter().position(|unit| *unit == u16::from(b':')).expect("a length");
            let length: usize = String::from_utf16_lossy(&units[..colon]).parse().expect("a length");
            packets.push(String::from_utf16(&units[colon + 1..colon + 1 + length]).expect("a text"));
            units = &units[colon + 1 + length..];
        }
        packets
    }
}

fn count(packet: &str) -> String {
    // Binary data has its type there.
    let packet = packet.strip_prefix('b').map_or_else(|| packet.to_owned(), |data| format!("b4{data}"));
    format!("{}:{packet}", packet.encode_utf16().count())
}

/// What a client says on the WebSocket to which it changes.
pub fn dance() -> Vec<u8> {
    [masked(roomwire::ws::Opcode::Text, b"2probe"), masked(roomwire::ws::Opcode::Text, b"5")].concat()
}
