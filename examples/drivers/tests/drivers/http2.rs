//! HTTP/2 on the port of HTTP/1.1: pages, polling, and WebSockets that an extended CONNECT opens (RFC 8441).

use std::future::Future;
use std::sync::Arc;

use axum::body::Bytes;
use axum::http::Request;
use drivers::{now, seed};
use h2::client::SendRequest;
use h2::ext::Protocol;
use h2::{RecvStream, SendStream};
use roomwire::Stream;
use roomwire::ws::{self, CloseCode, Event, Message};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::peer::PATIENCE;
use crate::server::Server;

const POLLING: &str = "/socket.io/?EIO=4&transport=polling";
const WEBSOCKET: &str = "/socket.io/?EIO=4&transport=websocket";

async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(PATIENCE, what).await.expect("it takes too long")
}

/// A client of HTTP/2.
struct Client(SendRequest<Bytes>);

impl Client {
    /// A client that has the server's settings.
    async fn connect(server: &Server) -> Self {
        let stream = soon(TcpStream::connect(("127.0.0.1", server.port))).await.unwrap();
        let (client, connection) = soon(h2::client::handshake(stream)).await.unwrap();
        tokio::spawn(connection);
        let client = Self(client);
        assert_eq!(client.request("GET", "/nothing", "").await.0, 404);
        assert!(client.0.is_extended_connect_protocol_enabled());
        client
    }

    /// The answer to a request: status and body.
    async fn request(&self, method: &str, target: &str, body: &'static str) -> (u16, String) {
        let request = Request::builder().method(method).uri(format!("http://example.org{target}")).body(()).unwrap();
        let mut client = soon(self.0.clone().ready()).await.unwrap();
        let (response, mut sending) = client.send_request(request, body.is_empty()).unwrap();
        if !body.is_empty() {
            sending.send_data(body.into(), true).unwrap();
        }
        let (head, mut receiving) = soon(response).await.unwrap().into_parts();
        let mut text = String::new();
        while let Some(data) = soon(receiving.data()).await {
            let data = data.unwrap();
            receiving.flow_control().release_capacity(data.len()).unwrap();
            text.push_str(str::from_utf8(&data).unwrap());
        }
        (head.status.as_u16(), text)
    }

    /// An extended CONNECT: the status, and the WebSocket if it was accepted.
    async fn open(&self, target: &str, protocol: &'static str, version: &str) -> (u16, Option<Socket>) {
        let request = Request::connect(format!("http://example.org{target}")).header("sec-websocket-version", version);
        let request = request.extension(Protocol::from_static(protocol)).body(()).unwrap();
        let mut client = soon(self.0.clone().ready()).await.unwrap();
        let (response, sending) = client.send_request(request, false).unwrap();
        let response = soon(response).await.unwrap();
        let status = response.status().as_u16();
        let config = Arc::new(ws::Config { ping_interval: None, ..ws::Config::default() });
        let conn = ws::Connection::client_after_upgrade(config, seed(), now());
        let socket = Socket { conn, sending, receiving: response.into_body(), heard: Vec::new() };
        (status, (status == 200).then_some(socket))
    }

    async fn websocket(&self, target: &str) -> Socket {
        let (status, socket) = self.open(target, "websocket", "13").await;
        socket.unwrap_or_else(|| panic!("{target}: {status}"))
    }
}

/// A WebSocket on a stream of HTTP/2.
struct Socket {
    conn: ws::Connection,
    sending: SendStream<Bytes>,
    receiving: RecvStream,
    heard: Vec<String>,
}

impl Socket {
    fn send(&mut self, text: &str) {
        self.conn.send(now(), text).unwrap();
        self.flush();
    }

    fn flush(&mut self) {
        let bytes = self.conn.outgoing().collect::<Vec<_>>().concat();
        self.conn.sent(now(), bytes.len());
        let ends = self.conn.stream() > Stream::Open;
        if ends || !bytes.is_empty() {
            self.sending.send_data(bytes.into(), ends).unwrap();
        }
    }

    /// Takes what came next on the stream; false at its end.
    async fn read(&mut self) -> bool {
        let Some(data) = soon(self.receiving.data()).await else { return false };
        let mut data = data.unwrap().to_vec();
        self.receiving.flow_control().release_capacity(data.len()).unwrap();
        let mut input = &mut data[..];
        while let Some(event) = self.conn.receive(now(), &mut input) {
            match event {
                Event::Message(Message::Text(text)) => self.heard.insert(0, text.into_owned()),
                Event::Closed(closed) => self.heard.insert(0, format!("closed {}", closed.code.get())),
                other => panic!("{other:?}"),
            }
        }
        // What says no more than that it is the end is followed by it.
        !data.is_empty() || !self.receiving.is_end_stream()
    }

