//! JSONP, which revision 3 has for browsers that may not ask other origins: a response is a script, a request a form.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::PayloadError;
use crate::http::percent_decode;

/// Appends a body as the script that hands it to the client: `___eio[j]("…");` with the number `j` of its query.
///
/// Beyond what JSON escapes, the line ends of JavaScript (U+2028, U+2029) are escaped, and the `/` of `</`, which would end
/// the script where somebody puts it into a page.
pub fn write_jsonp(index: u32, body: &str, out: &mut Vec<u8>) {
    for part in ["___eio[", &index.to_string(), "](\""] {
        out.extend_from_slice(part.as_bytes());
    }
    let mut previous = None;
    for character in body.chars() {
        let mut utf8 = [0; 4];
        let escaped = match character {
            '"' => "\\\"",
            '\\' => "\\\\",
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            '\u{8}' => "\\b",
            '\u{c}' => "\\f",
            '\u{2028}' => "\\u2028",
            '\u{2029}' => "\\u2029",
            '/' if previous == Some('<') => "\\/",
            '\0'..='\u{1f}' => &alloc::format!("\\u{:04x}", u32::from(character)),
            _ => character.encode_utf8(&mut utf8),
        };
        out.extend_from_slice(escaped.as_bytes());
        previous = Some(character);
    }
    out.extend_from_slice(b"\");");
}

/// The payload ([`PayloadForm::V3Text`](super::PayloadForm::V3Text)) in the body of a JSONP request: the field `d` of a form
/// (`application/x-www-form-urlencoded`), with the client's own escaping of line ends undone.
///
/// Since some browsers change line ends in forms, the official client sends a line feed as `\n` and what was `\n` as `\\n`.
///
/// # Errors
/// [`PayloadError::Form`] unless there is exactly one field `d` and each `%` begins an escape, or
/// [`PayloadError::InvalidUtf8`].
pub fn read_jsonp(body: &[u8]) -> Result<String, PayloadError> {
    let mut fields = body.split(|byte| *byte == b'&').filter_map(|field| field.strip_prefix(b"d="));
    let (Some(data), None) = (fields.next(), fields.next()) else { return Err(PayloadError::Form) };
    let bytes: Vec<u8> = percent_decode(data).collect::<Result<_, _>>().map_err(|_| PayloadError::Form)?;
    String::from_utf8(unescape_lines(&bytes)).map_err(|_| PayloadError::InvalidUtf8)
}

/// An `n` behind one backslash is a line feed; behind several it loses one of them.
fn unescape_lines(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut backslashes = 0_usize;
    for &byte in bytes {
        match byte {
            b'n' if backslashes > 0 => {
                out.pop();
                out.push(if backslashes == 1 { b'\n' } else { b'n' });
            }
            _ => out.push(byte),
        }
        backslashes = if byte == b'\\' { backslashes.saturating_add(1) } else { 0 };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::format;

    fn script(body: &str) -> String {
        let mut out = Vec::new();
        write_jsonp(7, body, &mut out);
        String::from_utf8(out).unwrap()
    }

    /// What the official client does to a payload before it goes into its form.
    fn escape_lines(text: &str) -> String {
        text.replace("\\n", "\\\n").replace('\n', "\\n")
    }

    fn percent_encode(text: &str) -> String {
        text.bytes().map(|byte| if byte == b' ' { "+".into() } else { format!("%{byte:02x}") }).collect()
    }

    proptest! {
        /// But for a line feed behind a backslash, which JSON never has and which that client does not escape.
        #[test]
        fn read_inverts_the_official_client(text in r"([a-z &=+%€😀]|\\+[an]|[[:cntrl:]]){0,30}") {
            let body = format!("d={}", percent_encode(&escape_lines(&text)));
            prop_assert_eq!(read_jsonp(body.as_bytes()), Ok(text));
        }

        #[test]
        fn any_bytes_are_read_or_refused(body: Vec<u8>) {
            let _ = read_jsonp(&body);
            let _ = read_jsonp(&[b"d=", &body[..]].concat());
        }

        /// The argument is JSON too, so that its meaning can be checked by another's reader.
        #[test]
        fn a_script_hands_over_the_body(text in any::<String>(), tricky in r#"([</"\\]|[[:cntrl:]]|\u2028|\u2029){0,20}"#) {
            for body in [text, tricky] {
                let script = script(&body);
                let argument = script.strip_prefix("___eio[7](").unwrap().strip_suffix(");").unwrap();
                prop_assert_eq!(serde_json::from_str::<String>(argument).unwrap(), body);
                let unsafe_here = |c: char| matches!(c, '\0'..='\x1f' | '\u{2028}' | '\u{2029}');
                prop_assert!(!script.contains("</") && !script.contains(unsafe_here));
            }
        }
    }

    #[test]
    fn e17_recorded_scripts() {
        assert_eq!(script("20:42[\"msg-back\",\"x\u{2028}y\"]"), r#"___eio[7]("20:42[\"msg-back\",\"x\u2028y\"]");"#);
        assert_eq!(script("\u{1}\u{8}\t\n\u{c}\r\u{1f}"), r#"___eio[7]("\u0001\b\t\n\f\r\u001f");"#);
        assert_eq!(script("4</script>"), r#"___eio[7]("4<\/script>");"#);
        assert_eq!(script("4a/b"), r#"___eio[7]("4a/b");"#);
    }

    #[test]
    fn recorded_forms() {
        let body = b"d=15%3A42%5B%22msg%22%2C%22x%E2%80%A8y%22%5D";
        assert_eq!(read_jsonp(body).as_deref(), Ok("15:42[\"msg\",\"x\u{2028}y\"]"));
        // `["a\n\\n"]` as JSON text: an escaped line feed, an escaped backslash before an n.
        assert_eq!(read_jsonp(br"d=%5C%5Cn%5C%5C%5Cn").as_deref(), Ok(r"\n\\n"));
        assert_eq!(read_jsonp(br"d=a\nb").as_deref(), Ok("a\nb"));
    }

    #[test]
    fn no_forms() {
        for body in [&b""[..], b"d", b"e=1", b"d=1&d=1", b"d=%", b"d=%4", b"d=%4g", b"d=%+4", b"D=1"] {
            assert_eq!(read_jsonp(body), Err(PayloadError::Form), "{}", body.escape_ascii());
        }
        assert_eq!(read_jsonp(b"d=%ff"), Err(PayloadError::InvalidUtf8));
        assert_eq!(read_jsonp(b"t=0&d=1:2&u=%").as_deref(), Ok("1:2"));
    }
}
