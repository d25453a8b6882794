//! What the clients of this measurement cost at least: an event, a read, a write. It knows only their handshake, their
//! three frames, and their requests of long polling, each of which is taken to come whole; there is no state of a protocol, no limit, no
//! time-out, and nothing that goes wrong is dealt with.

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
/// A request of long polling behind its method; what follows names a session, or asks for one.
const POLLING: &[u8] = b" /socket.io/?EIO=4&transport=polling";
const NAMED: &[u8] = b"&sid=";
const NAME_BYTES: usize = 24;

struct Peer {
    stream: TcpStream,
    is_open: bool,
    /// The beginning of a frame whose end was not read yet.
    left: Vec<u8>,
    /// A session of long polling is the connection that opened it, whose GETs it answers.
    has_get: bool,
    /// What has come for it since the last GET.
    waiting: Vec<u8>,
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
            } else if turn(&mut peers, key, &mut input, &mut answers).is_err() {
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
                place.insert(Peer { stream, is_open: false, left: Vec::new(), has_get: false, waiting: Vec::new() });
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// One read, and one write of all answers to it.
fn turn(peers: &mut Slab<Peer>, key: usize, input: &mut [u8], answers: &mut Answers) -> io::Result<()> {
    let peer = peers.get_mut(key).ok_or(ErrorKind::NotFound)?;
    let left = peer.left.len();
    input[..left].copy_from_slice(&peer.left);
    peer.left.clear();
    let read = peer.stream.read(&mut input[left..])?;
    if read == 0 {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    let mut bytes = &mut input[..left + read];
    if !peer.is_open {
        if let Some((is_post, query)) = polling(bytes) {
            return if is_post { post(peers, key, query, answers) } else { get(peer, key, query, answers) };
        }
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
        acknowledge(argument, output);
    } else {
        answers.said.extend_from_slice(&[0x81, text.len() as u8]);
        answers.said.extend_from_slice(text);
    }
}

fn acknowledge(argument: &[u8], output: &mut Vec<u8>) {
    output.extend_from_slice(b"430[");
    output.extend_from_slice(argument);
}

/// Whether the request is a POST, and what stands behind that it is for long polling.
fn polling(bytes: &[u8]) -> Option<(bool, &[u8])> {
    let (is_post, target) = match bytes {
        [b'P', b'O', b'S', b'T', target @ ..] => (true, target),
        [b'G', b'E', b'T', target @ ..] => (false, target),
        _ => return None,
    };
    Some((is_post, target.strip_prefix(POLLING)?))
}

fn get(peer: &mut Peer, key: usize, query: &[u8], answers: &mut Answers) -> io::Result<()> {
    if !query.starts_with(NAMED) {
        let name = OPEN.split('"').nth(3).ok_or(ErrorKind::InvalidData)?;
        return respond(peer, OPEN.replace(name, &format!("{key:0NAME_BYTES$}")).as_bytes(), answers);
    }
    if peer.waiting.is_empty() {
        peer.has_get = true;
        return Ok(());
    }
    let waiting = std::mem::take(&mut peer.waiting);
    respond(peer, &waiting, answers)
}

fn post(peers: &mut Slab<Peer>, key: usize, query: &[u8], answers: &mut Answers) -> io::Result<()> {
    let name = query.get(NAMED.len()..NAMED.len() + NAME_BYTES).and_then(|name| std::str::from_utf8(name).ok());
    let session = name.and_then(|name| name.parse().ok()).ok_or(ErrorKind::InvalidData)?;
    let head = query.windows(HEAD_END.len()).rposition(|bytes| bytes == HEAD_END).ok_or(ErrorKind::InvalidData)?;
    let body = &query[head + HEAD_END.len()..];
    respond(peers.get_mut(key).ok_or(ErrorKind::NotFound)?, b"ok", answers)?;
    let mut packet = Vec::with_capacity(body.len());
    match body.strip_prefix(ECHO) {
        Some(argument) => acknowledge(argument, &mut packet),
        None => packet.extend_from_slice(CONNECTED.as_bytes()),
    }
    let peer = peers.get_mut(session).ok_or(ErrorKind::NotFound)?;
    if std::mem::take(&mut peer.has_get) {
        return respond(peer, &packet, answers);
    }
    peer.waiting = packet;
    Ok(())
}

fn respond(peer: &mut Peer, body: &[u8], answers: &mut Answers) -> io::Result<()> {
    let output = &mut answers.output;
    output.clear();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=UTF-8\r\nContent-Length: ";
    write!(output, "{head}{}\r\n\r\n", body.len())?;
    output.extend_from_slice(body);
    write(&mut peer.stream, output)
}

fn write(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    if stream.write(bytes)? == bytes.len() { Ok(()) } else { Err(ErrorKind::WriteZero.into()) }
}
