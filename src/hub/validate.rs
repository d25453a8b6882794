//! Settings that cannot work, found before anybody comes.

use super::config::{Config, Namespaces};
use super::error::ConfigError;
use super::origins::Origins;
use crate::http::{LimitsError, decimal, is_token};
use crate::socketio::is_reserved;
use crate::ws;

impl Config {
    /// Whether these settings can work.
    ///
    /// # Errors
    /// The first that cannot.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.validate_limits()?;
        if !self.engine.transports.polling && !self.engine.transports.websocket {
            return Err(ConfigError::NoTransport);
        }
        if !is_path(&self.engine.path) {
            return Err(ConfigError::Path(self.engine.path.clone()));
        }
        if let Some(cookie) = &self.engine.cookie {
            cookie.validate()?;
        }
        if let Origins::Listed(origins) = &self.origins
            && let Some(never) = origins.iter().find(|origin| !is_origin(origin))
        {
            return Err(ConfigError::Origin(never.clone()));
        }
        if let Namespaces::Listed(names) = &self.namespaces {
            names.iter().try_for_each(|name| self.validate_namespace(name))?;
        }
        let events = &self.presence_events;
        if is_reserved(&events.snapshot) || events.snapshot == events.diff {
            return Err(ConfigError::PresenceEvent(events.snapshot.clone().into_owned()));
        }
        if is_reserved(&events.diff) {
            return Err(ConfigError::PresenceEvent(events.diff.clone().into_owned()));
        }
        self.validate_plain()
    }

    fn validate_limits(&self) -> Result<(), LimitsError> {
        self.http.validate()?;
        ws::Config { deflate: self.deflate, ..ws::Config::default() }.validate()?;
        let limits = &self.limits;
        LimitsError::positive("ping_interval", self.engine.ping_interval)?;
        LimitsError::positive("ping_timeout", self.engine.ping_timeout)?;
        LimitsError::positive("connect_timeout", self.connect_timeout)?;
        LimitsError::positive("close_timeout", self.close_timeout)?;
        LimitsError::positive("write_timeout", self.write_timeout)?;
        LimitsError::positive("attachments_timeout", self.attachments_timeout)?;
        LimitsError::positive("upgrade_timeout", self.engine.upgrade_timeout)?;
        LimitsError::check("payload_packets_max", self.engine.payload_packets_max, 1, isize::MAX as usize)?;
        LimitsError::check("poll_packets_max", self.engine.poll_packets_max, 1, isize::MAX as usize)?;
        LimitsError::check("max_payload", self.engine.max_payload, 128, isize::MAX as usize)?;
        LimitsError::check("connections_max", limits.connections_max, 1, u32::MAX as usize)?;
        LimitsError::check("sessions_max", limits.sessions_max, 1, u32::MAX as usize)?;
        LimitsError::check("outbox_bytes_max", limits.outbox_bytes_max, 1024, isize::MAX as usize)?;
        LimitsError::check("congested_bytes", limits.congested_bytes, 1, limits.outbox_bytes_max)?;
        LimitsError::check("namespaces_per_session_max", limits.namespaces_per_session_max, 1, 1 << 16)?;
        LimitsError::check("namespace_bytes_max", limits.namespace_bytes_max, 1, 1 << 16)?;
        LimitsError::check("rooms_per_socket_max", limits.rooms_per_socket_max, 0, 1 << 20)?;
        LimitsError::check("packet_bytes_max", limits.packet_bytes_max, 128, isize::MAX as usize)?;
        LimitsError::check("name_bytes_max", limits.name_bytes_max, 1, 1 << 16)?;
        if let Some(recovery) = &self.recovery {
            LimitsError::positive("age_max", recovery.age_max)?;
            LimitsError::check("bytes_max", recovery.bytes_max, 1024, isize::MAX as usize)?;
            LimitsError::check("room_bytes_max", recovery.room_bytes_max, 1024, recovery.bytes_max)?;
        }
        // In the end, so that who set something is told its name here.
        self.lines().validate()
    }

    /// A name is told from its packet's data by the comma behind it, and ends before a `?` in protocol 4.
    fn validate_namespace(&self, name: &str) -> Result<(), ConfigError> {
        if name.starts_with('/') && !name.contains([',', '?']) && name.len() <= self.limits.namespace_bytes_max {
            Ok(())
        } else {
            Err(ConfigError::Namespace(name.into()))
        }
    }

    fn validate_plain(&self) -> Result<(), ConfigError> {
        for (at, plain) in self.plain.iter().enumerate() {
            if !is_path(&plain.path) {
                return Err(ConfigError::Path(plain.path.clone()));
            }
            let before = self.plain.iter().take(at);
            if self.engine.serves(&plain.path)
                || before.into_iter().any(|other| other.serves(&plain.path) || plain.serves(&other.path))
            {
                return Err(ConfigError::PathTaken(plain.path.clone()));
            }
            self.validate_namespace(&plain.namespace)?;
            if !self.namespaces.contain(&plain.namespace) {
                return Err(ConfigError::Namespace(plain.namespace.clone()));
            }
            if let Some(name) = plain.subprotocols.iter().find(|name| !is_token(name)) {
                return Err(ConfigError::Subprotocol(name.clone()));
            }
        }
        Ok(())
    }
}

