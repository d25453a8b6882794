//! JSON text to MessagePack, without a tree in between. The text is walked twice: MessagePack says before a list how long it is.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use super::{Error, writer};

/// Appends JSON text. What it says has to be valid JSON; text that is none makes an error or some MessagePack, and no harm.
pub(super) fn write(json: &str, attachments: &[Bytes], out: &mut Vec<u8>) -> Result<(), Error> {
    let mut lists = measure(json)?.into_iter();
    let mut lexemes = Lexemes { rest: json };
    while let Some(lexeme) = lexemes.next()? {
        match lexeme {
            Lexeme::Open { object } => {
                let list = lists.next().ok_or(Error::Payload)?;
                match list.place.filter(|_| !attachments.is_empty()) {
                    Some(place) => {
                        writer::binary(attachments.get(place).ok_or(Error::Placeholder)?, out);
                        leave_out(&mut lexemes, &mut lists)?;
                    }
                    None if object => writer::map(list.length, out),
                    None => writer::array(list.length, out),
                }
            }
            Lexeme::String(quoted) => writer::string(&unescape(quoted), out),
            Lexeme::Other(text) => scalar(text, out)?,
            Lexeme::Close | Lexeme::Comma | Lexeme::Colon => {}
        }
    }
    Ok(())
}

/// Goes on behind the list that was opened last.
fn leave_out(lexemes: &mut Lexemes<'_>, lists: &mut impl Iterator<Item = List>) -> Result<(), Error> {
    let mut depth = 1_usize;
    while depth > 0 {
        match lexemes.next()?.ok_or(Error::Payload)? {
            Lexeme::Open { .. } => {
                lists.next();
                depth = depth.saturating_add(1);
            }
            Lexeme::Close => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

fn scalar(text: &str, out: &mut Vec<u8>) -> Result<(), Error> {
    match text {
        "null" => out.push(writer::NIL),
        "true" => out.push(writer::TRUE),
        "false" => out.push(writer::FALSE),
        _ => match (text.parse::<u64>(), text.parse::<i64>()) {
            (Ok(number), _) => writer::unsigned(number, out),
            (_, Ok(number)) => writer::signed(number, out),
            // With a fraction or an exponent, or beyond 64 bits.
            _ => writer::float(text.parse().map_err(|_| Error::Payload)?, out),
        },
    }
    Ok(())
}

/// An array or an object of a text.
#[derive(Clone, Copy, Default)]
struct List {
    /// How many members it has.
    length: usize,
    /// The number of the attachment whose place it is.
    place: Option<usize>,
}

/// A list that is not at its end.
#[derive(Default)]
struct OpenList<'a> {
    /// Which list it is.
    at: usize,
    /// In an object, the key whose value comes next.
    key: Option<&'a str>,
    object: bool,
    /// Of a key that stands there twice the last one counts, as in JavaScript.
    marked: bool,
    num: Option<usize>,
}

/// All lists of a text in the order in which they open.
fn measure(json: &str) -> Result<Vec<List>, Error> {
    let mut lists = Vec::new();
    let mut open: Vec<OpenList<'_>> = Vec::new();
    let mut lexemes = Lexemes { rest: json };
    while let Some(lexeme) = lexemes.next()? {
        if let Some(top) = open.last_mut() {
            let list = lists.get_mut(top.at).ok_or(Error::Payload)?;
            member(top, list, lexeme);
        }
        match lexeme {
            Lexeme::Open { object } => {
                open.push(OpenList { at: lists.len(), object, ..OpenList::default() });
                lists.push(List::default());
            }
            Lexeme::Close => {
                let closed = open.pop().ok_or(Error::Payload)?;
                if let Some(list) = lists.get_mut(closed.at).filter(|_| closed.marked) {
                    // One without a number names no attachment either.
                    list.place = Some(closed.num.unwrap_or(usize::MAX));
                }
            }
            _ => {}
        }
    }
    if open.is_empty() { Ok(lists) } else { Err(Error::Payload) }
}

/// What a lexeme means to the list that it stands in.
fn member<'a>(top: &mut OpenList<'a>, list: &mut List, lexeme: Lexeme<'a>) {
    match lexeme {
        Lexeme::Close | Lexeme::Colon => return,
        Lexeme::Comma => list.length = list.length.saturating_add(1),
        _ => list.length = list.length.max(1),
    }
    match (top.key.take(), lexeme) {
        (None, Lexeme::String(quoted)) if top.object => top.key = Some(quoted),
        (Some(key), value) => {
            let text = if let Lexeme::Other(text) = value { text } else { "" };
            match &*unescape(key) {
                "_placeholder" => top.marked = text == "true",
                "num" => top.num = text.parse().ok(),
                _ => {}
            }
        }
        _ => {}
    }
}

#[derive(Clone, Copy)]
enum Lexeme<'a> {
    Open {
        object: bool,
    },
    Close,
    Comma,
    Colon,
    /// With its quotes.
    String(&'a str),
    /// A number, or one of the three words.
    Other(&'a str),
}

struct Lexemes<'a> {
    rest: &'a str,
}

impl<'a> Lexemes<'a> {
    fn next(&mut self) -> Result<Option<Lexeme<'a>>, Error> {
        self.rest = self.rest.trim_ascii_start();
        let Some(first) = self.rest.bytes().next() else { return Ok(None) };
        let (lexeme, length) = match first {
            b'[' | b'{' => (Lexeme::Open { object: first == b'{' }, 1),
            b']' | b'}' => (Lexeme::Close, 1),
            b',' => (Lexeme::Comma, 1),
            b':' => (Lexeme::Colon, 1),
            b'"' => {
                let quoted = self.string().ok_or(Error::Payload)?;
                (Lexeme::String(quoted), quoted.len())
            }
            _ => {
                let word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.');
                let length = self.rest.bytes().take_while(word).count();
                let text = self.rest.get(..length).filter(|text| !text.is_empty()).ok_or(Error::Payload)?;
                (Lexeme::Other(text), length)
            }
        };
        self.rest = self.rest.get(length..).unwrap_or_default();
        Ok(Some(lexeme))
    }

    fn string(&self) -> Option<&'a str> {
        let mut escaped = false;
        let inside = self.rest.bytes().skip(1).take_while(|byte| {
            let ends = *byte == b'"' && !escaped;
            escaped = *byte == b'\\' && !escaped;
            !ends
        });
        self.rest.get(..inside.count().saturating_add(2))
    }
}

