//! One namespace, as the client uses it.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::socketio::Acks;
use crate::time::Instant;

/// The life of a namespace.
///
/// ```text
///            a session is open: CONNECT            CONNECT
///  Waiting ────────────────────────────▶ Connecting ──────▶ Connected
///     ▲ ▲            the session ends │   │                   │ │
///     │ └─────────────────────────────┴───┼───────────────────┘ │
///     │ connect                           │ CONNECT_ERROR,      │ DISCONNECT
///     └──────────────────────── Inactive ◀┴ namespace_timeout ──┘
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Inactive,
    Waiting,
    Connecting { until: Instant },
    Connected,
}

#[derive(Debug)]
pub(super) struct Socket {
    pub(super) namespace: Arc<str>,
    /// The same as it is asked for: in protocol 4 with a query behind it.
    pub(super) asked: String,
    /// A JSON object as text, or empty.
    pub(super) auth: String,
    pub(super) phase: Phase,
    /// The server's name for this client here; empty unless connected.
    pub(super) sid: String,
    /// What connection state recovery needs: the server's secret, and the last offset as JSON text.
    pub(super) pid: Option<String>,
    /// The number of the connection that it has or had last; no other one of the client has the same.
    pub(super) life: u64,
    /// Whether this session had asked for the name before: what comes before the answer may be on its way to that socket.
    pub(super) asked_again: bool,
    pub(super) offset: Option<String>,
    pub(super) acks: Acks,
    /// What was emitted while not connected.
    pub(super) offline: Offline,
    /// What is sent until it is acknowledged; only the first is under way.
    pub(super) retried: VecDeque<Retried>,
    pub(super) retried_bytes: usize,
}

/// An event's array, and the attachments that it names.
#[derive(Clone, Debug)]
pub(super) struct Body {
    pub(super) text: String,
    /// How many bytes the text has on the wire, or more.
    pub(super) size: usize,
    pub(super) attachments: Vec<Bytes>,
}

impl Body {
    pub(super) fn bytes(&self) -> usize {
        self.attachments.iter().fold(self.size, |sum, bytes| sum.saturating_add(bytes.len()).saturating_add(16))
    }
}

/// An event on its way until it is acknowledged.
#[derive(Debug)]
pub(super) struct Retried {
    pub(super) body: Body,
    /// Under which number the application awaits the acknowledgement, if it does.
    pub(super) told: Option<u64>,
    pub(super) tries: u32,
    /// The acknowledgement that this try awaits.
    pub(super) awaits: Option<u64>,
}

/// Events that wait for their namespace, within bounds.
#[derive(Debug, Default)]
pub(super) struct Offline {
    events: VecDeque<(Option<u64>, Body)>,
    bytes: usize,
}

impl Offline {
    pub(super) fn has_room(&self, body: &Body, events_max: usize, bytes_max: usize) -> bool {
        self.events.len() < events_max && self.bytes.saturating_add(body.bytes()) <= bytes_max
    }

    pub(super) fn push(&mut self, id: Option<u64>, body: Body) {
        self.bytes = self.bytes.saturating_add(body.bytes());
        self.events.push_back((id, body));
    }

    /// Drops the event that asks for this acknowledgement.
    pub(super) fn remove(&mut self, id: u64) {
        self.events.retain(|(found, _)| *found != Some(id));
        self.bytes = self.events.iter().fold(0, |sum, (_, body)| sum.saturating_add(body.bytes()));
    }

    pub(super) fn contains(&self, id: u64) -> bool {
        self.events.iter().any(|(found, _)| *found == Some(id))
    }

    pub(super) fn take(&mut self) -> VecDeque<(Option<u64>, Body)> {
        core::mem::take(self).events
    }
}

impl Socket {
    pub(super) fn new(namespace: &str) -> Self {
        Self {
            namespace: namespace.into(),
            asked: String::new(),
            auth: String::new(),
            phase: Phase::Inactive,
            sid: String::new(),
            pid: None,
            life: 0,
            asked_again: false,
            offset: None,
            acks: Acks::default(),
            offline: Offline::default(),
            retried: VecDeque::new(),
            retried_bytes: 0,
        }
    }

