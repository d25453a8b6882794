//! The client's side of HTTP long polling: requests as browsers make them, answers taken apart on their own terms.

use roomwire::Stream;
use roomwire::hub::ConnId;

use crate::client::Frame;
use crate::world::World;

/// One response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    /// The responses that stand in what a server wrote, whole.
    pub fn all(mut bytes: &[u8]) -> Vec<Self> {
        let mut answers = Vec::new();
        while !bytes.is_empty() {
            let (answer, size) = Self::first(bytes).unwrap_or_else(|| panic!("cut off: {}", bytes.escape_ascii()));
            answers.push(answer);
            bytes = &bytes[size..];
        }
        answers
    }

    /// The first response, if it is there whole, and its size.
    pub fn first(bytes: &[u8]) -> Option<(Self, usize)> {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let status = head.strip_prefix("HTTP/1.1 ").unwrap()[..3].parse().unwrap();
        let mut answer = Self { status, head, body: Vec::new() };
        let length = answer.header("content-length").map_or(0, |length| length.parse::<usize>().unwrap());
        answer.body = bytes.get(end + 4..end + 4 + length)?.to_vec();
        Some((answer, end + 4 + length))
    }

    /// The value of a header that stands there once at most.
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        let mut values = lines.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value);
        let first = values.next();
        assert_eq!(values.next(), None, "{name} twice");
        first
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The packets of a poll, binary data as they are.
    pub fn packets(&self) -> Vec<Frame> {
        assert_eq!((self.status, self.header("cache-control")), (200, Some("no-store")), "{}", self.head);
        match self.header("content-type") {
            Some("application/octet-stream") => counted_bytes(&self.body),
            Some("text/plain; charset=UTF-8") if self.body.starts_with(b"___eio[") => {
                counted_text(&script(self.text()))
            }
            Some("text/plain; charset=UTF-8") if is_counted(self.text()) => counted_text(self.text()),
            Some("text/plain; charset=UTF-8") => self.text().split('\u{1e}').map(|packet| one(packet, "b")).collect(),
            kind => panic!("{kind:?}"),
        }
    }

    /// The same where all are text.
    pub fn texts(&self) -> Vec<String> {
        self.packets().into_iter().map(|packet| if let Frame::Text(text) = packet { text } else { panic!() }).collect()
    }
}

/// Revision 3 begins with a length, which has a colon behind it; packets of revision 4 with a type.
fn is_counted(text: &str) -> bool {
    text.split_once(':').is_some_and(|(length, _)| length.bytes().all(|byte| byte.is_ascii_digit()))
}

fn one(packet: &str, mark: &str) -> Frame {
    use base64::Engine as _;
    match packet.strip_prefix(mark) {
        Some(data) => Frame::Binary(base64::engine::general_purpose::STANDARD.decode(data).unwrap()),
        None => Frame::Text(packet.into()),
    }
}

/// `length:packet`, counted as JavaScript counts.
fn counted_text(text: &str) -> Vec<Frame> {
    let mut units: &[u16] = &text.encode_utf16().collect::<Vec<_>>();
    let mut packets = Vec::new();
    while !units.is_empty() {
        let colon = units.iter().position(|unit| *unit == u16::from(b':')).unwrap();
        let length: usize = String::from_utf16(&units[..colon]).unwrap().parse().unwrap();
        packets.push(one(&String::from_utf16(&units[colon + 1..colon + 1 + length]).unwrap(), "b4"));
        units = &units[colon + 1 + length..];
    }
    packets
}

fn counted_bytes(mut bytes: &[u8]) -> Vec<Frame> {
    let mut packets = Vec::new();
    while let [kind, rest @ ..] = bytes {
        let end = rest.iter().position(|byte| *byte == 255).unwrap();
        let length = rest[..end].iter().fold(0, |length, digit| length * 10 + usize::from(*digit));
        let data = &rest[end + 1..end + 1 + length];
        packets.push(match kind {
            0 => Frame::Text(String::from_utf8(data.to_vec()).unwrap()),
            _ => Frame::Binary(data.strip_prefix(&[4]).unwrap().to_vec()),
        });
        bytes = &rest[end + 1 + length..];
    }
    packets
}

/// What the function of a script is called with.
fn script(text: &str) -> String {
    let argument = text.split_once('(').unwrap().1.strip_suffix(");").unwrap();
    serde_json::from_str(argument).unwrap()
}

/// Packets as the body of a POST, binary data in base64.
pub fn payload(revision: u8, packets: &[Frame]) -> String {
    use base64::Engine as _;
    let encode = |data| base64::engine::general_purpose::STANDARD.encode(data);
    let texts = packets.iter().map(|packet| match (packet, revision) {
        (Frame::Text(text), _) => text.clone(),
        (Frame::Binary(data), 4) => format!("b{}", encode(data)),
        (Frame::Binary(data), _) => format!("b4{}", encode(data)),
        (other, _) => panic!("{other:?}"),
    });
    if revision == 4 {
        return texts.collect::<Vec<_>>().join("\u{1e}");
    }
    texts.map(|text| format!("{}:{text}", text.encode_utf16().count())).collect()
}

/// A session on long polling.
pub struct Poller {
    pub path: String,
    pub revision: u8,
    pub sid: String,
    /// What stands in the query behind the session's id.
    pub further: String,
    /// The streams for its GETs and its POSTs, which are kept alive.
    pub get: Option<ConnId>,
    pub post: Option<ConnId>,
}

