//! Bytes → requests.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem::MaybeUninit;
use core::time::Duration;

use super::Error;
use super::body::Framing;
use super::head::{Head, fault};
use super::headers::{Headers, Span};
use super::request::{Parts, Request};

/// What a peer may make a [`RequestReader`] hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request head, its blank line included. Default 8,192, the figure that nginx,
    /// Apache and Node's 16 KiB stand around.
    pub head_bytes_max: usize,
    /// Header lines of a request. Default 64.
    pub headers_max: usize,
    /// Bytes of a request target. Default 4,096 (RFC 9110 section 4.1 asks for 8,000 in general; the targets
    /// of these protocols have less than 300).
    pub target_bytes_max: usize,
    /// Bytes of a request body. Default 1,000,000, Socket.IO's `maxHttpBufferSize`.
    pub body_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { head_bytes_max: 8192, headers_max: 64, target_bytes_max: 4096, body_bytes_max: 1_000_000 }
    }
}

/// A limit that cannot work; time-outs are in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} must be from {least} to {most}")]
pub struct LimitsError {
    /// The field's name.
    pub name: &'static str,
    /// The least value that works.
    pub least: usize,
    /// The greatest value that works.
    pub most: usize,
}

impl LimitsError {
    pub(crate) const fn check(name: &'static str, value: usize, least: usize, most: usize) -> Result<(), Self> {
        if least <= value && value <= most { Ok(()) } else { Err(Self { name, least, most }) }
    }

    /// A time-out of zero would be over before anything can happen.
    pub(crate) const fn positive(name: &'static str, span: Duration) -> Result<(), Self> {
        if span.is_zero() { Err(Self { name, least: 1, most: usize::MAX }) } else { Ok(()) }
    }
}

impl Limits {
    /// Whether these limits let any request through and fit the reader.
    ///
    /// # Errors
    /// The first field that is out of its range.
    pub fn validate(&self) -> Result<(), LimitsError> {
        LimitsError::check("head_bytes_max", self.head_bytes_max, 64, 1 << 20)?;
        LimitsError::check("headers_max", self.headers_max, 1, 1024)?;
        LimitsError::check("target_bytes_max", self.target_bytes_max, 1, 1 << 20)?;
        LimitsError::check("body_bytes_max", self.body_bytes_max, 0, isize::MAX as usize)
    }
}

/// Reads requests out of bytes that arrive in any pieces.
///
/// It consumes exactly the bytes of one request and yields it; what follows stays in the input.
/// After an error it consumes no more.
#[derive(Debug, Default)]
pub struct RequestReader {
    /// The head that is arriving. In every other stage it has no room for a byte.
    head: Head,
    stage: Stage,
}

#[derive(Debug, Default)]
enum Stage {
    #[default]
    Head,
    Body {
        request: Request,
        framing: Framing,
    },
    Failed {
        /// Whose body could not be taken.
        refused: Option<Request>,
        /// Whether the peer waited for that to be asked for.
        awaited_continue: bool,
    },
}

impl RequestReader {
    /// A reader that awaits the first byte of a request.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether part of a request has arrived.
    #[must_use]
    pub const fn is_mid_request(&self) -> bool {
        match &self.stage {
            Stage::Head => self.head.has_begun(),
            Stage::Body { .. } => true,
            Stage::Failed { .. } => false,
        }
    }

    /// Whether the peer waits for `100 Continue` before it sends the body (RFC 9110 section 10.1.1), or waited for it
    /// and then sent one that cannot be taken.
    #[must_use]
    pub fn awaits_continue(&self) -> bool {
        match &self.stage {
            Stage::Head => false,
            Stage::Body { request, .. } => request.awaits_continue(),
            Stage::Failed { awaited_continue, .. } => *awaited_continue,
        }
    }

    /// Whether a head is complete and its body is still to come.
    #[must_use]
    pub const fn is_in_body(&self) -> bool {
        matches!(self.stage, Stage::Body { .. })
    }

    /// The request whose head is complete and whose body is still to come, with what has come of it.
    pub(super) const fn unfinished(&self) -> Option<&Request> {
        match &self.stage {
            Stage::Body { request, .. } => Some(request),
            Stage::Head | Stage::Failed { .. } => None,
        }
    }

    /// Whether the byte is one within a head that has begun, and was taken; the rest is left to [`read`](Self::read).
    #[inline]
    pub(super) fn push(&mut self, limits: &Limits, byte: u8) -> bool {
        let taken = self.head.push(limits, byte);
        debug_assert!(!taken || matches!(self.stage, Stage::Head));
        taken
    }

