//! A WebSocket client for the command line: lines go out as messages, messages are printed.
//!
//! `ws_client URL [--ping SECONDS] [--subprotocol NAME] [--header 'Name: value'] [--ca FILE]`
//!
//! At the end of the input it closes in order. Its exit code says whether the closing handshake was done (0), it was
//! not or a line could not be sent (1), or the command was not understood (2). `--ca` trusts the certificates in a PEM file
//! instead of the public ones. What is not a message goes to the standard error.

mod options;
mod threads;

use std::error::Error;
use std::io::{self, Write};
use std::net::{Shutdown, TcpStream};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender};
use std::time::Duration;

use drivers::tls::{Arrived, Tls};
use drivers::{gather, now, seed};
use options::{Options, USAGE};
use roomwire::{Instant, Stream, ws};
use threads::{Report, Wire};

/// Above so much that is unwritten no further line is read.
const UNWRITTEN_BYTES_MAX: usize = 64 * 1024;

fn main() -> ExitCode {
    if std::env::args().skip(1).any(|arg| arg == "--help") {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let options = Options::parse().unwrap_or_else(|error| {
        eprintln!("{error}\n{USAGE}");
        std::process::exit(2);
    });
    match Client::connect(options).and_then(Client::run) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

struct Client {
    conn: ws::Connection,
    tls: Option<Tls>,
    stream: TcpStream,
    report: SyncSender<Report>,
    reports: Receiver<Report>,
    wire: Sender<Wire>,
    /// Whether the writing thread has not yet reported its last bytes.
    writing: bool,
    /// Makes the next line be read.
    next_line: Option<Sender<()>>,
    ping: Option<Duration>,
    ping_at: Instant,
    /// Whether the closing handshake was done.
    in_order: bool,
    /// Whether something of the input could not be sent while the connection was open.
    unsent: bool,
}

impl Client {
    fn connect(options: Options) -> Result<Self, Box<dyn Error>> {
        let Options { opening, ping, ca } = options;
        let host = opening.host().trim_matches(['[', ']']);
        let stream = TcpStream::connect((host, opening.port()))?;
        stream.set_nodelay(true)?;
        let tls = if opening.is_secure() { Some(Tls::client(host, ca)?) } else { None };
        let (report, reports, wire) = threads::start(&stream)?;
        let conn = ws::Connection::client(Arc::default(), opening, seed(), now());
        let (writing, next_line, ping_at, in_order, unsent) = (false, None, Instant::NEVER, false, false);
        Ok(Self { conn, tls, stream, report, reports, wire, writing, next_line, ping, ping_at, in_order, unsent })
    }

    /// Whether it ended in order, and all was sent.
    fn run(mut self) -> Result<bool, Box<dyn Error>> {
        loop {
            if !self.writing && !self.write()? {
                match self.conn.stream() {
                    Stream::Open => {}
                    // It may be gone already; the connection waits for that a short while only.
                    Stream::HalfClosed => drop(self.stream.shutdown(Shutdown::Write)),
                    Stream::Closed => return Ok(self.in_order && !self.unsent),
                }
            }
            if self.conn.outgoing_len() < UNWRITTEN_BYTES_MAX
                && let Some(next_line) = self.next_line.take()
            {
                let _ = next_line.send(());
            }
            let due = self.conn.poll_timeout().unwrap_or(Instant::NEVER).min(self.ping_at);
            if due <= now() {
                // Not left to the wait for reports: a server that never stops sending must not stop the time.
                self.time_passed()?;
                continue;
            }
            match self.reports.recv_timeout(due.saturating_since(now())) {
                Ok(report) => self.reported(report)?,
                Err(RecvTimeoutError::Disconnected) => return Ok(false),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Hands what is to be written to the thread that writes; whether there was anything.
    fn write(&mut self) -> io::Result<bool> {
        let (slices, filled) = gather(self.conn.outgoing());
        let (mut bytes, mut count) = (Vec::new(), self.conn.outgoing_len());
        match &mut self.tls {
            None => bytes = self.conn.outgoing().collect::<Vec<_>>().concat(),
            Some(tls) => {
                count = tls.send(&slices[..filled])?;
                if count == self.conn.outgoing_len() && self.conn.stream() > Stream::Open {
                    tls.end();
                }
                tls.write(&mut bytes)?;
            }
        }
        if bytes.is_empty() {
            // TLS keeps them until its own handshake is done.
            self.conn.sent(now(), count);
            return Ok(false);
        }
        self.writing = self.wire.send((bytes, count)).is_ok();
        Ok(true)
    }

    fn reported(&mut self, report: Report) -> Result<(), Box<dyn Error>> {
        match report {
            Report::Received(mut bytes) => self.received(&mut bytes)?,
            Report::EndOfStream => self.ended()?,
            Report::Written(count) => {
                self.writing = false;
                self.conn.sent(now(), count);
            }
            Report::Unwritable => {
                self.writing = false;
                self.conn.abort(now());
            }
            Report::Line(line, next) => {
                self.next_line = Some(next);
                match self.conn.send(now(), line) {
                    // It may be closing already.
                    Ok(()) | Err(ws::SendError::NotOpen) => {}
                    Err(error) => self.not_sent(&error),
                }
            }
            Report::EndOfLines(read) => {
                if let Err(error) = read {
                    self.not_sent(&error);
                }
                // It may be closing already.
                let _ = self.conn.close(now(), ws::CloseCode::NORMAL, "");
            }
        }
        Ok(())
    }

    fn not_sent(&mut self, error: &dyn Error) {
        eprintln!("not sent: {error}");
        self.unsent = true;
    }

    /// Passes what was read up, through TLS if there is any.
    fn received(&mut self, mut bytes: &mut [u8]) -> Result<(), Box<dyn Error>> {
        let Some(mut tls) = self.tls.take() else {
            while let Some(event) = self.conn.receive(now(), &mut bytes) {
                self.happened(event)?;
            }
            return Ok(());
        };
        let (mut wire, mut plain) = (&*bytes, vec![0; 16 * 1024]);
        loop {
            match tls.receive(&mut wire, &mut plain) {
                Ok(Some(Arrived::Bytes(bytes))) => self.received(bytes)?,
                Ok(Some(Arrived::End)) => self.ended()?,
                Ok(None) => break,
                Err(error) => {
                    // The alert says what is wrong.
                    let _ = tls.write(&mut self.stream);
                    return Err(error.into());
                }
            }
        }
        self.tls = Some(tls);
        Ok(())
    }

    fn ended(&mut self) -> Result<(), Box<dyn Error>> {
        let first = self.conn.receive_eof(now());
        self.all_happened(first)
    }

    fn time_passed(&mut self) -> Result<(), Box<dyn Error>> {
        if self.ping_at <= now() {
            self.ping_at = self.ping.map_or(Instant::NEVER, |interval| now().saturating_add(interval));
            // The answer will say when this was.
            let _ = self.conn.ping(now(), &now().as_nanos().to_be_bytes());
        }
        let first = self.conn.handle_timeout(now());
        self.all_happened(first)
    }

    fn all_happened(&mut self, first: Option<ws::Event<'_>>) -> Result<(), Box<dyn Error>> {
        let mut next = first;
        while let Some(event) = next {
            self.happened(event)?;
            next = self.conn.poll_event();
        }
        Ok(())
    }

    fn happened(&mut self, event: ws::Event<'_>) -> Result<(), Box<dyn Error>> {
        match event {
            ws::Event::Opened(opened) => {
                eprintln!("opened{}", opened.subprotocol().map(|name| format!(" with {name}")).unwrap_or_default());
                self.ping_at = self.ping.map_or(Instant::NEVER, |interval| now().saturating_add(interval));
                threads::start_lines(self.report.clone());
            }
            ws::Event::Refused(response) => eprintln!("refused with status {}", response.status()),
            ws::Event::Message(ws::Message::Text(text)) => writeln!(io::stdout(), "{text}")?,
            ws::Event::Message(ws::Message::Binary(bytes)) => writeln!(io::stdout(), "[{} bytes]", bytes.len())?,
            ws::Event::Ping(_) if self.ping.is_some() => eprintln!("ping, answered"),
            ws::Event::Pong(payload) if self.ping.is_some() => {
                if let Ok(then) = <[u8; 8]>::try_from(&*payload) {
                    let then = Instant::from_nanos(u64::from_be_bytes(then));
                    eprintln!("pong after {:?}", now().saturating_since(then));
                }
            }
            ws::Event::Closed(closed) => {
                eprintln!("closed by {:?}: {} {}", closed.by, closed.code, closed.reason);
                self.in_order = closed.error.is_none() && closed.code != ws::CloseCode::ABNORMAL;
            }
            _ => {}
        }
        Ok(())
    }
}
