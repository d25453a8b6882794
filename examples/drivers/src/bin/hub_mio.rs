//! A hub for very many clients: one thread, one buffer to read into for all. The application is what
//! [benches/hub](../../../../benches/hub) asks of a server: everybody is in one room, `say` goes to all of it, `echo` is
//! acknowledged with what it brought.
//!
//! `cargo run --release --manifest-path examples/drivers/Cargo.toml --bin hub_mio -- --listen 127.0.0.1:9001`
//!
//! Sockets are registered once for reading, edge-triggered, as in `mio.rs`; for writing only when the kernel takes no more. In
//! each round everybody who sent something has a turn of one read; then what that made the hub say is written, to each in
//! one go.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use drivers::{listen_address, now, option, seed};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Registry, Token};
use roomwire::hub::{Config, ConnId, Event, Hub, Origins, Peer, Target};
use roomwire::{Instant, Stream};
use slab::Slab;
use socket2::{Domain, Socket, Type};

const LISTENER: Token = Token(usize::MAX);
const BUFFER_BYTES: usize = 256 * 1024;
/// Connections that are accepted before others have their turn.
const BURST: usize = 256;
/// Connections that the kernel keeps until they are accepted.
const BACKLOG: i32 = 4096;
/// After an error of accept, which is mostly too many open files and passes.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
const ROOM: &str = "all";

fn main() -> io::Result<()> {
    rlimit::increase_nofile_limit(u64::MAX)?;
    let mut listener = listen(listen_address().parse().map_err(io::Error::other)?)?;
    println!("listening on {}", listener.local_addr()?);
    let poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut config = Config::new(Origins::Any);
    // Who is lost here does not come back.
    config.away_timeout = Duration::ZERO;
    // All of a read may stand behind a request that waits.
    config.http.pipelined_bytes_max = BUFFER_BYTES;
    if let Some(seconds) = option("--ping-interval") {
        config.engine.ping_interval = Duration::from_secs(seconds.parse().map_err(io::Error::other)?);
    }
    let hub = Hub::new(config, seed(), now()).map_err(io::Error::other)?;
    let (peers, keys, ready) = (Slab::new(), HashMap::default(), Vec::new());
    Server { poll, listener, accept_at: Instant::NEVER, hub, peers, keys, ready, buffer: vec![0; BUFFER_BYTES] }.run()
}

/// A listener with room for a burst.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(TcpListener::from_std(socket.into()))
}

struct Server {
    poll: Poll,
    listener: TcpListener,
    /// When to accept without being told that somebody waits.
    accept_at: Instant,
    hub: Hub,
    peers: Slab<Client>,
    /// Places in `peers`.
    keys: HashMap<ConnId, usize, BuildHasherDefault<Mix>>,
    /// Whose turn it is, once each.
    ready: Vec<usize>,
    buffer: Vec<u8>,
}

/// Ids of connections are the hub's own and count up: they need no hash that withstands peers.
#[derive(Default)]
struct Mix(u64);

impl Hasher for Mix {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64((*byte).into()));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0 ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_right(32);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

struct Client {
    stream: TcpStream,
    conn: ConnId,
    /// Whether a read may find something, and a write room.
    readable: bool,
    writable: bool,
    /// Whether the kernel tells when there is room again.
    told_of_room: bool,
    /// Whether the peer's end of the stream is near: a short read is not the last then.
    ending: bool,
    /// Whether it is in `ready`.
    queued: bool,
    shut: bool,
}

