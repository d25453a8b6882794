//! The arguments of an event: raw JSON, to and from types.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;
use serde::de::{self, Deserialize, DeserializeSeed, SeqAccess, Visitor};
use serde::ser::Serialize;
use serde_json::value::RawValue;

use super::{Error, Placeholder, json};

/// The arguments of an event or of an acknowledgement: JSON values with commas between them, as text, and the binary
/// attachments whose places are marked in it (see [`Placeholder`]).
///
/// ```
/// use roomwire::socketio::Args;
/// let args = Args::new(r#""ann",{"x":1}"#)?;
/// let (name, point): (&str, serde_json::Value) = args.parse()?;
/// assert_eq!((name, args.len()), ("ann", 2));
/// # assert_eq!(point["x"], 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Args<'a> {
    text: Cow<'a, str>,
    attachments: Vec<Bytes>,
}

/// Arguments have not the form that was asked for, or a value has no form in JSON.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ArgumentsError(serde_json::Error);

impl<'a> Args<'a> {
    /// Checks text that is the inside of a JSON array.
    ///
    /// # Errors
    /// If it is not, or is nested too deeply.
    pub fn new(text: impl Into<Cow<'a, str>>) -> Result<Self, Error> {
        let text = text.into();
        json::check(&alloc::format!("[{text}]"), '[')?;
        Ok(Self::checked(text))
    }

    /// Reads the payload of an acknowledgement, a JSON array.
    pub(crate) fn from_array(data: &'a str) -> Result<Self, Error> {
        json::check(data, '[')?;
        json::inside(data).map(Self::checked).ok_or(Error::Payload)
    }

    /// Takes text that was checked, without the white space around it: nothing but white space is no argument, and
    /// must not get a comma.
    pub(crate) fn checked(text: impl Into<Cow<'a, str>>) -> Self {
        let text = match text.into() {
            Cow::Borrowed(text) => Cow::Borrowed(text.trim_ascii()),
            Cow::Owned(text) if text.trim_ascii().len() == text.len() => Cow::Owned(text),
            Cow::Owned(text) => Cow::Owned(text.trim_ascii().into()),
        };
        Self { text, attachments: Vec::new() }
    }

    /// The same with the attachments that the placeholders in it name.
    pub(crate) fn with_attachments(mut self, attachments: Vec<Bytes>) -> Self {
        self.attachments = attachments;
        self
    }

    /// The binary attachments, by number.
    #[must_use]
    pub fn attachments(&self) -> &[Bytes] {
        &self.attachments
    }

    /// The attachment whose place this is.
    #[must_use]
    pub fn attachment(&self, place: Placeholder) -> Option<&Bytes> {
        self.attachments.get(usize::try_from(place.0).ok()?)
    }

    /// The text: what stands between the brackets of the array.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// The text of each argument.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        Elements { rest: &self.text }
    }

    /// The arguments behind the first `count`, with all attachments: a message is passed on without what it was addressed with.
    #[must_use]
    pub fn skip(&self, count: usize) -> Args<'_> {
        let mut elements = Elements { rest: &self.text };
        elements.by_ref().take(count).for_each(drop);
        Args::checked(elements.rest).with_attachments(self.attachments.clone())
    }

    /// Parses all arguments at once: into a tuple of as many members, a list, or any type that serde builds from
    /// a sequence. Members may borrow from the text.
    ///
    /// # Errors
    /// If the arguments do not fit the type; more of them than it takes do not.
    pub fn parse<'b, T: Deserialize<'b>>(&'b self) -> Result<T, ArgumentsError> {
        let mut elements = Elements { rest: &self.text };
        let value = T::deserialize(Sequence(&mut elements)).map_err(ArgumentsError)?;
        match elements.next() {
            None => Ok(value),
            Some(_) => Err(ArgumentsError(de::Error::custom("more arguments than expected"))),
        }
    }

    /// The arguments on their own, copied if they were lent.
    #[must_use]
    pub fn into_owned(self) -> Args<'static> {
        Args { text: Cow::Owned(self.text.into_owned()), attachments: self.attachments }
    }
}

impl fmt::Debug for Args<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Args([{}]", self.text)?;
        if !self.attachments.is_empty() {
            write!(f, ", {} attachments", self.attachments.len())?;
        }
        f.write_str(")")
    }
}

/// The elements of a text that is known to be valid.
struct Elements<'b> {
    rest: &'b str,
}

impl<'b> Iterator for Elements<'b> {
    type Item = &'b str;

    fn next(&mut self) -> Option<&'b str> {
        let mut values = serde_json::Deserializer::from_str(self.rest).into_iter::<&RawValue>();
        let element = values.next()?.ok()?;
        let rest = self.rest.get(values.byte_offset()..).unwrap_or_default().trim_start();
        self.rest = rest.strip_prefix(',').unwrap_or_default();
        Some(element.get())
    }
}

