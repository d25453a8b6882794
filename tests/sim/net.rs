//! Streams: bytes cut anywhere, late, refused, stalled, lost.

use std::collections::VecDeque;
use std::time::Duration;

use roomwire::client::StreamId;
use roomwire::hub::ConnId;
use roomwire::{Instant, Stream};

use crate::world::World;

/// One direction of a stream.
#[derive(Debug, Default)]
pub struct Way {
    /// What is on its way, in order, and when it arrives; `None` is the end.
    pub flying: VecDeque<(Instant, Option<Vec<u8>>)>,
    pub bytes: usize,
    /// Nothing arrives before.
    pub stalled_until: Instant,
    /// Nothing that is said from now on arrives: the end was, or seems to have been, before.
    pub ended: bool,
}

/// A byte stream from a client to the server.
#[derive(Debug)]
pub struct Link {
    pub user: usize,
    pub stream: StreamId,
    /// `None` until it is open.
    pub conn: Option<ConnId>,
    pub opens_at: Instant,
    pub opens: bool,
    pub up: Way,
    pub down: Way,
    /// Whether each side still has it.
    pub at_client: bool,
    pub at_server: bool,
    /// What each could not write yet.
    pub client_owes: bool,
    pub server_owes: bool,
    /// When each hears that it broke.
    pub client_breaks: Instant,
    pub server_breaks: Instant,
}

impl Link {
    /// When something happens on it next. What is not read stays where it is.
    pub fn next(&self, world: &World) -> Instant {
        if self.conn.is_none() {
            return self.opens_at;
        }
        self.client_breaks.min(self.server_breaks).min(self.arrival(world, true)).min(self.arrival(world, false))
    }

    pub fn arrival(&self, world: &World, up: bool) -> Instant {
        let way = if up { &self.up } else { &self.down };
        let reads = match (up, self.conn) {
            (true, Some(conn)) => !self.at_server || world.hub.wants_read(conn),
            (_, _) => !self.at_client || world.users[self.user].client.wants_read(self.stream),
        };
        match way.flying.front() {
            // Nobody has to ask for the end.
            Some((at, piece)) if reads || piece.is_none() => (*at).max(way.stalled_until),
            _ => Instant::NEVER,
        }
    }
}

impl World {
    pub fn open(&mut self, user: usize, stream: StreamId) {
        let latency = self.plan.latency;
        let faulty = !self.healed && !self.plan.calm;
        let fails = self.now < self.refuses_until || faulty && self.chance.percent(5);
        let opens_at = if faulty && self.chance.percent(3) { Instant::NEVER } else { self.after(latency * 2) };
        self.note(|| format!("user {user} opens {stream:?} {opens_at:?} fails {fails}"));
        self.links.push(Link {
            user,
            stream,
            conn: None,
            opens_at,
            opens: !fails,
            up: Way::default(),
            down: Way::default(),
            at_client: true,
            at_server: false,
            client_owes: false,
            server_owes: false,
            client_breaks: Instant::NEVER,
            server_breaks: Instant::NEVER,
        });
    }

    /// Sends bytes, or the end, on their way.
    fn send(&mut self, link: usize, up: bool, bytes: Option<&[u8]>) {
        let now = self.now;
        let link = &mut self.links[link];
        let (way, breaks) =
            if up { (&mut link.up, &mut link.client_breaks) } else { (&mut link.down, &mut link.server_breaks) };
        if way.ended {
            if bytes.is_some() {
                // Who writes to where nobody is hears of it.
                *breaks = (*breaks).min(now.saturating_add(self.plan.latency));
            }
            return;
        }
        let pieces: Vec<Option<Vec<u8>>> = match bytes {
            None => vec![None],
            Some(bytes) => {
                let crumbs = self.chance.percent(self.plan.crumbs) && bytes.len() < 400;
                let size = if crumbs { 1 } else { 1 + self.chance.index(bytes.len()).max(bytes.len() / 8) };
                bytes.chunks(size).map(|piece| Some(piece.to_vec())).collect()
            }
        };
        way.ended = bytes.is_none();
        for piece in pieces {
            let at = now.saturating_add(self.chance.span(self.plan.latency));
            let at = way.flying.back().map_or(at, |(last, _)| at.max(*last));
            way.bytes += piece.as_ref().map_or(0, Vec::len);
            way.flying.push_back((at, piece));
        }
    }

    /// The driver's part: writes what the stream takes, and does to it what is to be done then.
    pub fn serve_client(&mut self, link: usize) {
        let Link { user, stream, .. } = self.links[link];
        let now = self.now;
        let client = &mut self.users[user].client;
        let room = self.plan.window.saturating_sub(self.links[link].up.bytes);
        let bytes: Vec<u8> = client.outgoing(stream).flatten().take(room).copied().collect();
        client.sent(now, stream, bytes.len());
        let left = client.outgoing_len(stream);
        let state = client.stream(stream);
        self.links[link].client_owes = left > 0;
        if !bytes.is_empty() {
            self.send(link, true, Some(&bytes));
        }
        if left == 0 && state != Stream::Open {
            self.send(link, true, None);
        }
        if left == 0 && state == Stream::Closed {
            self.links[link].at_client = false;
            self.note(|| format!("user {user} closes {stream:?}"));
        }
    }

