//! A hub for very many clients: one thread, one buffer to read into for all. The application is what
//! [benches/hub](../../../../benches/hub) asks of a server: everybody is in one room, `say` goes to all of it, `echo` is
//! acknowledged with what it brought. Clients of Engine.IO without Socket.IO have `/engine.io/`, where each message comes back.
//!
//! `cargo run --release --manifest-path examples/drivers/Cargo.toml --bin hub_mio -- --listen 127.0.0.1:9001`
//!
//! Sockets are those of `mio.rs`. In each round everybody who sent something has a turn of one read; then what that made the
//! hub say is written, to each in one go.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use drivers::options::{Options, listening};
use drivers::readiness::{BURST, DOOR, Door, Found, Socket};
use drivers::{now, seed};
use mio::net::TcpStream;
use mio::{Events, Poll, Registry};
use roomwire::hub::{Config, ConnId, Event, Hub, Origins, Peer, Plain, Target};
use roomwire::{Instant, Stream};
use slab::Slab;

const BUFFER_BYTES: usize = 256 * 1024;
const ROOM: &str = "all";

fn main() -> io::Result<()> {
    rlimit::increase_nofile_limit(u64::MAX)?;
    let options = Options::parse("hub_mio", &["--ping-interval SECONDS"]);
    let poll = Poll::new()?;
    let door = listening(options.listen(), Door::listen(options.listen(), poll.registry()));
    println!("listening on {}", door.address()?);
    let mut config = Config::new(Origins::Any);
    config.plain = vec![Plain::engine_io("/engine.io/", "/")];
    // Who is lost here does not come back.
    config.away_timeout = Duration::ZERO;
    // All of a read may stand behind a request that waits.
    config.http.pipelined_bytes_max = BUFFER_BYTES;
    if let Some(interval) = options.seconds("--ping-interval") {
        config.engine.ping_interval = interval;
    }
    let hub = Hub::new(config, seed(), now()).unwrap_or_else(|error| options.misused(error));
    let (clients, keys, ready) = (Slab::new(), HashMap::default(), Vec::new());
    Server { poll, door, hub, clients, keys, ready, buffer: vec![0; BUFFER_BYTES] }.run()
}

struct Server {
    poll: Poll,
    door: Door,
    hub: Hub,
    clients: Slab<Client>,
    /// Places in `clients`.
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
    socket: Socket,
    conn: ConnId,
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
                let key = event.token().0;
                if event.token() == DOOR {
                    self.door.opens = now;
                    continue;
                }
                let Some(client) = self.clients.get_mut(key) else { continue };
                let was_full = !client.socket.is_writable();
                client.socket.told(event);
                client.socket.queue(&mut self.ready);
                if was_full {
                    self.flush(key, now);
                    // What waited for that is told before more is read.
                    self.settle(now);
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
            if self.door.opens <= now {
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
        let alarm = self.hub.poll_timeout().unwrap_or(Instant::NEVER).min(self.door.opens);
        (alarm != Instant::NEVER).then(|| alarm.saturating_since(now()))
    }

    fn accept(&mut self, now: Instant) {
        for _ in 0..BURST {
            let Some((stream, address)) = self.door.accept(now) else { return };
            if let Err(error) = self.admit(stream, address, now) {
                eprintln!("connect: {error}");
            }
        }
    }

    fn admit(&mut self, stream: TcpStream, address: SocketAddr, now: Instant) -> io::Result<()> {
        let place = self.clients.vacant_entry();
        let key = place.key();
        let socket = Socket::new(stream, key, self.poll.registry())?;
        let peer = Peer { address: Some(address), secure: false };
        let conn = self.hub.connect_from(now, peer).map_err(io::Error::other)?;
        self.keys.insert(conn, key);
        place.insert(Client { socket, conn });
        Ok(())
    }

    /// One read, and what it means.
    fn turn(&mut self, key: usize, now: Instant) {
        let Self { hub, clients, ready, buffer, .. } = self;
        let Some(Client { socket, conn }) = clients.get_mut(key) else { return };
        socket.turn_comes();
        if !socket.is_readable() || !hub.wants_read(*conn) {
            return;
        }
        match socket.read(buffer) {
            Ok(Found::Bytes(count)) => {
                let mut input = &mut buffer[..count];
                while let Some(event) = hub.receive(now, *conn, &mut input) {
                    handle(hub, now, event);
                }
            }
            Ok(Found::End) => {
                hub.receive_eof(now, *conn);
                return self.flush(key, now);
            }
            Ok(Found::Nothing) => {}
            Err(_) => return self.lose(key, now),
        }
        if socket.is_readable() {
            socket.queue(ready);
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
        let Some(client) = self.clients.get_mut(key) else { return };
        match client.flush(&mut self.hub, self.poll.registry(), now) {
            Ok(Stream::Closed) | Err(_) => self.lose(key, now),
            Ok(_) if client.socket.is_readable() && self.hub.wants_read(client.conn) => {
                client.socket.queue(&mut self.ready);
            }
            Ok(_) => {}
        }
    }

    fn lose(&mut self, key: usize, now: Instant) {
        let client = self.clients.remove(key);
        self.keys.remove(&client.conn);
        // Of one that ended in order the hub knows nothing any more.
        self.hub.abort(now, client.conn);
    }
}

impl Client {
    fn flush(&mut self, hub: &mut Hub, registry: &Registry, now: Instant) -> io::Result<Stream> {
        loop {
            let owed = hub.outgoing_len(self.conn);
            if owed == 0 {
                break;
            }
            if !self.socket.is_writable() {
                self.socket.await_room(registry)?;
                return Ok(Stream::Open);
            }
            let count = self.socket.write(hub.outgoing(self.conn), owed)?;
            hub.sent(now, self.conn, count);
        }
        let wanted = hub.stream(self.conn);
        if wanted == Stream::HalfClosed {
            self.socket.shut()?;
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
        Event::Message { socket: Some(socket), message, .. } => drop(hub.send_message(now, socket, message)),
        _ => {}
    }
}