    /// Takes bytes off the front of `input` until a request is whole.
    ///
    /// # Errors
    /// On the first byte that is beyond a limit, ends a line of the head without a carriage return, or is wrong in a body.
    /// What else is wrong with a head is told when it is whole. From then on nothing is consumed.
    #[inline]
    pub fn read(&mut self, limits: &Limits, input: &mut &[u8]) -> Result<Option<Request>, Error> {
        if let [byte] = **input
            && self.push(limits, byte)
        {
            *input = &[];
            return Ok(None);
        }
        self.read_any(limits, input).map_err(|error| self.failed(error))
    }

    /// The same for all but a byte within a head.
    fn read_any(&mut self, limits: &Limits, input: &mut &[u8]) -> Result<Option<Request>, Error> {
        if let Stage::Head = self.stage {
            let Some(request) = self.read_head(limits, input)? else { return Ok(None) };
            let framing = Framing::of(&request.0.headers, request.minor_version(), Framing::Length(0))?;
            if matches!(framing, Framing::Length(0)) {
                return Ok(Some(request));
            }
            if request.header_lists("upgrade", "websocket") {
                return Err(Error::UpgradeWithBody);
            }
            if framing.announced() > limits.body_bytes_max {
                self.stage = Stage::Failed { refused: Some(request), awaited_continue: false };
                return Err(Error::BodyTooLarge);
            }
            self.stage = Stage::Body { request, framing };
        }
        let Stage::Body { request, framing } = &mut self.stage else { return Ok(None) };
        if !framing.read(&mut request.0.body, limits.body_bytes_max, input)? {
            return Ok(None);
        }
        match core::mem::take(&mut self.stage) {
            Stage::Body { request, .. } => Ok(Some(request)),
            _ => Ok(None),
        }
    }

    fn read_head(&mut self, limits: &Limits, input: &mut &[u8]) -> Result<Option<Request>, Error> {
        if self.head.is_new()
            && input.len() >= HEAD_BYTES_MIN
            && let Some((head, parsed)) = Parsed::whole(limits, input)
        {
            return parsed.into_request(head.to_vec(), limits).map(Some);
        }
        if !self.head.read_lines(limits, input)? {
            return Ok(None);
        }
        let (head, lines) = self.head.take();
        parse(head, lines, limits).map(Some)
    }

    #[cold]
    fn failed(&mut self, error: Error) -> Error {
        self.head = Head::default();
        self.stage = match core::mem::take(&mut self.stage) {
            Stage::Head => Stage::Failed { refused: None, awaited_continue: false },
            Stage::Body { request, .. } => {
                let awaited_continue = request.awaits_continue();
                Stage::Failed { refused: Some(request), awaited_continue }
            }
            failed @ Stage::Failed { .. } => failed,
        };
        error
    }

    /// After an error: the request, if its head was in order but its body was not.
    pub(super) fn take_refused(&mut self) -> Option<Request> {
        match &mut self.stage {
            Stage::Failed { refused, .. } => refused.take(),
            _ => None,
        }
    }
}

/// With less in hand a head is not tried whole: the shortest of a GET.
const HEAD_BYTES_MIN: usize = b"GET / HTTP/1.1\r\n\r\n".len();

/// So many header lines are parsed without asking for memory; browsers send a quarter of that.
const FEW_LINES: usize = 64;

/// A request's head of so many lines, the first included and the blank one not.
pub(super) fn parse(head: Vec<u8>, lines: usize, limits: &Limits) -> Result<Request, Error> {
    match Parsed::of(&head, lines.saturating_sub(1)) {
        Some(Ok(parsed)) if parsed.size == head.len() => parsed.into_request(head, limits),
        parsed => Err(fault(&head, parsed.and_then(Result::err))),
    }
}

/// Where the parts of a request's head are.
struct Parsed {
    method: Span,
    target: Span,
    minor_version: u8,
    lines: Vec<(Span, Span)>,
    size: usize,
}

impl Parsed {
    /// A head, by the lenient grammar of the parser; nothing if it is not whole. More header lines are an error.
    fn of(bytes: &[u8], lines_max: usize) -> Option<Result<Self, httparse::Error>> {
        let (mut few, mut many) = ([const { MaybeUninit::uninit() }; FEW_LINES], Vec::new());
        let lines = if let Some(few) = few.get_mut(..lines_max) {
            few
        } else {
            many.resize_with(lines_max, MaybeUninit::uninit);
            &mut many
        };
        let mut parsed = httparse::Request::new(&mut []);
        let size = match parsed.parse_with_uninit_headers(bytes, lines) {
            Ok(httparse::Status::Complete(size)) => size,
            Ok(httparse::Status::Partial) => return None,
            Err(error) => return Some(Err(error)),
        };
        let span = |part: &[u8]| Span::of(part, bytes);
        let (method, target) = (span(parsed.method?.as_bytes()), span(parsed.path?.as_bytes()));
        let lines = parsed.headers.iter().map(|line| (span(line.name.as_bytes()), span(line.value))).collect();
        Some(Ok(Self { method, target, minor_version: parsed.version?, lines, size }))
    }

