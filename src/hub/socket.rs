use alloc::boxed::Box;
use alloc::vec::Vec;

use super::groups::Link;
use super::ids::Token;
use super::timers::Scheduled;
use crate::entropy::Entropy;
use crate::socketio::Acks;
use crate::time::Instant;

/// A client in one namespace.
///
/// ```text
///             accept          transport lost              away_timeout
///  Connecting ──────▶ Live ───────────────────▶ Away ───────────────────▶ (left)
///      │               ▲ │ leaves, disconnected  │
///      │ refuse        │ └──────▶ (left)         │ resume
///      ▼               └─────────────────────────┘
///  (refused)
/// ```
#[derive(Debug)]
pub(super) struct Socket {
    pub(super) phase: Phase,
    /// The place of its namespace's group, of which it is a member from the beginning.
    pub(super) namespace: u32,
    /// The place of its session; `None` while it is away.
    pub(super) session: Option<u32>,
    /// What the client knows it by.
    pub(super) sid: [u8; 20],
    pub(super) token: Token,
    /// The token before, with which it was resumed: good until the client shows that it can know the new one.
    pub(super) spent: Option<Box<Token>>,
    /// The place of its user's group, once it is identified.
    pub(super) user: Option<u32>,
    /// The groups that it is in, see [`groups`](super::groups).
    pub(super) groups: Vec<Link>,
    /// The places of the rooms in which its user is shown.
    pub(super) entered: Vec<u32>,
    pub(super) acks: Option<Box<Acks>>,
    /// The last selection that has dealt with it.
    pub(super) marked: u64,
    pub(super) scheduled: Scheduled,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The application is to accept or refuse it.
    Connecting {
        until: Instant,
    },
    Live,
    /// Its transport is lost; it keeps its place.
    Away {
        until: Instant,
    },
}

impl Socket {
    /// A socket that is to be accepted until then.
    pub(super) fn connecting(namespace: u32, session: Option<u32>, until: Instant, entropy: &mut Entropy) -> Self {
        Self {
            phase: Phase::Connecting { until },
            namespace,
            session,
            sid: entropy.id(),
            token: Token::new(entropy),
            spent: None,
            user: None,
            groups: Vec::new(),
            entered: Vec::new(),
            acks: None,
            marked: 0,
            scheduled: Scheduled::default(),
        }
    }

    pub(super) fn poll_timeout(&self) -> Instant {
        let acks = self.acks.as_ref().map_or(Instant::NEVER, |acks| acks.poll_timeout());
        match self.phase {
            Phase::Connecting { until } | Phase::Away { until } => until.min(acks),
            Phase::Live => acks,
        }
    }

    pub(super) fn sid(&self) -> &str {
        core::str::from_utf8(&self.sid).unwrap_or_default()
    }
}
