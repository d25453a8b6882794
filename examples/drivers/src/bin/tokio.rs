//! A WebSocket echo on tokio, one task for each connection. The loop itself is `drivers::asynchronous`.
//!
//! `cargo run --release --manifest-path examples/drivers/Cargo.toml --bin tokio -- --listen 127.0.0.1:9001`

use std::io;
use std::sync::Arc;
use std::time::Duration;

use drivers::asynchronous::drive;
use drivers::now;
use drivers::options::{Options, listening};
use futures_timer::Delay;
use roomwire::ws;
use tokio::net::TcpListener;
use tokio::runtime::Builder;

/// Without the time of tokio's, which nothing here needs.
fn main() -> io::Result<()> {
    Builder::new_multi_thread().enable_io().build()?.block_on(serve())
}

async fn serve() -> io::Result<()> {
    let options = Options::parse("tokio", &[]);
    let listener = listening(options.listen(), TcpListener::bind(options.listen()).await);
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
                Delay::new(Duration::from_millis(100)).await;
            }
        }
    }
}
