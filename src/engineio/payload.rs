//! The bodies of HTTP long polling: several packets in one, in four forms.

use alloc::borrow::Cow;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::iter;

use super::{Revision, read_base64, write_base64};
use crate::utf8;

/// One packet of a payload: as it would be a message of the WebSocket transport, but binary data without any type byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PayloadPacket<'a> {
    /// A packet as text, beginning with the digit of its type. Whether that is a type is for
    /// [`Packet::parse`](super::Packet::parse) to say; it is never empty.
    Text(Cow<'a, str>),
    /// The data of a message packet that is binary.
    Binary(Cow<'a, [u8]>),
}

/// How the packets of a payload are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PayloadForm {
    /// Revision 4: packets with the character U+001E between them, binary data as `b` and their base64 form.
    V4,
    /// Revision 3 as text: each packet as `length:packet`, the length in UTF-16 code units; binary data as `b4` and their
    /// base64 form. For JSONP, for requests with `b64=1`, and where no packet is binary.
    V3Text,
    /// Revision 3 as `application/octet-stream`: each packet as a byte 0 (text) or 1 (binary), the decimal digits of its
    /// length in bytes as bytes 0 to 9, a byte 255, and the packet; binary data after a byte 4.
    V3Binary,
}

/// Why a body is no payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadError {
    /// Text that is not UTF-8.
    #[error("payload is not UTF-8")]
    InvalidUtf8,
    /// A packet without even a type: an empty body, a separator at an end, two in a row.
    #[error("empty packet in payload")]
    EmptyPacket,
    /// No length where one must be: decimal, at most ten digits, no zero in front.
    #[error("malformed length in payload")]
    Length,
    /// A packet longer than the rest of the body, or that ends within a character.
    #[error("length in payload does not fit")]
    Truncated,
    /// Binary data that are not in base64 (RFC 4648 section 4); its padding may be left out.
    #[error("malformed base64 in payload")]
    Base64,
    /// Binary data of another packet than a message, or neither text nor binary.
    #[error("unknown kind of packet in payload")]
    Kind,
    /// More packets than are allowed.
    #[error("too many packets in payload")]
    TooManyPackets,
    /// The body of a JSONP request is no form with one field `d`.
    #[error("malformed JSONP form")]
    Form,
}

/// Reads a body. After the first error the iterator ends. The work is linear in the body, and at most `packets_max` packets
/// are read; one more is [`PayloadError::TooManyPackets`].
///
/// As with the official servers, an empty body is an error in the forms that are text and has no packets in
/// [`PayloadForm::V3Binary`], and the packet `0:` of [`PayloadForm::V3Text`], which stands for no packet, is skipped
/// (but counted). What no official client writes is an error where those servers guess:
/// lengths such as `007` or `1e1`. Padding of base64 may be left out.
///
/// ```
/// use roomwire::engineio::{PayloadForm, PayloadPacket, read_payload};
///
/// let packets: Result<Vec<_>, _> = read_payload(PayloadForm::V3Text, "5:4€😀!1:2".as_bytes(), 16).collect();
/// assert_eq!(packets?, [PayloadPacket::Text("4€😀!".into()), PayloadPacket::Text("2".into())]);
/// # Ok::<(), roomwire::engineio::PayloadError>(())
/// ```
pub fn read_payload(
    form: PayloadForm,
    body: &[u8],
    packets_max: usize,
) -> impl Iterator<Item = Result<PayloadPacket<'_>, PayloadError>> {
    let rest = match form {
        PayloadForm::V3Binary => Ok(Rest::Binary(body)),
        PayloadForm::V4 => utf8::check(body).map(Rest::Separated),
        PayloadForm::V3Text => utf8::check(body).map(Rest::Text),
    };
    let mut state = Some(rest.map_err(|_| PayloadError::InvalidUtf8));
    // An empty body of text is refused by what reads its first packet.
    let mut at_start = true;
    let mut left = packets_max;
    iter::from_fn(move || {
        loop {
            let rest = match state.take()? {
                Ok(rest) if rest.is_over() && !at_start => return None,
                Ok(Rest::Binary([])) => return None,
                Ok(rest) => rest,
                Err(error) => return Some(Err(error)),
            };
            at_start = false;
            let Some(fewer) = left.checked_sub(1) else { return Some(Err(PayloadError::TooManyPackets)) };
            left = fewer;
            match rest.packet() {
                Ok((packet, rest)) => {
                    state = Some(Ok(rest));
                    if let Some(packet) = packet {
                        return Some(Ok(packet));
                    }
                }
                Err(error) => return Some(Err(error)),
            }
        }
    })
}

