//! One client: a stream that blocks, and what was read of it too early.

use std::io::{self, Error, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use script::{CONNECT, HEAD_END, PING, PONG, UPGRADE, echo, echoed, masked, plain};

/// For an answer, or for room to ask in. It takes microseconds, or never comes.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub struct Client {
    pub stream: TcpStream,
    /// Read, but not looked at.
    pub left: Vec<u8>,
}

impl Client {
    pub fn open(server: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(server)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream, left: Vec::new() })
    }

    /// As many clients, connected to the main namespace. All take each step together, as they do when a server starts again.
    pub fn connect(server: SocketAddr, count: usize) -> io::Result<Vec<Self>> {
        /// What a listener keeps until it is accepted, with the smallest backlog in use.
        const TOGETHER: usize = 100;
        let connect = masked(CONNECT);
        let mut clients = Vec::with_capacity(count);
        while clients.len() < count {
            let together = TOGETHER.min(count - clients.len());
            let mut fresh = (0..together).map(|_| Self::open(server)).collect::<io::Result<Vec<_>>>()?;
            for client in &mut fresh {
                client.stream.write_all(UPGRADE.as_bytes())?;
            }
            for client in fresh.iter_mut().rev() {
                let head = client.head()?;
                let open = client.frame()?;
                if !head.starts_with(b"HTTP/1.1 101") || !open.starts_with(b"\x81") || open.get(2..4) != Some(b"0{") {
                    return Err(unexpected("handshake", &[head, open].concat()));
                }
                client.stream.write_all(&connect)?;
            }
            for client in fresh.iter_mut().rev() {
                let answer = client.frame()?;
                if answer.get(2..5) != Some(b"40{") {
                    return Err(unexpected("connect", &answer));
                }
            }
            clients.append(&mut fresh);
        }
        Ok(clients)
    }

    /// The same, and each has asked something: what a server says when it has just been connected to is over then.
    pub fn settled(server: SocketAddr, count: usize) -> io::Result<Vec<Self>> {
        let (question, answer) = (masked(&echo()), plain(&echoed()));
        let mut clients = Self::connect(server, count)?;
        for client in &mut clients {
            client.stream.write_all(&question)?;
        }
        for client in clients.iter_mut().rev() {
            client.expect_frame(&answer)?;
        }
        Ok(clients)
    }

    /// A response's head.
    pub fn head(&mut self) -> io::Result<Vec<u8>> {
        loop {
            if let Some(at) = self.left.windows(HEAD_END.len()).position(|bytes| bytes == HEAD_END) {
                return Ok(self.left.drain(..at + HEAD_END.len()).collect());
            }
            self.fill()?;
        }
    }

    /// The next so many bytes.
    pub fn take(&mut self, count: usize) -> io::Result<Vec<u8>> {
        while self.left.len() < count {
            self.fill()?;
        }
        Ok(self.left.drain(..count).collect())
    }

    /// The next frame that is no ping; pings are answered.
    fn frame(&mut self) -> io::Result<Vec<u8>> {
        loop {
            while self.left.len() < 4 && self.left != PING {
                self.fill()?;
            }
            if self.left.starts_with(PING) {
                self.left.drain(..PING.len());
                self.stream.write_all(&masked(PONG))?;
                continue;
            }
            let size = match self.left[1] {
                126 => 4 + usize::from(u16::from_be_bytes([self.left[2], self.left[3]])),
                127.. => return Err(unexpected("frame", &self.left)),
                short => 2 + usize::from(short),
            };
            return self.take(size);
        }
    }

    /// That the next frame that is no ping is this.
    pub fn expect_frame(&mut self, frame: &[u8]) -> io::Result<()> {
        if self.left.is_empty() {
            // As it is nearly always: nothing is kept, and no time is lost.
            let mut part = [0; 256];
            let count = self.stream.read(&mut part)?;
            if part[..count] == *frame {
                return Ok(());
            }
            self.left.extend_from_slice(&part[..count]);
        }
        let got = self.frame()?;
        if got == frame { Ok(()) } else { Err(unexpected("frame", &got)) }
    }

    fn fill(&mut self) -> io::Result<()> {
        let mut part = [0; 4096];
        match self.stream.read(&mut part)? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            count => {
                self.left.extend_from_slice(&part[..count]);
                Ok(())
            }
        }
    }
}

pub fn unexpected(what: &str, bytes: &[u8]) -> Error {
    Error::other(format!("{what}: {:?}", String::from_utf8_lossy(bytes)))
}
