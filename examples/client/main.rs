//! A Socket.IO client for the command line: lines in, events out.
//!
//! `cargo run --release --example client -- http://127.0.0.1:8888`
//!
//! | option | |
//! | --- | --- |
//! | `--polling`, `--websocket` | one transport, instead of the one changed into the other |
//! | `--protocol 4` | for servers 2.x; otherwise 5 |
//! | `--namespace /NAME` | instead of `/`; may stand there several times, the last one is spoken to |
//! | `--auth JSON` | an object for authentication |
//! | `--retries N` | events are sent again until they are acknowledged |
//!
//! A line is an event: `say "hello",7`. A question mark before it asks for an acknowledgement: `?say "hello"`. Attachments stand
//! behind a bar in hexadecimal digits: `photo {"_placeholder":true,"num":0} | 89504e47`. Events are printed in the same form;
//! what the server wants acknowledged is acknowledged with its own arguments. An event is one line: what would end it, or
//! control a terminal, is escaped as in JSON. Lines that begin with `#` tell how the connection fares; `help` shows one of
//! them again. A line is read when there is room for the one before, so that as much may be piped in as one likes.
//!
//! At the end of the input the client says goodbye, once everything is sent and acknowledged that is to be, and ends with 0. It
//! ends with 1 where that cannot be, or the server refuses it, sends it away or is not there. What was said without asking for an
//! answer may be lost with a connection: then it ends with 1 too, unless there are `--retries`. With 2 it ends if
//! the command line was not understood.
//!
//! What waits has threads: each byte stream one that opens it, then one that reads and one that writes; the standard input one.
//! Everything else happens in the main thread.

mod conversation;
mod line;
mod options;
mod threads;

use std::collections::HashMap;
use std::error::Error;
use std::hash::{BuildHasher, RandomState};
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant as Clock};

use conversation::Conversation;
use line::{Line, tell, tell_event};
use options::{Options, USAGE};
use roomwire::Instant;
use roomwire::client::{Client, EmitError, Event, SocketId, StreamId};
use roomwire::socketio::attach;
use threads::{News, Wire};

/// How long the server may take to acknowledge.
const ACK_TIMEOUT: Duration = Duration::from_secs(10);

/// Above so many bytes that wait to be sent no line is said.
const QUEUED_BYTES_MAX: usize = 64 * 1024;

/// How to talk, for a server like `examples/server.rs`.
const HELP: &str =
    r#"# an event a line: enter {"name":"ann","room":"lobby"} and then say "hello"; ?say "hello" asks for an answer"#;

