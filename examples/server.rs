//! A chat server for browsers and Socket.IO clients, page and protocol on one port, with nothing
//! but `std::net` around the library.
//!
//! `cargo run --release --example server`, then open http://127.0.0.1:8888 in two windows.
//!
//! On a second port it takes lines of text from those who have no browser: `nc 127.0.0.1 8889`, type `ping`, or `0` to connect
//! and then `2["subscribe","news"]`.
//!
//! Options: `--listen ADDR` (127.0.0.1:8888), `--lines ADDR` (127.0.0.1:8889), `--admin TOKEN` (serves the namespace `/admin`),
//! `--grace SECONDS` (how long a lost session can come back, 30), `--recover` (its client gets what it has missed: connection
//! state recovery), `--origin ORIGIN` (refuses other pages), `--parser msgpack` (for clients with `socket.io-msgpack-parser`;
//! needs the feature `msgpack`). Ctrl-C and SIGTERM end it in order.
//!
//! Each connection has two threads, one that reads and one that writes, and a third thread keeps the time for all.
//! They share one hub behind a mutex, and hold it only to pass bytes in or out: never while they wait for
//! the network, so that nobody waits for a slow reader but itself.

mod chat;

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::exit;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant as Clock};

use chat::Chat;
use roomwire::hub::{Config, ConnId, ConnectError, Hub, Namespaces, Origins, Parser, Peer, Recovery};
use roomwire::{Instant, Stream};

const USAGE: &str = "usage: server [--listen ADDR] [--lines ADDR] [--admin TOKEN] [--grace SECONDS] [--recover] \
    [--origin ORIGIN] [--parser json | msgpack]";

/// What one read or write takes at the most.
const BUFFER_BYTES: usize = 16 * 1024;

fn main() -> io::Result<()> {
    let options = Options::parse();
    let listener = TcpListener::bind(&options.listen).unwrap_or_else(|error| {
        eprintln!("cannot listen on {}: {error} (try --listen 127.0.0.1:0)", options.listen);
        exit(1)
    });
    let mut config = Config::new(match options.origin {
        Some(origin) => Origins::Listed(vec![origin]),
        // Nobody is known by a cookie here, so that a page from elsewhere can do nothing that a program could not.
        None => Origins::Any,
    });
    config.away_timeout = options.grace;
    config.recovery = options.recover.then(Recovery::default);
    config.parser = options.parser;
    let admin = options.admin.as_ref().map(|_| "/admin".to_owned());
    config.namespaces = Namespaces::Listed([Some("/".to_owned()), admin].into_iter().flatten().collect());
    let hub = Hub::new(config, seed(), Instant::ORIGIN).unwrap_or_else(|error| misused(&error.to_string()));
    let server = Arc::new(Server {
        origin: Clock::now(),
        state: Mutex::new(State { hub, chat: Chat::new(options.admin), peers: HashMap::new(), alarm: None }),
        earlier: Condvar::new(),
        finished: Condvar::new(),
    });

    let timing = server.clone();
    thread::spawn(move || timing.keep_time());
    let stopping = server.clone();
    ctrlc::set_handler(move || stopping.stop()).map_err(io::Error::other)?;

    println!("listening on http://{}", listener.local_addr()?);
    match TcpListener::bind(&options.lines) {
        Ok(lines) => {
            println!("lines on {}", lines.local_addr()?);
            let server = server.clone();
            thread::spawn(move || server.accept(&lines, Hub::connect_lines));
        }
        // The chat goes without.
        Err(error) => eprintln!("no lines on {}: {error} (try --lines 127.0.0.1:0)", options.lines),
    }
    server.accept(&listener, Hub::connect_from)
}

/// How a stream is made known to the hub.
type Register = fn(&mut Hub, Instant, Peer) -> Result<ConnId, ConnectError>;

struct Server {
    origin: Clock,
    state: Mutex<State>,
    /// There is a deadline before the `alarm`.
    earlier: Condvar,
    /// The hub was shut down, and the last connection is over.
    finished: Condvar,
}

struct State {
    hub: Hub,
    chat: Chat,
    peers: HashMap<ConnId, Streams>,
    /// When the thread that keeps the time wakes up by itself.
    alarm: Option<Instant>,
}

