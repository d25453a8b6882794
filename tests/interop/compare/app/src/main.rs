//! The application of the comparison on this library: the counterpart of `node-app.cjs`, event by event.
//!
//! One thread serves all connections in the order in which the kernel says that they are ready, as Node does, so that
//! what a peer does on several connections arrives in the order in which it was done.

mod app;
mod options;

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant as Clock};

use app::App;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use roomwire::hub::{ConnId, Hub};
use roomwire::{Instant, Stream};

const LISTENER: Token = Token(0);

fn main() -> io::Result<()> {
    let (listen, config) = options::parse();
    let mut listener = TcpListener::bind(listen.parse().map_err(io::Error::other)?)?;
    println!("listening on {}", listener.local_addr()?);
    let poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let hub = Hub::new(config, options::seed(), Instant::ORIGIN).map_err(io::Error::other)?;
    let server = Server {
        origin: Clock::now(),
        poll,
        listener,
        hub,
        app: App::default(),
        peers: HashMap::new(),
        tokens: HashMap::new(),
        next: 1,
    };
    server.run()
}

struct Server {
    origin: Clock,
    poll: Poll,
    listener: TcpListener,
    hub: Hub,
    app: App,
    peers: HashMap<ConnId, Peer>,
    tokens: HashMap<Token, ConnId>,
    next: usize,
}

struct Peer {
    stream: TcpStream,
    token: Token,
    readable: bool,
    half_closed: bool,
}

impl Server {
    fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(256);
        loop {
            match self.poll.poll(&mut events, self.patience()) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.accept()?,
                    token => {
                        let Some(conn) = self.tokens.get(&token).copied() else { continue };
                        if event.is_readable()
                            && let Some(peer) = self.peers.get_mut(&conn)
                        {
                            peer.readable = true;
                        }
                        self.read(conn);
                        self.write(conn);
                        self.settle();
                    }
                }
            }
            if self.hub.poll_timeout().is_some_and(|due| due <= self.now()) {
                self.hub.handle_timeout(self.now());
                self.settle();
            }
        }
    }

    fn now(&self) -> Instant {
        Instant::from(self.origin.elapsed())
    }

    /// How long there is nothing to do if nothing happens; rounded up, as the kernel waits in milliseconds.
    fn patience(&self) -> Option<Duration> {
        let due = self.hub.poll_timeout()?;
        Some(due.saturating_since(self.now()) + Duration::from_micros(500))
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let (mut stream, _) = match self.listener.accept() {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                accepted => accepted?,
            };
            stream.set_nodelay(true)?;
            let token = Token(self.next);
            self.next += 1;
            self.poll.registry().register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
            let conn = self.hub.connect(self.now()).map_err(io::Error::other)?;
            self.tokens.insert(token, conn);
            self.peers.insert(conn, Peer { stream, token, readable: true, half_closed: false });
            self.settle();
        }
    }

    fn read(&mut self, conn: ConnId) {
        let mut buffer = [0; 16 * 1024];
        loop {
            let now = self.now();
            let Some(peer) = self.peers.get_mut(&conn) else { return };
            if !peer.readable || !self.hub.wants_read(conn) {
                return;
            }
            match peer.stream.read(&mut buffer) {
                Ok(0) => {
                    peer.readable = false;
                    self.hub.receive_eof(now, conn);
                }
                Ok(count) => {
                    let mut input = &mut buffer[..count];
                    while let Some(event) = self.hub.receive(now, conn, &mut input) {
                        self.app.handle(&mut self.hub, now, event);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => peer.readable = false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => {
                    peer.readable = false;
                    self.hub.abort(now, conn);
                }
            }
            self.settle();
        }
    }

    /// After every call to the hub: takes the events that are left, and writes what there is.
    fn settle(&mut self) {
        loop {
            if let Some(event) = self.hub.poll_event() {
                let now = self.now();
                self.app.handle(&mut self.hub, now, event);
            } else if let Some(conn) = self.hub.poll_transmit() {
                self.write(conn);
                // It may want to read again what has waited.
                self.read(conn);
            } else {
                return;
            }
        }
    }

    fn write(&mut self, conn: ConnId) {
        let mut buffer = [0; 16 * 1024];
        loop {
            let now = self.now();
            let Some(peer) = self.peers.get_mut(&conn) else { return };
            let count = self.hub.copy_outgoing(conn, &mut buffer);
            if count == 0 {
                match self.hub.stream(conn) {
                    Stream::Open => {}
                    Stream::HalfClosed if peer.half_closed => {}
                    Stream::HalfClosed => {
                        peer.half_closed = true;
                        let _ = peer.stream.shutdown(Shutdown::Write);
                    }
                    Stream::Closed => {
                        self.tokens.remove(&peer.token);
                        self.peers.remove(&conn);
                    }
                }
                return;
            }
            match peer.stream.write(&buffer[..count]) {
                Ok(count) => self.hub.sent(now, conn, count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => self.hub.abort(now, conn),
            }
        }
    }
}