    pub fn serve_server(&mut self, link: usize) {
        let Some(conn) = self.links[link].conn else { return };
        let now = self.now;
        let room = self.plan.window.saturating_sub(self.links[link].down.bytes);
        let bytes: Vec<u8> = self.hub.outgoing(conn).flatten().take(room).copied().collect();
        self.hub.sent(now, conn, bytes.len());
        let left = self.hub.outgoing_len(conn);
        let state = self.hub.stream(conn);
        self.links[link].server_owes = left > 0;
        if !bytes.is_empty() {
            self.send(link, false, Some(&bytes));
        }
        if left == 0 && state != Stream::Open {
            self.send(link, false, None);
        }
        if left == 0 && state == Stream::Closed {
            self.links[link].at_server = false;
            self.note(|| format!("hub closes {conn:?}"));
        }
    }

    /// What is due on a link; one thing at a time.
    pub fn advance(&mut self, index: usize) {
        let now = self.now;
        let link = &mut self.links[index];
        let (user, stream) = (link.user, link.stream);
        let Some(conn) = link.conn else {
            let conn = if link.opens { self.hub.connect(now).ok() } else { None };
            if let Some(conn) = conn {
                (link.conn, link.at_server) = (Some(conn), true);
                self.server.connections.insert(conn, false);
                self.users[user].client.opened(now, stream);
            } else {
                link.at_client = false;
                self.users[user].client.open_failed(now, stream);
            }
            return;
        };
        if link.client_breaks <= now {
            link.client_breaks = Instant::NEVER;
            if std::mem::take(&mut link.at_client) {
                link.up.ended = true;
                self.users[user].client.abort(now, stream);
            }
        } else if link.server_breaks <= now {
            link.server_breaks = Instant::NEVER;
            if std::mem::take(&mut link.at_server) {
                link.down.ended = true;
                self.hub.abort(now, conn);
            }
        } else {
            let up = self.links[index].arrival(self, true) <= now;
            self.arrive(index, up);
        }
    }

    fn arrive(&mut self, index: usize, up: bool) {
        let now = self.now;
        let latency = self.plan.latency;
        let link = &mut self.links[index];
        let (user, stream, conn) = (link.user, link.stream, link.conn.expect("open"));
        let way = if up { &mut link.up } else { &mut link.down };
        let Some((_, piece)) = way.flying.pop_front() else { return };
        way.bytes -= piece.as_ref().map_or(0, Vec::len);
        let there = if up { link.at_server } else { link.at_client };
        if !there {
            let breaks = if up { &mut link.client_breaks } else { &mut link.server_breaks };
            if piece.is_some() {
                *breaks = (*breaks).min(now.saturating_add(latency));
            }
            return;
        }
        match (piece, up) {
            (Some(mut bytes), true) => {
                let mut input = &mut bytes[..];
                while let Some(event) = self.hub.receive(now, conn, &mut input) {
                    self.hub_event(event);
                }
                assert!(input.is_empty(), "bytes are left");
            }
            (Some(mut bytes), false) => {
                let mut input = &mut bytes[..];
                while let Some(event) = self.users[user].client.receive(now, stream, &mut input) {
                    self.user_event(user, event);
                }
                assert!(input.is_empty(), "bytes are left");
            }
            (None, true) => self.hub.receive_eof(now, conn),
            (None, false) => self.users[user].client.receive_eof(now, stream),
        }
    }

    /// Something goes wrong with a stream, or with all.
    pub fn fault(&mut self) {
        self.sum.faults += 1;
        if self.links.is_empty() || self.chance.percent(5) {
            self.refuses_until = self.after(Duration::from_secs(10));
            return;
        }
        let index = self.chance.index(self.links.len());
        let kind = self.chance.below(10);
        self.note(|| format!("fault {kind} on link {index}"));
        let [first, second] = [self.after(self.plan.latency), self.after(self.plan.latency * 4)];
        let stall = self.after(Duration::from_secs(15));
        let link = &mut self.links[index];
        match kind {
            0..4 => {
                (link.client_breaks, link.server_breaks) = if kind < 2 { (first, second) } else { (second, first) };
                for way in [&mut link.up, &mut link.down] {
                    way.flying.clear();
                    (way.bytes, way.ended) = (0, true);
                }
            }
            4 => link.up.stalled_until = stall,
            5 => link.down.stalled_until = stall,
            6 => (link.up.stalled_until, link.down.stalled_until) = (stall, stall),
            // Nothing comes any more, and nobody is told.
            7 => (link.up.stalled_until, link.down.stalled_until) = (Instant::NEVER, Instant::NEVER),
            kind => self.send(index, kind == 8, None),
        }
    }
}
