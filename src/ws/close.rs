//! The end of a connection: close codes, the body of a close frame (RFC 6455 sections 5.5.1 and 7), who ended it and why.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::Error;

/// A close code (RFC 6455 section 7.4).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: the purpose is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// 1001: the server goes down, or the page is left.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: protocol error.
    pub const PROTOCOL: Self = Self(1002);
    /// 1003: a kind of data that is not accepted.
    pub const UNSUPPORTED: Self = Self(1003);
    /// 1005: the close frame had no code. It is never sent.
    pub const NO_STATUS: Self = Self(1005);
    /// 1006: there was no close frame. It is never sent.
    pub const ABNORMAL: Self = Self(1006);
    /// 1007: data that do not fit the kind of message, like text that is not UTF-8.
    pub const INVALID_DATA: Self = Self(1007);
    /// 1008: a message that breaks a rule of the application.
    pub const POLICY: Self = Self(1008);
    /// 1009: a message too big to process.
    pub const TOO_BIG: Self = Self(1009);
    /// 1011: the server cannot go on.
    pub const INTERNAL: Self = Self(1011);
    /// 1013: try again later.
    pub const TRY_AGAIN: Self = Self(1013);

    /// A code that may stand in a close frame: 1000 to 1003, 1007 to 1014 and 3000 to 4999 (section 7.4.2 and
    /// the registry it founds).
    #[must_use]
    pub const fn new(code: u16) -> Option<Self> {
        if matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) { Some(Self(code)) } else { None }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// Whether it may stand in a close frame.
    #[must_use]
    pub const fn is_sendable(self) -> bool {
        Self::new(self.0).is_some()
    }
}

impl fmt::Debug for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// One of the two ends of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// This side.
    Local,
    /// The other side.
    Peer,
}

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// The code of the first close frame; [`CloseCode::NO_STATUS`] if it had none,
    /// [`CloseCode::ABNORMAL`] if there was no frame.
    pub code: CloseCode,
    /// The reason in that frame; not meant for people to read (section 7.1.6).
    pub reason: String,
    /// Who began to close.
    pub by: Endpoint,
    /// What went wrong, if anything did.
    pub error: Option<Error>,
}

/// The most bytes that a control frame's payload has (section 5.5).
pub(super) const CONTROL_BYTES_MAX: usize = 125;

/// Reads the payload of a close frame (section 5.5.1).
pub(super) fn parse(payload: &[u8]) -> Result<(CloseCode, &str), Error> {
    let Some((code, reason)) = payload.split_first_chunk() else {
        return if payload.is_empty() { Ok((CloseCode::NO_STATUS, "")) } else { Err(Error::InvalidClose) };
    };
    let code = CloseCode::new(u16::from_be_bytes(*code)).ok_or(Error::InvalidClose)?;
    let reason = core::str::from_utf8(reason).map_err(|_| Error::InvalidUtf8)?;
    Ok((code, reason))
}

/// Writes the payload of a close frame; a reason that is too long loses its last characters.
pub(super) fn encode(code: CloseCode, reason: &str) -> Vec<u8> {
    let mut payload = Vec::new();
    if code.is_sendable() {
        payload.extend_from_slice(&code.get().to_be_bytes());
        let room = reason.len().min(CONTROL_BYTES_MAX - 2);
        let cut = (0..=room).rev().find_map(|end| reason.get(..end)).unwrap_or_default();
        payload.extend_from_slice(cut.as_bytes());
    }
    payload
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_round_trip() {
        assert_eq!(parse(&encode(CloseCode::NORMAL, "bye")), Ok((CloseCode::NORMAL, "bye")));
        assert_eq!(parse(&encode(CloseCode::NO_STATUS, "dropped")), Ok((CloseCode::NO_STATUS, "")));
        let long = "é".repeat(100);
        let payload = encode(CloseCode::POLICY, &long);
        assert_eq!(payload.len(), 2 + 122);
        assert_eq!(parse(&payload).map(|(_, reason)| reason.chars().count()), Ok(61));
    }

    #[test]
    fn refused_payloads() {
        assert_eq!(parse(&[3]), Err(Error::InvalidClose));
        assert_eq!(parse(&[3, 232, 0xFF]), Err(Error::InvalidUtf8));
        for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535_u16] {
            assert_eq!(parse(&code.to_be_bytes()), Err(Error::InvalidClose), "{code}");
        }
        for code in [1000, 1003, 1007, 1011, 1014, 3000, 4999_u16] {
            assert!(parse(&code.to_be_bytes()).is_ok(), "{code}");
        }
    }
}