impl Server {
    fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        loop {
            match self.poll.poll(&mut events, self.patience()) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            let now = now();
            for event in &events {
                let Token(key) = event.token();
                if event.token() == LISTENER {
                    self.accept_at = now;
                    continue;
                }
                let Some(peer) = self.peers.get_mut(key) else { continue };
                peer.readable |= event.is_readable() || event.is_error();
                peer.ending |= event.is_read_closed();
                let was_full = !peer.writable;
                peer.writable |= event.is_writable();
                peer.queue(&mut self.ready, key);
                if was_full {
                    self.flush(key, now);
                }
            }
            if self.hub.poll_timeout().is_some_and(|due| due <= now) {
                self.hub.handle_timeout(now);
            }
            let due = self.ready.len();
            for at in 0..due {
                self.turn(self.ready[at], now);
            }
            self.ready.drain(..due);
            if self.accept_at <= now {
                self.accept(now);
            }
            self.settle(now);
        }
    }

    /// How long there is nothing to do if nothing happens.
    fn patience(&self) -> Option<Duration> {
        if !self.ready.is_empty() {
            return Some(Duration::ZERO);
        }
        let alarm = self.hub.poll_timeout().unwrap_or(Instant::NEVER).min(self.accept_at);
        (alarm != Instant::NEVER).then(|| alarm.saturating_since(now()))
    }

    fn accept(&mut self, now: Instant) {
        self.accept_at = now;
        for _ in 0..BURST {
            match self.listener.accept() {
                Ok((stream, address)) => {
                    if let Err(error) = self.admit(stream, address, now) {
                        eprintln!("connect: {error}");
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.accept_at = Instant::NEVER;
                    return;
                }
                Err(error) => {
                    eprintln!("accept: {error}");
                    self.accept_at = now.saturating_add(ACCEPT_PAUSE);
                    return;
                }
            }
        }
    }

    fn admit(&mut self, mut stream: TcpStream, address: SocketAddr, now: Instant) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let place = self.peers.vacant_entry();
        let key = place.key();
        // Of room for writing it is not told before that is missing: it would wake up for each new stream.
        self.poll.registry().register(&mut stream, Token(key), Interest::READABLE)?;
        let peer = Peer { address: Some(address), secure: false };
        let conn = self.hub.connect_from(now, peer).map_err(io::Error::other)?;
        self.keys.insert(conn, key);
        place.insert(Client {
            stream,
            conn,
            readable: false,
            writable: true,
            told_of_room: false,
            ending: false,
            queued: false,
            shut: false,
        });
        Ok(())
    }

    /// One read, and what it means.
    fn turn(&mut self, key: usize, now: Instant) {
        let Self { hub, peers, ready, buffer, .. } = self;
        let Some(peer) = peers.get_mut(key) else { return };
        peer.queued = false;
        if !peer.readable || !hub.wants_read(peer.conn) {
            return;
        }
        match peer.stream.read(buffer) {
            Ok(0) => {
                peer.readable = false;
                hub.receive_eof(now, peer.conn);
                self.flush(key, now);
            }
            Ok(count) => {
                // Less than there was room for is all there was: a change after that is told.
                peer.readable = count == buffer.len() || peer.ending;
                let mut input = &mut buffer[..count];
                while let Some(event) = hub.receive(now, peer.conn, &mut input) {
                    handle(hub, now, event);
                }
                if peer.readable {
                    peer.queue(ready, key);
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => peer.readable = false,
            Err(error) if error.kind() == ErrorKind::Interrupted => peer.queue(ready, key),
            Err(_) => self.lose(key, now),
        }
    }

    /// What the hub has to tell, and what it has to write.
    fn settle(&mut self, now: Instant) {
        loop {
            while let Some(event) = self.hub.poll_event() {
                handle(&mut self.hub, now, event);
            }
            let Some(conn) = self.hub.poll_transmit() else { return };
            if let Some(&key) = self.keys.get(&conn) {
                self.flush(key, now);
            }
        }
    }

    /// Writes what the kernel takes; then does what the hub wants of the stream.
    fn flush(&mut self, key: usize, now: Instant) {
        let Some(peer) = self.peers.get_mut(key) else { return };
        let flushed = peer.flush(&mut self.hub, now).and_then(|wanted| {
            peer.await_room(self.poll.registry(), key)?;
            Ok(wanted)
        });
        match flushed {
            Ok(Stream::Closed) | Err(_) => self.lose(key, now),
            Ok(_) if peer.readable && self.hub.wants_read(peer.conn) => peer.queue(&mut self.ready, key),
            Ok(_) => {}
        }
    }

    fn lose(&mut self, key: usize, now: Instant) {
        let peer = self.peers.remove(key);
        self.keys.remove(&peer.conn);
        // Of one that ended in order the hub knows nothing any more.
        self.hub.abort(now, peer.conn);
    }
}

impl Client {
    fn queue(&mut self, ready: &mut Vec<usize>, key: usize) {
        if !std::mem::replace(&mut self.queued, true) {
            ready.push(key);
        }
    }

    /// The kernel takes no more: from now on it tells when it does, at once if it does by now.
    fn await_room(&mut self, registry: &Registry, key: usize) -> io::Result<()> {
        if self.writable || std::mem::replace(&mut self.told_of_room, true) {
            return Ok(());
        }
        registry.reregister(&mut self.stream, Token(key), Interest::READABLE | Interest::WRITABLE)
    }

    fn flush(&mut self, hub: &mut Hub, now: Instant) -> io::Result<Stream> {
        loop {
            let owed = hub.outgoing_len(self.conn);
            if owed == 0 {
                break;
            }
            if !self.writable {
                return Ok(Stream::Open);
            }
            let written = {
                let mut pieces = hub.outgoing(self.conn);
                let first = pieces.next().unwrap_or_default();
                if first.len() == owed {
                    self.stream.write(first)
                } else {
                    let mut slices = [IoSlice::new(&[]); 16];
                    slices[0] = IoSlice::new(first);
                    slices[1..].iter_mut().zip(pieces).for_each(|(slice, piece)| *slice = IoSlice::new(piece));
                    self.stream.write_vectored(&slices)
                }
            };
            match written {
                Ok(count) => hub.sent(now, self.conn, count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.writable = false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let wanted = hub.stream(self.conn);
        if wanted == Stream::HalfClosed && !std::mem::replace(&mut self.shut, true) {
            self.stream.shutdown(Shutdown::Write)?;
        }
        Ok(wanted)
    }
}

/// The application. What cannot be done is for clients that are gone.
fn handle(hub: &mut Hub, now: Instant, event: Event<'_>) {
    match event {
        Event::Connecting { socket, .. } => drop(hub.accept(now, socket)),
        Event::Connected { socket, .. } => drop(hub.join(now, socket, ROOM)),
        Event::Emit { name, args, .. } if name == "say" => drop(hub.emit(now, Target::room(ROOM), &name, args)),
        Event::Emit { args, reply: Some(reply), .. } => drop(hub.ack(now, reply, args)),
        _ => {}
    }
}
