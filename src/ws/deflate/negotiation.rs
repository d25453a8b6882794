//! Offers and answers (RFC 7692 section 7.1).

use alloc::string::String;
use core::fmt::Write as _;

use crate::http::LimitsError;
use crate::ws::extension::{self, Extension};
use crate::ws::handshake::HandshakeError;

const NAME: &str = "permessage-deflate";

/// How this end compresses, and what it asks of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeflateConfig {
    /// How hard to try, from 1 to 9. Default 1: on messages of the size of a chat line more costs much time
    /// and saves little.
    pub level: u8,
    /// Messages of fewer bytes are sent plain. Default 64.
    pub threshold_bytes: usize,
    /// The server's messages are compressed each on its own: the server keeps nothing between them, but short messages hardly
    /// shrink. Default false.
    pub server_no_context_takeover: bool,
    /// The same for the client's messages.
    pub client_no_context_takeover: bool,
    /// The server's window is at most 2 to this power, from 8 to 15. Default 15.
    pub server_max_window_bits: u8,
    /// The client's window is at most 2 to this power, from 8 to 15, if the client can choose. Default 15.
    pub client_max_window_bits: u8,
}

impl Default for DeflateConfig {
    fn default() -> Self {
        Self {
            level: 1,
            threshold_bytes: 64,
            server_no_context_takeover: false,
            client_no_context_takeover: false,
            server_max_window_bits: 15,
            client_max_window_bits: 15,
        }
    }
}

impl DeflateConfig {
    /// The same where the server compresses each message on its own, so that it can be compressed once for many.
    pub(crate) const fn each_alone(mut self) -> Self {
        self.server_no_context_takeover = true;
        self
    }

    pub(in crate::ws) fn validate(&self) -> Result<(), LimitsError> {
        LimitsError::check("level", self.level.into(), 1, 9)?;
        LimitsError::check("server_max_window_bits", self.server_max_window_bits.into(), 8, 15)?;
        LimitsError::check("client_max_window_bits", self.client_max_window_bits.into(), 8, 15)
    }
}

/// What both ends hold to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ws) struct Agreed {
    pub(super) server_no_context_takeover: bool,
    pub(super) client_no_context_takeover: bool,
    pub(super) server_max_window_bits: u8,
    pub(super) client_max_window_bits: u8,
}

/// The parameters of one offer or answer.
#[derive(Debug, Default)]
struct Params {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<u8>,
    /// Present with or without a value.
    client_max_window_bits: Option<Option<u8>>,
}

impl Params {
    /// `None` if a parameter is unknown, repeated, or has a value that it must not have.
    fn read(extension: &Extension<'_>) -> Option<Self> {
        let mut params = Self::default();
        for (name, value) in &extension.params {
            match (*name, *value) {
                ("server_no_context_takeover", None) if !params.server_no_context_takeover => {
                    params.server_no_context_takeover = true;
                }
                ("client_no_context_takeover", None) if !params.client_no_context_takeover => {
                    params.client_no_context_takeover = true;
                }
                ("server_max_window_bits", Some(value)) if params.server_max_window_bits.is_none() => {
                    params.server_max_window_bits = Some(window_bits(value)?);
                }
                ("client_max_window_bits", value) if params.client_max_window_bits.is_none() => {
                    params.client_max_window_bits = Some(match value {
                        Some(value) => Some(window_bits(value)?),
                        None => None,
                    });
                }
                _ => return None,
            }
        }
        Some(params)
    }
}

/// A decimal from 8 to 15 without leading zeros.
fn window_bits(value: &str) -> Option<u8> {
    match value {
        "8" => Some(8),
        "9" => Some(9),
        "10" => Some(10),
        "11" => Some(11),
        "12" => Some(12),
        "13" => Some(13),
        "14" => Some(14),
        "15" => Some(15),
        _ => None,
    }
}

