//! A Socket.IO client for the command line: lines in, events out.
//!
//! `cargo run --release --example client -- http://127.0.0.1:8888`
//!
//! | option | |
//! | --- | --- |
//! | `--polling`, `--websocket` | one transport, instead of the one changed into the other |
//! | `--protocol 4` | for servers 2.x; otherwise 5 |
//! | `--namespace /NAME` | instead of `/`; may stand there several times, the last one is spoken to |
//! | `--auth JSON` | an object for authentication |
//! | `--retries N` | events are sent again until they are acknowledged |
//!
//! A line is an event: `say "hello",7`. A question mark before it asks for an acknowledgement: `?say "hello"`. Attachments stand
//! behind a bar in hexadecimal digits: `photo {"_placeholder":true,"num":0} | 89504e47`. Events are printed in the same form;
//! what the server wants acknowledged is acknowledged with its own arguments. Lines that begin with `#` tell how the
//! connection fares; `help` shows one of them again. A line is read when there is room for the one before, so that as much
//! may be piped in as one likes.
//!
//! At the end of the input the client says goodbye, once everything is sent and acknowledged that is to be, and ends with 0. It
//! ends with 1 where that cannot be, or the server refuses it, sends it away or is not there. What was said without asking for an
//! answer may be lost with a connection: then it ends with 1 too, unless there are `--retries`. With 2 it ends if
//! the command line was not understood.
//!
//! What waits has threads: each byte stream one that opens it, then one that reads and one that writes; the standard input one.
//! Everything else happens in the main thread.

use std::collections::HashMap;
use std::error::Error;
use std::fmt::Display;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read, Write};
use std::mem::{replace, take};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::process::{ExitCode, exit};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant as Clock};

use roomwire::client::{Client, Config, DisconnectReason, EmitError, Event, SocketId, StreamId};
use roomwire::engineio::Transports;
use roomwire::socketio::{Args, Protocol, attach};
use roomwire::{Instant, Stream};

/// How long the server may answer after the end of the input. Official servers take an event for none if the client has left
/// the namespace by the time they come to it.
const LINGER: Duration = Duration::from_millis(300);

/// Above so many bytes that wait to be sent no line is said.
const QUEUED_BYTES_MAX: usize = 64 * 1024;

const USAGE: &str = "usage: client [--polling | --websocket] [--protocol 4 | 5] [--namespace /NAME]... [--auth JSON] \
    [--retries N] [URL]";

/// How to talk, for a server like `examples/server.rs`.
const HELP: &str =
    r#"# an event a line: enter {"name":"ann","room":"lobby"} and then say "hello"; ?say "hello" asks for an answer"#;

/// What the threads tell the main one. Those that read go on when they are told to.
enum News {
    Opened(StreamId, io::Result<TcpStream>),
    Read(StreamId, Vec<u8>),
    Written(StreamId, usize),
    Ended(StreamId),
    Broke(StreamId),
    Line(String),
    EndOfInput(io::Result<()>),
}

