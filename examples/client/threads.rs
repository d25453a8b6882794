//! What waits: threads that open, read and write streams and read the input, and tell the main one.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use roomwire::Stream;
use roomwire::client::{Client, StreamId};

/// What the threads tell the main one. Those that read go on when they are told to.
pub enum News {
    Opened(StreamId, io::Result<TcpStream>),
    Read(StreamId, Vec<u8>),
    Written(StreamId, usize),
    Ended(StreamId),
    Broke(StreamId),
    Line(String),
    EndOfInput(io::Result<()>),
}

/// Opens a byte stream to `host:port`.
pub fn start_opening(stream: StreamId, address: String, news: Sender<News>) {
    // Nobody listens any more when the program is about to end.
    thread::spawn(move || drop(news.send(News::Opened(stream, open(&address)))));
}

fn open(address: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::other("no address");
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, Duration::from_secs(20)) {
            Ok(tcp) => {
                tcp.set_nodelay(true)?;
                return Ok(tcp);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// A byte stream, and its threads.
pub struct Wire {
    tcp: TcpStream,
    bytes: Sender<Vec<u8>>,
    /// Whether bytes are being written, until there is news of it.
    pub writing: bool,
    read_on: Sender<()>,
    /// Whether no more is being read, until there is room.
    pub paused: bool,
}

impl Wire {
    pub fn start(stream: StreamId, tcp: TcpStream, news: &Sender<News>) -> io::Result<Self> {
        let (bytes, unwritten) = mpsc::channel();
        let (read_on, go_on) = mpsc::channel();
        let (reader, writer) = (tcp.try_clone()?, tcp.try_clone()?);
        let (read, written) = (news.clone(), news.clone());
        thread::Builder::new().spawn(move || read_stream(stream, reader, &go_on, &read))?;
        thread::Builder::new().spawn(move || write_stream(stream, writer, &unwritten, &written))?;
        Ok(Self { tcp, bytes, writing: false, read_on, paused: false })
    }

    /// Has written what there is to write, has read where there is room, and does to the stream what is to be done then. Whether
    /// it goes on.
    pub fn serve(&mut self, client: &Client, stream: StreamId) -> bool {
        let owed = client.outgoing_len(stream) > 0;
        if owed && !self.writing {
            let bytes = client.outgoing(stream).collect::<Vec<_>>().concat();
            self.writing = self.bytes.send(bytes).is_ok();
        }
        if self.paused && client.wants_read(stream) {
            self.paused = self.read_on.send(()).is_err();
        }
        let direction = match client.stream(stream) {
            Stream::HalfClosed if !owed => Shutdown::Write,
            Stream::Closed if !owed => Shutdown::Both,
            _ => return true,
        };
        // It may be closed already.
        let _ = self.tcp.shutdown(direction);
        direction == Shutdown::Write
    }
}

/// Reads until the end, each time when there is room.
fn read_stream(stream: StreamId, mut tcp: TcpStream, go_on: &Receiver<()>, sender: &Sender<News>) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let news = match tcp.read(&mut buffer) {
            Ok(0) => News::Ended(stream),
            Ok(count) => News::Read(stream, buffer[..count].to_vec()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => News::Broke(stream),
        };
        let over = !matches!(news, News::Read(..));
        if sender.send(news).is_err() || over || go_on.recv().is_err() {
            return;
        }
    }
}

/// Writes what it gets, and tells when the kernel has taken it.
fn write_stream(stream: StreamId, mut tcp: TcpStream, unwritten: &Receiver<Vec<u8>>, sender: &Sender<News>) {
    for bytes in unwritten {
        let written = tcp.write_all(&bytes).is_ok();
        let news = if written { News::Written(stream, bytes.len()) } else { News::Broke(stream) };
        if sender.send(news).is_err() || !written {
            return;
        }
    }
}

/// Reads the standard input; each line but the first when the returned sender says that there is room for it.
pub fn start_input(news: Sender<News>) -> Sender<()> {
    let (next_line, go_on) = mpsc::channel();
    thread::spawn(move || read_lines(&news, &go_on));
    next_line
}

fn read_lines(sender: &Sender<News>, go_on: &Receiver<()>) {
    for line in io::stdin().lines() {
        let news = line.map_or_else(|error| News::EndOfInput(Err(error)), News::Line);
        if sender.send(news).is_err() || go_on.recv().is_err() {
            return;
        }
    }
    let _ = sender.send(News::EndOfInput(Ok(())));
}
