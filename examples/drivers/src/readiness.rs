//! Sockets of mio, edge-triggered: the kernel says once when something has changed, and what it said of each socket is
//! remembered here. Sockets are registered for reading; of room for writing the kernel is to tell only where that was missing once.

use std::io::{self, ErrorKind, Read, Write};
use std::mem::replace;
use std::net::{Shutdown, SocketAddr, ToSocketAddrs};
use std::time::Duration;

use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};
use roomwire::Instant;
use socket2::{Domain, Socket as RawSocket, Type};

use crate::gather;

/// What the door is registered as; sockets are by their keys.
pub const DOOR: Token = Token(usize::MAX);
/// Connections that are accepted before others have their turn.
pub const BURST: usize = 256;
/// Connections that the kernel keeps until they are accepted.
const BACKLOG: i32 = 4096;
/// After an error of accept, which is mostly too many open files and passes.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Where connections come in.
pub struct Door {
    listener: TcpListener,
    /// When to accept without being told that somebody waits.
    pub opens: Instant,
}

impl Door {
    /// A listener with room for a burst: with the 128 places of `TcpListener::bind`, clients wait a second to try again.
    pub fn listen(address: &str, registry: &Registry) -> io::Result<Self> {
        let address = address.to_socket_addrs()?.next().ok_or(ErrorKind::AddrNotAvailable)?;
        let socket = RawSocket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        let mut listener = TcpListener::from_std(socket.into());
        registry.register(&mut listener, DOOR, Interest::READABLE)?;
        Ok(Self { listener, opens: Instant::NEVER })
    }

    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// The next who waits. Nobody does, or all that can be done is to try again later, where it is `None`.
    pub fn accept(&mut self, now: Instant) -> Option<(TcpStream, SocketAddr)> {
        match self.listener.accept() {
            Ok(accepted) => {
                self.opens = now;
                Some(accepted)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.opens = Instant::NEVER;
                None
            }
            Err(error) => {
                eprintln!("accept: {error}");
                self.opens = now.saturating_add(ACCEPT_PAUSE);
                None
            }
        }
    }
}

/// A connection's socket.
pub struct Socket {
    stream: TcpStream,
    key: usize,
    /// Whether a read may find something, and a write room.
    readable: bool,
    writable: bool,
    /// Whether the kernel tells when there is room again.
    told_of_room: bool,
    /// Whether the peer's end of the stream is near: a short read is not the last then.
    ending: bool,
    /// Whether its turn is to come.
    queued: bool,
    shut: bool,
}

/// What a read found.
pub enum Found {
    Nothing,
    Bytes(usize),
    End,
}

impl Socket {
    /// One that the kernel knows by this key.
    pub fn new(mut stream: TcpStream, key: usize, registry: &Registry) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        // Registered for writing, it would wake up for each new stream.
        registry.register(&mut stream, Token(key), Interest::READABLE)?;
        let (readable, writable) = (false, true);
        Ok(Self { stream, key, readable, writable, told_of_room: false, ending: false, queued: false, shut: false })
    }

    /// Whether a read may find something.
    pub const fn is_readable(&self) -> bool {
        self.readable
    }

    /// Whether a write may find room.
    pub const fn is_writable(&self) -> bool {
        self.writable
    }

    /// What the kernel said.
    pub fn told(&mut self, event: &Event) {
        self.readable |= event.is_readable() || event.is_error();
        self.writable |= event.is_writable();
        self.ending |= event.is_read_closed();
    }

    /// Queues its key once, until its turn [comes](Self::turn_comes).
    pub fn queue(&mut self, ready: &mut Vec<usize>) {
        if !replace(&mut self.queued, true) {
            ready.push(self.key);
        }
    }

    pub fn turn_comes(&mut self) {
        self.queued = false;
    }

    /// One read.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<Found> {
        match self.stream.read(buffer) {
            Ok(0) => {
                self.readable = false;
                Ok(Found::End)
            }
            Ok(count) => {
                // Less than there was room for is all there was: a change after that is told.
                self.readable = count == buffer.len() || self.ending;
                Ok(Found::Bytes(count))
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.readable = false;
                Ok(Found::Nothing)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(Found::Nothing),
            Err(error) => Err(error),
        }
    }

    /// One write of pieces that together have so many bytes, of which there are some; how many were taken.
    pub fn write<'a>(&mut self, mut pieces: impl Iterator<Item = &'a [u8]>, size: usize) -> io::Result<usize> {
        let first = pieces.next().unwrap_or_default();
        let written = if first.len() == size {
            self.stream.write(first)
        } else {
            let (slices, filled) = gather(std::iter::once(first).chain(pieces));
            self.stream.write_vectored(&slices[..filled])
        };
        match written {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.writable = false;
                Ok(0)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(0),
            Ok(0) => Err(ErrorKind::WriteZero.into()),
            written => written,
        }
    }

    /// Where the kernel takes no more: from now on it tells when it does, at once if it does by now.
    pub fn await_room(&mut self, registry: &Registry) -> io::Result<()> {
        if self.writable || replace(&mut self.told_of_room, true) {
            return Ok(());
        }
        registry.reregister(&mut self.stream, Token(self.key), Interest::READABLE | Interest::WRITABLE)
    }

    /// Nothing more is written.
    pub fn shut(&mut self) -> io::Result<()> {
        if replace(&mut self.shut, true) { Ok(()) } else { self.stream.shutdown(Shutdown::Write) }
    }
}
