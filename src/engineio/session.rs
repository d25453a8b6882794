//! A session: its identity, its revision, its heartbeat.

use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::fmt;
use core::time::Duration;

use super::{Config, Packet, PacketType, Revision, Transport};
use crate::entropy::Entropy;
use crate::http::write_decimal;
use crate::time::Instant;

/// The id of a session: a secret of 120 random bits, since who knows it may speak for the client.
/// It is not shown by `Debug`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sid([u8; 20]);

impl Ord for Sid {
    /// By its first eight bytes as one number, which nearly always decide: ids are looked up often.
    fn cmp(&self, other: &Self) -> Ordering {
        let first = |sid: &Self| sid.0.first_chunk().copied().map(u64::from_be_bytes);
        first(self).cmp(&first(other)).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for Sid {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Sid {
    /// Draws a new one.
    #[must_use]
    pub fn new(entropy: &mut Entropy) -> Self {
        Self(entropy.id())
    }

    /// The id that a client sent, if it has the form of one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = <[u8; 20]>::try_from(text.as_bytes()).ok()?;
        // To the end in any case, which vectors are faster at.
        let all = |all, byte: &u8| all & (byte.is_ascii_alphanumeric() | matches!(byte, b'-' | b'_'));
        bytes.iter().fold(true, all).then_some(Self(bytes))
    }

    /// Its 20 characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sid(..)")
    }
}

/// A session: its identity, its revision, and its heartbeat.
///
/// In revision 4 the server pings one interval after the session's opening and after each pong. The pong is due a time-out after
/// its ping was due; or after it was sent, if that was later by more than an eighth of the time-out. In revision 3 the client pings,
/// and the server waits for an interval and a time-out. Either may stand behind something that is under way: then it has its time
/// from when a part of that came last.
#[derive(Clone, Debug)]
pub struct Session {
    sid: Sid,
    revision: Revision,
    /// In revision 4: whether a ping awaits its pong.
    awaits_pong: bool,
    /// When the next ping, or its pong, is due.
    deadline: Instant,
}

/// The part of [`Config::ping_timeout`] by which a ping may be late, and its pong be due as if it had not been.
const LATE_PART: u32 = 8;

/// What a packet means to whoever keeps the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received<'a> {
    /// A message for the layer above.
    Message(&'a str),
    /// Send this packet back.
    Answer(&'static str),
    /// The client closes the session.
    Close,
    /// Nothing.
    Nothing,
}

/// Why a session cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// A text that is no packet.
    #[error("not an Engine.IO packet")]
    Packet,
    /// A ping from the side that has to answer pings, or a pong from the other.
    #[error("heartbeat in the wrong direction")]
    HeartbeatDirection,
    /// The body of a POST that is no payload, or has too many packets.
    #[error("not an Engine.IO payload")]
    Payload,
    /// A second GET while one waits.
    #[error("second poll")]
    SecondPoll,
    /// A message longer than [`Config::max_payload`].
    #[error("message too long")]
    TooLong,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Send a ping packet.
    Ping,
    /// The client is gone.
    Expired,
}

impl Session {
    /// A session that opens now.
    #[must_use]
    pub fn new(sid: Sid, revision: Revision, config: &Config, now: Instant) -> Self {
        let mut session = Self { sid, revision, awaits_pong: false, deadline: Instant::NEVER };
        session.alive(now, config);
        session
    }

    /// Its id.
    #[must_use]
    pub const fn sid(&self) -> &Sid {
        &self.sid
    }

    /// Its revision.
    #[must_use]
    pub const fn revision(&self) -> Revision {
        self.revision
    }