    /// The head that `input` begins with, taken off it, if it is whole and in order. Of what is not [`Head`] says what is wrong,
    /// so that this does not depend on how the bytes were cut.
    fn whole<'a>(limits: &Limits, input: &mut &'a [u8]) -> Option<(&'a [u8], Self)> {
        let most = input.get(..limits.head_bytes_max).unwrap_or(input);
        let parsed = Self::of(most, limits.headers_max.min(FEW_LINES))?.ok()?;
        let (head, rest) = input.split_at_checked(parsed.size)?;
        let ends_line = |before: usize| head.get(..before).is_some_and(|before| before.ends_with(b"\r\n"));
        let first_line = parsed.lines.first().map_or(parsed.size, |(name, _)| name.start());
        // What the limit of the target's bytes might be about is not judged here.
        let is_strict = parsed.method.start() == 0
            && first_line <= limits.target_bytes_max
            && parsed.lines.iter().all(|(name, _)| ends_line(name.start()))
            && head.ends_with(b"\r\n\r\n");
        if !is_strict {
            return None;
        }
        *input = rest;
        Some((head, parsed))
    }

    fn into_request(self, head: Vec<u8>, limits: &Limits) -> Result<Request, Error> {
        let Self { method, target, minor_version, lines, .. } = self;
        if target.len() > limits.target_bytes_max {
            return Err(Error::TargetTooLong);
        }
        let headers = Headers::new(head, lines);
        // Printable without spaces it is by the parser's grammar, which allows for other codings.
        if !headers.bytes(target).is_ascii() {
            return Err(Error::MalformedHead);
        }
        let parts = Parts { headers, method, target, minor_version, body: Vec::new(), protocol: None, refused: None };
        let request = Request(Box::new(parts));
        match request.header("host") {
            Some(host) if is_host(host) => {}
            None if minor_version == 0 && request.count("host") == 0 => {}
            _ => return Err(Error::Host),
        }
        if request.header_bytes("expect").any(|value| !value.eq_ignore_ascii_case(b"100-continue")) {
            return Err(Error::Expectation);
        }
        Ok(request)
    }
}

/// Whether a host and port consist of what those of a URI may (RFC 3986 section 3.2.2), which may be nothing at all.
fn is_host(value: &str) -> bool {
    let fits =
        |byte| matches!(byte, b'!' | b'$'..=b'.' | b'0'..=b';' | b'=' | b'A'..=b'[' | b']' | b'_' | b'a'..=b'z' | b'~');
    // To the end in any case, which vectors are faster at.
    value.bytes().fold(true, |all, byte| all & fits(byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::String;

    #[test]
    fn after_an_error_not_a_byte_is_taken() {
        for wrong in [
            "GET / HTTP/1.1\r\na\n",
            "GET / HTTP/2.0\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
        ] {
            let (mut reader, limits) = (RequestReader::new(), Limits::default());
            let mut read = |byte: u8| {
                let byte = [byte];
                let mut input = &byte[..];
                (reader.read(&limits, &mut input).is_err(), input.len())
            };
            let told: Vec<_> = wrong.bytes().map(&mut read).collect();
            assert_eq!(told.iter().filter(|told| told.0).count(), 1, "{wrong:?}");
            assert!(told.last().is_some_and(|told| told.0), "{wrong:?}");
            for byte in *b"a: b\r\n\r\n" {
                assert_eq!(read(byte), (false, 1), "{wrong:?}");
            }
        }
    }

    #[test]
    fn hosts_are_what_those_of_a_uri_may_be() {
        for byte in 0..128_u8 {
            let allowed = byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:[]".contains(&byte);
            for len in [1, 40] {
                let mut host = "a".repeat(len);
                host.replace_range(len / 2..=len / 2, core::str::from_utf8(&[byte]).unwrap());
                assert_eq!(is_host(&host), allowed, "{host:?}");
            }
        }
        assert!(is_host("") && !is_host("ä"));
    }

    #[test]
    fn all_lines_are_there_however_many() {
        let limits = Limits { headers_max: 100, ..Limits::default() };
        for count in [1, FEW_LINES - 1, FEW_LINES, FEW_LINES + 1, 100] {
            let lines: String = (1..count).map(|nth| format!("x-{nth}: {nth}\r\n")).collect();
            let head = format!("GET / HTTP/1.1\r\nhost: a\r\n{lines}\r\n");
            let request = RequestReader::new().read(&limits, &mut head.as_bytes()).expect("it is in order");
            let request = request.expect("it is whole");
            assert_eq!(request.headers().count(), count);
            assert!((1..count).all(|nth| request.header(&format!("X-{nth}")) == Some(&*format!("{nth}"))));
        }
    }
}
