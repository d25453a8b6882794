//! The second part, in which all find back, and the third, after which nothing is left.

use std::time::Duration;

use roomwire::Instant;
use roomwire::hub::Counts;

use crate::server::ROOMS;
use crate::user::Session;
use crate::world::World;

/// Longer than any wait of a client or the hub.
const LONG: Duration = Duration::from_secs(200);

impl World {
    fn run(&mut self, span: Duration) {
        self.run_until(self.now.saturating_add(span));
    }

    /// The network is as it should be: in the end all are connected, and hear each other.
    pub fn heal(&mut self) {
        self.note(|| String::from("the network heals"));
        self.healed = true;
        self.plan.window = 70_000;
        self.plan.latency = self.plan.latency.min(Duration::from_millis(20));
        self.refuses_until = self.now;
        for link in &mut self.links {
            link.opens_at = link.opens_at.min(self.now.saturating_add(self.plan.latency));
            for way in [&mut link.up, &mut link.down] {
                way.stalled_until = way.stalled_until.min(self.now);
            }
        }
        self.run(LONG);
        self.all_are_there();
        for user in 0..self.users.len() {
            let seats: Vec<_> = self.users[user].seats.keys().copied().collect();
            for socket in seats {
                self.user_say(user, socket, "join", Some(LONG));
                self.user_say(user, socket, "c", Some(LONG));
            }
        }
        let all: Vec<_> = self.server.sockets.keys().copied().collect();
        for socket in all {
            self.server_say(socket, Some(LONG));
        }
        let (failed, lost) = (self.sum.timed_out, self.sum.disconnected);
        self.server_broadcast("/", None);
        self.run(Duration::from_secs(60));
        assert_eq!((self.sum.timed_out, self.sum.disconnected), (failed, lost), "a loss while all is well");
        self.all_are_there();
        self.all_was_heard();
    }

    fn all_are_there(&self) {
        let mut seats = 0;
        for (nth, user) in self.users.iter().enumerate() {
            for (socket, seat) in &user.seats {
                assert!(user.client.is_connected(*socket), "user {nth} is not connected to {}", seat.namespace);
                assert!(self.ledger.speakers[seat.speaker].connected);
                seats += 1;
            }
        }
        let live = self.server.sockets.keys().filter(|socket| self.is_live(**socket)).count();
        assert_eq!((live, self.server.sockets.len()), (seats, seats), "the server knows others than there are");
        let counts = self.hub.counts();
        assert_eq!((counts.sockets, counts.away, counts.rooms), (seats, 0, self.server.rooms.len()));
        assert!(self.server.connecting.is_empty());
        let wanted = self.users.iter().filter(|user| !user.seats.is_empty()).count();
        assert_eq!(counts.sessions, wanted, "sessions that nobody uses");
        assert!(counts.connections <= 3 * wanted, "{} streams for {wanted} clients", counts.connections);
        for namespace in ["/", "/b"] {
            for room in ROOMS {
                let members: Vec<_> = self.hub.room(namespace, room).collect();
                let known = self.server.rooms.get(&(namespace.into(), room)).cloned().unwrap_or_default();
                assert_eq!(members.len(), known.len());
                assert!(members.iter().all(|socket| known.contains(socket)), "{members:?} {known:?}");
            }
        }
    }

    /// What was said in the sessions that are alive has arrived, all of it.
    fn all_was_heard(&self) {
        for user in &self.users {
            assert!(user.acks.is_empty(), "acknowledgements that were never told: {:?}", user.acks);
            for seat in user.seats.values() {
                let speaker = &self.ledger.speakers[seat.speaker];
                let spell = speaker.spells.last().expect("connected");
                let Some(with) = spell.with else {
                    assert!(spell.late, "not greeted");
                    continue;
                };
                let listener = &self.ledger.listeners[with];
                assert!(listener.live && speaker.waiting.is_empty());
                assert_eq!(listener.from, Some((seat.speaker, speaker.spells.len() - 1)), "not the same session");
                let missed =
                    listener.said[spell.heard..].iter().filter(|id| !self.ledger.volatile.contains(id)).count();
                assert_eq!((listener.heard, missed), (spell.said.len(), 0), "lost");
            }
        }
        assert!(self.server.acks.is_empty(), "acknowledgements that were never told: {:?}", self.server.acks);
    }

    /// All leave.
    pub fn part(&mut self) {
        self.parting = true;
        let shutdown = self.chance.percent(30);
        self.note(|| format!("all leave, shutdown {shutdown}"));
        if shutdown {
            self.hub.shutdown(self.now);
        }
        let some = self.chance.below(3);
        for user in 0..self.users.len() {
            let pause = self.chance.span(Duration::from_secs(2));
            self.run(pause);
            if shutdown && some == 0 {
                // The others see the server go, and try until they are told to stop.
                self.refuses_until = Instant::NEVER;
            }
            self.users[user].client.close(self.now);
        }
        self.refuses_until = if shutdown { Instant::NEVER } else { Instant::ORIGIN };
        self.run(LONG);
        for user in &self.users {
            assert!(user.client.is_finished(), "a client does not end");
            assert_eq!((user.session, user.acks.len()), (Session::Absent, 0));
            assert_eq!(user.client.poll_timeout(), None, "it waits for something");
        }
        assert_eq!(self.hub.counts(), Counts::default(), "something is left");
        assert_eq!(self.hub.is_finished(), shutdown);
        assert!(self.links.is_empty(), "streams that nobody closes: {:?}", self.links);
        assert!(self.server.sockets.is_empty() && self.server.connecting.is_empty());
        assert!(self.server.connections.values().all(|told| *told), "an end was not told");
        assert!(self.server.acks.is_empty());
    }
}
