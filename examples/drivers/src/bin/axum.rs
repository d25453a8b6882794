//! A WebSocket echo behind axum: pages are axum's, `/echo` is upgraded by hand and is ours from there on.
//!
//! `cargo run --release --manifest-path examples/drivers/Cargo.toml --bin axum -- --listen 127.0.0.1:9001`

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, Version};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{any, get};
use axum::serve::ListenerExt;
use drivers::asynchronous::drive;
use drivers::{listen_address, now};
use hyper_util::rt::TokioIo;
use roomwire::ws::{self, HandshakeError, Upgrade};
use roomwire::{http, ws::accept_key};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind(listen_address()).await?;
    println!("listening on {}", listener.local_addr()?);
    let config = Arc::new(ws::Config::default());
    let app = Router::new().route("/", get(page)).route("/echo", any(echo)).with_state(config);
    axum::serve(listener.tap_io(|stream| drop(stream.set_nodelay(true))), app).await
}

async fn page() -> Html<&'static str> {
    Html("<!doctype html><title>echo</title><p>WebSockets are at <code>/echo</code>.")
}

async fn echo(State(config): State<Arc<ws::Config>>, mut request: Request) -> Response {
    let upgrade = match check(&request) {
        Ok(upgrade) => upgrade,
        Err(error) => return refuse(error),
    };
    let stream = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        if let Ok(stream) = stream.await {
            let conn = ws::Connection::server_after_upgrade(config, now());
            let _ = drive(TokioIo::new(stream), conn).await;
        }
    });
    let key = upgrade.request().header("sec-websocket-key").unwrap_or_default();
    let headers =
        [("upgrade", "websocket".into()), ("connection", "Upgrade".into()), ("sec-websocket-accept", accept(key))];
    (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
}

/// Holds a request of axum's against RFC 6455: put back into the bytes that it was made from, it is read by our own reader.
fn check(request: &Request) -> Result<Upgrade, HandshakeError> {
    let version = if request.version() == Version::HTTP_11 { 1 } else { 0 };
    let mut head = format!("{} {} HTTP/1.{version}\r\n", request.method(), request.uri()).into_bytes();
    for (name, value) in request.headers() {
        head.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    head.extend(b"\r\n");
    match http::RequestReader::new().read(&http::Limits::default(), &mut &head[..]) {
        Ok(Some(request)) => Upgrade::check(request),
        // What axum lets through and we do not: a body, a head that is too long.
        _ => Err(HandshakeError::Rejected),
    }
}

fn refuse(error: HandshakeError) -> Response {
    let status = StatusCode::from_u16(error.response().status()).unwrap_or(StatusCode::BAD_REQUEST);
    // Section 4.2.2 of RFC 6455 wants the first, section 15.5.22 of RFC 9110 the second.
    let headers = [("sec-websocket-version", "13"), ("upgrade", "websocket")];
    (status, headers, format!("{error}\n")).into_response()
}

fn accept(key: &str) -> String {
    String::from_utf8_lossy(&accept_key(key)).into_owned()
}
