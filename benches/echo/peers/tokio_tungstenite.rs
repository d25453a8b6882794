//! An echo with tokio-tungstenite. Answers are fed, and flushed when there is nothing more to read, so that all to one read go
//! out in one write; as its own example does by `forward`, without the lock that splitting takes.

use std::io;

use futures_util::future::poll_immediate;
use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::accept_async_with_config;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

/// As much as our driver reads at once. The default, 128 KiB, is written over before each read and costs more.
const READ_BYTES: usize = 16 << 10;

#[tokio::main]
async fn main() -> io::Result<()> {
    rlimit::increase_nofile_limit(u64::MAX)?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(echo(stream));
    }
}

async fn echo(stream: TcpStream) -> Result<(), Error> {
    stream.set_nodelay(true)?;
    let config = WebSocketConfig::default().read_buffer_size(READ_BYTES);
    let mut socket = accept_async_with_config(stream, Some(config)).await?;
    loop {
        let next = match poll_immediate(socket.next()).await {
            Some(next) => next,
            None => {
                socket.flush().await?;
                socket.next().await
            }
        };
        match next {
            Some(Ok(message)) if message.is_text() || message.is_binary() => socket.feed(message).await?,
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(error),
            None => return Ok(()),
        }
    }
}
