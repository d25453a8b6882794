//! How much heap idle connections hold: 10,000 of each kind, everything that was sent is read.

#[path = "../../tests/support/memory.rs"]
mod memory;

use std::sync::Arc;
use std::time::Duration;

use memory::measure;
use roomwire::hub::{Config, ConnId, Event, Hub, Origins, Recovery, SocketId};
use roomwire::{Instant, ws};

#[global_allocator]
static COUNTING: memory::Counting = memory::Counting;

const COUNT: usize = 10_000;
const WINDOW: Duration = Duration::from_millis(100);

fn main() {
    println!("{:<58} {:>12} {:>14}", "bytes of heap for each of 10,000 idle", "held", "peak");
    hub("hub: byte stream that has said nothing", |_, _| ());
    hub("hub: HTTP between two requests", |hub, conn| {
        receive(hub, conn, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    });
    hub("hub: WebSocket, no namespace yet", |hub, conn| {
        opened(hub, conn, 4);
    });
    hub("hub: Socket.IO, protocol 5", |hub, conn| {
        connected(hub, conn);
    });
    hub("hub: Socket.IO, protocol 4", |hub, conn| {
        opened(hub, conn, 3);
    });
    hub("hub: + identified and in one room of a hundred", |hub, conn| {
        let socket = identified(hub, conn);
        hub.join(Instant::ORIGIN, socket, &room(hub)).unwrap();
    });
    hub("hub: + present there", |hub, conn| {
        let socket = identified(hub, conn);
        hub.enter(Instant::ORIGIN, socket, &room(hub)).unwrap();
    });
    hub("hub: + was asked once, and answered", |hub, conn| {
        let socket = identified(hub, conn);
        hub.join(Instant::ORIGIN, socket, &room(hub)).unwrap();
        hub.emit_with_ack(Instant::ORIGIN, socket, "question", (), WINDOW * 10).unwrap();
        text(hub, conn, "430[]");
    });
    let recovering = Config { recovery: Some(Recovery::default()), ..Config::new(Origins::Any) };
    hub_of(recovering, "hub: identified, in one room, and can be recovered", |hub, conn| {
        let socket = identified(hub, conn);
        hub.join(Instant::ORIGIN, socket, &room(hub)).unwrap();
    });
    let config = Arc::new(ws::Config::default());
    row("ws::Connection: open, without its own 128 bytes at most", || {
        let make = |_| ws::Connection::server_after_upgrade(config.clone(), Instant::ORIGIN);
        (0..COUNT).map(make).collect::<Vec<_>>().into_boxed_slice()
    });
    println!("{:<58} {:>12}", "ws::Connection: the value itself", size_of::<ws::Connection>());
}

/// Measures what `make` builds; a boxed slice of values counts without the values.
fn row<T>(name: &str, make: impl FnOnce() -> Box<[T]>) {
    let (values, usage) = measure(make);
    let own = size_of_val(&*values) as isize;
    print(name, usage.live - own, usage.peak - own);
}

fn print(name: &str, held: isize, peak: isize) {
    println!("{name:<58} {:>12} {:>14}", held / COUNT as isize, peak / COUNT as isize);
}

fn hub(name: &str, prepare: impl Fn(&mut Hub, ConnId)) {
    hub_of(Config::new(Origins::Any), name, prepare);
}

fn hub_of(config: Config, name: &str, prepare: impl Fn(&mut Hub, ConnId)) {
    let mut hub = Hub::new(config, [7; 32], Instant::ORIGIN).unwrap();
    let ((), usage) = measure(|| {
        for _ in 0..COUNT {
            let conn = hub.connect(Instant::ORIGIN).unwrap();
            prepare(&mut hub, conn);
            settle(&mut hub, Instant::ORIGIN);
        }
        // The presence windows end.
        hub.handle_timeout(Instant::from(WINDOW));
        settle(&mut hub, Instant::from(WINDOW));
    });
    assert_eq!(hub.counts().connections, COUNT);
    print(name, usage.live, usage.peak);
}

/// Everything is told and read.
fn settle(hub: &mut Hub, now: Instant) {
    while hub.poll_event().is_some() {}
    while let Some(conn) = hub.poll_transmit() {
        hub.sent(now, conn, usize::MAX);
    }
}

/// The application: it answers requests, and accepts everybody. Who was accepted last is returned.
fn receive(hub: &mut Hub, conn: ConnId, bytes: &[u8]) -> Option<SocketId> {
    let mut bytes = bytes.to_vec();
    let (mut input, mut accepted) = (&mut bytes[..], None);
    while let Some(event) = hub.receive(Instant::ORIGIN, conn, &mut input) {
        match event {
            Event::Request { conn, .. } => hub.respond(Instant::ORIGIN, conn, roomwire::http::Response::new(200)),
            Event::Connecting { socket, .. } => hub.accept(Instant::ORIGIN, socket).unwrap(),
            Event::Connected { socket, .. } => accepted = Some(socket),
            _ => {}
        }
    }
    accepted
}

fn text(hub: &mut Hub, conn: ConnId, packet: &str) -> Option<SocketId> {
    let (key, payload_len) = ([1, 2, 3, 4], packet.len() as u64);
    let (header, size) = ws::Header { fin: true, opcode: ws::Opcode::Text, mask: Some(key), payload_len }.encode();
    let mut frame = header[..size].to_vec();
    frame.extend_from_slice(packet.as_bytes());
    ws::apply_mask(&mut frame[size..], key);
    receive(hub, conn, &frame)
}

fn opened(hub: &mut Hub, conn: ConnId, revision: u8) -> Option<SocketId> {
    let handshake = format!(
        "GET /socket.io/?EIO={revision}&transport=websocket HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Origin: http://localhost\r\nUser-Agent: {}\r\n\r\n",
        "as browsers have it ".repeat(6)
    );
    receive(hub, conn, handshake.as_bytes())
}

fn connected(hub: &mut Hub, conn: ConnId) -> SocketId {
    opened(hub, conn, 4);
    text(hub, conn, "40").expect("it was accepted")
}

fn identified(hub: &mut Hub, conn: ConnId) -> SocketId {
    let socket = connected(hub, conn);
    let user = format!("user {}", hub.counts().users);
    hub.identify(Instant::ORIGIN, socket, &user).unwrap();
    socket
}

/// One of a hundred.
fn room(hub: &Hub) -> String {
    format!("room {}", hub.counts().sockets % 100)
}