/// A server's choice among the offers: the first that it can keep to, and the header value that says so.
pub(in crate::ws) fn answer<'a>(
    config: &DeflateConfig,
    lines: impl Iterator<Item = &'a str>,
) -> Option<(Agreed, String)> {
    // Where one line breaks the grammar nobody knows what the others mean.
    let lines = lines.map(extension::parse).collect::<Option<alloc::vec::Vec<_>>>()?;
    let offers = lines.iter().flatten().filter(|offer| offer.name == NAME);
    offers.filter_map(Params::read).next().map(|offered| {
        let agreed = Agreed {
            server_no_context_takeover: config.server_no_context_takeover || offered.server_no_context_takeover,
            client_no_context_takeover: config.client_no_context_takeover || offered.client_no_context_takeover,
            server_max_window_bits: offered.server_max_window_bits.unwrap_or(15).min(config.server_max_window_bits),
            // Who does not mention its window cannot be asked to make it smaller (section 7.1.2.2).
            client_max_window_bits: match offered.client_max_window_bits {
                Some(hint) => hint.unwrap_or(15).min(config.client_max_window_bits),
                None => 15,
            },
        };
        let mut value = String::from(NAME);
        if agreed.server_no_context_takeover {
            value.push_str("; server_no_context_takeover");
        }
        if agreed.client_no_context_takeover {
            value.push_str("; client_no_context_takeover");
        }
        // Writing to a string does not fail.
        if offered.server_max_window_bits.is_some() || agreed.server_max_window_bits < 15 {
            let _ = write!(value, "; server_max_window_bits={}", agreed.server_max_window_bits);
        }
        if agreed.client_max_window_bits < 15 {
            let _ = write!(value, "; client_max_window_bits={}", agreed.client_max_window_bits);
        }
        (agreed, value)
    })
}

/// A client's offers, the preferred first: what the configuration asks for, then the same without what a server may have
/// to decline.
pub(in crate::ws) fn offer(config: &DeflateConfig) -> String {
    let mut preferred = alloc::format!("{NAME}; client_max_window_bits");
    if config.client_max_window_bits < 15 {
        let _ = write!(preferred, "={}", config.client_max_window_bits);
    }
    let plain = preferred.clone();
    if config.client_no_context_takeover {
        preferred.push_str("; client_no_context_takeover");
    }
    if config.server_no_context_takeover {
        preferred.push_str("; server_no_context_takeover");
    }
    if config.server_max_window_bits < 15 {
        let _ = write!(preferred, "; server_max_window_bits={}", config.server_max_window_bits);
    }
    if preferred != plain {
        preferred.push_str(", ");
        preferred.push_str(&plain);
    }
    preferred
}