impl Poller {
    /// Opens a session in a revision; its first answer is given too.
    pub fn open(world: &mut World, revision: u8) -> (Self, Answer) {
        Self::open_with(world, revision, "")
    }

    /// The same with more in the query, like `&b64=1`.
    pub fn open_with(world: &mut World, revision: u8, further: &str) -> (Self, Answer) {
        Self::open_at(world, "/socket.io/", revision, further)
    }

    /// The same at another path.
    pub fn open_at(world: &mut World, path: &str, revision: u8, further: &str) -> (Self, Answer) {
        let (path, sid, further) = (path.to_owned(), String::new(), further.to_owned());
        let mut poller = Self { path, revision, sid, further, get: None, post: None };
        let answer = poller.poll(world);
        let Frame::Text(open) = &answer.packets()[0] else { panic!() };
        let open: serde_json::Value = serde_json::from_str(open.strip_prefix('0').unwrap()).unwrap();
        poller.sid = open["sid"].as_str().unwrap().into();
        (poller, answer)
    }

    /// Opens a session that is connected to `/`; the answers are taken.
    pub fn connected(world: &mut World, revision: u8) -> Self {
        Self::connected_with(world, revision, "")
    }

    pub fn connected_with(world: &mut World, revision: u8, further: &str) -> Self {
        let (mut poller, answer) = Self::open_with(world, revision, further);
        if revision == 3 {
            // In the same answer, if it takes as many.
            let mut packets = answer.packets();
            if packets.len() == 1 {
                packets.extend(poller.poll(world).packets());
            }
            assert_eq!(packets[1], Frame::Text("40".into()));
            return poller;
        }
        poller.say(world, &["40"]);
        let first = poller.poll(world).texts().remove(0);
        assert!(first.starts_with("40{"), "{first}");
        poller
    }

    /// The target of its requests.
    pub fn target(&self, transport: &str) -> String {
        let sid = if self.sid.is_empty() { String::new() } else { format!("&sid={}", self.sid) };
        format!("{}?EIO={}&transport={transport}{sid}{}", self.path, self.revision, self.further)
    }

    /// A GET as bytes.
    pub fn get_bytes(&self) -> Vec<u8> {
        crate::client::get(&self.target("polling"))
    }

    /// A POST as bytes.
    pub fn post_bytes(&self, kind: &str, body: &[u8]) -> Vec<u8> {
        let head = format!(
            "POST {} HTTP/1.1\r\nHost: example.org\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
            self.target("polling"),
            body.len()
        );
        [head.as_bytes(), body].concat()
    }

    /// A stream that can take a request.
    fn fresh(world: &mut World, stream: &mut Option<ConnId>) -> ConnId {
        let open = stream.filter(|conn| world.hub.stream(*conn) == Stream::Open);
        *stream.insert(open.unwrap_or_else(|| world.stream()))
    }

    /// Sends a GET.
    pub fn ask(&mut self, world: &mut World) -> ConnId {
        let conn = Self::fresh(world, &mut self.get);
        world.feed(conn, &self.get_bytes());
        conn
    }

    /// The answer to its GET; none while it is parked.
    pub fn heard(&mut self, world: &mut World) -> Option<Answer> {
        let answers = Answer::all(&world.take(self.get?));
        assert!(answers.len() < 2, "{answers:?}");
        answers.into_iter().next()
    }

    /// A GET that is answered at once.
    pub fn poll(&mut self, world: &mut World) -> Answer {
        self.ask(world);
        self.heard(world).expect("no answer")
    }

    /// A GET that is parked.
    pub fn park(&mut self, world: &mut World) -> ConnId {
        let conn = self.ask(world);
        assert_eq!(self.heard(world), None);
        conn
    }

    /// Sends a POST, which is always answered at once.
    pub fn post(&mut self, world: &mut World, kind: &str, body: &[u8]) -> Answer {
        let conn = Self::fresh(world, &mut self.post);
        world.feed(conn, &self.post_bytes(kind, body));
        let mut answers = Answer::all(&world.take(conn));
        assert_eq!(answers.len(), 1, "{answers:?}");
        answers.remove(0)
    }

    /// Sends packets in one POST, which has to go well.
    pub fn send(&mut self, world: &mut World, packets: &[Frame]) {
        let answer = self.post(world, "text/plain;charset=UTF-8", payload(self.revision, packets).as_bytes());
        assert_eq!((answer.status, answer.text()), (200, "ok"));
        assert_eq!(answer.header("content-type"), Some("text/html"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }

    /// Sends texts in one POST.
    pub fn say(&mut self, world: &mut World, packets: &[&str]) {
        let packets: Vec<Frame> = packets.iter().map(|text| Frame::Text((*text).into())).collect();
        self.send(world, &packets);
    }

    /// Whether the session is over: the next GET is told so, unless it is forgotten already.
    pub fn is_over(&mut self, world: &mut World) -> bool {
        let answer = self.poll(world);
        if answer.status == 400 {
            return answer.text() == r#"{"code":1,"message":"Session ID unknown"}"#;
        }
        answer.texts() == ["6", "1"] && self.is_gone(world)
    }

    /// Whether the session is gone: its GET is refused with error 1.
    pub fn is_gone(&mut self, world: &mut World) -> bool {
        let answer = self.poll(world);
        let gone = answer.text() == r#"{"code":1,"message":"Session ID unknown"}"#;
        assert_eq!(answer.status == 400, gone, "{answer:?}");
        gone
    }
}