    async fn next(&mut self) -> String {
        while self.heard.is_empty() {
            assert!(self.read().await, "the stream ended");
        }
        self.heard.pop().unwrap()
    }

    /// Connects the namespace `/`.
    async fn connect(&mut self) {
        self.send("40");
        assert!(self.next().await.starts_with("40{\"sid\":"));
        assert!(self.next().await.starts_with("42[\"welcome\""));
    }
}

/// The query of a session that was opened on polling.
async fn open_polling(client: &Client) -> String {
    let (status, body) = client.request("GET", POLLING, "").await;
    let open: Value = serde_json::from_str(body.strip_prefix('0').unwrap()).unwrap();
    assert_eq!(status, 200);
    format!("&sid={}", open["sid"].as_str().unwrap())
}

#[tokio::test]
async fn pages_polling_and_websocket_on_one_connection() {
    let server = Server::start("axum");
    let client = Client::connect(&server).await;
    assert!(client.request("GET", "/", "").await.1.contains("<html"));
    let mut socket = client.websocket(WEBSOCKET).await;
    assert!(socket.next().await.starts_with("0{\"sid\":"));
    socket.connect().await;
    let session = POLLING.to_owned() + &open_polling(&client).await;
    assert_eq!(client.request("POST", &session, "40").await, (200, "ok".into()));
    while !client.request("GET", &session, "").await.1.contains("welcome") {}
    for turn in 0..3 {
        socket.send(&format!(r#"42{turn}["echo","héllo"]"#));
        assert_eq!(socket.next().await, format!(r#"43{turn}["héllo"]"#));
        assert_eq!(client.request("POST", &session, r#"427["echo",1]"#).await, (200, "ok".into()));
        assert_eq!(client.request("GET", &session, "").await, (200, "437[1]".into()));
    }
    // More than the windows of flow control.
    let long = "x".repeat(300_000);
    socket.send(&format!(r#"429["echo","{long}"]"#));
    assert!(socket.next().await == format!(r#"439["{long}"]"#));
}

#[tokio::test]
async fn polling_becomes_a_websocket() {
    let server = Server::start("axum");
    let client = Client::connect(&server).await;
    let session = open_polling(&client).await;
    let mut socket = client.websocket(&format!("{WEBSOCKET}{session}")).await;
    let polled = format!("{POLLING}{session}");
    let waiting = client.request("GET", &polled, "");
    let probing = async {
        socket.send("2probe");
        assert_eq!(socket.next().await, "3probe");
    };
    let ((status, _), ()) = tokio::join!(waiting, probing);
    assert_eq!(status, 200);
    socket.send("5");
    socket.connect().await;
}

#[tokio::test]
async fn an_echo_that_is_closed_in_order() {
    let server = Server::start("axum");
    let client = Client::connect(&server).await;
    let mut socket = client.websocket("/echo").await;
    socket.send("héllo");
    assert_eq!(socket.next().await, "héllo");
    socket.conn.close(now(), CloseCode::new(4321).unwrap(), "").unwrap();
    socket.flush();
    assert_eq!(socket.next().await, "closed 4321");
    assert!(!socket.read().await, "the stream goes on");
    // Others on the connection do not notice.
    assert_eq!(client.request("GET", "/", "").await.0, 200);
}

#[tokio::test]
async fn what_is_no_handshake_is_refused() {
    let server = Server::start("axum");
    let client = Client::connect(&server).await;
    for (target, protocol, version, status) in [
        (WEBSOCKET, "websocket", "8", 426),
        (WEBSOCKET, "connect-udp", "13", 400),
        (POLLING, "websocket", "13", 400),
        ("/socket.io/?EIO=4&transport=websocket&sid=aaaaaaaaaaaaaaaaaaaa", "websocket", "13", 400),
        ("/echo", "connect-udp", "13", 426),
        ("/nothing", "websocket", "13", 404),
    ] {
        assert_eq!(client.open(target, protocol, version).await.0, status, "{target} {protocol} {version}");
    }
    assert_eq!(client.request("GET", WEBSOCKET, "").await.0, 400);
}
