//! What an echo costs at least: an event, a read, a write. It knows only the handshake and the message of this load; there
//! is no state of a protocol, no limit, no time-out, and nothing that goes wrong is dealt with.

use std::io::{self, ErrorKind, Read, Write};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;
use wire::{ANSWER, HEAD_END, MASKED_BYTES, PAYLOAD_BYTES};

const LISTENER: Token = Token(usize::MAX);

struct Peer {
    stream: TcpStream,
    is_open: bool,
    /// The beginning of a message whose end was not read yet.
    left: Vec<u8>,
}

fn main() -> io::Result<()> {
    rlimit::increase_nofile_limit(u64::MAX)?;
    let mut listener = TcpListener::bind("127.0.0.1:0".parse().expect("an address"))?;
    println!("listening on {}", listener.local_addr()?);
    let mut poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut peers = Slab::new();
    let mut events = Events::with_capacity(1024);
    let (mut input, mut output) = (vec![0; 256 << 10], Vec::new());
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            let Token(key) = event.token();
            if event.token() == LISTENER {
                accept(&poll, &listener, &mut peers)?;
            } else if peers.get_mut(key).is_none_or(|peer| turn(peer, &mut input, &mut output).is_err()) {
                peers.try_remove(key);
            }
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
fn turn(peer: &mut Peer, input: &mut [u8], output: &mut Vec<u8>) -> io::Result<()> {
    let left = peer.left.len();
    input[..left].copy_from_slice(&peer.left);
    peer.left.clear();
    let read = peer.stream.read(&mut input[left..])?;
    if read == 0 {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    let bytes = &input[..left + read];
    output.clear();
    if peer.is_open {
        let (messages, rest) = bytes.as_chunks::<MASKED_BYTES>();
        for message in messages {
            let (key, payload) = message[2..].split_first_chunk::<4>().expect("there are so many bytes");
            let start = output.len() + 2;
            output.extend_from_slice(&[0x82, PAYLOAD_BYTES as u8]);
            output.extend_from_slice(payload);
            unmask(&mut output[start..], *key);
        }
        peer.left.extend_from_slice(rest);
    } else if bytes.ends_with(HEAD_END) {
        peer.is_open = true;
        output.extend_from_slice(ANSWER.as_bytes());
    } else {
        peer.left.extend_from_slice(bytes);
    }
    if output.is_empty() {
        return Ok(());
    }
    let written = peer.stream.write(output)?;
    if written == output.len() { Ok(()) } else { Err(ErrorKind::WriteZero.into()) }
}

fn unmask(bytes: &mut [u8], [a, b, c, d]: [u8; 4]) {
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, tail) = bytes.as_chunks_mut::<8>();
    words.iter_mut().for_each(|word| *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes());
    tail.iter_mut().zip([a, b, c, d].iter().cycle()).for_each(|(byte, key)| *byte ^= key);
}
