//! A client, its clock, its driver, and the server's end of each byte stream.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use roomwire::client::{AckId, Client, Config, Event, Reply, SocketId, StreamId};
use roomwire::engineio::Transports;
use roomwire::http::{Limits, Request, RequestReader};
use roomwire::socketio::{Arguments, Protocol};
use roomwire::{Instant, Stream, ws};

/// What a server 4.x says first, with the change to WebSocket on offer or not.
pub const OPEN: &str = r#"0{"sid":"SID","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
pub const OPEN_UPGRADE: &str =
    r#"0{"sid":"SID","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
/// What a server 2.x says first.
pub const OPEN_3: &str = r#"0{"sid":"SID","upgrades":[],"pingInterval":25000,"pingTimeout":20000}"#;

pub const POLLING: Transports = Transports { polling: true, websocket: false };
pub const WEBSOCKET: Transports = Transports { polling: false, websocket: true };

/// A configuration whose delays are exact.
pub fn config(transports: Transports) -> Config {
    let mut config = Config::new("http://server:3000").unwrap();
    config.transports = transports;
    config.reconnection.randomization = 0.0;
    config
}

pub fn config_4(transports: Transports) -> Config {
    let mut config = config(transports);
    config.protocol = Protocol::V4;
    config
}

/// A request that the server has read.
#[derive(Clone, Debug)]
pub struct Asked {
    pub stream: StreamId,
    pub line: String,
    pub request: Request,
}

impl Asked {
    pub fn body(&self) -> &str {
        std::str::from_utf8(self.request.body()).unwrap()
    }
}

#[derive(Default)]
struct Pipe {
    reader: RequestReader,
    socket: Option<ws::Connection>,
}

pub struct World {
    pub client: Client,
    pub now: Instant,
    pipes: BTreeMap<StreamId, Pipe>,
    /// Streams that the client wants open, where the test opens them itself.
    pub opening: VecDeque<StreamId>,
    pub opens: bool,
    /// Whether the server takes upgrades.
    pub upgrades: bool,
    /// A header line of the answers to upgrades.
    pub cookie: &'static str,
    /// Whether the server reads nothing any more.
    pub deaf: bool,
    /// A stream that the test writes itself.
    pub slow: Option<StreamId>,
    asked: VecDeque<Asked>,
    said: Vec<String>,
    told: Vec<String>,
    pub replies: Vec<Reply>,
    pub acks: Vec<AckId>,
    /// What the server sends is cut into pieces of these sizes, over and over; the client is driven after each.
    pub pieces: Vec<usize>,
    /// Whether the application answers each event at once, while it holds it.
    pub echoes: bool,
    /// Everything that the client wrote, by stream.
    pub written: BTreeMap<StreamId, Vec<u8>>,
}

impl World {
    pub fn new(config: Config) -> Self {
        let now = Instant::from(Duration::from_secs(1000));
        Self {
            client: Client::new(config, [7; 32], now).unwrap(),
            now,
            pipes: BTreeMap::new(),
            opening: VecDeque::new(),
            opens: true,
            upgrades: true,
            cookie: "",
            deaf: false,
            slow: None,
            asked: VecDeque::new(),
            said: Vec::new(),
            told: Vec::new(),
            replies: Vec::new(),
            acks: Vec::new(),
            pieces: Vec::new(),
            echoes: false,
            written: BTreeMap::new(),
        }
    }

