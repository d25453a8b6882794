//! Everybody in one room: one client says something, all of them hear it.

use std::collections::VecDeque;
use std::io::{self, Error, ErrorKind, Read, Write};
use std::thread;
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::client::{Client, PATIENCE, unexpected};
use script::{Broadcast, PING, PONG, masked, say};

/// Between two looks at what has come. Who looks at once is woken for each delivery, and it is the server that pays for that;
/// a broadcast keeps a server busy for longer.
const REST: Duration = Duration::from_millis(1);

pub struct Crowd {
    poll: Poll,
    events: Events,
    members: Vec<Member>,
    /// Broadcasts that not everybody has heard yet, at the most.
    in_flight: usize,
    expected: Broadcast,
    buffer: Vec<u8>,
    /// Of each broadcast in flight, how many have not heard it; the first has the number `begin`.
    unheard: VecDeque<usize>,
    begin: u64,
    pub violations: u64,
}

struct Member {
    stream: TcpStream,
    /// The broadcast that must come next.
    next: u64,
    /// The beginning of a frame.
    left: Vec<u8>,
}

impl Crowd {
    pub fn gather(clients: Vec<Client>, in_flight: usize) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut members = Vec::new();
        for (key, client) in clients.into_iter().enumerate() {
            client.stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(client.stream);
            poll.registry().register(&mut stream, Token(key), Interest::READABLE)?;
            members.push(Member { stream, next: 0, left: client.left });
        }
        let (events, buffer) = (Events::with_capacity(members.len()), vec![0; 64 << 10]);
        let (expected, unheard) = (Broadcast::default(), VecDeque::new());
        Ok(Self { poll, events, members, in_flight, expected, buffer, unheard, begin: 0, violations: 0 })
    }

    /// Says what may be said, and hears what has come: how much that was.
    pub fn step(&mut self) -> io::Result<u64> {
        while self.unheard.len() < self.in_flight {
            let number = self.begin + self.unheard.len() as u64;
            self.members[0].stream.write_all(&masked(&say(number)))?;
            self.unheard.push_back(self.members.len());
        }
        thread::sleep(REST);
        self.hear()
    }

    /// Hears what is still in flight, and that nothing comes behind it.
    pub fn finish(&mut self) -> io::Result<()> {
        while !self.unheard.is_empty() {
            self.hear()?;
        }
        self.violations +=
            self.members.iter().filter(|member| member.next != self.begin || !member.left.is_empty()).count() as u64;
        Ok(())
    }

    fn hear(&mut self) -> io::Result<u64> {
        let Self { poll, events, members, expected, buffer, unheard, begin, violations, .. } = self;
        poll.poll(events, Some(PATIENCE))?;
        if events.is_empty() {
            return Err(Error::other(format!("{unheard:?} have not heard what follows {begin}")));
        }
        let mut heard = 0;
        for event in &*events {
            let member = &mut members[event.token().0];
            loop {
                let left = member.left.len();
                buffer[..left].copy_from_slice(&member.left);
                let count = match member.stream.read(&mut buffer[left..]) {
                    Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    read => left + read?,
                };
                let mut bytes = &buffer[..count];
                loop {
                    if let Some(rest) = bytes.strip_prefix(PING) {
                        member.stream.write_all(&masked(PONG))?;
                        bytes = rest;
                    }
                    let Some((frame, rest)) = bytes.split_at_checked(expected.len()) else { break };
                    bytes = rest;
                    let number = expected.number(frame).ok_or_else(|| unexpected("broadcast", frame))?;
                    *violations += u64::from(number != member.next);
                    member.next = number + 1;
                    let place = number.checked_sub(*begin).and_then(|place| unheard.get_mut(place as usize));
                    match place {
                        Some(count) if *count > 0 => *count -= 1,
                        _ => return Err(unexpected("broadcast that was heard", frame)),
                    }
                    heard += 1;
                }
                member.left.clear();
                member.left.extend_from_slice(bytes);
                // Less than there was room for is all there was.
                if count < buffer.len() {
                    break;
                }
            }
        }
        while unheard.front() == Some(&0) {
            unheard.pop_front();
            *begin += 1;
        }
        Ok(heard)
    }
}
