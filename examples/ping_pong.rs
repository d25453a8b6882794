//! Server and client in one program, over loopback: each second the client emits `ping`, the
//! server answers `pong`, and both print it, with the bytes that the exchange cost on the wire
//! beside those of the same exchange as an HTTP request.
//!
//! `cargo run --release --example ping_pong` (`--count N` stops after N)
//!
//! Both ends run in lock-step in one thread: what one end has to say is written to its socket and read from the other's. So
//! the whole life of a message stands in [`main`], from top to bottom.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::exit;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant as Clock};

use roomwire::hub::{Config, ConnId, Event, Hub, Origins};
use roomwire::socketio::{EventData, Packet, PacketType};
use roomwire::{Instant, http, ws};

const USAGE: &str = "usage: ping_pong [--count N]";

/// What a browser sends at least; most send several times as much, with their cookies.
const HEADERS: &str = "Host: 127.0.0.1\r\nUser-Agent: ping_pong\r\nAccept: */*\r\n";
const KEY: &str = "cGluZyBwb25nIHBpbmcgcA==";

fn main() -> io::Result<()> {
    let count = count();
    let origin = Clock::now();
    let now = || Instant::from(origin.elapsed());

    let hub = Hub::new(Config::new(Origins::Any), [1; 32], now()).map_err(io::Error::other)?;
    let mut server = Server { hub, listener: TcpListener::bind("127.0.0.1:0")? };

    // The opening handshake: an HTTP request that becomes a WebSocket.
    let mut wire = Wire::open(&mut server, now())?;
    let path = "/socket.io/?EIO=4&transport=websocket";
    let upgrade = format!(
        "GET {path} HTTP/1.1\r\n{HEADERS}Connection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
    );
    let answer = wire.exchange(&mut server, now(), upgrade.as_bytes())?;
    let head = answer.windows(4).position(|part| part == b"\r\n\r\n").map_or(0, |at| at + 4);
    assert!(answer[..head].windows(28).any(|part| part == ws::accept_key(KEY)), "the server takes the upgrade");
    println!("opened: {} bytes up, {} bytes down, once", upgrade.len(), head);

    let mut client = ws::Connection::client_after_upgrade(Arc::default(), [2; 32], now());
    read(&mut client, now(), &mut answer[head..].to_vec(), |_| {});
    send(&mut client, now(), &Packet::new(PacketType::Connect, "/"));
    talk(&mut client, &mut wire, &mut server, now())?;

    // The same without WebSocket, on a connection that is kept open for it.
    let mut requests = Wire::open(&mut server, now())?;
    for round in 1..=count {
        let data = format!(r#"["ping",{round}]"#);
        println!("client: ping {round}");
        send(&mut client, now(), &Packet { data: &data, ..Packet::new(PacketType::Event, "/") });
        let (up, down) = talk(&mut client, &mut wire, &mut server, now())?;

        let length = data.len();
        let head =
            format!("POST /ping HTTP/1.1\r\n{HEADERS}Content-Type: application/json\r\nContent-Length: {length}");
        let request = format!("{head}\r\n\r\n{data}");
        let response = requests.exchange(&mut server, now(), request.as_bytes())?;
        println!(
            "cost: {} bytes as events ({up} up, {down} down), {} bytes as a request ({} up, {} down)",
            up + down,
            request.len() + response.len(),
            request.len(),
            response.len()
        );
        sleep(Duration::from_secs(1));
        server.hub.handle_timeout(now());
    }
    Ok(())
}

/// How often, as the command line says.
fn count() -> u64 {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let count = match &args[..] {
        [] => Some(u64::MAX),
        [option, count] if option == "--count" => count.parse().ok(),
        [option] if option == "--help" => {
            println!("{USAGE}");
            exit(0)
        }
        _ => None,
    };
    count.unwrap_or_else(|| {
        eprintln!("not understood: {}\n{USAGE}", args.join(" "));
        exit(2)
    })
}

/// Carries what the client has queued to the server, and reads the answer; how many bytes went up and down.
fn talk(client: &mut ws::Connection, wire: &mut Wire, server: &mut Server, now: Instant) -> io::Result<(usize, usize)> {
    let up = client.outgoing().collect::<Vec<_>>().concat();
    client.sent(now, up.len());
    let mut down = wire.exchange(server, now, &up)?;
    let bytes = (up.len(), down.len());
    read(client, now, &mut down, |event| println!("client: {} {}", event.name, event.args.as_str()));
    Ok(bytes)
}

/// The two ends of one TCP connection on loopback.
struct Wire {
    conn: ConnId,
    near: TcpStream,
    far: TcpStream,
}

struct Server {
    hub: Hub,
    listener: TcpListener,
}

impl Wire {
    fn open(server: &mut Server, now: Instant) -> io::Result<Self> {
        let near = TcpStream::connect(server.listener.local_addr()?)?;
        let (far, _) = server.listener.accept()?;
        let conn = server.hub.connect(now).map_err(io::Error::other)?;
        Ok(Self { conn, near, far })
    }

    /// Carries bytes to the server, and its answer back.
    fn exchange(&mut self, server: &mut Server, now: Instant, up: &[u8]) -> io::Result<Vec<u8>> {
        let hub = &mut server.hub;
        let mut arrived = carry(up, &mut self.near, &mut self.far)?;
        let mut input = &mut arrived[..];
        while let Some(event) = hub.receive(now, self.conn, &mut input) {
            answer(hub, now, event);
        }
        let down = hub.outgoing(self.conn).collect::<Vec<_>>().concat();
        hub.sent(now, self.conn, down.len());
        carry(&down, &mut self.far, &mut self.near)
    }
}

/// What the server does.
fn answer(hub: &mut Hub, now: Instant, event: Event<'_>) {
    let result = match event {
        Event::Connecting { socket, .. } => hub.accept(now, socket).map_err(|error| error.to_string()),
        Event::Emit { socket, name, args, .. } if name == "ping" => {
            println!("server: ping {}", args.as_str());
            hub.emit(now, socket, "pong", args).map(drop).map_err(|error| error.to_string())
        }
        Event::Request { conn, request } => {
            let pong = String::from_utf8_lossy(request.body()).replace("ping", "pong");
            hub.respond(now, conn, http::Response::new(200).text(&pong));
            Ok(())
        }
        _ => Ok(()),
    };
    if let Err(error) = result {
        eprintln!("server: {error}");
    }
}

/// Queues a Socket.IO packet as the message of an Engine.IO packet.
fn send(client: &mut ws::Connection, now: Instant, packet: &Packet<'_>) {
    let mut text = b"4".to_vec();
    packet.write(&mut text);
    let text = String::from_utf8(text).expect("packets are text");
    client.send(now, text).expect("the connection is open and its outbox empty");
}

/// Reads what the server sent: events go to `tell`, pings are answered.
fn read(client: &mut ws::Connection, now: Instant, bytes: &mut [u8], tell: impl Fn(EventData<'_>)) {
    let mut input = bytes;
    while let Some(event) = client.receive(now, &mut input) {
        let ws::Event::Message(ws::Message::Text(text)) = event else { continue };
        if text == "2" {
            client.send(now, "3").expect("the connection is open and its outbox empty");
        }
        let packet = text.strip_prefix('4').and_then(|text| Packet::parse(text).ok());
        if let Some(packet) = packet.filter(|packet| packet.kind == PacketType::Event) {
            tell(EventData::parse(packet.data).expect("the server sends valid events"));
        }
    }
}

/// Writes to one end and reads the same at the other. There is room for it in the sockets' buffers.
fn carry(bytes: &[u8], from: &mut TcpStream, to: &mut TcpStream) -> io::Result<Vec<u8>> {
    from.write_all(bytes)?;
    let mut arrived = vec![0; bytes.len()];
    to.read_exact(&mut arrived)?;
    Ok(arrived)
}
