//! Percent-encoding (RFC 3986 section 2.1), there and back; where it is undone a `+` is a space, as in forms.

use alloc::string::String;

/// A `%` behind which no two hexadecimal digits stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoEscape;

/// The bytes that `text` stands for. What follows a `%` that begins no escape is read as any other text.
pub(crate) fn decode(text: &[u8]) -> impl Iterator<Item = Result<u8, NoEscape>> {
    let mut rest = text.iter();
    core::iter::from_fn(move || {
        Some(match rest.next()? {
            b'+' => Ok(b' '),
            b'%' => match rest.as_slice() {
                [high, low, after @ ..] => match (hex_digit(*high), hex_digit(*low)) {
                    (Some(high), Some(low)) => {
                        rest = after.iter();
                        Ok(high << 4 | low)
                    }
                    _ => Err(NoEscape),
                },
                _ => Err(NoEscape),
            },
            byte => Ok(*byte),
        })
    })
}

/// Escapes all bytes but those that `stays` lets stand.
pub(crate) fn encode(text: &str, stays: impl Fn(u8) -> bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii() && stays(byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&alloc::format!("%{byte:02X}"));
        }
    }
    encoded
}

/// What a hexadecimal digit stands for.
pub(super) fn hex_digit(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    #[test]
    fn escapes_and_what_is_none() {
        let decoded = |text: &str| decode(text.as_bytes()).map(|byte| byte.unwrap_or(b'!')).collect::<Vec<_>>();
        for (text, expected) in [
            ("a+b", &b"a b"[..]),
            ("%41%e2%82%Ac", "A€".as_bytes()),
            ("%ff%2B%25", b"\xFF+%"),
            ("%", b"!"),
            ("%4", b"!4"),
            ("%zz%4", b"!zz!4"),
            ("%%41", b"!A"),
            ("%+4%:0%/0%@0%G0%`0%g0", b"! 4!:0!/0!@0!G0!`0!g0"),
        ] {
            assert_eq!(decoded(text), expected, "{text}");
        }
        assert_eq!(encode("a b/é%", |byte| byte != b' ' && byte != b'%'), "a%20b/%C3%A9%25");
    }

    proptest! {
        #[test]
        fn there_and_back(text: String) {
            let encoded = encode(&text, |byte| byte.is_ascii_alphanumeric());
            prop_assert_eq!(decode(encoded.as_bytes()).collect::<Result<Vec<_>, _>>(), Ok(text.into_bytes()));
        }
    }
}