fn main() -> ExitCode {
    if std::env::args().skip(1).any(|arg| arg == "--help") {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    match Options::parse().and_then(Driver::start) {
        Ok(driver) => ExitCode::from(u8::from(driver.run())),
        Err(error) => {
            eprintln!("{error}\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

struct Driver {
    client: Client,
    origin: Clock,
    /// For the threads, and what they say.
    sender: Sender<News>,
    news: Receiver<News>,
    streams: HashMap<StreamId, Wire>,
    /// The namespace that is spoken to.
    socket: SocketId,
    /// A line that is still to be said.
    line: Option<String>,
    /// Has another read.
    next_line: Sender<()>,
    conversation: Conversation,
}

impl Driver {
    fn start(options: Options) -> Result<Self, Box<dyn Error>> {
        let (origin, (sender, news)) = (Clock::now(), mpsc::channel());
        let mut client = Client::new(options.config, seed(), Instant::ORIGIN)?;
        let mut socket = None;
        for namespace in &options.namespaces {
            socket = Some(client.connect(Instant::ORIGIN, namespace, &options.auth)?);
        }
        let socket = socket.ok_or("no namespace")?;
        tell(HELP);
        let (next_line, conversation) = (threads::start_input(sender.clone()), Conversation::new(socket));
        Ok(Self { client, origin, sender, news, streams: HashMap::new(), socket, line: None, next_line, conversation })
    }

    /// The run loop. Whether something failed.
    fn run(mut self) -> bool {
        loop {
            self.talk();
            self.drive();
            let now = self.now();
            let left = self.conversation.left(&self.client, now);
            if !self.conversation.is_over() && (left.is_zero() || self.client.is_finished()) {
                self.end();
                continue;
            }
            if self.client.is_finished() {
                return self.conversation.has_failed();
            }
            let due = self.client.poll_timeout();
            if due.is_some_and(|at| at <= now) {
                // Not left to the wait for news: a server that never stops sending must not stop the time.
                self.client.handle_timeout(now);
                continue;
            }
            let patience = due.map_or(Duration::from_secs(60), |at| at.saturating_since(now));
            match self.news.recv_timeout(patience.min(left)) {
                Ok(news) => self.hear(news),
                Err(RecvTimeoutError::Timeout) => {}
                // Not as long as this has a sender of its own.
                Err(RecvTimeoutError::Disconnected) => return self.conversation.has_failed(),
            }
        }
    }

    /// Everything that the client wants done.
    fn drive(&mut self) {
        loop {
            while let Some(event) = self.client.poll_event() {
                self.show(event);
            }
            if let Some(stream) = self.client.poll_open() {
                let address = format!("{}:{}", self.client.config().host(), self.client.config().port());
                threads::start_opening(stream, address, self.sender.clone());
            } else if self.client.poll_transmit().is_none() {
                break;
            }
        }
        // They are few: all of them are looked at.
        self.streams.retain(|&stream, wire| wire.serve(&self.client, stream));
    }

    /// Passes to the client what a thread tells.
    fn hear(&mut self, news: News) {
        let now = self.now();
        match news {
            News::Opened(stream, opened) => match opened.and_then(|tcp| Wire::start(stream, tcp, &self.sender)) {
                Ok(wire) => {
                    self.streams.insert(stream, wire);
                    self.client.opened(now, stream);
                }
                Err(error) => {
                    tell(format_args!("# {error}"));
                    self.client.open_failed(now, stream);
                }
            },
            News::Read(stream, mut bytes) => {
                let mut input = &mut bytes[..];
                while let Some(event) = self.client.receive(now, stream, &mut input) {
                    self.show(event);
                }
                if let Some(wire) = self.streams.get_mut(&stream) {
                    wire.paused = true;
                }
            }
            News::Written(stream, count) => {
                if let Some(wire) = self.streams.get_mut(&stream) {
                    wire.writing = false;
                }
                self.client.sent(now, stream, count);
            }
            News::Ended(stream) => self.client.receive_eof(now, stream),
            News::Broke(stream) => self.client.abort(now, stream),
            News::Line(line) => self.line = Some(line),
            News::EndOfInput(result) => {
                if let Err(error) = result {
                    self.fail(&error);
                }
                self.conversation.input_ended();
            }
        }
    }

    /// Prints what happened, and acknowledges what is to be.
    fn show(&mut self, event: Event<'_>) {
        let now = self.now();
        self.conversation.follow(&self.client, &event, self.line.is_some());
        match event {
            Event::Opened => tell("# opened"),
            Event::Upgraded => tell("# upgraded"),
            Event::UpgradeFailed { error } => tell(format_args!("# upgrade failed: {error}")),
            Event::Connected { socket, recovered } => {
                let how = if recovered { "recovered" } else { "connected" };
                tell(format_args!("# {how} {}", self.client.namespace(socket).unwrap_or_default()));
            }
            Event::Refused { socket, message, data, .. } => {
                let namespace = self.client.namespace(socket).unwrap_or_default();
                tell(format!("# refused {namespace}: {message} {data}").trim_end());
            }
            Event::Emit { name, args, reply, .. } => {
                tell_event(&name, &args);
                if let Some(reply) = reply
                    && let Err(error) = self.client.ack(now, reply, attach(args.clone(), args.attachments().to_vec()))
                {
                    self.fail(&error);
                }
            }
            Event::Ack { answer: Ok(args), .. } => tell_event("# acknowledged", &args),
            Event::Ack { answer: Err(error), .. } => tell(format_args!("# not acknowledged: {error}")),
            Event::Undelivered { .. } => tell("# undelivered"),
            Event::Disconnected { reason, .. } => tell(format_args!("# disconnected: {reason}")),
            Event::Closed { error, retry } => {
                let error = error.map(|error| format!(": {error}")).unwrap_or_default();
                let again =
                    retry.map(|(at, _)| format!(", again in {:.1?}", at.saturating_since(now))).unwrap_or_default();
                tell(format_args!("# closed{error}{again}"));
            }
            _ => {}
        }
    }

    /// Says the line that waits, if there is room, and has the next one read.
    fn talk(&mut self) {
        if self.client.queued_bytes() > QUEUED_BYTES_MAX || !self.conversation.is_open() {
            return;
        }
        let Some(line) = self.line.take() else { return };
        match self.say(&line) {
            Ok(()) => {}
            Err(error) if matches!(error.downcast_ref(), Some(EmitError::Full | EmitError::TooManyAcks)) => {
                self.line = Some(line);
                return;
            }
            Err(error) => self.fail(&*error),
        }
        // Nobody waits for it when the input could not be read.
        let _ = self.next_line.send(());
    }

    fn say(&mut self, line: &str) -> Result<(), Box<dyn Error>> {
        let now = self.now();
        match Line::parse(line)? {
            Line::Nothing => {}
            Line::Help => tell(HELP),
            Line::Event { name, args, attachments, asks: true } => {
                self.client.emit_with_ack(now, self.socket, name, attach(args, attachments), ACK_TIMEOUT)?;
            }
            Line::Event { name, args, attachments, asks: false } => {
                self.client.emit(now, self.socket, name, attach(args, attachments))?;
                if self.client.config().retries == 0 {
                    self.conversation.said_unsurely();
                }
            }
        }
        Ok(())
    }

    /// Says goodbye.
    fn end(&mut self) {
        let pending = self.conversation.end(&self.client, self.line.is_some());
        if pending > 0 {
            tell(format_args!("# given up: {pending} not sent or not acknowledged"));
        }
        self.client.close(self.now());
    }

    fn fail(&mut self, error: &dyn Error) {
        tell(format_args!("# {error}"));
        self.conversation.fail();
    }

    fn now(&self) -> Instant {
        Instant::from(self.origin.elapsed())
    }
}

/// Randomness from the standard library's keys for hash maps: enough for masks and delays, all that this example needs.
fn seed() -> [u8; 32] {
    let mut seed = [0; 32];
    for part in seed.chunks_exact_mut(8) {
        part.copy_from_slice(&RandomState::new().hash_one(0).to_le_bytes());
    }
    seed
}