/// Checks what a server chose of [`offer`]; `None` if it chose nothing.
pub(in crate::ws) fn check<'a>(
    config: &DeflateConfig,
    lines: impl Iterator<Item = &'a str>,
) -> Result<Option<Agreed>, HandshakeError> {
    let mut chosen = None;
    for line in lines {
        for extension in extension::parse(line).ok_or(HandshakeError::Extension)? {
            if extension.name != NAME || chosen.is_some() {
                return Err(HandshakeError::Extension);
            }
            chosen = Some(Params::read(&extension).ok_or(HandshakeError::Extension)?);
        }
    }
    let Some(chosen) = chosen else { return Ok(None) };
    let own = match chosen.client_max_window_bits {
        None => 15,
        // In an answer it has a value, and no larger one than was offered (section 7.1.2.2).
        Some(Some(bits)) if bits <= config.client_max_window_bits => bits,
        Some(_) => return Err(HandshakeError::Extension),
    };
    Ok(Some(Agreed {
        server_no_context_takeover: chosen.server_no_context_takeover,
        // A client may always keep less than it is allowed to.
        client_no_context_takeover: chosen.client_no_context_takeover || config.client_no_context_takeover,
        server_max_window_bits: chosen.server_max_window_bits.unwrap_or(15),
        client_max_window_bits: own.min(config.client_max_window_bits),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(config: &DeflateConfig, offers: &str) -> Option<String> {
        answer(config, core::iter::once(offers)).map(|(_, value)| value)
    }

    #[test]
    fn offers_and_answers() {
        let plain = DeflateConfig::default();
        for (offers, value) in [
            ("permessage-deflate", "permessage-deflate"),
            ("permessage-deflate; client_max_window_bits", "permessage-deflate"),
            ("permessage-deflate; client_max_window_bits=10", "permessage-deflate; client_max_window_bits=10"),
            ("permessage-deflate; server_max_window_bits=8", "permessage-deflate; server_max_window_bits=8"),
            ("permessage-deflate; server_max_window_bits=\"12\"", "permessage-deflate; server_max_window_bits=12"),
            ("permessage-deflate; server_no_context_takeover", "permessage-deflate; server_no_context_takeover"),
            ("x-other, permessage-deflate", "permessage-deflate"),
            // The first offer cannot be kept to, the second can.
            (
                "permessage-deflate; foo=1, permessage-deflate; client_no_context_takeover",
                "permessage-deflate; client_no_context_takeover",
            ),
        ] {
            assert_eq!(answered(&plain, offers).as_deref(), Some(value), "{offers}");
        }
        let small = DeflateConfig { server_max_window_bits: 9, client_max_window_bits: 10, ..plain };
        assert_eq!(
            answered(&small, "permessage-deflate").as_deref(),
            Some("permessage-deflate; server_max_window_bits=9"),
            "a client that does not mention its window is not asked"
        );
        assert_eq!(
            answered(&small, "permessage-deflate; client_max_window_bits").as_deref(),
            Some("permessage-deflate; server_max_window_bits=9; client_max_window_bits=10")
        );
    }

    #[test]
    fn a08_a09_offers_that_are_declined() {
        let config = DeflateConfig::default();
        for value in ["", "=", "=0", "=7", "=16", "=99", "=08", "=8x", "=+8", "=999999999999", "=\"\""] {
            assert_eq!(
                answered(&config, &alloc::format!("permessage-deflate; server_max_window_bits{value}")),
                None,
                "{value}"
            );
        }
        for params in [
            "client_max_window_bits=7",
            "client_max_window_bits=016",
            "server_no_context_takeover; server_no_context_takeover",
            "server_no_context_takeover=1",
            "client_no_context_takeover=x",
            "foo",
            "foo=1",
            "server_max_window_bits=9; server_max_window_bits=9",
        ] {
            assert_eq!(answered(&config, &alloc::format!("permessage-deflate; {params}")), None, "{params}");
        }
        for names in ["permessage-deflat", "constructor", "__proto__", ",;constructor", "x-webkit-deflate-frame"] {
            assert_eq!(answered(&config, names), None, "{names}");
        }
    }

    #[test]
    fn a10_what_a_server_may_choose() {
        let config = DeflateConfig { client_max_window_bits: 12, ..DeflateConfig::default() };
        let check = |line: &'static str| check(&config, core::iter::once(line));
        assert!(check("permessage-deflate").unwrap().is_some());
        assert_eq!(check("").unwrap(), None);
        assert_eq!(check("permessage-deflate; client_max_window_bits=9").unwrap().unwrap().client_max_window_bits, 9);
        for line in [
            "permessage-deflate; client_max_window_bits",
            "permessage-deflate; client_max_window_bits=13",
            "permessage-deflate, permessage-deflate",
            "x",
            "permessage-deflate; y",
            "permessage-deflate;;",
            "permessage-deflate; server_max_window_bits",
            "permessage-deflate; server_no_context_takeover=1",
        ] {
            assert_eq!(check(line), Err(HandshakeError::Extension), "{line}");
        }
    }

    #[test]
    fn what_is_offered_is_answered() {
        for bits in 0..4u8 {
            let config = DeflateConfig {
                server_no_context_takeover: bits & 1 != 0,
                client_no_context_takeover: bits & 2 != 0,
                server_max_window_bits: 15 - bits,
                client_max_window_bits: 12 + bits,
                ..DeflateConfig::default()
            };
            let (agreed, value) = answer(&DeflateConfig::default(), core::iter::once(&*offer(&config))).unwrap();
            assert_eq!(super::check(&config, core::iter::once(&*value)), Ok(Some(agreed)), "{value}");
            assert_eq!(agreed.server_max_window_bits, 15 - bits);
        }
    }
}