/// Appends one packet. With [`PayloadForm::V4`] the separator is written first when `out` is not empty; a text with that
/// character in it has no form there, and JSON never has it unescaped.
pub fn write_payload(form: PayloadForm, packet: &PayloadPacket<'_>, out: &mut Vec<u8>) {
    match (form, packet) {
        (PayloadForm::V4, packet) => {
            if !out.is_empty() {
                out.push(SEPARATOR);
            }
            match packet {
                PayloadPacket::Text(text) => out.extend_from_slice(text.as_bytes()),
                PayloadPacket::Binary(data) => write_base64(Revision::V4, data, out),
            }
        }
        (PayloadForm::V3Text, PayloadPacket::Text(text)) => {
            let units = if text.is_ascii() { text.len() } else { text.encode_utf16().count() };
            write_text(units, text.as_bytes(), out);
        }
        (PayloadForm::V3Text, PayloadPacket::Binary(data)) => {
            let mut text = Vec::new();
            write_base64(Revision::V3, data, &mut text);
            write_text(text.len(), &text, out);
        }
        (PayloadForm::V3Binary, PayloadPacket::Text(text)) => write_binary(0, &[], text.as_bytes(), out),
        (PayloadForm::V3Binary, PayloadPacket::Binary(data)) => write_binary(1, &[MESSAGE], data, out),
    }
}

/// What stands between packets in [`PayloadForm::V4`].
pub(crate) const SEPARATOR: u8 = 0x1E;
/// The type of a message packet, as a byte.
const MESSAGE: u8 = 4;
/// What ends a length in [`PayloadForm::V3Binary`].
const LENGTH_END: u8 = 255;
/// No body that anybody keeps in memory needs more.
const DIGITS_MAX: usize = 10;

fn write_text(units: usize, text: &[u8], out: &mut Vec<u8>) {
    for part in [units.to_string().as_bytes(), b":", text] {
        out.extend_from_slice(part);
    }
}

fn write_binary(kind: u8, prefix: &[u8], data: &[u8], out: &mut Vec<u8>) {
    out.push(kind);
    let digits = prefix.len().saturating_add(data.len()).to_string();
    out.extend(digits.bytes().map(|digit| digit.wrapping_sub(b'0')));
    out.push(LENGTH_END);
    out.extend_from_slice(prefix);
    out.extend_from_slice(data);
}

/// What has not been read yet, in its form.
#[derive(Clone, Copy)]
enum Rest<'a> {
    /// What follows the separator.
    Separated(&'a str),
    /// Nothing follows the last packet.
    End,
    Text(&'a str),
    Binary(&'a [u8]),
}

/// A packet, or none where nothing stands for one, and what follows.
type Read<'a> = (Option<PayloadPacket<'a>>, Rest<'a>);

impl<'a> Rest<'a> {
    const fn is_over(&self) -> bool {
        match self {
            Self::Separated(_) => false,
            Self::End => true,
            Self::Text(text) => text.is_empty(),
            Self::Binary(bytes) => bytes.is_empty(),
        }
    }

    fn packet(self) -> Result<Read<'a>, PayloadError> {
        match self {
            Self::Separated(text) => separated(text),
            Self::End => Err(PayloadError::EmptyPacket),
            Self::Text(text) => counted_text(text),
            Self::Binary(bytes) => counted_bytes(bytes),
        }
    }
}

fn separated(text: &str) -> Result<Read<'_>, PayloadError> {
    let (packet, rest) = match text.split_once(char::from(SEPARATOR)) {
        Some((packet, rest)) => (packet, Rest::Separated(rest)),
        None => (text, Rest::End),
    };
    let packet = match read_base64(Revision::V4, packet) {
        Some(data) => PayloadPacket::Binary(data?.into()),
        None if packet.is_empty() => return Err(PayloadError::EmptyPacket),
        None => PayloadPacket::Text(packet.into()),
    };
    Ok((Some(packet), rest))
}

