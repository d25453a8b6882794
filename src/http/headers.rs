//! The header lines of a message, as they came.

use alloc::vec::Vec;
use core::ops::Range;

use super::token::list;

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
}

/// A head as it came, and where its header lines are.
#[derive(Clone, Default)]
pub(super) struct Headers {
    pub(super) head: Vec<u8>,
    pub(super) lines: Vec<(Span, Span)>,
}

impl Headers {
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.lines.iter().map(|&(name, value)| (self.text(name), self.bytes(value)))
    }

    pub(super) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.iter()
            .filter(move |(found, _)| found.eq_ignore_ascii_case(name))
            .filter_map(|(_, value)| core::str::from_utf8(value).ok())
    }

    pub(super) fn only(&self, name: &str) -> Option<&str> {
        let mut lines = self.iter().filter(|(found, _)| found.eq_ignore_ascii_case(name));
        let (_, value) = lines.next()?;
        if lines.next().is_some() {
            return None;
        }
        core::str::from_utf8(value).ok()
    }

    pub(super) fn lists(&self, name: &str, member: &str) -> bool {
        self.values(name).flat_map(list).any(|found| found.eq_ignore_ascii_case(member))
    }

    pub(super) fn count(&self, name: &str) -> usize {
        self.iter().filter(|(found, _)| found.eq_ignore_ascii_case(name)).count()
    }

    pub(super) fn text(&self, span: Span) -> &str {
        core::str::from_utf8(self.bytes(span)).unwrap_or_default()
    }

    fn bytes(&self, span: Span) -> &[u8] {
        self.head.get(span.range()).unwrap_or_default()
    }

    pub(super) fn retained_bytes(&self) -> usize {
        self.head.capacity().saturating_add(self.lines.capacity().saturating_mul(size_of::<(Span, Span)>()))
    }
}
