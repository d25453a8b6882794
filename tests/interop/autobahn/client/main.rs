//! A client that lets a fuzzing server test it: it asks how many cases there are, sends back whatever comes in each, and
//! tells the server when it is through.
//!
//! `client 127.0.0.1:9001`; with `--no-context-takeover` it offers first to compress each message on its own, with
//! `--pieces` messages of more than 100 bytes go back piece by piece.

use std::fs::File;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant as Clock};

use roomwire::{Instant, Stream, ws};

const AGENT: &str = "roomwire";

fn main() -> io::Result<()> {
    let mut args = std::env::args().skip(1);
    let usage = || io::Error::other("usage: client HOST:PORT [--no-context-takeover] [--pieces]");
    let server = args.next().ok_or_else(usage)?;
    // The suite takes a short message that comes back plain for an error.
    let mut deflate = ws::DeflateConfig { threshold_bytes: 0, ..Default::default() };
    let mut config = ws::Config::default();
    for arg in args {
        match arg.as_str() {
            "--no-context-takeover" => deflate.client_no_context_takeover = true,
            "--pieces" => {
                config.limits.message_bytes_max = 100;
                config.pieces = Some(ws::PieceLimits::default());
            }
            _ => return Err(usage()),
        }
    }
    config.deflate = Some(deflate);
    let config = Arc::new(config);
    let ask = |target: &str| run(&config, &server, target, false);
    let counted = ask("/getCaseCount")?;
    let cases: u32 = counted.parse().map_err(|_| io::Error::other(format!("{counted:?} cases")))?;
    for case in 1..=cases {
        run(&config, &server, &format!("/runCase?case={case}&agent={AGENT}"), true)?;
    }
    ask(&format!("/updateReports?agent={AGENT}"))?;
    println!("ran {cases} cases");
    Ok(())
}

/// One connection from its beginning to its end; the last text that came, where nothing is sent back.
fn run(config: &Arc<ws::Config>, server: &str, target: &str, echoes: bool) -> io::Result<String> {
    let origin = Clock::now();
    let now = || Instant::from(origin.elapsed());
    let opening = ws::Opening::url(&format!("ws://{server}{target}")).map_err(io::Error::other)?;
    let mut stream = TcpStream::connect(server)?;
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(config.write_timeout))?;
    let mut seed = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut seed)?;
    let mut conn = ws::Connection::client(config.clone(), opening, seed, now());
    let mut buffer = vec![0; 64 * 1024];
    let mut said = String::new();
    loop {
        if conn.poll_timeout().is_some_and(|at| at <= now()) {
            drop(conn.handle_timeout(now()));
        }
        if conn.outgoing_len() > 0 {
            let pieces: Vec<_> = conn.outgoing().map(IoSlice::new).collect();
            match stream.write_vectored(&pieces) {
                Ok(written) => conn.sent(now(), written),
                // A server that failed the connection may read no more; what it said before is still to be read.
                Err(error) if is_end(&error) => conn.abort(now()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            continue;
        }
        match conn.stream() {
            Stream::Open => {}
            Stream::HalfClosed => drop(stream.shutdown(Shutdown::Write)),
            Stream::Closed => return Ok(said),
        }
        let patience = conn.poll_timeout().map(|at| at.saturating_since(now()).max(Duration::from_millis(1)));
        stream.set_read_timeout(patience)?;
        match stream.read(&mut buffer) {
            Ok(0) => drop(conn.receive_eof(now())),
            Ok(count) => {
                let mut input = &mut buffer[..count];
                while let Some(event) = conn.receive(now(), &mut input) {
                    match event {
                        ws::Event::Message(message) if echoes => drop(conn.send(now(), message)),
                        ws::Event::Piece(piece) => drop(conn.send_piece(now(), piece)),
                        ws::Event::Message(ws::Message::Text(text)) => said = text.into_owned(),
                        ws::Event::Refused(response) => {
                            return Err(io::Error::other(format!("status {} for {target}", response.status())));
                        }
                        _ => {}
                    }
                }
            }
            Err(error) if is_end(&error) => drop(conn.receive_eof(now())),
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) => {}
            Err(error) => return Err(error),
        }
    }
}

fn is_end(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe)
}
