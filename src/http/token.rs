//! The grammar that header names and lists share (RFC 9110 section 5.6).

use core::str::FromStr;

/// Whether `text` is a token (RFC 9110 section 5.6.2).
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        )
}

/// The number that a run of digits stands for, if it is in its range. What Rust reads as a number may have a sign.
pub(crate) fn decimal<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The non-empty members of a comma-separated list, without the white space around them.
pub(crate) fn list(value: &str) -> impl Iterator<Item = &str> {
    members(value.split(','))
}

/// The same of a list whose members may have quoted strings with commas.
pub(crate) fn list_unquoted(value: &str) -> impl Iterator<Item = &str> {
    members(split_unquoted(value, b','))
}

fn members<'a>(parts: impl Iterator<Item = &'a str>) -> impl Iterator<Item = &'a str> {
    parts.map(|part| part.trim_matches([' ', '\t'])).filter(|member| !member.is_empty())
}

/// Splits at a separator that does not stand within quotes (RFC 9110 section 5.6.4).
pub(crate) fn split_unquoted(text: &str, separator: u8) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |c: char| {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => return !quoted && c == char::from(separator),
        }
        false
    })
}