fn counted_text(text: &str) -> Result<Read<'_>, PayloadError> {
    if text.is_empty() {
        return Err(PayloadError::EmptyPacket);
    }
    // The colon is looked for no further than a length goes.
    let digits = text.bytes().take(DIGITS_MAX.saturating_add(1)).take_while(u8::is_ascii_digit).count();
    let (digits, after) = text.split_at_checked(digits).ok_or(PayloadError::Length)?;
    let after = after.strip_prefix(':').ok_or(PayloadError::Length)?;
    let units = length(digits.bytes().map(|digit| digit.wrapping_sub(b'0')))?;
    let (packet, rest) = split_units(after, units).ok_or(PayloadError::Truncated)?;
    let packet = match read_base64(Revision::V3, packet) {
        Some(data) => Some(PayloadPacket::Binary(data?.into())),
        None if packet.is_empty() => None,
        None => Some(PayloadPacket::Text(packet.into())),
    };
    Ok((packet, Rest::Text(rest)))
}

fn counted_bytes(bytes: &[u8]) -> Result<Read<'_>, PayloadError> {
    let (&kind, after) = bytes.split_first().ok_or(PayloadError::EmptyPacket)?;
    let digits = after.iter().take(DIGITS_MAX.saturating_add(1)).take_while(|digit| **digit <= 9).count();
    let (digits, after) = after.split_at_checked(digits).ok_or(PayloadError::Length)?;
    let after = after.strip_prefix(&[LENGTH_END]).ok_or(PayloadError::Length)?;
    let (packet, rest) = after.split_at_checked(length(digits.iter().copied())?).ok_or(PayloadError::Truncated)?;
    let packet = match (kind, packet) {
        (0 | 1, []) => return Err(PayloadError::EmptyPacket),
        (0, text) => PayloadPacket::Text(utf8::check(text).map_err(|_| PayloadError::InvalidUtf8)?.into()),
        (1, [MESSAGE, data @ ..]) => PayloadPacket::Binary(data.into()),
        _ => return Err(PayloadError::Kind),
    };
    Ok((Some(packet), Rest::Binary(rest)))
}

/// The number that decimal digits are, without zeros in front.
fn length(mut digits: impl ExactSizeIterator<Item = u8> + Clone) -> Result<usize, PayloadError> {
    let leading_zero = digits.len() > 1 && digits.clone().next() == Some(0);
    if leading_zero || !(1..=DIGITS_MAX).contains(&digits.len()) {
        return Err(PayloadError::Length);
    }
    digits
        .try_fold(0_usize, |length, digit| length.checked_mul(10)?.checked_add(usize::from(digit)))
        // More than this machine can address is more than the body has.
        .ok_or(PayloadError::Truncated)
}