/// Whether a request can have this path (RFC 3986 section 3.3).
fn is_path(path: &str) -> bool {
    path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#'))
}

/// Whether a browser writes an origin like this (the Origin header of the Fetch standard, section 3.2): `null`, or scheme,
/// host, and the port if it is not the scheme's own.
fn is_origin(origin: &str) -> bool {
    if origin == "null" {
        return true;
    }
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    let lower = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
    if !scheme.starts_with(|first: char| first.is_ascii_lowercase())
        || !scheme.bytes().all(|byte| lower(byte) || byte == b'+')
    {
        return false;
    }
    let default = match scheme {
        "http" => Some(80),
        "https" => Some(443),
        // What names a page of an application's own scheme is that application's affair.
        _ => return !authority.is_empty() && authority.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/'),
    };
    // Colons stand in an IPv6 address too, which ends with a bracket.
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let port_fits = port
        .is_none_or(|port| !port.starts_with('0') && decimal::<u16>(port).is_some_and(|port| Some(port) != default));
    let inner = host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']'));
    let host_fits = match inner {
        Some(address) => address.parse::<core::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(|byte| lower(byte) || byte == b'_'),
    };
    port_fits && host_fits
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;
    use crate::engineio::{Cookie, CookieError, Transports};
    use crate::hub::{Plain, PresenceEvents};

    fn refused(change: impl FnOnce(&mut Config)) -> Option<ConfigError> {
        let mut config = Config::new(Origins::Any);
        config.namespaces = Namespaces::Listed(vec!["/".into(), "/chat".into()]);
        change(&mut config);
        config.validate().err()
    }

    #[test]
    fn presence_has_two_names_of_its_own() {
        for (snapshot, diff, wrong) in [("a", "a", "a"), ("connect", "b", "connect"), ("a", "disconnect", "disconnect")]
        {
            let error = refused(|config| {
                config.presence_events = PresenceEvents { snapshot: snapshot.into(), diff: diff.into() };
            });
            assert_eq!(error, Some(ConfigError::PresenceEvent(wrong.into())));
        }
    }

    #[test]
    fn the_defaults_work() {
        for origins in [Origins::Any, Origins::SameHost, Origins::Listed(Vec::new())] {
            assert_eq!(Config::new(origins).validate(), Ok(()));
        }
    }

    #[test]
    fn no_transport() {
        let none = Transports { polling: false, websocket: false };
        assert_eq!(refused(|config| config.engine.transports = none), Some(ConfigError::NoTransport));
        for one in [Transports { polling: true, ..none }, Transports { websocket: true, ..none }] {
            assert_eq!(refused(|config| config.engine.transports = one), None);
        }
    }

    #[test]
    fn the_cookie() {
        for (name, expected) in [("io", None), ("io; Domain=x", Some(ConfigError::Cookie(CookieError::Name)))] {
            assert_eq!(refused(|config| config.engine.cookie = Some(Cookie::new(name))), expected);
        }
    }

    #[test]
    fn paths() {
        let plain = |path: &str| Plain::new(path, "/chat");
        for path in ["", "socket.io", "socket.io/", "/a?b", "/a#b", "/a b", "/\u{e9}", "http://h/"] {
            assert_eq!(refused(|config| config.engine.path = path.into()), Some(ConfigError::Path(path.into())));
            assert_eq!(refused(|config| config.plain = vec![plain(path)]), Some(ConfigError::Path(path.into())));
        }
        for path in ["/", "/socket.io", "/a/b/", "/%C3%A9", "/engine.io/"] {
            assert_eq!(refused(|config| config.engine.path = path.into()), None, "{path}");
        }
        for path in ["/socket.io/", "/socket.io"] {
            assert_eq!(refused(|config| config.plain = vec![plain(path)]), Some(ConfigError::PathTaken(path.into())));
        }
        let twice = vec![plain("/raw"), plain("/other"), plain("/raw")];
        assert_eq!(refused(|config| config.plain = twice), Some(ConfigError::PathTaken("/raw".into())));
        assert_eq!(refused(|config| config.plain = vec![plain("/raw"), plain("/raw/")]), None);
        // The last slash is all the same to Engine.IO.
        let engine = |path: &str| Plain::engine_io(path, "/chat");
        for taken in [vec![plain("/raw"), engine("/raw/")], vec![engine("/raw/"), plain("/raw")]] {
            let error = Some(ConfigError::PathTaken(taken[1].path.clone()));
            assert_eq!(refused(|config| config.plain = taken), error);
        }
        assert_eq!(refused(|config| config.plain = vec![plain("/raw"), engine("/engine.io/")]), None);
    }

    #[test]
    fn origins() {
        for origin in [
            "https://example.org/",
            "example.org",
            "",
            "*",
            "https://",
            "https://*.example.org",
            "https://Example.org",
            "HTTPS://example.org",
            "https://example.org:443",
            "http://example.org:80",
            "http://example.org:",
            "http://example.org:080",
            "http://example.org:65536",
            "https://ann@example.org",
            "https://b\u{fc}cher.example",
            "http://[::1",
            "http://::1",
            "app://a/b",
            "://a",
            "9p://a",
        ] {
            let listed = Origins::Listed(vec!["https://good.example".into(), origin.into()]);
            assert_eq!(refused(|config| config.origins = listed), Some(ConfigError::Origin(origin.into())));
        }
        for origin in [
            "null",
            "http://localhost:3000",
            "https://example.org:80",
            "http://127.0.0.1:8080",
            "http://[::1]:3000",
            "https://[2001:db8::1]",
            "https://xn--bcher-kva.example",
            "capacitor://localhost",
        ] {
            assert_eq!(refused(|config| config.origins = Origins::Listed(vec![origin.into()])), None, "{origin}");
        }
    }

    #[test]
    fn namespaces() {
        let long = alloc::format!("/{}", "n".repeat(128));
        for name in ["", "chat", "/a,b", "/a?b", &long] {
            let listed = Namespaces::Listed(vec!["/".into(), name.into()]);
            assert_eq!(refused(|config| config.namespaces = listed), Some(ConfigError::Namespace(name.into())));
        }
        for (name, works) in [("/chat", true), ("/", true), ("/nope", false), ("chat", false)] {
            let plain = Plain::new("/raw", name);
            let expected = (!works).then(|| ConfigError::Namespace(name.into()));
            assert_eq!(refused(|config| config.plain = vec![plain]), expected);
        }
    }

    #[test]
    fn subprotocols() {
        for (name, works) in [("chat.v2", true), ("", false), ("a b", false), ("a,b", false), ("a\r\nX: y", false)] {
            let subprotocols = vec!["chat.v1".into(), name.into()];
            let plain = Plain { subprotocols, ..Plain::new("/raw", "/chat") };
            let expected = (!works).then(|| ConfigError::Subprotocol(name.into()));
            assert_eq!(refused(|config| config.plain = vec![plain]), expected);
        }
    }

    /// The settings of its streams are made of these, and have ranges of their own.
    #[test]
    fn what_works_for_the_hub_works_for_its_streams() {
        let least = core::time::Duration::from_nanos(1);
        let error = refused(|config| {
            config.engine.max_payload = 128;
            config.limits.outbox_bytes_max = 1024;
            config.limits.congested_bytes = 1;
            config.write_timeout = least;
            config.engine.ping_interval = least;
        });
        assert_eq!(error, None);
    }

    #[test]
    fn limits() {
        for (bytes, works) in [(0, false), (127, false), (128, true)] {
            let error = refused(|config| config.limits.packet_bytes_max = bytes);
            let name = error.map(|error| match error {
                ConfigError::Limits(error) => error.name,
                other => panic!("{other}"),
            });
            assert_eq!(name, (!works).then_some("packet_bytes_max"));
        }
    }
}