    pub(super) fn is_connected(&self) -> bool {
        self.phase == Phase::Connected
    }

    /// How many events wait for the namespace or an acknowledgement.
    pub(super) fn pending(&self) -> usize {
        // Those that await an acknowledgement are counted as such.
        let offline = self.offline.events.iter().filter(|(ack, _)| ack.is_none()).count();
        let retried = self.retried.iter().filter(|retried| retried.awaits.is_none()).count();
        self.acks.len().saturating_add(offline).saturating_add(retried)
    }

    /// The payload of CONNECT in protocol 5: what recovery needs, and the application's own, which comes last and wins.
    pub(super) fn connect_payload(&self) -> String {
        let Some(pid) = &self.pid else { return self.auth.clone() };
        let pid = serde_json::to_string(pid).unwrap_or_default();
        let offset = self.offset.as_ref().map(|offset| format!(r#","offset":{offset}"#)).unwrap_or_default();
        let own = self.auth.trim_ascii().strip_prefix('{').map(str::trim_ascii_start).unwrap_or_default();
        match own {
            "" | "}" => format!(r#"{{"pid":{pid}{offset}}}"#),
            own => format!(r#"{{"pid":{pid}{offset},{own}"#),
        }
    }

    /// Remembers the offset that a recoverable session appends to its events: the last argument, if it is a string.
    pub(super) fn note_offset(&mut self, args: &str, bytes_max: usize) {
        if self.pid.is_some()
            && let Some(last) = last_string(args, bytes_max)
        {
            self.offset = Some(last.into());
        }
    }
}

/// The last of several JSON values with commas between them, if it is a string of at most so many bytes, quotes included.
fn last_string(args: &str, bytes_max: usize) -> Option<&str> {
    let inner = args.strip_suffix('"')?;
    let mut end = inner.len();
    loop {
        // The quote that begins it is the first from behind that has no odd number of backslashes before it.
        let quote = inner.get(..end)?.rfind('"')?;
        if inner.len().saturating_sub(quote) >= bytes_max {
            return None;
        }
        let backslashes = inner.get(..quote)?.bytes().rev().take_while(|byte| *byte == b'\\').count();
        if backslashes % 2 == 0 {
            return args.get(quote..);
        }
        end = quote;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_last_string_is_what_a_parser_finds(
            values in prop::collection::vec(prop_oneof![
                r#"[a-z"\\,é]{0,6}"#.prop_map(|text| serde_json::to_string(&text).unwrap()),
                prop::sample::select(alloc::vec!["1", "null", r#"["x"]"#, r#"{"a":"b"}"#, "true"]).prop_map(Into::into),
            ], 0..5),
        ) {
            let args = values.join(",");
            let expected = values.last().filter(|last| last.starts_with('"')).map(String::as_str);
            prop_assert_eq!(last_string(&args, 100), expected);
        }
    }

    #[test]
    fn a_long_string_is_no_offset() {
        assert_eq!(last_string(r#""abc""#, 5), Some(r#""abc""#));
        assert_eq!(last_string(r#""abcd""#, 5), None);
    }

    #[test]
    fn the_payload_of_connect() {
        let mut socket = Socket::new("/");
        assert_eq!(socket.connect_payload(), "");
        socket.auth = r#"{"token":"a"}"#.into();
        assert_eq!(socket.connect_payload(), r#"{"token":"a"}"#);
        socket.pid = Some("p\"".into());
        assert_eq!(socket.connect_payload(), r#"{"pid":"p\"","token":"a"}"#);
        socket.note_offset(r#"1,"o""#, 100);
        assert_eq!(socket.connect_payload(), r#"{"pid":"p\"","offset":"o","token":"a"}"#);
        for auth in ["", "{}", " { } "] {
            socket.auth = auth.into();
            assert_eq!(socket.connect_payload(), r#"{"pid":"p\"","offset":"o"}"#, "{auth:?}");
        }
    }
}
