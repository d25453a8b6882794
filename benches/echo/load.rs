//! The clients: one thread that asks for as little as it can, so that it is the servers that are measured.

use std::io::{self, Error, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::server::{Server, own_cpu};
use wire::{ANSWER, HEAD_END, KEY, PAYLOAD_BYTES, REQUEST};

/// For an answer, or for room to ask in. It takes microseconds, or never comes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Connections, each with as many messages on their way.
pub struct Load {
    streams: Vec<TcpStream>,
    in_flight: usize,
    /// What a connection sends in a round, and what it must get.
    question: Vec<u8>,
    answer: Vec<u8>,
    buffer: Vec<u8>,
}

/// What was done, and what that took of processors.
pub struct Work {
    pub messages: u64,
    pub server: Duration,
    pub load: Duration,
}

impl Load {
    pub fn connect(server: SocketAddr, connections: usize, in_flight: usize) -> io::Result<Self> {
        let payload: Vec<u8> = (0..PAYLOAD_BYTES).map(|at| (at * 7) as u8).collect();
        let masked = payload.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key);
        let masked: Vec<u8> = [0x82, 0x80 | PAYLOAD_BYTES as u8].into_iter().chain(KEY).chain(masked).collect();
        let plain = [&[0x82, PAYLOAD_BYTES as u8], &payload[..]].concat();
        let (question, answer) = (masked.repeat(in_flight), plain.repeat(in_flight));
        let streams: Vec<TcpStream> = (0..connections).map(|_| open(server)).collect::<io::Result<_>>()?;
        Ok(Self { streams, in_flight, buffer: vec![0; answer.len()], question, answer })
    }

    /// Rounds until so much time is over: every connection asks all it may, then all answers are read. Sockets block, so
    /// that a round is one write and one read of each connection, and no more.
    pub fn run(&mut self, server: &Server, span: Duration) -> io::Result<Work> {
        let (begin, server_before, load_before) = (Instant::now(), server.cpu()?, own_cpu()?);
        let mut messages = 0;
        while begin.elapsed() < span {
            self.round()?;
            messages += (self.streams.len() * self.in_flight) as u64;
        }
        Ok(Work { messages, server: server.cpu()? - server_before, load: own_cpu()? - load_before })
    }

    pub fn round(&mut self) -> io::Result<()> {
        for stream in &mut self.streams {
            stream.write_all(&self.question)?;
        }
        // Who was asked last is answered last, mostly: so this thread sleeps once in a round and is not woken by each answer,
        // which servers would pay for, and slow ones more often.
        for stream in self.streams.iter_mut().rev() {
            stream.read_exact(&mut self.buffer)?;
            if self.buffer != self.answer {
                return Err(Error::other("the echo is not what was sent"));
            }
        }
        Ok(())
    }
}

fn open(server: SocketAddr) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(server)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(REQUEST.as_bytes())?;
    let mut head = Vec::new();
    // Nothing follows before something is sent.
    while !head.ends_with(HEAD_END) {
        let mut part = [0; 1024];
        match stream.read(&mut part)? {
            0 => return Err(Error::other("ended in its handshake")),
            count => head.extend_from_slice(&part[..count]),
        }
    }
    let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
    let proof = ANSWER.to_ascii_lowercase().lines().find(|line| line.contains("accept")).map(str::to_owned);
    if head.starts_with("http/1.1 101") && proof.is_some_and(|proof| head.contains(&proof)) {
        return Ok(stream);
    }
    Err(Error::other(format!("the handshake was answered {head:?}")))
}