/// A connection on this side. Its threads park when there is nothing to do; nobody else is woken for it.
struct Streams {
    stream: Arc<TcpStream>,
    reader: Thread,
    writer: Thread,
}

impl State {
    /// Whether what the peer sends is to be read: there is room for it, or the stream is about to end.
    fn may_read(&self, conn: ConnId) -> bool {
        self.hub.wants_read(conn) || self.hub.stream(conn) != Stream::Open
    }

    fn wake_reader(&self, conn: ConnId) {
        if let Some(peer) = self.peers.get(&conn).filter(|_| self.may_read(conn)) {
            peer.reader.unpark();
        }
    }
}

impl Server {
    fn now(&self) -> Instant {
        Instant::from(self.origin.elapsed())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn accept(self: Arc<Self>, listener: &TcpListener, register: Register) -> ! {
        loop {
            match listener.accept() {
                Ok((stream, _)) => {
                    if let Err(error) = self.clone().serve(stream, register) {
                        eprintln!("connect: {error}");
                    }
                }
                Err(error) => {
                    // Mostly too many open files, which passes.
                    eprintln!("accept: {error}");
                    thread::sleep(Duration::from_millis(100));
                }
            }
        }
    }

    /// Starts the two threads of a connection.
    fn serve(self: Arc<Self>, stream: TcpStream, register: Register) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let address = stream.peer_addr()?;
        let stream = Arc::new(stream);
        // The threads begin when they get the lock: by then they are known.
        let mut state = self.lock();
        let peer = Peer { address: Some(address), secure: false };
        let conn = register(&mut state.hub, self.now(), peer).map_err(io::Error::other)?;
        state.chat.connected(conn, address);
        let started = self.start(conn, &stream);
        match &started {
            Ok((reader, writer)) => {
                let (reader, writer) = (reader.clone(), writer.clone());
                state.peers.insert(conn, Streams { stream, reader, writer });
            }
            // The one that was started ends by this.
            Err(_) => {
                let _ = stream.shutdown(Shutdown::Both);
                state.hub.abort(self.now(), conn);
            }
        }
        self.settle(state);
        started.map(drop)
    }

    fn start(self: &Arc<Self>, conn: ConnId, stream: &Arc<TcpStream>) -> io::Result<(Thread, Thread)> {
        let run = |work: fn(&Self, ConnId, &TcpStream)| {
            let (server, stream) = (self.clone(), stream.clone());
            let started = thread::Builder::new().spawn(move || work(&server, conn, &stream));
            started.map(|started| started.thread().clone())
        };
        Ok((run(Self::read)?, run(Self::write)?))
    }

