//! The header lines of a message, as they came.

use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use crate::words;

/// A place within the head.
#[derive(Clone, Copy, Default)]
pub(super) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// Where `part`, which lies within `whole`, is.
    pub(super) fn of(part: &[u8], whole: &[u8]) -> Self {
        let start = (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize);
        let clamp = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Self { start: clamp(start), end: clamp(start.saturating_add(part.len())) }
    }

    const fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    pub(super) const fn start(self) -> usize {
        self.start as usize
    }

    pub(super) const fn len(self) -> usize {
        self.end.saturating_sub(self.start) as usize
    }
}

/// A head as it came, and where its header lines are.
#[derive(Clone, Default)]
pub(super) struct Headers {
    head: Octets,
    lines: Vec<(Span, Span)>,
    /// A bit for each [`mark`] of a name: most that are asked for are not there, which is seen by that.
    marks: u64,
}

/// A head is looked up often: nearly all are text, which is checked once.
#[derive(Clone)]
enum Octets {
    Text(String),
    /// Values may hold bytes of another coding (RFC 9110 section 5.5).
    Other(Vec<u8>),
}

impl Default for Octets {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

impl Octets {
    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Other(bytes) => bytes,
        }
    }
}

impl Headers {
    /// A head, and the names and values that lie within it.
    pub(super) fn new(head: Vec<u8>, lines: Vec<(Span, Span)>) -> Self {
        let head = String::from_utf8(head).map_or_else(|error| Octets::Other(error.into_bytes()), Octets::Text);
        let mark_of = |name: &Span| head.as_bytes().get(name.range()).map_or(0, mark);
        let marks = lines.iter().fold(0, |marks, (name, _)| marks | mark_of(name));
        Self { head, lines, marks }
    }

    /// How many lines there are.
    pub(super) const fn len(&self) -> usize {
        self.lines.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.lines.iter().map(|&(name, value)| (self.text(name), self.bytes(value)))
    }

    /// The values of the lines with this name.
    pub(super) fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.spans(name).map(|value| self.bytes(value))
    }

    pub(super) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.spans(name).filter_map(|value| self.checked(value))
    }

    pub(super) fn only(&self, name: &str) -> Option<&str> {
        let mut lines = self.spans(name);
        let value = lines.next()?;
        if lines.next().is_some() {
            return None;
        }
        self.checked(value)
    }

    pub(super) fn lists(&self, name: &str, member: &str) -> bool {
        let mut values = self.values(name).map(str::as_bytes);
        // The grammar of `list`, without looking for characters.
        values.any(|value| {
            let mut members = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
            members.any(|found| found.eq_ignore_ascii_case(member.as_bytes()))
        })
    }

    pub(super) fn count(&self, name: &str) -> usize {
        self.spans(name).count()
    }

    /// Whether the stream may carry another message after this one (RFC 9112 section 9.3).
    pub(super) fn keep_alive(&self, minor_version: u8) -> bool {
        !self.lists("connection", "close") && (minor_version >= 1 || self.lists("connection", "keep-alive"))
    }

    pub(super) fn text(&self, span: Span) -> &str {
        self.checked(span).unwrap_or_default()
    }

    pub(super) fn retained_bytes(&self) -> usize {
        let head = match &self.head {
            Octets::Text(text) => text.capacity(),
            Octets::Other(bytes) => bytes.capacity(),
        };
        head.saturating_add(self.lines.capacity().saturating_mul(size_of::<(Span, Span)>()))
    }

    /// Names are compared as bytes, and those of another length not at all.
    fn spans(&self, name: &str) -> impl Iterator<Item = Span> {
        let head = self.head.as_bytes();
        let same = move |found: Span| {
            found.len() == name.len()
                && head.get(found.range()).is_some_and(|found| words::eq_ignore_case(found, name.as_bytes()))
        };
        let lines: &[_] = if self.marks & mark(name.as_bytes()) == 0 { &[] } else { &self.lines };
        lines.iter().filter(move |(found, _)| same(*found)).map(|(_, value)| *value)
    }

    fn checked(&self, span: Span) -> Option<&str> {
        match &self.head {
            Octets::Text(text) => text.get(span.range()),
            Octets::Other(bytes) => core::str::from_utf8(bytes.get(span.range())?).ok(),
        }
    }

    pub(super) fn bytes(&self, span: Span) -> &[u8] {
        self.head.as_bytes().get(span.range()).unwrap_or_default()
    }
}

/// One bit for a name in any case, by how it begins and how long it is; no two of the usual names that are asked for have the
/// same.
#[inline]
fn mark(name: &[u8]) -> u64 {
    let first = name.first().map_or(0, |first| usize::from(first | 0x20));
    1 << (name.len().wrapping_mul(13).wrapping_add(first) % 64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of a head, found by hand.
    fn headers(head: &[u8]) -> Headers {
        let lines = head.split(|byte| *byte == b'\n').filter_map(|line| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            Some((Span::of(&line[..colon], head), Span::of(line[colon + 1..].trim_ascii(), head)))
        });
        Headers::new(head.to_vec(), lines.collect())
    }

    const TEXT: &[u8] =
        b"Host: a\r\nconnection: keep-alive ,\tUpgrade\r\nX-One: 1\r\nx-one: 2\r\nConnections: close\r\n";

    #[test]
    fn lines_are_found_whatever_the_rest_is() {
        // Nothing but the line behind it makes the second another kind of head.
        for (head, is_text) in [(TEXT.to_vec(), true), ([TEXT, b"X-Raw: \xFF\r\nX-Raw: \xC3\xA4\r\n"].concat(), false)]
        {
            let headers = headers(&head);
            assert_eq!(matches!(headers.head, Octets::Text(_)), is_text);
            assert_eq!((headers.len(), headers.iter().count()), (if is_text { 5 } else { 7 }, headers.len()));
            assert_eq!((headers.only("HOST"), headers.only("hos"), headers.only("x-one")), (Some("a"), None, None));
            assert_eq!(headers.values("X-ONE").collect::<Vec<_>>(), ["1", "2"]);
            assert_eq!(headers.count("x-one"), 2);
            assert!(headers.lists("Connection", "upgrade") && headers.lists("connection", "KEEP-ALIVE"));
            assert!(!headers.lists("connection", "close") && !headers.lists("connection", "keep"));
        }
    }

    #[test]
    fn names_may_have_any_length() {
        for len in 1..=130 {
            let name = "n".repeat(len);
            let headers = headers(alloc::format!("{name}: 1\r\nhost: a\r\n").as_bytes());
            assert_eq!((headers.only(&name), headers.only("host")), (Some("1"), Some("a")), "{len}");
            assert_eq!(headers.only(&"m".repeat(len + 64)), None);
        }
    }

    #[test]
    fn values_of_another_coding_are_bytes_and_no_text() {
        let headers = headers(&[TEXT, b"X-Raw: \xFF\r\nX-Raw: \xC3\xA4\r\nY: close,\xFF\r\n"].concat());
        assert_eq!(headers.named("x-raw").collect::<Vec<_>>(), [&b"\xFF"[..], b"\xC3\xA4"]);
        assert_eq!(headers.values("x-raw").collect::<Vec<_>>(), ["ä"]);
        assert_eq!((headers.only("y"), headers.lists("y", "close"), headers.count("y")), (None, false, 1));
    }
}