fn main() -> ExitCode {
    if std::env::args().skip(1).any(|arg| arg == "--help") {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    match run() {
        Ok(failed) => ExitCode::from(u8::from(failed)),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

/// Whether something failed.
fn run() -> Result<bool, Box<dyn Error>> {
    let (config, namespaces, auth) = options()?;
    let origin = Clock::now();
    let (sender, news) = mpsc::channel();
    let mut client = Client::new(config, seed(), Instant::ORIGIN)?;
    let mut socket = None;
    for namespace in &namespaces {
        socket = Some(client.connect(Instant::ORIGIN, namespace, &auth)?);
    }
    let socket = socket.ok_or("no namespace")?;
    tell(HELP);
    let (next_line, go_on) = mpsc::channel();
    let lines = sender.clone();
    thread::spawn(move || read_lines(&lines, &go_on));
    let mut driver = Driver {
        client,
        socket,
        origin,
        sender,
        streams: HashMap::new(),
        line: None,
        next_line,
        input_ended: false,
        end_at: None,
        was_connected: false,
        unsure: false,
        stage: Stage::Open,
        failed: false,
    };
    driver.run(&news);
    Ok(driver.failed)
}

/// How far the conversation is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// There is a connection, or there is going to be.
    Open,
    /// The server said goodbye.
    Dismissed,
    /// The namespace is not going to be connected.
    Hopeless,
    /// The client is closed.
    Over,
}

struct Driver {
    client: Client,
    /// The namespace that is spoken to.
    socket: SocketId,
    origin: Clock,
    sender: Sender<News>,
    streams: HashMap<StreamId, Wire>,
    /// A line that is still to be said.
    line: Option<String>,
    /// Has another read.
    next_line: Sender<()>,
    input_ended: bool,
    /// When to say goodbye, once all is said.
    end_at: Option<Instant>,
    /// Whether the namespace was connected in this session.
    was_connected: bool,
    /// Whether something was said in this session of which nobody will tell whether it arrived.
    unsure: bool,
    stage: Stage,
    /// Whether something could not be sent, was not acknowledged, or the conversation did not end as it should.
    failed: bool,
}

impl Driver {
    fn run(&mut self, news: &Receiver<News>) {
        loop {
            self.talk();
            self.drive();
            let left = self.left();
            match self.stage {
                Stage::Over if self.client.is_finished() => return,
                Stage::Over => {}
                _ if left.is_zero() || self.client.is_finished() => {
                    self.end();
                    continue;
                }
                _ => {}
            }
            let due = self.client.poll_timeout();
            if due.is_some_and(|at| at <= self.now()) {
                // Not left to the wait for news: a server that never stops sending must not stop the time.
                self.client.handle_timeout(self.now());
                continue;
            }
            let patience = due.map_or(Duration::from_secs(60), |at| at.saturating_since(self.now()));
            match news.recv_timeout(patience.min(left)) {
                Ok(news) => self.hear(news),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Says the line that waits, if there is room, and has the next one read.
    fn talk(&mut self) {
        if self.client.queued_bytes() > QUEUED_BYTES_MAX || self.stage != Stage::Open {
            return;
        }
        let Some(line) = self.line.take() else { return };
        let now = self.now();
        match say(&mut self.client, now, self.socket, &line) {
            Ok(()) => self.unsure |= !line.starts_with('?') && self.client.config().retries == 0,
            Err(error) if matches!(error.downcast_ref(), Some(EmitError::Full | EmitError::TooManyAcks)) => {
                self.line = Some(line);
                return;
            }
            Err(error) => self.fail(&*error),
        }
        // Nobody waits for it when the input could not be read.
        let _ = self.next_line.send(());
    }

    /// Everything that the client wants done.
    fn drive(&mut self) {
        loop {
            while let Some(event) = self.client.poll_event() {
                self.show(event);
            }
            if let Some(stream) = self.client.poll_open() {
                let sender = self.sender.clone();
                let address = format!("{}:{}", self.client.config().host(), self.client.config().port());
                // Nobody listens any more when the program is about to end.
                thread::spawn(move || drop(sender.send(News::Opened(stream, open(&address)))));
            } else if self.client.poll_transmit().is_none() {
                break;
            }
        }
        // They are few: all of them are looked at.
        self.streams.retain(|&stream, wire| wire.serve(&self.client, stream));
    }

    fn hear(&mut self, news: News) {
        let now = self.now();
        match news {
            News::Opened(stream, opened) => match opened.and_then(|tcp| Wire::start(stream, tcp, &self.sender)) {
                Ok(wire) => {
                    self.streams.insert(stream, wire);
                    self.client.opened(now, stream);
                }
                Err(error) => {
                    tell(format_args!("# {error}"));
                    self.client.open_failed(now, stream);
                }
            },
            News::Read(stream, mut bytes) => {
                let mut input = &mut bytes[..];
                while let Some(event) = self.client.receive(now, stream, &mut input) {
                    self.show(event);
                }
                if let Some(wire) = self.streams.get_mut(&stream) {
                    wire.paused = true;
                }
            }
            News::Written(stream, count) => {
                if let Some(wire) = self.streams.get_mut(&stream) {
                    wire.writing = false;
                }
                self.client.sent(now, stream, count);
            }
            News::Ended(stream) => self.client.receive_eof(now, stream),
            News::Broke(stream) => self.client.abort(now, stream),
            News::Line(line) => self.line = Some(line),
            News::EndOfInput(result) => {
                if let Err(error) = result {
                    self.fail(&error);
                }
                self.input_ended = true;
            }
        }
    }

    /// Prints what happened, and acknowledges what is to be.
    fn show(&mut self, event: Event<'_>) {
        let now = self.now();
        self.follow(&event);
        match event {
            Event::Opened => tell("# opened"),
            Event::Upgraded => tell("# upgraded"),
            Event::UpgradeFailed { error } => tell(format_args!("# upgrade failed: {error}")),
            Event::Connected { socket, recovered } => {
                let how = if recovered { "recovered" } else { "connected" };
                tell(format_args!("# {how} {}", self.client.namespace(socket).unwrap_or_default()));
            }
            Event::Refused { message, data, .. } => tell(format!("# refused: {message} {data}").trim_end()),
            Event::Emit { name, args, reply, .. } => {
                print_args(&name, &args);
                if let Some(reply) = reply
                    && let Err(error) = self.client.ack(now, reply, attach(args.clone(), args.attachments().to_vec()))
                {
                    self.fail(&error);
                }
            }
            Event::Ack { answer: Ok(args), .. } => print_args("# acknowledged", &args),
            Event::Ack { answer: Err(error), .. } => tell(format_args!("# not acknowledged: {error}")),
            Event::Undelivered { .. } => tell("# undelivered"),
            Event::Disconnected { reason, .. } => tell(format_args!("# disconnected: {reason}")),
            Event::Closed { error, retry } => {
                let error = error.map(|error| format!(": {error}")).unwrap_or_default();
                let again =
                    retry.map(|(at, _)| format!(", again in {:.1?}", at.saturating_since(now))).unwrap_or_default();
                tell(format_args!("# closed{error}{again}"));
            }
            _ => {}
        }
    }

    fn fail(&mut self, error: &dyn Error) {
        tell(format_args!("# {error}"));
        self.failed = true;
    }

    /// Whether the namespace is going to be connected, and everything arrives.
    fn follow(&mut self, event: &Event<'_>) {
        if matches!(event, Event::Closed { .. }) && self.stage == Stage::Open {
            self.failed |= take(&mut self.unsure);
        }
        let stage = match event {
            Event::Connected { socket, .. } if *socket == self.socket => {
                self.was_connected = true;
                return;
            }
            Event::Ack { answer: Err(_), .. } | Event::Undelivered { .. } => {
                self.failed = true;
                return;
            }
            Event::Refused { socket, .. } if *socket == self.socket => Stage::Hopeless,
            Event::Disconnected { socket, reason: DisconnectReason::Server } if *socket == self.socket => {
                Stage::Dismissed
            }
            Event::Closed { retry: None, .. } => Stage::Hopeless,
            // Who was connected comes back for what is still to be said; who was not, to be ready for what will be.
            Event::Closed { .. } => match take(&mut self.was_connected) {
                true if self.client.pending(self.socket) > 0 || !self.input_ended => return,
                false if self.line.is_none() && !self.input_ended => return,
                _ => Stage::Hopeless,
            },
            _ => return,
        };
        if self.stage == Stage::Open {
            self.stage = stage;
        }
    }

    /// How long to go on before goodbye is said.
    fn left(&mut self) -> Duration {
        let now = self.now();
        match self.stage {
            Stage::Dismissed | Stage::Hopeless => return Duration::ZERO,
            Stage::Over => return Duration::MAX,
            Stage::Open => {}
        }
        if self.input_ended
            && self.end_at.is_none()
            && self.client.is_connected(self.socket)
            && self.client.pending(self.socket) + self.client.queued_bytes() == 0
        {
            self.end_at = Some(now.saturating_add(LINGER));
        }
        self.end_at.map_or(Duration::MAX, |at| at.saturating_since(now))
    }

    /// Says goodbye, which is as it should be when all was said before.
    fn end(&mut self) {
        let pending = self.client.pending(self.socket) + usize::from(self.line.is_some());
        if pending > 0 {
            tell(format_args!("# given up: {pending} not sent or not acknowledged"));
        }
        let stage = replace(&mut self.stage, Stage::Over);
        self.failed |= pending > 0 || !self.input_ended || stage == Stage::Hopeless;
        self.client.close(self.now());
    }

    fn now(&self) -> Instant {
        Instant::from(self.origin.elapsed())
    }
}

/// A byte stream, and its threads.
struct Wire {
    tcp: TcpStream,
    bytes: Sender<Vec<u8>>,
    /// Whether bytes are being written.
    writing: bool,
    read_on: Sender<()>,
    /// Whether no more is being read, until there is room.
    paused: bool,
}

impl Wire {
    fn start(stream: StreamId, tcp: TcpStream, sender: &Sender<News>) -> io::Result<Self> {
        let (bytes, unwritten) = mpsc::channel();
        let (read_on, go_on) = mpsc::channel();
        let (reader, writer) = (tcp.try_clone()?, tcp.try_clone()?);
        let (read, written) = (sender.clone(), sender.clone());
        thread::Builder::new().spawn(move || read_stream(stream, reader, &go_on, &read))?;
        thread::Builder::new().spawn(move || write_stream(stream, writer, &unwritten, &written))?;
        Ok(Self { tcp, bytes, writing: false, read_on, paused: false })
    }

    /// Has written what there is to write, has read where there is room, and does to the stream what is to be done then. Whether
    /// it goes on.
    fn serve(&mut self, client: &Client, stream: StreamId) -> bool {
        let owed = client.outgoing_len(stream) > 0;
        if owed && !self.writing {
            let bytes = client.outgoing(stream).collect::<Vec<_>>().concat();
            self.writing = self.bytes.send(bytes).is_ok();
        }
        if self.paused && client.wants_read(stream) {
            self.paused = self.read_on.send(()).is_err();
        }
        let direction = match client.stream(stream) {
            Stream::HalfClosed if !owed => Shutdown::Write,
            Stream::Closed if !owed => Shutdown::Both,
            _ => return true,
        };
        // It may be closed already.
        let _ = self.tcp.shutdown(direction);
        direction == Shutdown::Write
    }
}

fn open(address: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::other("no address");
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, Duration::from_secs(20)) {
            Ok(tcp) => {
                tcp.set_nodelay(true)?;
                return Ok(tcp);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Reads until the end, each time when there is room.
fn read_stream(stream: StreamId, mut tcp: TcpStream, go_on: &Receiver<()>, sender: &Sender<News>) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let news = match tcp.read(&mut buffer) {
            Ok(0) => News::Ended(stream),
            Ok(count) => News::Read(stream, buffer[..count].to_vec()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => News::Broke(stream),
        };
        let over = !matches!(news, News::Read(..));
        if sender.send(news).is_err() || over || go_on.recv().is_err() {
            return;
        }
    }
}

/// Writes what it gets, and tells when the kernel has taken it.
fn write_stream(stream: StreamId, mut tcp: TcpStream, unwritten: &Receiver<Vec<u8>>, sender: &Sender<News>) {
    for bytes in unwritten {
        let written = tcp.write_all(&bytes).is_ok();
        let news = if written { News::Written(stream, bytes.len()) } else { News::Broke(stream) };
        if sender.send(news).is_err() || !written {
            return;
        }
    }
}

/// Reads the standard input, each line when there is room for it.
fn read_lines(sender: &Sender<News>, go_on: &Receiver<()>) {
    for line in io::stdin().lines() {
        let news = line.map_or_else(|error| News::EndOfInput(Err(error)), News::Line);
        if sender.send(news).is_err() || go_on.recv().is_err() {
            return;
        }
    }
    let _ = sender.send(News::EndOfInput(Ok(())));
}

/// Emits what a line says.
fn say(client: &mut Client, now: Instant, socket: SocketId, line: &str) -> Result<(), Box<dyn Error>> {
    let (asks, line) = line.strip_prefix('?').map_or((false, line), |line| (true, line));
    let (name, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
    match name {
        "" => return Ok(()),
        "help" if rest.is_empty() && !asks => {
            tell(HELP);
            return Ok(());
        }
        _ => {}
    }
    let (args, attachments) = rest.rsplit_once(" | ").unwrap_or((rest, ""));
    let attachments: Vec<Vec<u8>> = attachments.split_whitespace().map(bytes).collect::<Result<_, _>>()?;
    let args = Args::new(args).map_err(|_| r#"arguments are JSON with commas between: say "hello",7"#)?;
    let args = attach(args, attachments);
    if asks {
        client.emit_with_ack(now, socket, name, args, Duration::from_secs(10))?;
    } else {
        client.emit(now, socket, name, args)?;
    }
    Ok(())
}

/// Prints a line. When nobody reads it, nobody has any use for the program.
fn tell(line: impl Display) {
    if writeln!(io::stdout(), "{line}").is_err() {
        exit(1);
    }
}

fn print_args(name: &str, args: &Args<'_>) {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let attachments: Vec<String> = args.attachments().iter().map(|bytes| hex(bytes)).collect();
    let bar = if attachments.is_empty() { "" } else { " | " };
    tell(format_args!("{name} {}{bar}{}", args.as_str(), attachments.join(" ")));
}

fn bytes(hex: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    if !hex.is_ascii() || hex.len() % 2 == 1 {
        return Err("attachments are written in pairs of hexadecimal digits".into());
    }
    (0..hex.len()).step_by(2).map(|at| Ok(u8::from_str_radix(&hex[at..at + 2], 16)?)).collect()
}

fn options() -> Result<(Config, Vec<String>, String), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (mut url, mut namespaces, mut auth) = (None, Vec::new(), String::new());
    let (mut transports, mut protocol, mut retries) = (Transports::ALL, Protocol::V5, 0);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
        match arg.as_str() {
            "--polling" => transports.websocket = false,
            "--websocket" => transports.polling = false,
            "--protocol" => {
                protocol = match value()?.as_str() {
                    "4" => Protocol::V4,
                    "5" => Protocol::V5,
                    _ => return Err("--protocol is 4 or 5".into()),
                }
            }
            "--namespace" => namespaces.push(value()?),
            "--auth" => auth = value()?,
            "--retries" => retries = value()?.parse().map_err(|_| "--retries is a number")?,
            _ if arg.starts_with('-') => return Err(format!("unknown option {arg}\n{USAGE}").into()),
            _ if url.is_some() => return Err(format!("a second URL: {arg}\n{USAGE}").into()),
            _ => url = Some(arg),
        }
    }
    if namespaces.is_empty() {
        namespaces.push("/".into());
    }
    let mut config = Config::new(url.as_deref().unwrap_or("http://127.0.0.1:8888"))?;
    if config.is_secure() {
        return Err("this example has no TLS".into());
    }
    config.transports = transports;
    config.protocol = protocol;
    config.retries = retries;
    Ok((config, namespaces, auth))
}

/// Randomness from the standard library's keys for hash maps: enough for masks and delays, all that this example needs.
fn seed() -> [u8; 32] {
    let mut seed = [0; 32];
    for part in seed.chunks_exact_mut(8) {
        part.copy_from_slice(&RandomState::new().hash_one(0).to_le_bytes());
    }
    seed
}
