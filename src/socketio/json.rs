//! Checks of JSON text that is not going to be parsed here.

use serde::de::{Deserialize as _, IgnoredAny};

use super::Error;

/// The deepest nesting that is passed on: what serde_json takes into values, and far below what makes
/// other clients' parsers recurse too deep.
pub(super) const DEPTH_MAX: usize = 127;

/// Whether `text` is an object, or nothing.
pub(crate) fn check_object(text: &str) -> Result<(), Error> {
    if text.is_empty() { Ok(()) } else { check(text, '{') }
}

/// Whether `text` is one valid JSON value that begins with `open`.
pub(super) fn check(text: &str, open: char) -> Result<(), Error> {
    if !text.starts_with(open) {
        return Err(Error::Payload);
    }
    // Most are short or have few brackets, which takes less to see than how they are nested.
    if text.len() > DEPTH_MAX && brackets(text) > DEPTH_MAX && depth(text) > DEPTH_MAX {
        return Err(Error::TooDeep);
    }
    let mut parser = serde_json::Deserializer::from_str(text);
    IgnoredAny::deserialize(&mut parser).and_then(|_| parser.end()).map_err(|_| Error::Payload)
}

/// What stands between the brackets of a valid array.
pub(super) fn inside(array: &str) -> Option<&str> {
    // White space behind it is part of the JSON text (RFC 8259 section 2).
    array.trim_ascii_end().strip_prefix('[')?.strip_suffix(']')
}

/// How many brackets are opened at most; those in strings are counted too.
fn brackets(text: &str) -> usize {
    text.bytes().filter(|byte| matches!(byte, b'[' | b'{')).count()
}

/// How deep brackets are nested, strings apart. It means something only for valid JSON, and for
/// the rest it does no harm.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0_usize);
    let (mut in_string, mut escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => {
                depth = depth.saturating_add(1);
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn s10_depth_is_bounded() {
        let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert_eq!(check(&nested(127), '['), Ok(()));
        assert_eq!(check(&nested(128), '['), Err(Error::TooDeep));
        let objects = |n: usize| format!("{}0{}", r#"{"a":"#.repeat(n), "}".repeat(n));
        assert_eq!(check(&objects(127), '{'), Ok(()));
        assert_eq!(check(&objects(128), '{'), Err(Error::TooDeep));
        assert_eq!(check(&format!("[{}]", "[],".repeat(1000) + "0"), '['), Ok(()), "many beside each other");
        assert_eq!(check(&"[".repeat(1_000_000), '['), Err(Error::TooDeep));
        assert_eq!(check(&format!(r#"["{}"]"#, "[".repeat(1000)), '['), Ok(()), "not in strings");
        assert_eq!(check(&format!(r#"["\"{}"]"#, "[".repeat(1000)), '['), Ok(()), "nor behind escaped quotes");
    }

    #[test]
    fn s11_odd_values() {
        for text in
            ["[1e999]", "[-0]", r#"[{"a":1,"a":2}]"#, r#"["\ud800"]"#, "[\u{2028}]", "[1]x", "[01]", "[1,]", "[NaN]"]
        {
            let _ = check(text, '[');
        }
        assert_eq!(check(r#"["\ud800"]"#, '['), Ok(()), "JavaScript strings may hold half a character");
        assert_eq!(check("[1]x", '['), Err(Error::Payload));
        assert_eq!(check("[01]", '['), Err(Error::Payload));
    }
}