    /// The packet that opens it on the transport that it begins on.
    #[must_use]
    pub fn open_packet(&self, config: &Config, transport: Transport) -> String {
        let upgrades =
            if transport == Transport::Polling && config.transports.websocket { "\"websocket\"" } else { "" };
        let millis = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        let mut packet = Vec::with_capacity(160);
        for part in [r#"0{"sid":""#, self.sid.as_str(), r#"","upgrades":["#, upgrades, "]"] {
            packet.extend_from_slice(part.as_bytes());
        }
        for (name, number) in [
            (r#","pingInterval":"#, millis(config.ping_interval)),
            (r#","pingTimeout":"#, millis(config.ping_timeout)),
            (r#","maxPayload":"#, config.max_payload as u64),
        ] {
            packet.extend_from_slice(name.as_bytes());
            write_decimal(number, &mut packet);
        }
        packet.push(b'}');
        String::from_utf8(packet).unwrap_or_default()
    }

    /// What the text of one packet means.
    ///
    /// # Errors
    /// If the session must end.
    pub fn receive<'a>(&mut self, now: Instant, config: &Config, text: &'a str) -> Result<Received<'a>, SessionError> {
        if text.len() > config.max_payload {
            return Err(SessionError::TooLong);
        }
        let packet = Packet::parse(text).map_err(|_| SessionError::Packet)?;
        match (packet.kind, self.revision) {
            (PacketType::Message, _) => Ok(Received::Message(packet.data)),
            (PacketType::Ping, Revision::V3) => {
                self.alive(now, config);
                // Not what the ping carried: that is for probes, which come on another connection.
                Ok(Received::Answer("3"))
            }
            (PacketType::Pong, Revision::V4) => {
                self.alive(now, config);
                Ok(Received::Nothing)
            }
            (PacketType::Ping | PacketType::Pong, _) => Err(SessionError::HeartbeatDirection),
            (PacketType::Close, _) => Ok(Received::Close),
            (PacketType::Open | PacketType::Upgrade | PacketType::Noop, _) => Ok(Received::Nothing),
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called.
    #[must_use]
    pub const fn poll_timeout(&self) -> Instant {
        self.deadline
    }

    /// What is due at `now`.
    pub fn handle_timeout(&mut self, now: Instant, config: &Config) -> Option<Due> {
        if now < self.deadline {
            return None;
        }
        if self.revision == Revision::V3 || self.awaits_pong {
            self.deadline = Instant::NEVER;
            return Some(Due::Expired);
        }
        self.awaits_pong = true;
        self.deadline = self.deadline.saturating_add(config.ping_timeout);
        self.pinged(now, config);
        Some(Due::Ping)
    }

    /// Its ping goes out now. A driver that comes a little late makes no session live longer; a ping that went out much later than it was
    /// due leaves the client the time to answer it.
    pub(crate) fn pinged(&mut self, now: Instant, config: &Config) {
        let deadline = now.saturating_add(config.ping_timeout);
        let late = deadline.saturating_since(self.deadline);
        if self.awaits_pong && late.saturating_mul(LATE_PART) > config.ping_timeout {
            self.deadline = deadline;
        }
    }

    /// The client was there at `then`, and its sign of life may be under way: it has its time for that from then on.
    pub(crate) fn await_anew(&mut self, then: Instant, config: &Config) {
        if self.revision == Revision::V3 || self.awaits_pong {
            self.deadline = self.deadline.max(then.saturating_add(self.patience(config)));
        }
    }

    /// How long a client may be silent from when it could last know that a sign of life is asked for.
    fn patience(&self, config: &Config) -> Duration {
        match self.revision {
            Revision::V4 => config.ping_timeout,
            Revision::V3 => config.ping_interval.saturating_add(config.ping_timeout),
        }
    }

    fn alive(&mut self, now: Instant, config: &Config) {
        self.awaits_pong = false;
        self.deadline = now.saturating_add(match self.revision {
            Revision::V4 => config.ping_interval,
            Revision::V3 => self.patience(config),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn ids_are_ordered_by_all_of_their_bytes() {
        let sid = |text: &str| Sid::parse(text).expect("it has the form of one");
        let ids = ["00000000000000000000", "00000000000000000001", "0000000A000000000000", "z0000000000000000000"];
        for (place, id) in ids.iter().enumerate() {
            for (other_place, other) in ids.iter().enumerate() {
                assert_eq!(sid(id).cmp(&sid(other)), place.cmp(&other_place), "{id} {other}");
            }
        }
        for text in ["", "0000000000000000000", "000000000000000000000", "0000000000000000000/", "000000000é00000000"]
        {
            assert_eq!(Sid::parse(text), None, "{text}");
        }
    }

    fn at(seconds: u64) -> Instant {
        Instant::from(Duration::from_secs(seconds))
    }

    #[test]
    fn revision_4_pings_and_expires() {
        let config = Config::default();
        let mut session = Session::new(Sid::new(&mut Entropy::new([0; 32])), Revision::V4, &config, at(0));
        assert_eq!(session.handle_timeout(at(24), &config), None);
        assert_eq!(session.handle_timeout(at(25), &config), Some(Due::Ping));
        assert_eq!(session.receive(at(40), &config, "3"), Ok(Received::Nothing));
        assert_eq!(session.poll_timeout(), at(65), "one interval after the pong");
        assert_eq!(session.handle_timeout(at(65), &config), Some(Due::Ping));
        assert_eq!(session.handle_timeout(at(84), &config), None);
        assert_eq!(session.handle_timeout(at(85), &config), Some(Due::Expired));
    }

    #[test]
    fn a_pong_is_due_as_if_its_ping_had_been_in_time_unless_that_was_much_too_late() {
        let config = Config::default();
        let millis = |millis| Instant::from(Duration::from_millis(millis));
        for (pinged, due) in [(25_000, 45_000), (25_001, 45_000), (27_500, 45_000), (27_501, 47_501), (90_000, 110_000)]
        {
            let mut session = Session::new(Sid::new(&mut Entropy::new([0; 32])), Revision::V4, &config, at(0));
            assert_eq!(session.handle_timeout(millis(pinged), &config), Some(Due::Ping), "{pinged}");
            assert_eq!(session.poll_timeout(), millis(due), "{pinged}");
        }
    }

    #[test]
    fn revision_3_answers_and_expires() {
        let config = Config::default();
        let mut session = Session::new(Sid::new(&mut Entropy::new([0; 32])), Revision::V3, &config, at(0));
        assert_eq!(session.receive(at(30), &config, "2probe"), Ok(Received::Answer("3")));
        assert_eq!(session.receive(at(60), &config, "4x"), Ok(Received::Message("x")));
        assert_eq!(session.handle_timeout(at(74), &config), None);
        assert_eq!(session.handle_timeout(at(75), &config), Some(Due::Expired), "a message is no heartbeat");
    }

    #[test]
    fn e15_heartbeat_in_the_wrong_direction() {
        let config = Config::default();
        for (revision, text) in [(Revision::V4, "2"), (Revision::V4, "2probe"), (Revision::V3, "3")] {
            let mut session = Session::new(Sid::new(&mut Entropy::new([0; 32])), revision, &config, at(0));
            assert_eq!(session.receive(at(1), &config, text), Err(SessionError::HeartbeatDirection));
        }
    }

    #[test]
    fn e06_ids_have_one_form() {
        for text in
            ["", "__proto__", "constructor", "0123456789012345678é", "012345678901234567890", "0123456789 123456789"]
        {
            assert!(Sid::parse(text).is_none(), "{text}");
        }
        let sid = Sid::new(&mut Entropy::new([0; 32]));
        assert_eq!(Sid::parse(sid.as_str()), Some(sid));
        assert_eq!(format!("{sid:?}"), "Sid(..)");
    }
}
