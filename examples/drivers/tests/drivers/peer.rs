//! A client made of the library itself and a blocking socket, every wait of which has an end.

use std::collections::VecDeque;
use std::io::{IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use drivers::tls::{Arrived, Tls};
use drivers::{now, seed};
use roomwire::ws::{self, CloseCode, Endpoint, Message};
use roomwire::{Stream, ws::Event};

use crate::server::Server;

/// Longer than anything takes, on a machine that does much else.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What the library told.
#[derive(Debug, PartialEq, Eq)]
pub enum Told {
    Opened,
    Text(String),
    Binary(Vec<u8>),
    Pong(Vec<u8>),
    /// Code, who began, whether without error.
    Closed(u16, Endpoint, bool),
}

pub struct Peer {
    name: &'static str,
    stream: TcpStream,
    tls: Option<Tls>,
    conn: ws::Connection,
    told: VecDeque<Told>,
    /// Whether the stream's end was read, and whether TLS had announced it.
    ended: bool,
    announced: bool,
    /// Whether nothing is to be written any more.
    stuck: bool,
}

impl Peer {
    /// A connection that is open.
    pub fn connect(server: &Server) -> Self {
        let mut peer = Self::begin(server);
        peer.opened();
        peer
    }

    /// A connection whose opening handshake is sent.
    pub fn begin(server: &Server) -> Self {
        Self::begin_at(server, server.port, &server.url())
    }

    /// The same at another port or path.
    pub fn begin_at(server: &Server, port: u16, url: &str) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        let certificate = server.certificate.to_string_lossy().into_owned();
        let tls = server.is_secure().then(|| Tls::client("127.0.0.1", Some(certificate)).unwrap());
        let config = ws::Config { ping_interval: None, ..ws::Config::default() };
        let opening = ws::Opening::url(url).unwrap();
        let conn = ws::Connection::client(Arc::new(config), opening, seed(), now());
        let told = VecDeque::new();
        let mut peer =
            Self { name: server.name, stream, tls, conn, told, ended: false, announced: false, stuck: false };
        peer.flush();
        peer
    }

    pub fn opened(&mut self) {
        assert_eq!(self.next(), Told::Opened, "{}", self.name);
    }

    pub fn send<'m>(&mut self, message: impl Into<Message<'m>>) {
        self.conn.send(now(), message).unwrap();
        self.flush();
    }

    pub fn close(&mut self, code: CloseCode) {
        self.conn.close(now(), code, "").unwrap();
        self.flush();
    }

    /// Writes bytes that the library would not.
    pub fn write(&mut self, bytes: &[u8]) {
        assert_eq!(self.try_write(bytes), bytes.len(), "{}: nothing is taken any more", self.name);
    }

    /// Writes a frame again and again until no more is taken, or it is more than `most`; how many bytes were taken.
    /// The last frame may be cut, so that nothing is written afterwards.
    pub fn write_until_stuck(&mut self, frame: &[u8], most: usize) -> usize {
        self.stream.set_write_timeout(Some(Duration::from_millis(1500))).unwrap();
        let mut taken = 0;
        while taken < most {
            let count = self.try_write(frame);
            taken += count;
            if count < frame.len() {
                self.stuck = true;
                break;
            }
        }
        taken
    }

    fn try_write(&mut self, bytes: &[u8]) -> usize {
        let mut written = 0;
        while written < bytes.len() {
            let count = match &mut self.tls {
                None => self.stream.write(&bytes[written..]),
                Some(tls) => match tls.send(&[IoSlice::new(&bytes[written..])]) {
                    Ok(count) => tls.write(&mut self.stream).map(|()| count),
                    error => error,
                },
            };
            match count {
                Ok(count) => written += count,
                Err(_) => break,
            }
        }
        written
    }

    /// Writes, and says at once that nothing more will come.
    pub fn write_and_end(&mut self, bytes: &[u8]) {
        self.write(bytes);
        self.stream.shutdown(Shutdown::Write).unwrap();
        self.stuck = true;
    }

    /// Breaks the protocol, and goes on writing this without an end of its own; how long the server bears it.
    pub fn outstay(&mut self, bytes: &[u8], pause: Duration) -> Duration {
        self.write(&[0x81, 0x01, b'x']); // not masked
        let began = Instant::now();
        while self.try_write(bytes) == bytes.len() && began.elapsed() < PATIENCE {
            thread::sleep(pause);
        }
        began.elapsed()
    }

    /// What is told next.
    pub fn next(&mut self) -> Told {
        loop {
            if let Some(told) = self.told.pop_front() {
                return told;
            }
            assert!(!self.ended, "{}: the stream ended", self.name);
            self.read();
        }
    }

    /// Drives the connection to the end of the stream; whether the server did its part of it.
    pub fn ends_in_order(mut self) -> bool {
        while !self.ended && self.conn.stream() != Stream::Closed {
            self.read();
        }
        self.ended && (self.tls.is_none() || self.announced)
    }

    fn read(&mut self) {
        let mut buffer = vec![0; 64 * 1024];
        let count = self.stream.read(&mut buffer).unwrap_or_else(|error| panic!("{}: {error}", self.name));
        match &mut self.tls {
            _ if count == 0 => self.end(),
            None => self.receive(&mut buffer[..count]),
            Some(_) => self.receive_tls(&buffer[..count]),
        }
        self.flush();
    }

    fn receive_tls(&mut self, mut wire: &[u8]) {
        let mut tls = self.tls.take().unwrap();
        let mut plain = vec![0; 16 * 1024];
        while let Some(arrived) = tls.receive(&mut wire, &mut plain).unwrap() {
            match arrived {
                Arrived::Bytes(bytes) => self.receive(bytes),
                Arrived::End => {
                    self.announced = true;
                    self.end();
                }
            }
        }
        self.tls = Some(tls);
    }

    fn receive(&mut self, mut bytes: &mut [u8]) {
        while let Some(event) = self.conn.receive(now(), &mut bytes) {
            self.told.extend(told(event));
        }
    }

    fn end(&mut self) {
        self.ended = true;
        let mut next = self.conn.receive_eof(now());
        while let Some(event) = next {
            self.told.extend(told(event));
            next = self.conn.poll_event();
        }
    }

    fn flush(&mut self) {
        if self.stuck {
            return;
        }
        let bytes = self.conn.outgoing().collect::<Vec<_>>().concat();
        if self.tls.is_some() || !bytes.is_empty() {
            self.write(&bytes);
            if let Some(tls) = &mut self.tls {
                tls.write(&mut self.stream).unwrap();
            }
        }
        self.conn.sent(now(), bytes.len());
        if self.conn.stream() == Stream::HalfClosed {
            let _ = self.stream.shutdown(Shutdown::Write);
        }
    }
}

fn told(event: Event<'_>) -> Option<Told> {
    Some(match event {
        Event::Opened(_) => Told::Opened,
        Event::Message(Message::Text(text)) => Told::Text(text.into_owned()),
        Event::Message(Message::Binary(bytes)) => Told::Binary(bytes.into_owned()),
        Event::Pong(payload) => Told::Pong(payload.into_owned()),
        Event::Closed(closed) => Told::Closed(closed.code.get(), closed.by, closed.error.is_none()),
        _ => return None,
    })
}

/// Sends a request and reads everything that is answered.
pub fn exchange(server: &Server, request: &str) -> String {
    exchange_at(server.port, request)
}

/// The same at another port.
pub fn exchange_at(port: u16, request: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