/// Presents the elements to serde as a sequence, each parsed from its own text.
struct Sequence<'e, 'b>(&'e mut Elements<'b>);

impl<'b> de::Deserializer<'b> for Sequence<'_, 'b> {
    type Error = serde_json::Error;

    fn deserialize_any<V: Visitor<'b>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_seq(self)
    }

    /// So that `parse::<()>` means no arguments; more are noticed afterwards.
    fn deserialize_unit<V: Visitor<'b>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        <W: Visitor<'b>>
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'b> SeqAccess<'b> for Sequence<'_, 'b> {
    type Error = serde_json::Error;

    fn next_element_seed<T: DeserializeSeed<'b>>(&mut self, seed: T) -> Result<Option<T::Value>, Self::Error> {
        let Some(text) = self.0.next() else { return Ok(None) };
        seed.deserialize(&mut serde_json::Deserializer::from_str(text)).map(Some)
    }
}

/// What can be sent as the arguments of an event: [`Args`] as they came, or a tuple of up to eight
/// values that serde can write, such as `("text", 7, true)`; `()` for none, `(value,)` for one.
pub trait Arguments {
    /// Appends the values as JSON with commas between them.
    ///
    /// # Errors
    /// If a value has no form in JSON.
    fn write(&self, out: &mut Vec<u8>) -> Result<(), ArgumentsError>;

    /// The binary attachments that placeholders among the values name: see [`attach`](super::attach).
    fn attachments(&self) -> &[Bytes] {
        &[]
    }
}

impl Arguments for Args<'_> {
    fn write(&self, out: &mut Vec<u8>) -> Result<(), ArgumentsError> {
        out.extend_from_slice(self.text.as_bytes());
        Ok(())
    }

    fn attachments(&self) -> &[Bytes] {
        &self.attachments
    }
}

impl<T: Arguments + ?Sized> Arguments for &T {
    fn write(&self, out: &mut Vec<u8>) -> Result<(), ArgumentsError> {
        (**self).write(out)
    }

    fn attachments(&self) -> &[Bytes] {
        (**self).attachments()
    }
}

impl Arguments for () {
    fn write(&self, _: &mut Vec<u8>) -> Result<(), ArgumentsError> {
        Ok(())
    }
}

macro_rules! tuples {
    ($first:ident $($rest:ident)*) => {
        impl<$first: Serialize, $($rest: Serialize),*> Arguments for ($first, $($rest,)*) {
            fn write(&self, out: &mut Vec<u8>) -> Result<(), ArgumentsError> {
                // A tuple is an array.
                let array = serde_json::to_vec(self).map_err(ArgumentsError)?;
                if let [b'[', values @ .., b']'] = &*array {
                    out.extend_from_slice(values);
                }
                Ok(())
            }
        }
        tuples!($($rest)*);
    };
    () => {};
}

tuples!(A B C D E F G H);

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;
    use serde_json::Value;

    #[test]
    fn parsing() {
        let args = Args::new(r#""a\nb", 7,{"k":[1,2]} , null"#).unwrap();
        assert_eq!(args.iter().collect::<Vec<_>>(), [r#""a\nb""#, "7", r#"{"k":[1,2]}"#, "null"]);
        let (text, number, object, none): (String, u8, Value, Option<u8>) = args.parse().unwrap();
        assert_eq!((text.as_str(), number, none), ("a\nb", 7, None));
        assert_eq!(object["k"][1], 2);
        assert!(args.parse::<(String, u8)>().is_err(), "too many");
        assert!(args.parse::<(String, u8, Value, Option<u8>, u8)>().is_err(), "too few");
        assert_eq!(args.parse::<Vec<Value>>().unwrap().len(), 4);
        Args::new("").unwrap().parse::<()>().unwrap();
        assert!(Args::new("1").unwrap().parse::<()>().is_err());
        assert_eq!(
            (args.skip(2).as_str(), args.skip(4).as_str(), args.skip(9).len()),
            (r#"{"k":[1,2]} , null"#, "", 0)
        );
        assert!(Args::new("1,").is_err() && Args::new("1]").is_err() && Args::new("1],[2").is_err());
    }

    #[test]
    fn writing() {
        let write = |args: &dyn Fn(&mut Vec<u8>)| {
            let mut out = Vec::new();
            args(&mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(write(&|out| ("a\"", 1.5, true, None::<u8>).write(out).unwrap()), r#""a\"",1.5,true,null"#);
        assert_eq!(write(&|out| ().write(out).unwrap()), "");
        assert_eq!(write(&|out| Args::new(" 1, 2\n").unwrap().write(out).unwrap()), "1, 2");
        assert!(Args::new(" \t ").unwrap().is_empty());
    }
}
