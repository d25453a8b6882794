//! A WebSocket echo behind axum: pages are axum's, `/echo` is upgraded by hand and is ours from there on.
//!
//! `cargo run --release --manifest-path examples/drivers/Cargo.toml --bin axum -- --listen 127.0.0.1:9001`

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderName, StatusCode, Version};
use axum::response::{Html, Response};
use axum::routing::{any, get};
use axum::serve::ListenerExt;
use drivers::asynchronous::drive;
use drivers::{listen_address, now};
use hyper_util::rt::TokioIo;
use roomwire::http;
use roomwire::ws::{self, Accept, HandshakeError, Upgrade};
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
    let accepted = check(&request).and_then(|upgrade| {
        let behind = ws::Connection::server_behind(config, &upgrade, &Accept::new(), now());
        behind.map_err(|_| HandshakeError::Rejected)
    });
    let (answer, conn) = match accepted {
        Ok(accepted) => accepted,
        Err(error) => return respond(&error.response()),
    };
    let stream = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        if let Ok(stream) = stream.await {
            let _ = drive(TokioIo::new(stream), conn).await;
        }
    });
    respond(&answer)
}

/// Holds a request of axum's against RFC 6455.
fn check(request: &Request) -> Result<Upgrade, HandshakeError> {
    let version = if request.version() == Version::HTTP_11 { 1 } else { 0 };
    let headers = request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    let request = http::Request::from_parts(request.method().as_str(), &request.uri().to_string(), version, headers);
    Upgrade::check(request.map_err(|_| HandshakeError::Malformed)?)
}

/// A response of ours as one of axum's.
fn respond(answer: &http::Response) -> Response {
    let mut response = Response::new(Body::from(answer.body_bytes().clone()));
    *response.status_mut() = StatusCode::from_u16(answer.status()).unwrap_or(StatusCode::BAD_REQUEST);
    for (name, value) in answer.headers() {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse()) {
            response.headers_mut().append(name, value);
        }
    }
    response
}
