//! A WebSocket echo on tokio, one task for each connection. The loop itself is `drivers::asynchronous`.
//!
//! `cargo run --release --manifest-path examples/drivers/Cargo.toml --bin tokio -- --listen 127.0.0.1:9001`

use std::io;
use std::sync::Arc;
use std::time::Duration;

use drivers::asynchronous::drive;
use drivers::{listen_address, now};
use roomwire::ws;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind(listen_address()).await?;
    println!("listening on {}", listener.local_addr()?);
    let config = Arc::new(ws::Config::default());
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let conn = ws::Connection::server(config.clone(), now());
                tokio::spawn(async move {
                    stream.set_nodelay(true)?;
                    drive(stream, conn).await
                });
            }
            Err(error) => {
                // Mostly too many open files, which passes.
                eprintln!("accept: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}
