//! The smallest driver: a WebSocket server that sends every message back.
//!
//! `cargo run --release --example echo -- --listen 127.0.0.1:9001`; with `--features deflate` it compresses.

use std::io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::exit;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant as Clock};

use roomwire::{Instant, Stream, ws};

const USAGE: &str = "usage: echo [--listen ADDR]";

fn main() -> io::Result<()> {
    let address = address();
    let listener = TcpListener::bind(&address).unwrap_or_else(|error| {
        eprintln!("cannot listen on {address}: {error}");
        exit(1)
    });
    println!("listening on {}", listener.local_addr()?);
    let config = Arc::new(ws::Config {
        #[cfg(feature = "deflate")]
        deflate: Some(ws::DeflateConfig { threshold_bytes: 0, ..Default::default() }),
        ..Default::default()
    });
    loop {
        let config = config.clone();
        let served = listener.accept().and_then(|(stream, _)| thread::Builder::new().spawn(|| serve(stream, config)));
        if let Err(error) = served {
            // Mostly too many open files, which passes.
            eprintln!("{error}");
            thread::sleep(Duration::from_millis(100));
        }
    }
}

/// Where to listen, as the command line says.
fn address() -> String {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match &args[..] {
        [] => "127.0.0.1:9001".into(),
        [option, address] if option == "--listen" => address.clone(),
        [option] if option == "--help" => {
            println!("{USAGE}");
            exit(0)
        }
        _ => {
            eprintln!("not understood: {}\n{USAGE}", args.join(" "));
            exit(2)
        }
    }
}

fn serve(mut stream: TcpStream, config: Arc<ws::Config>) -> io::Result<()> {
    let origin = Clock::now();
    let now = || Instant::from(origin.elapsed());
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(config.write_timeout))?;
    let mut conn = ws::Connection::server(config, now());
    let mut buffer = vec![0; 64 * 1024];
    loop {
        // At each turn: who never stops sending, or reads a few bytes now and then, must not stop the time.
        if conn.poll_timeout().is_some_and(|at| at <= now()) {
            drop(conn.handle_timeout(now()));
        }
        // All answers to one read go out in one write.
        if conn.outgoing_len() > 0 {
            let pieces: Vec<_> = conn.outgoing().map(IoSlice::new).collect();
            match stream.write_vectored(&pieces) {
                Ok(count) => conn.sent(now(), count),
                Err(error) if error.kind() == Interrupted => {}
                Err(error) => return Err(error),
            }
            continue;
        }
        match conn.stream() {
            Stream::Open => {}
            Stream::HalfClosed => stream.shutdown(Shutdown::Write)?,
            Stream::Closed => return Ok(()),
        }
        let patience = conn.poll_timeout().map(|at| at.saturating_since(now()).max(Duration::from_millis(1)));
        stream.set_read_timeout(patience)?;
        match stream.read(&mut buffer) {
            Ok(0) => drop(conn.receive_eof(now())),
            Ok(count) => {
                let mut input = &mut buffer[..count];
                while let Some(event) = conn.receive(now(), &mut input) {
                    match event {
                        ws::Event::Upgrade(_) => drop(conn.accept(now(), &ws::Accept::new())),
                        ws::Event::Message(message) => drop(conn.send(now(), message)),
                        _ => {}
                    }
                }
            }
            Err(error) if matches!(error.kind(), WouldBlock | TimedOut | Interrupted) => {}
            Err(error) => return Err(error),
        }
    }
}
