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
//! connection fares; `help` shows one of them again. At the end of the input the client says goodbye, once everything is sent and acknowledged that is to be;
//! where it cannot be, that is told and the program ends with 1.
//!
//! Each byte stream has a thread that opens and reads it; everything else happens in the main thread.

use std::collections::HashMap;
use std::error::Error;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufRead, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::{Duration, Instant as Clock};

use roomwire::client::{Client, Config, Event, SocketId, StreamId};
use roomwire::engineio::Transports;
use roomwire::socketio::{Args, Protocol, attach};
use roomwire::{Instant, Stream};

/// How long the server may answer after the end of the input. Official servers take an event for none if the client has left
/// the namespace by the time they come to it.
const LINGER: Duration = Duration::from_millis(300);

/// So much of what is read, 64 KiB each, waits at the most: who sends more is not read from until it is looked at.
const NEWS_MAX: usize = 64;

const USAGE: &str = "usage: client [--polling | --websocket] [--protocol 4 | 5] [--namespace /NAME]... [--auth JSON] \
    [--retries N] [URL]";

/// How to talk, for a server like `examples/server.rs`.
const HELP: &str =
    r#"# an event a line: enter {"name":"ann","room":"lobby"} and then say "hello"; ?say "hello" asks for an answer"#;

/// What the threads tell the main one.
enum News {
    Opened(StreamId, io::Result<TcpStream>),
    Read(StreamId, Vec<u8>),
    Ended(StreamId),
    Broke(StreamId),
    Line(String),
    EndOfInput,
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

/// Whether something could not be sent, or was not acknowledged.
fn run() -> Result<bool, Box<dyn Error>> {
    let (config, namespaces, auth) = options()?;
    let origin = Clock::now();
    let (sender, news) = mpsc::sync_channel(NEWS_MAX);
    let mut client = Client::new(config, seed(), Instant::ORIGIN)?;
    let mut socket = None;
    for namespace in &namespaces {
        socket = Some(client.connect(Instant::ORIGIN, namespace, &auth)?);
    }
    let socket = socket.ok_or("no namespace")?;
    println!("{HELP}");
    let lines = sender.clone();
    thread::spawn(move || read_lines(&lines));
    let streams = HashMap::new();
    let (ending, end_at, hopeless, failed) = (false, None, false, false);
    let mut driver = Driver { client, socket, origin, sender, streams, ending, end_at, hopeless, failed };
    driver.run(&news);
    Ok(driver.failed)
}

struct Driver {
    client: Client,
    /// The namespace that is spoken to.
    socket: SocketId,
    origin: Clock,
    sender: SyncSender<News>,
    streams: HashMap<StreamId, TcpStream>,
    /// Whether the input has ended, and not the client yet.
    ending: bool,
    /// When it is to end, once all is settled.
    end_at: Option<Instant>,
    /// Whether the namespace is not going to be connected.
    hopeless: bool,
    /// Whether something could not be sent, or was not acknowledged.
    failed: bool,
}

impl Driver {
    fn run(&mut self, news: &Receiver<News>) {
        loop {
            self.drive();
            if self.client.is_finished() {
                return self.end();
            }
            let due = self.client.poll_timeout();
            if due.is_some_and(|at| at <= self.now()) {
                // Not left to the wait for news: a server that never stops sending must not stop the time.
                self.client.handle_timeout(self.now());
                continue;
            }
            let mut patience = due.map_or(Duration::from_secs(60), |at| at.saturating_since(self.now()));
            if self.ending {
                let left = self.left();
                if left.is_zero() {
                    self.end();
                    continue;
                }
                patience = patience.min(left);
            }
            match news.recv_timeout(patience) {
                Ok(news) => self.hear(news),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
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
                thread::spawn(move || serve(stream, &address, &sender));
            } else if let Some(stream) = self.client.poll_transmit() {
                self.write(stream);
            } else {
                return;
            }
        }
    }

