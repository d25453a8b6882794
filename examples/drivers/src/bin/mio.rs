//! A WebSocket echo for very many connections: one thread, one buffer to read into for all and one to write from, and no buffer
//! of its own for a connection that is idle.
//!
//! `cargo run --release --manifest-path examples/drivers/Cargo.toml --bin mio -- --listen 127.0.0.1:9001`
//!
//! Each socket is registered once for reading, edge-triggered: the kernel says when something has changed, and it is remembered
//! here what was said. Of room for writing it is to tell only where that was missing once. A turn of a connection is at most one read and one write of all answers to it; who has more to read
//! waits for the next turn, so that nobody is kept waiting by one who never stops sending.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use drivers::{echo, gather, listen_address, now};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Registry, Token};
use roomwire::{Instant, Stream, ws};
use slab::Slab;
use socket2::{Domain, Socket, Type};

const LISTENER: Token = Token(usize::MAX);
const BUFFER_BYTES: usize = 256 * 1024;
const OUTGOING_BYTES: usize = 64 * 1024;
/// Connections that are accepted before others have their turn.
const BURST: usize = 256;
/// Connections that the kernel keeps until they are accepted.
const BACKLOG: i32 = 4096;
/// After an error of accept, which is mostly too many open files and passes.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

fn main() -> io::Result<()> {
    rlimit::increase_nofile_limit(u64::MAX)?;
    let mut listener = listen(listen_address().parse().map_err(io::Error::other)?)?;
    println!("listening on {}", listener.local_addr()?);
    let poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let config = Arc::new(ws::Config::default());
    let server = Server {
        poll,
        listener,
        accept_at: Instant::NEVER,
        config,
        peers: Slab::new(),
        ready: Vec::new(),
        timers: BinaryHeap::new(),
        buffer: vec![0; BUFFER_BYTES],
        outgoing: Vec::new(),
    };
    server.run()
}

/// A listener with room for a burst: with the 128 places of `TcpListener::bind`, clients wait a second to try again.
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
    config: Arc<ws::Config>,
    peers: Slab<Peer>,
    /// Whose turn it is, once each.
    ready: Vec<usize>,
    /// Who is to be asked at what time; stale entries are known by that `Peer::alarm` is another.
    timers: BinaryHeap<Reverse<(Instant, usize)>>,
    buffer: Vec<u8>,
    /// Lent to who has its turn.
    outgoing: Vec<u8>,
}

struct Peer {
    stream: TcpStream,
    conn: ws::Connection,
    /// The earliest entry in `timers`.
    alarm: Instant,
    /// Whether a read may find something, and a write room.
    readable: bool,
    writable: bool,
    /// Whether the kernel tells when there is room again.
    told_of_room: bool,
    /// Whether the peer's end of the stream is near: a short read is not the last then.
    ending: bool,
    /// Whether it is in `ready`.
    queued: bool,
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
                } else if let Some(peer) = self.peers.get_mut(key) {
                    peer.readable |= event.is_readable() || event.is_error();
                    peer.writable |= event.is_writable();
                    peer.ending |= event.is_read_closed();
                    peer.queue(&mut self.ready, key);
                }
            }
            while let Some(&Reverse((at, key))) = self.timers.peek()
                && at <= now
            {
                self.timers.pop();
                if let Some(peer) = self.peers.get_mut(key)
                    && peer.alarm == at
                {
                    peer.alarm = Instant::NEVER;
                    echo::time_passed(&mut peer.conn, now);
                    peer.queue(&mut self.ready, key);
                }
            }
            let due = self.ready.len();
            for at in 0..due {
                self.turn(self.ready[at], now);
            }
            self.ready.drain(..due);
            if self.accept_at <= now {
                self.accept(now);
            }
        }
    }

    /// How long there is nothing to do if nothing happens.
    fn patience(&self) -> Option<Duration> {
        if !self.ready.is_empty() {
            return Some(Duration::ZERO);
        }
        let alarm = self.timers.peek().map_or(Instant::NEVER, |Reverse((at, _))| *at).min(self.accept_at);
        (alarm != Instant::NEVER).then(|| alarm.saturating_since(now()))
    }

    fn accept(&mut self, now: Instant) {
        self.accept_at = now;
        for _ in 0..BURST {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    if let Err(error) = self.admit(stream, now) {
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

    fn admit(&mut self, mut stream: TcpStream, now: Instant) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let place = self.peers.vacant_entry();
        let key = place.key();
        self.poll.registry().register(&mut stream, Token(key), Interest::READABLE)?;
        let conn = ws::Connection::server(self.config.clone(), now);
        let alarm = Instant::NEVER;
        let (readable, writable, told_of_room, ending, queued) = (false, true, false, false, false);
        let peer = Peer { stream, conn, alarm, readable, writable, told_of_room, ending, queued };
        let peer = place.insert(peer);
        set_alarm(&mut self.timers, peer, key);
        Ok(())
    }

    /// Reads, answers, writes, once.
    fn turn(&mut self, key: usize, now: Instant) {
        let Some(peer) = self.peers.get_mut(key) else { return };
        peer.queued = false;
        // It has its room still, unless a connection has kept it.
        self.outgoing.reserve(OUTGOING_BYTES);
        peer.conn.lend(&mut self.outgoing);
        let wanted = peer.turn(&mut self.buffer, now);
        peer.conn.reclaim(&mut self.outgoing);
        match wanted.and_then(|wanted| peer.await_room(self.poll.registry(), key).map(|()| wanted)) {
            Ok(Stream::Closed) | Err(_) => drop(self.peers.remove(key)),
            Ok(_) => {
                if peer.readable && peer.conn.wants_read() {
                    peer.queue(&mut self.ready, key);
                }
                set_alarm(&mut self.timers, peer, key);
            }
        }
    }
}

impl Peer {
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

    fn turn(&mut self, buffer: &mut [u8], now: Instant) -> io::Result<Stream> {
        if self.readable && self.conn.wants_read() {
            match self.stream.read(buffer) {
                Ok(0) => {
                    self.readable = false;
                    echo::ended(&mut self.conn, now);
                }
                Ok(count) => {
                    // Less than there was room for is all there was: a change after that is told.
                    self.readable = count == buffer.len() || self.ending;
                    echo::received(&mut self.conn, now, &mut buffer[..count]);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.readable = false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        while self.writable && self.conn.outgoing_len() > 0 {
            let first = self.conn.outgoing().next().unwrap_or_default();
            let written = if first.len() == self.conn.outgoing_len() {
                self.stream.write(first)
            } else {
                let (slices, filled) = gather(&self.conn);
                self.stream.write_vectored(&slices[..filled])
            };
            match written {
                Ok(count) => self.conn.sent(now, count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.writable = false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        match self.conn.stream() {
            _ if self.conn.outgoing_len() > 0 => return Ok(Stream::Open),
            Stream::HalfClosed => self.stream.shutdown(Shutdown::Write)?,
            Stream::Open | Stream::Closed => {}
        }
        Ok(self.conn.stream())
    }
}

/// Enters a connection's deadline, unless it is asked earlier anyway.
fn set_alarm(timers: &mut BinaryHeap<Reverse<(Instant, usize)>>, peer: &mut Peer, key: usize) {
    if let Some(at) = peer.conn.poll_timeout()
        && at < peer.alarm
    {
        peer.alarm = at;
        timers.push(Reverse((at, key)));
    }
}
