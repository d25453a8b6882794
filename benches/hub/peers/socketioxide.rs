//! The same application with socketioxide, behind axum as its own examples have it, on one thread.

use std::io;
use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt;
use socketioxide::SocketIo;
use socketioxide::extract::{AckSender, Data, SocketRef};
use tokio::net::TcpListener;

const ROOM: &str = "all";

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    rlimit::increase_nofile_limit(u64::MAX)?;
    let (layer, sockets) = SocketIo::builder().ping_interval(Duration::from_secs(300)).build_layer();
    sockets.ns("/", connected);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on {}", listener.local_addr()?);
    let listener = listener.tap_io(|stream| stream.set_nodelay(true).expect("an open socket"));
    axum::serve(listener, Router::new().layer(layer)).await
}

async fn connected(socket: SocketRef) {
    socket.join(ROOM);
    socket.on("say", say);
    socket.on("echo", echo);
}

async fn say(socket: SocketRef, Data(args): Data<(String, String)>) {
    socket.within(ROOM).emit("say", &args).await.expect("room in everybody's buffer");
}

async fn echo(Data(text): Data<String>, ack: AckSender) {
    ack.send(&text).expect("a client that waits");
}