    fn hear(&mut self, news: News) {
        let now = self.now();
        match news {
            News::Opened(stream, Ok(tcp)) => {
                self.streams.insert(stream, tcp);
                self.client.opened(now, stream);
                self.write(stream);
            }
            News::Opened(stream, Err(error)) => {
                println!("# {error}");
                self.client.open_failed(now, stream);
            }
            News::Read(stream, mut bytes) => {
                let mut input = &mut bytes[..];
                while let Some(event) = self.client.receive(now, stream, &mut input) {
                    self.show(event);
                }
            }
            News::Ended(stream) => self.client.receive_eof(now, stream),
            News::Broke(stream) => self.client.abort(now, stream),
            News::Line(line) if line.trim() == "help" => println!("{HELP}"),
            News::Line(line) => {
                if let Err(error) = say(&mut self.client, now, self.socket, &line) {
                    println!("# {error}");
                }
            }
            News::EndOfInput => self.ending = true,
        }
    }

    /// Prints what happened, and acknowledges what is to be.
    fn show(&mut self, event: Event<'_>) {
        let now = self.now();
        self.follow(&event);
        match event {
            Event::Opened => println!("# opened"),
            Event::Upgraded => println!("# upgraded"),
            Event::UpgradeFailed { error } => println!("# upgrade failed: {error}"),
            Event::Connected { socket, recovered } => {
                let how = if recovered { "recovered" } else { "connected" };
                println!("# {how} {}", self.client.namespace(socket).unwrap_or_default());
            }
            Event::Refused { message, data, .. } => println!("{}", format!("# refused: {message} {data}").trim_end()),
            Event::Emit { name, args, reply, .. } => {
                print_args(&name, &args);
                if let Some(reply) = reply
                    && let Err(error) = self.client.ack(now, reply, attach(args.clone(), args.attachments().to_vec()))
                {
                    println!("# {error}");
                }
            }
            Event::Ack { answer: Ok(args), .. } => print_args("# acknowledged", &args),
            Event::Ack { answer: Err(error), .. } => println!("# not acknowledged: {error}"),
            Event::Undelivered { .. } => println!("# undelivered"),
            Event::Disconnected { reason, .. } => println!("# disconnected: {reason}"),
            Event::Closed { error, retry } => {
                let error = error.map(|error| format!(": {error}")).unwrap_or_default();
                let again =
                    retry.map(|(at, _)| format!(", again in {:.1?}", at.saturating_since(now))).unwrap_or_default();
                println!("# closed{error}{again}");
            }
            _ => {}
        }
    }

    /// Whether the namespace is going to be connected, and everything arrives. Who has nothing more to say makes no further
    /// attempt.
    fn follow(&mut self, event: &Event<'_>) {
        match event {
            Event::Connected { socket, .. } if *socket == self.socket => self.hopeless = false,
            Event::Refused { socket, .. } if *socket == self.socket => self.hopeless = true,
            Event::Disconnected { socket, reason } if *socket == self.socket => self.hopeless = !reason.reconnects(),
            Event::Ack { answer: Err(_), .. } | Event::Undelivered { .. } => self.failed = true,
            Event::Closed { retry, .. } => self.hopeless |= self.ending || retry.is_none(),
            _ => {}
        }
    }

    /// How long to go on after the end of the input.
    fn left(&mut self) -> Duration {
        if self.hopeless {
            return Duration::ZERO;
        }
        if self.client.pending(self.socket) > 0 {
            return Duration::MAX;
        }
        let (now, idle) = (self.now(), !self.client.is_connected(self.socket));
        let end = *self.end_at.get_or_insert(now.saturating_add(if idle { Duration::ZERO } else { LINGER }));
        end.saturating_since(now)
    }

    fn end(&mut self) {
        let pending = self.client.pending(self.socket);
        if pending > 0 {
            println!("# given up: {pending} not sent or not acknowledged");
            self.failed = true;
        }
        self.ending = false;
        self.client.close(self.now());
    }

