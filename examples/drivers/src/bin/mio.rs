//! A WebSocket echo for very many connections: one thread, one buffer to read into for all and one to write from, and no buffer
//! of its own for a connection that is idle.
//!
//! `cargo run --release --manifest-path examples/drivers/Cargo.toml --bin mio -- --listen 127.0.0.1:9001`
//!
//! What the kernel said of a socket is remembered ([readiness.rs](../readiness.rs)). A turn of a connection is at most one read
//! and one write of all answers to it; who has more to read waits for the next turn, so that nobody is kept waiting by one who
//! never stops sending.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use drivers::options::{Options, listening};
use drivers::readiness::{BURST, DOOR, Door, Found, Socket};
use drivers::{echo, now};
use mio::net::TcpStream;
use mio::{Events, Poll, Registry};
use roomwire::{Instant, Stream, ws};
use slab::Slab;

const BUFFER_BYTES: usize = 256 * 1024;
const OUTGOING_BYTES: usize = 64 * 1024;

fn main() -> io::Result<()> {
    rlimit::increase_nofile_limit(u64::MAX)?;
    let options = Options::parse("mio", &[]);
    let poll = Poll::new()?;
    let door = listening(options.listen(), Door::listen(options.listen(), poll.registry()));
    println!("listening on {}", door.address()?);
    let server = Server {
        poll,
        door,
        config: Arc::default(),
        peers: Slab::new(),
        ready: Vec::new(),
        timers: BinaryHeap::new(),
        buffer: vec![0; BUFFER_BYTES],
        outgoing: Vec::new(),
    };
    server.run()
}

struct Server {
    poll: Poll,
    door: Door,
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
    socket: Socket,
    conn: ws::Connection,
    /// The earliest entry in `timers`.
    alarm: Instant,
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
                if event.token() == DOOR {
                    self.door.opens = now;
                } else if let Some(peer) = self.peers.get_mut(event.token().0) {
                    peer.socket.told(event);
                    peer.socket.queue(&mut self.ready);
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
                    peer.socket.queue(&mut self.ready);
                }
            }
            let due = self.ready.len();
            for at in 0..due {
                self.turn(self.ready[at], now);
            }
            self.ready.drain(..due);
            if self.door.opens <= now {
                self.accept(now);
            }
        }
    }

    /// How long there is nothing to do if nothing happens.
    fn patience(&self) -> Option<Duration> {
        if !self.ready.is_empty() {
            return Some(Duration::ZERO);
        }
        let alarm = self.timers.peek().map_or(Instant::NEVER, |Reverse((at, _))| *at).min(self.door.opens);
        (alarm != Instant::NEVER).then(|| alarm.saturating_since(now()))
    }

    fn accept(&mut self, now: Instant) {
        for _ in 0..BURST {
            let Some((stream, _)) = self.door.accept(now) else { return };
            if let Err(error) = self.admit(stream, now) {
                eprintln!("connect: {error}");
            }
        }
    }

    fn admit(&mut self, stream: TcpStream, now: Instant) -> io::Result<()> {
        let place = self.peers.vacant_entry();
        let key = place.key();
        let socket = Socket::new(stream, key, self.poll.registry())?;
        let conn = ws::Connection::server(self.config.clone(), now);
        set_alarm(&mut self.timers, place.insert(Peer { socket, conn, alarm: Instant::NEVER }), key);
        Ok(())
    }

    /// Reads, answers, writes, once.
    fn turn(&mut self, key: usize, now: Instant) {
        let Some(peer) = self.peers.get_mut(key) else { return };
        peer.socket.turn_comes();
        // It has its room still, unless a connection has kept it.
        self.outgoing.reserve(OUTGOING_BYTES);
        peer.conn.lend(&mut self.outgoing);
        let wanted = peer.turn(&mut self.buffer, self.poll.registry(), now);
        peer.conn.reclaim(&mut self.outgoing);
        match wanted {
            Ok(Stream::Closed) | Err(_) => drop(self.peers.remove(key)),
            Ok(_) => {
                if peer.socket.is_readable() && peer.conn.wants_read() {
                    peer.socket.queue(&mut self.ready);
                }
                set_alarm(&mut self.timers, peer, key);
            }
        }
    }
}

impl Peer {
    fn turn(&mut self, buffer: &mut [u8], registry: &Registry, now: Instant) -> io::Result<Stream> {
        if self.socket.is_readable() && self.conn.wants_read() {
            match self.socket.read(buffer)? {
                Found::Bytes(count) => echo::received(&mut self.conn, now, &mut buffer[..count]),
                Found::End => echo::ended(&mut self.conn, now),
                Found::Nothing => {}
            }
        }
        while self.socket.is_writable() && self.conn.outgoing_len() > 0 {
            let count = self.socket.write(self.conn.outgoing(), self.conn.outgoing_len())?;
            self.conn.sent(now, count);
        }
        self.socket.await_room(registry)?;
        if self.conn.outgoing_len() > 0 {
            return Ok(Stream::Open);
        }
        let wanted = self.conn.stream();
        if wanted == Stream::HalfClosed {
            self.socket.shut()?;
        }
        Ok(wanted)
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
