//! The payload of an event: a name and arguments.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::value::RawValue;

use super::args::{Args, Arguments, ArgumentsError};
use super::{Error, json};

/// Whether clients or servers use this event name for themselves, so that it must not be sent.
#[must_use]
pub fn is_reserved(name: &str) -> bool {
    matches!(name, "connect" | "connect_error" | "disconnect" | "disconnecting" | "newListener" | "removeListener")
}

/// The payload of an event: a name and arguments.
#[derive(Clone, Debug)]
pub struct EventData<'a> {
    /// The name. A number, which the protocol allows too, is given as its digits.
    pub name: Cow<'a, str>,
    /// Everything after the name.
    pub args: Args<'a>,
}

impl<'a> EventData<'a> {
    /// Reads and checks the payload of an event packet: an array that begins with the name.
    ///
    /// # Errors
    /// If it is no valid JSON array, nested too deeply, or its name is none or reserved.
    pub fn parse(data: &'a str) -> Result<Self, Error> {
        json::check(data, '[')?;
        let inner = json::inside(data).ok_or(Error::Payload)?;
        if let Some((name, rest)) = plain_name(inner) {
            return Self::checked(Cow::Borrowed(name), rest);
        }
        let mut values = serde_json::Deserializer::from_str(inner).into_iter::<&RawValue>();
        let first = values.next().and_then(Result::ok).ok_or(Error::EventName)?;
        let rest = inner.get(values.byte_offset()..).unwrap_or_default().trim_start();
        let name = match first.get().as_bytes() {
            [b'"', ..] => name(first.get())?,
            [b'-' | b'0'..=b'9', ..] => Cow::Borrowed(first.get()),
            _ => return Err(Error::EventName),
        };
        Self::checked(name, rest)
    }

    /// `rest` is what follows the name, up to the end of the array.
    fn checked(name: Cow<'a, str>, rest: &'a str) -> Result<Self, Error> {
        if is_reserved(&name) {
            return Err(Error::ReservedName);
        }
        Ok(Self { name, args: Args::checked(rest.strip_prefix(',').unwrap_or_default()) })
    }
}

/// A name without escapes, as nearly all are, and what follows it; in a valid array it ends with the next quotation mark.
fn plain_name(inner: &str) -> Option<(&str, &str)> {
    let text = inner.trim_ascii_start().strip_prefix('"')?;
    let end = text.bytes().position(|byte| matches!(byte, b'"' | b'\\'))?;
    let rest = text.get(end..)?.strip_prefix('"')?;
    Some((text.get(..end)?, rest.trim_ascii_start()))
}

/// The text of a JSON string, lent where it holds no escapes.
fn name(quoted: &str) -> Result<Cow<'_, str>, Error> {
    if quoted.contains('\\') {
        return serde_json::from_str::<String>(quoted).map(Cow::Owned).map_err(|_| Error::EventName);
    }
    quoted.get(1..quoted.len().saturating_sub(1)).map(Cow::Borrowed).ok_or(Error::EventName)
}

/// The payload of an event, as text.
pub(crate) fn event_array(name: &str, args: &impl Arguments) -> Result<String, ArgumentsError> {
    let mut array = opened();
    write_name(name, &mut array);
    array.push(b',');
    let empty = array.len();
    args.write(&mut array)?;
    if array.len() == empty {
        array.pop();
    }
    array.push(b']');
    // JSON is text.
    Ok(String::from_utf8(array).unwrap_or_default())
}

/// The payload of an acknowledgement, as text.
pub(crate) fn ack_array(args: &impl Arguments) -> Result<String, ArgumentsError> {
    let mut array = opened();
    args.write(&mut array)?;
    array.push(b']');
    Ok(String::from_utf8(array).unwrap_or_default())
}

/// The beginning of an array, with room for what most have in them.
fn opened() -> Vec<u8> {
    let mut array = Vec::with_capacity(128);
    array.push(b'[');
    array
}

/// Appends a name as a JSON string.
pub(crate) fn write_name(name: &str, out: &mut Vec<u8>) {
    if name.bytes().any(|byte| byte < 0x20 || matches!(byte, b'"' | b'\\')) {
        // A string always has a form in JSON.
        out.extend_from_slice(&serde_json::to_vec(name).unwrap_or_default());
    } else {
        out.push(b'"');
        out.extend_from_slice(name.as_bytes());
        out.push(b'"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parts(data: &str) -> Result<(String, String), Error> {
        EventData::parse(data).map(|event| (event.name.into_owned(), event.args.as_str().into()))
    }

    #[test]
    fn events() {
        let event = |name: &str, args: &str| Ok((name.into(), args.into()));
        assert_eq!(parts(r#"["say"]"#), event("say", ""));
        assert_eq!(parts(r#"[ "say" , 1 ]"#), event("say", "1"));
        assert_eq!(parts(r#"["a\"b",{"x":[null]},"€"]"#), event("a\"b", r#"{"x":[null]},"€""#));
        assert_eq!(parts("[1,true]"), event("1", "true"));
        assert_eq!(parts(r#"["caf\u00e9"]"#), event("café", ""));
    }

    #[test]
    fn s02_names_are_strings_or_numbers() {
        for data in [r#"[{"toString":"foo"}]"#, "[null]", "[[]]", "[true]", "[]", "[ ]"] {
            assert_eq!(parts(data), Err(Error::EventName), "{data}");
        }
        for data in ["{}", "", "7", "\"say\"", r#"["a"#, r#"["a",]"#, r#"["a" 1]"#, r#"["a"]]"#] {
            assert_eq!(parts(data), Err(Error::Payload), "{data}");
        }
    }

    #[test]
    fn s03_reserved_names() {
        for name in ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"] {
            assert_eq!(parts(&alloc::format!(r#"["{name}"]"#)), Err(Error::ReservedName));
        }
        assert_eq!(parts(r#"["\u0063onnect"]"#), Err(Error::ReservedName), "escapes do not hide it");
        assert!(parts(r#"["error"]"#).is_ok());
    }

    proptest! {
        #[test]
        fn any_name_survives(name: String) {
            let mut data = alloc::vec![b'['];
            write_name(&name, &mut data);
            data.extend_from_slice(b",1]");
            let data = String::from_utf8(data).unwrap();
            prop_assert_eq!(parts(&data), if is_reserved(&name) { Err(Error::ReservedName) } else { Ok((name, "1".into())) });
        }
    }
}
