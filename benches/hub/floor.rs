//! What the clients of this measurement cost at least: an event, a read, a write. It knows only their handshake and their
//! three frames; there is no state of a protocol, no limit, no time-out, and nothing that goes wrong is dealt with.

use std::io::{self, ErrorKind, Read, Write};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use script::{HEAD_END, SWITCHING, plain};
use slab::Slab;

const LISTENER: Token = Token(usize::MAX);
const OPEN: &str =
    r#"0{"sid":"abcdefghijklmnopqrstuvwx","upgrades":[],"pingInterval":300000,"pingTimeout":20000,"maxPayload":9}"#;
const CONNECTED: &str = r#"40{"sid":"abcdefghijklmnopqrstuvwx"}"#;
/// What stands before the argument of an event that is to be acknowledged.
const ECHO: &[u8] = b"420[\"echo\",";

struct Peer {
    stream: TcpStream,
    is_open: bool,
    /// The beginning of a frame whose end was not read yet.
    left: Vec<u8>,
}

/// What is the same for all.
struct Answers {
    opening: Vec<u8>,
    connected: Vec<u8>,
    /// For the one whose turn it is.
    output: Vec<u8>,
    /// For everybody, of all whose turn it was.
    said: Vec<u8>,
}

fn main() -> io::Result<()> {
    rlimit::increase_nofile_limit(u64::MAX)?;
    let mut listener = TcpListener::bind("127.0.0.1:0".parse().expect("an address"))?;
    println!("listening on {}", listener.local_addr()?);
    let mut poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut peers = Slab::new();
    let mut events = Events::with_capacity(1024);
    let mut input = vec![0; 256 << 10];
    let opening = [SWITCHING.as_bytes(), &plain(OPEN)].concat();
    let mut answers = Answers { opening, connected: plain(CONNECTED), output: Vec::new(), said: Vec::new() };
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            let Token(key) = event.token();
            if event.token() == LISTENER {
                accept(&poll, &listener, &mut peers)?;
            } else if peers.get_mut(key).is_none_or(|peer| turn(peer, &mut input, &mut answers).is_err()) {
                peers.try_remove(key);
            }
        }
        if !answers.said.is_empty() {
            for (_, peer) in &mut peers {
                write(&mut peer.stream, &answers.said)?;
            }
            answers.said.clear();
        }
    }
}

fn accept(poll: &Poll, listener: &TcpListener, peers: &mut Slab<Peer>) -> io::Result<()> {
    loop {
        match listener.accept() {
            Ok((mut stream, _)) => {
                stream.set_nodelay(true)?;
                let place = peers.vacant_entry();
                poll.registry().register(&mut stream, Token(place.key()), Interest::READABLE)?;
                place.insert(Peer { stream, is_open: false, left: Vec::new() });
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// One read, and one write of all answers to it.
fn turn(peer: &mut Peer, input: &mut [u8], answers: &mut Answers) -> io::Result<()> {
    let left = peer.left.len();
    input[..left].copy_from_slice(&peer.left);
    peer.left.clear();
    let read = peer.stream.read(&mut input[left..])?;
    if read == 0 {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    let mut bytes = &mut input[..left + read];
    if !peer.is_open {
        if bytes.ends_with(HEAD_END) {
            peer.is_open = true;
            return write(&mut peer.stream, &answers.opening);
        }
        peer.left.extend_from_slice(bytes);
        return Ok(());
    }
    answers.output.clear();
    while let Some(length) = bytes.get(1).map(|length| 6 + usize::from(length & 0x7F))
        && length <= bytes.len()
    {
        let (frame, rest) = bytes.split_at_mut(length);
        answer(frame, answers);
        bytes = rest;
    }
    peer.left.extend_from_slice(bytes);
    if answers.output.is_empty() { Ok(()) } else { write(&mut peer.stream, &answers.output) }
}

fn answer(frame: &mut [u8], answers: &mut Answers) {
    let (head, text) = frame.split_at_mut(6);
    text.iter_mut().zip(head[2..].iter().cycle()).for_each(|(byte, key)| *byte ^= key);
    if text.len() == 2 {
        answers.output.extend_from_slice(&answers.connected);
    } else if let Some(argument) = text.strip_prefix(ECHO) {
        let output = &mut answers.output;
        output.extend_from_slice(&[0x81, argument.len() as u8 + 4]);
        output.extend_from_slice(b"430[");
        output.extend_from_slice(argument);
    } else {
        answers.said.extend_from_slice(&[0x81, text.len() as u8]);
        answers.said.extend_from_slice(text);
    }
}

fn write(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    if stream.write(bytes)? == bytes.len() { Ok(()) } else { Err(ErrorKind::WriteZero.into()) }
}