    /// A client that is connected to `/` by WebSocket.
    pub fn websocket(config: Config) -> (Self, SocketId) {
        let mut world = Self::new(config);
        let socket = world.connect("/");
        world.said();
        world.say(OPEN);
        assert_eq!(world.said(), ["40"]);
        world.say(r#"40{"sid":"one"}"#);
        assert_eq!(world.told(), ["opened", "connected 1"]);
        (world, socket)
    }

    /// A client that is connected to `/` by long polling; the poll that waits.
    pub fn polling(config: Config, open: &str) -> (Self, SocketId, Asked) {
        let mut world = Self::new(config);
        let socket = world.connect("/");
        let get = world.get();
        world.answer(&get, open);
        let (post, get) = (world.post(), world.get());
        assert_eq!(post.body(), "40");
        world.answer(&post, "ok");
        world.answer(&get, r#"40{"sid":"one"}"#);
        assert_eq!(world.told(), ["opened", "connected 1"]);
        let get = world.get();
        (world, socket, get)
    }

    pub fn connect(&mut self, namespace: &str) -> SocketId {
        let socket = self.client.connect(self.now, namespace, "").unwrap();
        self.turn();
        socket
    }

    pub fn emit(&mut self, socket: SocketId, name: &str, args: impl Arguments) {
        self.client.emit(self.now, socket, name, args).unwrap();
        self.turn();
    }

    /// The number under which its acknowledgement is told.
    pub fn emit_with_ack(&mut self, socket: SocketId, name: &str, seconds: u64) -> usize {
        let ack = self.client.emit_with_ack(self.now, socket, name, (), Duration::from_secs(seconds)).unwrap();
        self.acks.push(ack);
        self.turn();
        self.acks.len() - 1
    }

    /// Drives the client until nothing is to be done.
    pub fn turn(&mut self) {
        loop {
            self.take_events();
            if let Some(stream) = self.client.poll_open() {
                self.pipes.insert(stream, Pipe::default());
                if self.opens {
                    self.client.opened(self.now, stream);
                } else {
                    self.opening.push_back(stream);
                }
                continue;
            }
            let Some(stream) = self.client.poll_transmit() else { break };
            if self.slow == Some(stream) {
                continue;
            }
            let bytes = self.client.outgoing(stream).collect::<Vec<_>>().concat();
            assert_eq!(bytes.len(), self.client.outgoing_len(stream));
            self.client.sent(self.now, stream, bytes.len());
            self.written.entry(stream).or_default().extend(&bytes);
            self.serve(stream, bytes);
            if self.client.stream(stream) == Stream::Closed {
                self.pipes.remove(&stream);
            }
        }
        assert!(self.client.poll_timeout().is_none_or(|at| at > self.now), "something is due at once");
    }

    /// The server reads.
    fn serve(&mut self, stream: StreamId, mut bytes: Vec<u8>) {
        let Some(pipe) = self.pipes.get_mut(&stream).filter(|_| !self.deaf) else { return };
        if pipe.socket.is_none() {
            let mut input = &bytes[..];
            while let Some(request) = pipe.reader.read(&Limits::default(), &mut input).expect("a valid request") {
                let line = format!("{} {}", request.method(), request.target());
                if !request.header_lists("connection", "upgrade") {
                    self.asked.push_back(Asked { stream, line, request });
                    continue;
                }
                if !self.upgrades {
                    let refusal = format!("HTTP/1.1 400 No\r\n{}content-length: 0\r\n\r\n", self.cookie);
                    return self.feed(stream, refusal.as_bytes());
                }
                let upgrade = ws::Upgrade::check(request).unwrap();
                let config = Arc::new(ws::Config { ping_interval: None, ..ws::Config::default() });
                let (response, socket) =
                    ws::Connection::server_behind(config, &upgrade, &ws::Accept::new(), self.now).unwrap();
                let mut head = format!("HTTP/1.1 101 Switching Protocols\r\n{}", self.cookie);
                response.headers().for_each(|(name, value)| head += &format!("{name}: {value}\r\n"));
                pipe.socket = Some(socket);
                self.said.push(format!("UPGRADE {}", line.strip_prefix("GET ").unwrap()));
                self.feed(stream, format!("{head}\r\n").as_bytes());
                return;
            }
            return;
        }
        let socket = pipe.socket.as_mut().unwrap();
        let mut input = &mut bytes[..];
        while let Some(event) = socket.receive(self.now, &mut input) {
            match event {
                ws::Event::Message(ws::Message::Text(text)) => self.said.push(text.into_owned()),
                ws::Event::Message(ws::Message::Binary(bytes)) => self.said.push(format!("{bytes:02x?}")),
                ws::Event::Closed(closed) => self.said.push(format!("CLOSED {}", closed.code)),
                _ => {}
            }
        }
        self.pass(stream);
    }

    /// The server writes to its WebSocket's stream.
    fn pass(&mut self, stream: StreamId) {
        let Some(pipe) = self.pipes.get_mut(&stream) else { return };
        let socket = pipe.socket.as_mut().unwrap();
        let bytes = socket.outgoing().collect::<Vec<_>>().concat();
        socket.sent(self.now, bytes.len());
        let over = socket.stream() != Stream::Open;
        if !bytes.is_empty() {
            self.feed(stream, &bytes);
        }
        if over {
            self.client.receive_eof(self.now, stream);
        }
    }

    /// Bytes reach the client.
    pub fn feed(&mut self, stream: StreamId, bytes: &[u8]) {
        let mut bytes = bytes.to_vec();
        let mut rest = &mut bytes[..];
        let mut sizes = self.pieces.clone().into_iter().cycle();
        while !rest.is_empty() {
            let size = sizes.next().unwrap_or(rest.len()).clamp(1, rest.len());
            let (mut input, later) = rest.split_at_mut(size);
            rest = later;
            while let Some(event) = self.client.receive(self.now, stream, &mut input) {
                if let Event::Emit { socket, name, args, .. } = &event
                    && self.echoes
                {
                    let _ = self.client.emit(self.now, *socket, name, args);
                }
                let event = event.into_owned();
                self.tell(event);
            }
            assert!(input.is_empty(), "all is consumed");
            if !rest.is_empty() {
                self.turn();
            }
        }
    }

    pub fn eof(&mut self, stream: StreamId) {
        self.client.receive_eof(self.now, stream);
        self.turn();
    }

    pub fn lose(&mut self, stream: StreamId) {
        self.pipes.remove(&stream);
        self.client.abort(self.now, stream);
        self.turn();
    }

    /// The next request of any kind, if there is one.
    pub fn any_request(&mut self) -> Option<Asked> {
        self.asked.pop_front()
    }

    /// The next GET that the server has read.
    pub fn get(&mut self) -> Asked {
        self.asked("GET")
    }

    /// The next POST that the server has read.
    pub fn post(&mut self) -> Asked {
        self.asked("POST")
    }

    fn asked(&mut self, method: &str) -> Asked {
        let at = self.asked.iter().position(|asked| asked.request.method() == method);
        self.asked.remove(at.unwrap_or_else(|| panic!("no {method} in {:?}", self.asked))).unwrap()
    }

    pub fn nothing_asked(&self) {
        assert!(self.asked.is_empty(), "{:?}", self.asked);
    }

    /// Answers with 200 and a text.
    pub fn answer(&mut self, asked: &Asked, body: &str) {
        self.respond(asked, "200 OK", "content-type: text/plain; charset=UTF-8\r\n", body.as_bytes());
    }

    pub fn respond(&mut self, asked: &Asked, status: &str, headers: &str, body: &[u8]) {
        let head = format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n", body.len());
        self.feed(asked.stream, &[head.as_bytes(), body].concat());
        self.turn();
    }

    /// The stream of the newest WebSocket that is open.
    pub fn socket(&self) -> StreamId {
        self.any_socket().expect("a WebSocket")
    }

    pub fn any_socket(&self) -> Option<StreamId> {
        let mut sockets = self.pipes.iter().rev().filter(|(_, pipe)| pipe.socket.as_ref().is_some_and(|s| s.is_open()));
        sockets.next().map(|(stream, _)| *stream)
    }

    /// The server says something by WebSocket.
    pub fn say(&mut self, text: &str) {
        self.send(&[ws::Message::from(text)]);
    }

    /// The same, before the client is driven.
    pub fn hear(&mut self, messages: &[ws::Message<'_>]) {
        let stream = self.socket();
        let socket = self.pipes.get_mut(&stream).unwrap().socket.as_mut().unwrap();
        for message in messages {
            socket.send(self.now, message.clone()).unwrap();
        }
        self.pass(stream);
    }

    pub fn send(&mut self, messages: &[ws::Message<'_>]) {
        self.hear(messages);
        self.turn();
    }

    pub fn close_socket(&mut self, code: ws::CloseCode) {
        let stream = self.socket();
        self.pipes.get_mut(&stream).unwrap().socket.as_mut().unwrap().close(self.now, code, "").unwrap();
        self.pass(stream);
        self.turn();
    }

    /// What the client has said by WebSocket.
    pub fn said(&mut self) -> Vec<String> {
        std::mem::take(&mut self.said)
    }

    /// What was told to the application.
    pub fn told(&mut self) -> Vec<String> {
        std::mem::take(&mut self.told)
    }

    /// How many byte streams there are.
    pub fn streams(&self) -> usize {
        self.pipes.len()
    }

    /// So much time passes; what is due happens at its very instant.
    pub fn pass_time(&mut self, span: Duration) {
        let end = self.now.saturating_add(span);
        while let Some(at) = self.client.poll_timeout().filter(|at| *at <= end) {
            self.now = at;
            self.client.handle_timeout(at);
            self.turn();
        }
        self.now = end;
        self.client.handle_timeout(end);
        self.turn();
    }

    pub fn pass_seconds(&mut self, seconds: u64) {
        self.pass_time(Duration::from_secs(seconds));
    }

    fn take_events(&mut self) {
        while let Some(event) = self.client.poll_event() {
            self.tell(event);
        }
    }

    fn tell(&mut self, event: Event<'static>) {
        let number = |socket: SocketId| format!("{socket:?}").replace("SocketId(", "").replace(')', "");
        let text = match event {
            Event::Opened => "opened".into(),
            Event::Upgraded => "upgraded".into(),
            Event::UpgradeFailed { error } => format!("upgrade failed: {error:?}"),
            Event::Connected { socket, recovered: false } => format!("connected {}", number(socket)),
            Event::Connected { socket, recovered: true } => format!("recovered {}", number(socket)),
            Event::Refused { socket, message, data } => format!("refused {}: {message} {data}", number(socket)),
            Event::Emit { socket, name, args, reply } => {
                let asks = if reply.is_some() { " ?" } else { "" };
                self.replies.extend(reply);
                let attachments: Vec<String> = args.attachments().iter().map(|bytes| format!(" {bytes:?}")).collect();
                format!("{} {name}({}){}{asks}", number(socket), args.as_str(), attachments.concat())
            }
            Event::Ack { ack, answer } => {
                let nth = self.acks.iter().position(|known| *known == ack).expect("an acknowledgement that is awaited");
                match answer {
                    Ok(args) => format!("ack {nth}: {}", args.as_str()),
                    Err(error) => format!("ack {nth}: {error:?}"),
                }
            }
            Event::Undelivered { socket } => format!("undelivered {}", number(socket)),
            Event::Disconnected { socket, reason } => format!("disconnected {}: {reason:?}", number(socket)),
            Event::Closed { error, retry } => {
                let error = error.map_or("closed".into(), |error| format!("closed: {error:?}"));
                match retry {
                    Some((at, nth)) => format!("{error}, try {nth} in {:?}", at.saturating_since(self.now)),
                    None => error,
                }
            }
            other => format!("{other:?}"),
        };
        self.told.push(text);
    }
}