/// The first `units` UTF-16 code units of a text, and the rest.
fn split_units(text: &str, units: usize) -> Option<(&str, &str)> {
    let ascii = text.as_bytes().get(..units)?.is_ascii();
    if ascii {
        return text.split_at_checked(units);
    }
    let mut left = units;
    let mut end = 0_usize;
    for character in text.chars() {
        if left == 0 {
            break;
        }
        left = left.checked_sub(character.len_utf16())?;
        end = end.saturating_add(character.len_utf8());
    }
    if left == 0 { text.split_at_checked(end) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;
    use alloc::vec;
    use proptest::prelude::*;

    const FORMS: [PayloadForm; 3] = [PayloadForm::V4, PayloadForm::V3Text, PayloadForm::V3Binary];

    fn read(form: PayloadForm, body: &[u8]) -> Result<Vec<PayloadPacket<'_>>, PayloadError> {
        read_payload(form, body, 16).collect()
    }

    fn write(form: PayloadForm, packets: &[PayloadPacket<'_>]) -> Vec<u8> {
        let mut out = Vec::new();
        packets.iter().for_each(|packet| write_payload(form, packet, &mut out));
        out
    }

    fn text(text: &str) -> PayloadPacket<'_> {
        PayloadPacket::Text(text.into())
    }

    fn binary(data: &[u8]) -> PayloadPacket<'_> {
        PayloadPacket::Binary(data.into())
    }

    fn packet() -> impl Strategy<Value = PayloadPacket<'static>> {
        prop_oneof![
            ("[0-6]", any::<String>())
                .prop_map(|(digit, data)| PayloadPacket::Text((digit + &data.replace('\u{1e}', "€")).into())),
            any::<Vec<u8>>().prop_map(|data| PayloadPacket::Binary(data.into())),
        ]
    }

    /// Bodies that are nearly right: pieces of each form, and anything.
    fn nearly(form: PayloadForm) -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            4 => packet().prop_map(move |packet| write(form, &[packet])),
            1 => prop::sample::select(vec![&b"\x1e"[..], b"0:", b"1:", b":", b"b4", b"b4AA==", b"\0\x01\xff", b"\x01\x02\xff\x04", b"9", b"\xff", "😀".as_bytes()])
                .prop_map(<[u8]>::to_vec),
            1 => any::<Vec<u8>>(),
        ];
        prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn parse_inverts_write(form in prop::sample::select(&FORMS[..]), packets in prop::collection::vec(packet(), 1..16)) {
            let body = write(form, &packets);
            prop_assert_eq!(read(form, &body), Ok(packets));
        }

        /// Whatever is read is written the same again, up to the packets that stand for none and the padding of base64.
        #[test]
        fn e14_any_bytes_are_read_or_refused(
            (form, body) in prop::sample::select(&FORMS[..]).prop_flat_map(|form| (Just(form), nearly(form))),
        ) {
            if let Ok(packets) = read_payload(form, &body, usize::MAX).collect::<Result<Vec<_>, _>>() {
                let again = write(form, &packets);
                let padded = packets.iter().any(|packet| matches!(packet, PayloadPacket::Binary(_))) && again.len() > body.len();
                if padded {
                    prop_assert_eq!(read(form, &again), Ok(packets));
                } else if !(form == PayloadForm::V3Text && body.windows(2).any(|two| two == b"0:")) {
                    prop_assert_eq!(&again, &body);
                }
            }
            let mut errors = read_payload(form, &body, 3).skip_while(Result::is_ok);
            prop_assert!(errors.next().is_none_or(|error| error.is_err()));
            prop_assert!(errors.next().is_none(), "nothing comes after an error");
        }

        #[test]
        fn units_are_counted_as_utf_16_counts_them(text in "[a€😀]{0,20}", units in 0_usize..24) {
            let prefix = (0..=text.len()).filter_map(|end| text.split_at_checked(end))
                .find(|(prefix, _)| prefix.encode_utf16().count() == units);
            prop_assert_eq!(split_units(&text, units), prefix);
        }
    }

    #[test]
    fn recorded_payloads() {
        let sid =
            r#"0{"sid":"ZqK9AqwygOOfyoF4AAAC","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000}"#;
        for (form, body, packets) in [
            (
                PayloadForm::V4,
                "2\u{1e}4hé\u{1e}bAQIDBA==\u{1e}b".into(),
                vec![text("2"), text("4hé"), binary(&[1, 2, 3, 4]), binary(&[])],
            ),
            (PayloadForm::V3Text, std::format!("97:{sid}2:40"), vec![text(sid), text("40")]),
            (PayloadForm::V3Text, "15:42[\"msg\",\"€😀\"]".into(), vec![text("42[\"msg\",\"€😀\"]")]),
            (PayloadForm::V3Text, "10:b4AQIDBA==6:b4BQ==".into(), vec![binary(&[1, 2, 3, 4]), binary(&[5])]),
        ] {
            assert_eq!(read(form, body.as_bytes()), Ok(packets.clone()));
            assert_eq!(write(form, &packets), body.as_bytes());
        }
        let body = b"\x00\x07\x07\xff452-[\"bin\",{\"_placeholder\":true,\"num\":0},{\"n\":{\"_placeholder\":true,\"num\":1}}]\
            \x01\x05\xff\x04\x01\x02\x03\x04\x01\x02\xff\x04\x05";
        let event = r#"452-["bin",{"_placeholder":true,"num":0},{"n":{"_placeholder":true,"num":1}}]"#;
        let packets = [text(event), binary(&[1, 2, 3, 4]), binary(&[5])];
        assert_eq!(read(PayloadForm::V3Binary, body).as_deref(), Ok(&packets[..]));
        assert_eq!(write(PayloadForm::V3Binary, &packets), body);
        // In this form the length is in bytes.
        assert_eq!(read(PayloadForm::V3Binary, "\0\x05\u{fffd}".as_bytes()), Err(PayloadError::Length));
        assert_eq!(write(PayloadForm::V3Binary, &[text("4€")]), b"\x00\x04\xff4\xe2\x82\xac");
    }

    #[test]
    fn empty_bodies() {
        assert_eq!(read(PayloadForm::V4, b""), Err(PayloadError::EmptyPacket));
        assert_eq!(read(PayloadForm::V3Text, b""), Err(PayloadError::EmptyPacket));
        assert_eq!(read(PayloadForm::V3Text, b"0:"), Ok(vec![]));
        assert_eq!(read(PayloadForm::V3Text, b"0:1:20:"), Ok(vec![text("2")]));
        assert_eq!(read(PayloadForm::V3Binary, b""), Ok(vec![]));
    }

    #[test]
    fn e14_lengths_and_separators() {
        use PayloadError::{EmptyPacket, InvalidUtf8, Kind, Length, Truncated};
        for (form, body, error) in [
            (PayloadForm::V4, &b"\x1e"[..], EmptyPacket),
            (PayloadForm::V4, b"2\x1e", EmptyPacket),
            (PayloadForm::V4, b"\x1e2", EmptyPacket),
            (PayloadForm::V4, b"2\x1e\x1e2", EmptyPacket),
            (PayloadForm::V4, b"2\x1e4\xff", InvalidUtf8),
            (PayloadForm::V3Text, b":2", Length),
            (PayloadForm::V3Text, b"2", Length),
            (PayloadForm::V3Text, b"1:2x", Length),
            (PayloadForm::V3Text, b"1:21", Length),
            (PayloadForm::V3Text, b"01:2", Length),
            (PayloadForm::V3Text, b"1e0:2", Length),
            (PayloadForm::V3Text, b" 1:2", Length),
            (PayloadForm::V3Text, b"+1:2", Length),
            (PayloadForm::V3Text, b"-1:2", Length),
            (PayloadForm::V3Text, b"00000000001:2", Length),
            (PayloadForm::V3Text, b"2:2", Truncated),
            (PayloadForm::V3Text, b"9999999999:2", Truncated),
            (PayloadForm::V3Text, "2:4😀".as_bytes(), Truncated),
            (PayloadForm::V3Text, "4:4😀".as_bytes(), Truncated),
            (PayloadForm::V3Text, b"1:\xff", InvalidUtf8),
            (PayloadForm::V3Text, b"2:b3", Kind),
            (PayloadForm::V3Text, b"1:b", Kind),
            (PayloadForm::V3Binary, b"\x00", Length),
            (PayloadForm::V3Binary, b"\x00\xff2", Length),
            (PayloadForm::V3Binary, b"\x00\x00\x01\xff2", Length),
            (PayloadForm::V3Binary, b"\x00\x0a\xff2", Length),
            (PayloadForm::V3Binary, b"\x00\x01", Length),
            (PayloadForm::V3Binary, b"\x00\x09\x09\xff2", Truncated),
            (PayloadForm::V3Binary, b"\x00\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\xff2", Truncated),
            (PayloadForm::V3Binary, b"\x00\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\xff2", Length),
            (PayloadForm::V3Binary, b"\x00\x00\xff", EmptyPacket),
            (PayloadForm::V3Binary, b"\x01\x00\xff", EmptyPacket),
            (PayloadForm::V3Binary, b"\x01\x01\xff\x03", Kind),
            (PayloadForm::V3Binary, b"\x02\x01\xff\x04", Kind),
            (PayloadForm::V3Binary, b"\x00\x01\xff\xff", InvalidUtf8),
        ] {
            assert_eq!(read(form, body), Err(error), "{form:?} {}", body.escape_ascii());
        }
    }

    #[test]
    fn e16_base64() {
        for data in ["AQIDBA===", "AQIDBB==", "A", "AQ=A", "A-_A", "AQID BA=", "AQI\nDBA==", "é", "="] {
            assert_eq!(read(PayloadForm::V4, std::format!("b{data}").as_bytes()), Err(PayloadError::Base64), "{data}");
            let body = std::format!("{}:b4{data}", data.encode_utf16().count() + 2);
            assert_eq!(read(PayloadForm::V3Text, body.as_bytes()), Err(PayloadError::Base64), "{data}");
        }
    }

    /// One packet more than are allowed is an error, whatever the form; what came before it is told.
    #[test]
    fn e01_e18_packets_are_counted() {
        for (form, packet) in [(PayloadForm::V4, "2\u{1e}"), (PayloadForm::V3Text, "1:2"), (PayloadForm::V3Binary, "")]
        {
            let body = match form {
                PayloadForm::V3Binary => b"\x00\x01\xff2".repeat(17),
                _ => packet.repeat(17).trim_end_matches('\u{1e}').into(),
            };
            let read: Vec<_> = read_payload(form, &body, 17).collect();
            assert!(read.len() == 17 && read.iter().all(Result::is_ok), "{form:?}");
            let read: Vec<_> = read_payload(form, &body, 16).collect();
            assert!(read.len() == 17 && read[16] == Err(PayloadError::TooManyPackets), "{form:?}");
            assert_eq!(read_payload(form, &body, 0).collect::<Vec<_>>(), [Err(PayloadError::TooManyPackets)]);
        }
        let nothing = "0:".repeat(1_000_000);
        assert_eq!(read(PayloadForm::V3Text, nothing.as_bytes()), Err(PayloadError::TooManyPackets));
        let separators = "\u{1e}".repeat(1_000_000);
        assert_eq!(read(PayloadForm::V4, separators.as_bytes()), Err(PayloadError::EmptyPacket));
    }

    /// The steps of reading, counted by what is behind each packet: nothing of the rest is looked at again. A reader
    /// whose work is quadratic would need about 10^12 steps here.
    #[test]
    fn e01_e18_a_megabyte_of_small_packets() {
        for (form, body) in [
            (PayloadForm::V4, "2\u{1e}".repeat(1_000_000) + "2"),
            (PayloadForm::V3Text, "1:2".repeat(1_000_000)),
            (PayloadForm::V3Text, "2:4€".repeat(500_000)),
            (PayloadForm::V3Text, "3:4😀".repeat(500_000)),
            (PayloadForm::V3Text, "6:b4AA==".repeat(500_000)),
        ] {
            assert!(read_payload(form, body.as_bytes(), usize::MAX).all(|packet| packet.is_ok()));
        }
        let body = b"\x00\x01\xff2".repeat(1_000_000);
        assert_eq!(read_payload(PayloadForm::V3Binary, &body, usize::MAX).filter(Result::is_ok).count(), 1_000_000);
    }
}
