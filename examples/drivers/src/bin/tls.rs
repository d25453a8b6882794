//! A WebSocket echo over TLS, one thread for each connection: rustls is one more layer below ours that does no I/O.
//!
//! `cargo run --release --manifest-path examples/drivers/Cargo.toml --bin tls -- --listen 127.0.0.1:9001`
//!
//! Its certificate is made at each start, for localhost. `--certificate FILE` writes it for those who are to trust it.

use std::error::Error;
use std::io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
use std::io::{self, Read};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use drivers::options::{Options, fail, listening};
use drivers::tls::{Arrived, Tls};
use drivers::{echo, gather, now};
use roomwire::{Stream, ws};
use rustls::{ServerConfig, ServerConnection};

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse("tls", &["--certificate FILE"]);
    let names = ["localhost", "127.0.0.1", "::1"].map(String::from);
    let made = rcgen::generate_simple_self_signed(names)?;
    if let Some(path) = options.value("--certificate") {
        std::fs::write(path, made.cert.pem())
            .unwrap_or_else(|error| fail(format_args!("cannot write {path}: {error}")));
    }
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let tls = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![made.cert.into()], key.into())?;
    let tls = Arc::new(tls);
    let config = Arc::new(ws::Config::default());

    let listener = listening(options.listen(), TcpListener::bind(options.listen()));
    println!("listening on {}", listener.local_addr()?);
    for stream in listener.incoming() {
        let (tls, config) = (tls.clone(), config.clone());
        let served = stream.and_then(|stream| thread::Builder::new().spawn(move || serve(stream, tls, config)));
        if let Err(error) = served {
            // Mostly too many open files, which passes.
            eprintln!("accept: {error}");
            thread::sleep(Duration::from_millis(100));
        }
    }
    Ok(())
}

fn serve(mut stream: TcpStream, tls: Arc<ServerConfig>, config: Arc<ws::Config>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(config.write_timeout))?;
    let mut tls = Tls::new(ServerConnection::new(tls).map_err(io::Error::other)?);
    let mut conn = ws::Connection::server(config, now());
    let (mut wire, mut plain) = (vec![0; 32 * 1024], vec![0; 32 * 1024]);
    loop {
        // At each turn: who never stops sending, or reads a few bytes now and then, must not stop the time.
        if conn.poll_timeout().is_some_and(|at| at <= now()) {
            echo::time_passed(&mut conn, now());
        }
        // Ours, TLS's own and at the end its farewell, together.
        let (slices, filled) = gather(conn.outgoing());
        let taken = tls.send(&slices[..filled])?;
        conn.sent(now(), taken);
        let last = conn.outgoing_len() == 0;
        if last && conn.stream() > Stream::Open {
            tls.end();
        }
        tls.write(&mut stream)?;
        if !last {
            continue;
        }
        match conn.stream() {
            Stream::Open => {}
            Stream::HalfClosed => stream.shutdown(Shutdown::Write)?,
            Stream::Closed => return Ok(()),
        }
        let patience = conn.poll_timeout().map(|at| at.saturating_since(now()).max(Duration::from_millis(1)));
        stream.set_read_timeout(patience)?;
        match stream.read(&mut wire) {
            Ok(0) => echo::ended(&mut conn, now()),
            Ok(count) => {
                if let Err(error) = receive(&mut conn, &mut tls, &wire[..count], &mut plain) {
                    tls.write(&mut stream)?; // the alert that says what was wrong
                    return Err(error);
                }
            }
            Err(error) if matches!(error.kind(), WouldBlock | TimedOut | Interrupted) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Passes what was read up through both layers.
fn receive(conn: &mut ws::Connection, tls: &mut Tls, mut wire: &[u8], plain: &mut [u8]) -> io::Result<()> {
    while let Some(arrived) = tls.receive(&mut wire, plain)? {
        match arrived {
            Arrived::Bytes(bytes) => echo::received(conn, now(), bytes),
            Arrived::End => echo::ended(conn, now()),
        }
    }
    Ok(())
}