/// The text that a JSON string says. Half of a surrogate pair is no character, and becomes U+FFFD.
fn unescape(quoted: &str) -> Cow<'_, str> {
    let inside = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
    let Some((plain, mut rest)) = inside.split_once('\\') else { return inside.into() };
    let mut text = String::with_capacity(inside.len());
    text.push_str(plain);
    loop {
        let escape = rest.chars().next().unwrap_or_default();
        rest = rest.get(escape.len_utf8()..).unwrap_or_default();
        text.push(match escape {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => character(&mut rest).unwrap_or(char::REPLACEMENT_CHARACTER),
            other => other,
        });
        let Some((plain, after)) = rest.split_once('\\') else { break };
        text.push_str(plain);
        rest = after;
    }
    text.push_str(rest);
    text.into()
}

/// The character whose four digits come next, with the other half of it if it has one.
fn character(rest: &mut &str) -> Option<char> {
    let first = unit(rest)?;
    if let 0xD800..0xDC00 = first
        && let Some(mut after) = rest.strip_prefix("\\u")
        && let Some(second) = unit(&mut after)
        && let Some(Ok(pair)) = char::decode_utf16([first, second]).next()
    {
        *rest = after;
        return Some(pair);
    }
    char::from_u32(first.into())
}

fn unit(rest: &mut &str) -> Option<u16> {
    let (digits, after) = rest.split_at_checked(4)?;
    *rest = after;
    u16::from_str_radix(digits, 16).ok()
}
