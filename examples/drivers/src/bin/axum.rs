//! The chat of `examples/chat` behind axum: pages are axum's, Socket.IO is this library's, on one port, which speaks HTTP/1.1
//! and HTTP/2. A WebSocket echo is at
//! `/echo`. The same hub serves plain TCP connections, and lines, on ports of their own.
//!
//! `cargo run --release --manifest-path examples/drivers/Cargo.toml --bin axum -- --listen 127.0.0.1:9001`
//!
//! Options: `--raw ADDR` (byte streams from which the hub reads HTTP itself), `--lines ADDR` (Socket.IO packets as lines),
//! `--admin TOKEN`, `--grace SECONDS`, `--recover`, as for `examples/server.rs`.

#[path = "../../../chat/mod.rs"]
mod chat;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any, get};
use axum::serve::ListenerExt;
use chat::Chat;
use drivers::asynchronous::drive;
use drivers::hub_service::{Application, HubService, from_axum, respond};
use drivers::now;
use drivers::options::{Options, listening};
use hyper_util::rt::TokioIo;
use roomwire::Instant;
use roomwire::hub::{Config, ConnId, Event, Hub, Namespaces, Origins, Peer, Recovery};
use roomwire::ws::{self, Accept, HandshakeError, Upgrade};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::ctrl_c;
#[cfg(unix)]
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

/// How long axum may take to end when the hub is finished.
const END_TIMEOUT: Duration = Duration::from_secs(5);

type Service = HubService<Chat>;

impl Application for Chat {
    fn connected(&mut self, conn: ConnId, peer: Peer) {
        if let Some(address) = peer.address {
            self.connected(conn, address);
        }
    }

    fn handle(&mut self, hub: &mut Hub, now: Instant, event: Event<'_>) {
        self.handle(hub, now, event);
    }
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let options =
        Options::parse("axum", &["--raw ADDR", "--lines ADDR", "--admin TOKEN", "--grace SECONDS", "--recover"]);
    let listener = bind(options.listen()).await;
    let raw = bind_if_asked(options.value("--raw")).await;
    let lines = bind_if_asked(options.value("--lines")).await;
    let service = start(&options)?;
    println!("listening on http://{}", listener.local_addr()?);
    if let Some(listener) = raw {
        println!("byte streams on {}", listener.local_addr()?);
        let service = service.clone();
        tokio::spawn(accept(listener, move |stream, peer| {
            let service = service.clone();
            async move { service.serve(stream, peer).await }
        }));
    }
    if let Some(listener) = lines {
        println!("lines on {}", listener.local_addr()?);
        let service = service.clone();
        tokio::spawn(accept(listener, move |stream, peer| {
            let service = service.clone();
            async move { service.serve_lines(stream, peer).await }
        }));
    }

    let (asked, app) = (Arc::new(Notify::new()), app(service.clone()));
    let end = asked.clone();
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    let serving = axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>())
        .with_graceful_shutdown(async move { end.notified().await });
    let mut serving = tokio::spawn(serving.into_future());
    tokio::select! {
        ended = &mut serving => return ended?,
        asked = asked_to_end() => asked?,
    }
    eprintln!("stopping");
    service.shutdown().await;
    asked.notify_one();
    // Whoever is still in the middle of a request has no more to wait for.
    let _ = timeout(END_TIMEOUT, serving).await;
    Ok(())
}

/// Until somebody asks for the end: by Ctrl-C, or as services are ended.
async fn asked_to_end() -> io::Result<()> {
    #[cfg(unix)]
    {
        let mut terminated = signal(SignalKind::terminate())?;
        tokio::select! {
            interrupted = ctrl_c() => interrupted,
            _ = terminated.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    ctrl_c().await
}

async fn bind(address: &str) -> TcpListener {
    listening(address, TcpListener::bind(address).await)
}

async fn bind_if_asked(address: Option<&str>) -> Option<TcpListener> {
    match address {
        Some(address) => Some(bind(address).await),
        None => None,
    }
}

/// The hub and its chat.
fn start(options: &Options) -> io::Result<Service> {
    // Nobody is known by a cookie here, so that a page from elsewhere can do nothing that a program could not.
    let mut config = Config::new(Origins::Any);
    let admin = options.value("--admin").map(str::to_owned);
    config.namespaces = Namespaces::Listed(match admin {
        Some(_) => vec!["/".into(), "/admin".into()],
        None => vec!["/".into()],
    });
    if let Some(grace) = options.seconds("--grace") {
        config.away_timeout = grace;
    }
    config.recovery = options.has("--recover").then(Recovery::default);
    Service::start(config, Chat::new(admin)).map_err(io::Error::other)
}

fn app(service: Service) -> Router {
    Router::new()
        .route("/", page("text/html; charset=utf-8", include_str!("../../../page/index.html")))
        .route("/chat.css", page("text/css; charset=utf-8", include_str!("../../../page/chat.css")))
        .route("/chat.js", page("text/javascript; charset=utf-8", include_str!("../../../page/chat.js")))
        .route("/roomwire.js", page("text/javascript; charset=utf-8", include_str!("../../../page/roomwire.js")))
        .route("/socket.io/", any(socket_io))
        .route("/socket.io", any(socket_io))
        .with_state(service)
        .merge(Router::new().route("/echo", any(echo)).with_state(Arc::new(ws::Config::default())))
}

fn page(kind: &'static str, text: &'static str) -> MethodRouter<Service> {
    get(move || async move { ([(CONTENT_TYPE, kind)], text).into_response() })
}

async fn socket_io(
    State(service): State<Service>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    service.handle(Peer { address: Some(address), secure: false }, request).await
}

async fn echo(State(config): State<Arc<ws::Config>>, mut request: Request) -> Response {
    let accepted = from_axum(&request).map_err(|_| HandshakeError::Malformed).and_then(Upgrade::check);
    let accepted = accepted.and_then(|upgrade| {
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

/// Serves each connection in a task of its own.
async fn accept<F>(listener: TcpListener, serve: impl Fn(TcpStream, Peer) -> F)
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                // Without it answers are later, nothing else.
                let _ = stream.set_nodelay(true);
                tokio::spawn(serve(stream, Peer { address: Some(address), secure: false }));
            }
            Err(error) => {
                // Mostly too many open files, which passes.
                eprintln!("accept: {error}");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}