    /// Writes what there is to write, and does to the stream what is to be done then.
    fn write(&mut self, stream: StreamId) {
        let bytes = self.client.outgoing(stream).collect::<Vec<_>>().concat();
        if let Some(mut tcp) = self.streams.get(&stream) {
            if tcp.write_all(&bytes).is_err() {
                self.streams.remove(&stream);
                return self.client.abort(self.now(), stream);
            }
            self.client.sent(self.now(), stream, bytes.len());
        }
        let direction = match self.client.stream(stream) {
            Stream::Open => return,
            Stream::HalfClosed => Shutdown::Write,
            Stream::Closed => Shutdown::Both,
        };
        if let Some(tcp) = self.streams.get(&stream) {
            // It may be closed already.
            let _ = tcp.shutdown(direction);
        }
        if direction == Shutdown::Both {
            self.streams.remove(&stream);
        }
    }

    fn now(&self) -> Instant {
        Instant::from(self.origin.elapsed())
    }
}

/// Opens a stream and reads from it until its end.
fn serve(stream: StreamId, address: &str, sender: &SyncSender<News>) {
    let opened = open(address);
    let reader = opened.as_ref().ok().and_then(|tcp| tcp.try_clone().ok());
    // Nobody listens any more when the program is about to end.
    let _ = sender.send(News::Opened(stream, opened));
    let Some(mut reader) = reader else { return };
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let news = match reader.read(&mut buffer) {
            Ok(0) => News::Ended(stream),
            Ok(count) => News::Read(stream, buffer[..count].to_vec()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => News::Broke(stream),
        };
        let over = !matches!(news, News::Read(..));
        if sender.send(news).is_err() || over {
            return;
        }
    }
}

fn open(address: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::other("no address");
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, Duration::from_secs(20)) {
            Ok(tcp) => {
                tcp.set_nodelay(true)?;
                tcp.set_write_timeout(Some(Duration::from_secs(10)))?;
                return Ok(tcp);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn read_lines(sender: &SyncSender<News>) {
    for line in io::stdin().lock().lines().map_while(Result::ok) {
        if sender.send(News::Line(line)).is_err() {
            return;
        }
    }
    let _ = sender.send(News::EndOfInput);
}

/// Emits what a line says.
fn say(client: &mut Client, now: Instant, socket: SocketId, line: &str) -> Result<(), Box<dyn Error>> {
    let (asks, line) = line.strip_prefix('?').map_or((false, line), |line| (true, line));
    let (name, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
    if name.is_empty() {
        return Ok(());
    }
    let (args, attachments) = rest.rsplit_once(" | ").unwrap_or((rest, ""));
    let attachments: Vec<Vec<u8>> = attachments.split_whitespace().map(bytes).collect::<Result<_, _>>()?;
    let args = attach(Args::new(args)?, attachments);
    if asks {
        client.emit_with_ack(now, socket, name, args, Duration::from_secs(10))?;
    } else {
        client.emit(now, socket, name, args)?;
    }
    Ok(())
}

fn print_args(name: &str, args: &Args<'_>) {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let attachments: Vec<String> = args.attachments().iter().map(|bytes| hex(bytes)).collect();
    let bar = if attachments.is_empty() { "" } else { " | " };
    println!("{name} {}{bar}{}", args.as_str(), attachments.join(" "));
}

fn bytes(hex: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    if !hex.is_ascii() || hex.len() % 2 == 1 {
        return Err("attachments are written in pairs of hexadecimal digits".into());
    }
    (0..hex.len()).step_by(2).map(|at| Ok(u8::from_str_radix(&hex[at..at + 2], 16)?)).collect()
}

fn options() -> Result<(Config, Vec<String>, String), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (mut url, mut namespaces, mut auth) = ("http://127.0.0.1:8888".to_owned(), Vec::new(), String::new());
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
            _ if arg.starts_with("--") => return Err(format!("unknown option {arg}\n{USAGE}").into()),
            _ => url = arg,
        }
    }
    if namespaces.is_empty() {
        namespaces.push("/".into());
    }
    let mut config = Config::new(&url)?;
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