    /// Passes what a peer sends to the hub.
    fn read(&self, conn: ConnId, mut stream: &TcpStream) {
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            while !self.lock().may_read(conn) {
                thread::park();
            }
            let received = stream.read(&mut buffer);
            let (mut state, now) = (self.lock(), self.now());
            match received {
                Ok(0) => state.hub.receive_eof(now, conn),
                Ok(count) => {
                    let State { hub, chat, .. } = &mut *state;
                    let mut input = &mut buffer[..count];
                    while let Some(event) = hub.receive(now, conn, &mut input) {
                        chat.handle(hub, now, event);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => state.hub.abort(now, conn),
            }
            self.settle(state);
            if !matches!(received, Ok(1..)) {
                return;
            }
        }
    }

    /// Writes what the hub has for a peer, and ends the stream when it says so.
    fn write(&self, conn: ConnId, mut stream: &TcpStream) {
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            let state = self.lock();
            let (count, then) = (state.hub.copy_outgoing(conn, &mut buffer), state.hub.stream(conn));
            drop(state);
            if count == 0 {
                match then {
                    Stream::Open => thread::park(),
                    Stream::HalfClosed => {
                        // It may be gone already; the hub waits for that a short while only.
                        let _ = stream.shutdown(Shutdown::Write);
                        thread::park();
                    }
                    Stream::Closed => break,
                }
                continue;
            }
            let written = stream.write(&buffer[..count]);
            let (mut state, now) = (self.lock(), self.now());
            match written {
                Ok(count) => state.hub.sent(now, conn, count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => state.hub.abort(now, conn),
            }
            // There may be room again for what the peer sends.
            state.wake_reader(conn);
            self.settle(state);
        }
        // This ends the reading thread too.
        let _ = stream.shutdown(Shutdown::Both);
        let mut state = self.lock();
        state.wake_reader(conn);
        state.peers.remove(&conn);
        self.settle(state);
    }

    /// After every call to the hub: takes the events that are left and wakes whoever has something to do.
    fn settle(&self, mut state: MutexGuard<'_, State>) {
        let State { hub, chat, .. } = &mut *state;
        while let Some(event) = hub.poll_event() {
            chat.handle(hub, self.now(), event);
        }
        while let Some(conn) = state.hub.poll_transmit() {
            state.wake_reader(conn);
            let Some(peer) = state.peers.get(&conn) else { continue };
            if state.hub.stream(conn) == Stream::Closed && state.hub.outgoing_len(conn) == 0 {
                // The writing thread may hang in a write that never ends.
                let _ = peer.stream.shutdown(Shutdown::Both);
            }
            peer.writer.unpark();
        }
        if state.hub.poll_timeout().is_some_and(|due| state.alarm.is_none_or(|alarm| due < alarm)) {
            self.earlier.notify_one();
        }
        if state.hub.is_finished() && state.peers.is_empty() {
            self.finished.notify_one();
        }
    }

    /// Does what is due, when it is due.
    fn keep_time(&self) {
        let mut state = self.lock();
        loop {
            let now = self.now();
            if state.hub.poll_timeout().is_some_and(|due| due <= now) {
                state.hub.handle_timeout(now);
                self.settle(state);
                state = self.lock();
                continue;
            }
            state.alarm = state.hub.poll_timeout();
            let patience = state.alarm.map_or(Duration::from_secs(60), |due| due.saturating_since(now));
            (state, _) = self.earlier.wait_timeout(state, patience).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Ends in order: everybody is told, and has a few seconds to hear it.
    fn stop(&self) {
        eprintln!("stopping");
        let mut state = self.lock();
        state.hub.shutdown(self.now());
        self.settle(state);
        let mut state = self.lock();
        while !state.hub.is_finished() || !state.peers.is_empty() {
            state = self.finished.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        exit(0);
    }
}

/// 32 bytes out of the one random source that `std` offers: the keys of `RandomState` come from the operating system.
fn seed() -> [u8; 32] {
    let mut seed = [0; 32];
    let keyed = RandomState::new();
    for (at, part) in seed.chunks_exact_mut(8).enumerate() {
        let mut hasher = keyed.build_hasher();
        hasher.write_usize(at);
        part.copy_from_slice(&hasher.finish().to_ne_bytes());
    }
    seed
}

struct Options {
    listen: String,
    lines: String,
    admin: Option<String>,
    grace: Duration,
    recover: bool,
    origin: Option<String>,
    parser: Parser,
}

impl Options {
    fn parse() -> Self {
        let mut options = Self {
            listen: "127.0.0.1:8888".into(),
            lines: "127.0.0.1:8889".into(),
            admin: None,
            grace: Duration::from_secs(30),
            recover: false,
            origin: None,
            parser: Parser::Json,
        };
        let mut args = std::env::args().skip(1);
        while let Some(name) = args.next() {
            let mut value = || args.next().unwrap_or_else(|| misused(&format!("{name} needs a value")));
            match name.as_str() {
                "--listen" => options.listen = value(),
                "--lines" => options.lines = value(),
                "--admin" => options.admin = Some(value()),
                "--recover" => options.recover = true,
                "--origin" => options.origin = Some(value()),
                "--parser" => match value().as_str() {
                    "json" => options.parser = Parser::Json,
                    #[cfg(feature = "msgpack")]
                    "msgpack" => options.parser = Parser::MessagePack,
                    _ => misused("--parser is json or, with the feature `msgpack`, msgpack"),
                },
                "--grace" => {
                    let seconds = value().parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
                    options.grace = seconds.unwrap_or_else(|| misused("--grace is a number of seconds"));
                }
                "--help" => {
                    println!("{USAGE}");
                    exit(0);
                }
                _ => misused(&format!("unknown option {name}")),
            }
        }
        options
    }
}

fn misused(wrong: &str) -> ! {
    eprintln!("{wrong}\n{USAGE}");
    exit(2);
}
