//! Heads against a plain reading of the grammar (RFC 9112 sections 2 to 5), line by line: what is taken, and what it says.

use roomwire::http::{Limits, ReceivedResponse, RequestReader, ResponseReader};

use crate::support::http::Asked;

/// What a head is.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// What it says, and how many bytes it takes.
    Head(Said, usize),
    Wrong,
    /// Nothing is wrong, or only what is told when the head is whole.
    Unfinished,
}

/// The first line in its parts, and the header lines.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    first: Vec<String>,
    lines: Vec<(String, Vec<u8>)>,
}

impl Said {
    fn count(&self, name: &str) -> usize {
        self.values(name).count()
    }

    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.lines.iter().filter(|line| line.0.eq_ignore_ascii_case(name)).map(|line| &line.1[..])
    }
}

fn is_token(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

fn is_value(value: &[u8]) -> bool {
    value.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~' | 0x80..))
}

/// The lines of a head, the one empty line that may stand before it left out, and how many bytes they take.
fn lines(stream: &[u8]) -> Result<(Vec<&[u8]>, usize), Verdict> {
    let (mut lines, mut taken, mut skipped) = (Vec::new(), 0, false);
    while let Some(size) = stream[taken..].iter().position(|byte| *byte == b'\n') {
        let line = stream[taken..taken + size].strip_suffix(b"\r").ok_or(Verdict::Wrong)?;
        taken += size + 1;
        match (line, lines.is_empty()) {
            (b"", true) if skipped => return Err(Verdict::Wrong),
            (b"", true) => skipped = true,
            (b"", false) => return Ok((lines, taken)),
            _ => lines.push(line),
        }
    }
    Err(Verdict::Unfinished)
}

fn text(bytes: &[u8]) -> Option<String> {
    String::from_utf8(bytes.into()).ok()
}

fn read(stream: &[u8], first: fn(&[u8]) -> Option<Vec<String>>) -> Verdict {
    let (lines, taken) = match lines(stream) {
        Ok(found) => found,
        Err(verdict) => return verdict,
    };
    let header = |line: &&[u8]| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        (is_token(name) && is_value(&line[colon + 1..])).then(|| Some((text(name)?, value.to_vec())))?
    };
    let said = || Some(Said { first: first(lines[0])?, lines: lines[1..].iter().map(header).collect::<Option<_>>()? });
    said().map_or(Verdict::Wrong, |said| Verdict::Head(said, taken))
}

fn request_line(line: &[u8]) -> Option<Vec<String>> {
    let parts: Vec<_> = line.split(|byte| *byte == b' ').collect();
    let [method, target, version] = parts[..] else { return None };
    let version =
        version.strip_prefix(b"HTTP/1.").filter(|minor| [b"0", b"1"].contains(&(*minor).try_into().unwrap_or(b"?")))?;
    let fits = is_token(method) && !target.is_empty() && target.iter().all(u8::is_ascii_graphic);
    fits.then(|| [method, target, version].into_iter().map(text).collect())?
}

fn status_line(line: &[u8]) -> Option<Vec<String>> {
    let (version, rest) = line.split_at_checked(9)?;
    let (code, reason) = rest.split_at_checked(3)?;
    let fits = matches!(version, b"HTTP/1.0 " | b"HTTP/1.1 ")
        && matches!(code, [b'1'..=b'9', b'0'..=b'9', b'0'..=b'9'])
        && (reason.is_empty() || reason.starts_with(b" ") && is_value(reason));
    fits.then(|| Some(vec![text(code)?]))?
}

/// A request's head is held to more than its grammar.
fn request(stream: &[u8]) -> Verdict {
    let verdict = read(stream, request_line);
    let Verdict::Head(said, _) = &verdict else { return verdict };
    let is_host =
        |host: &[u8]| host.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:[]".contains(byte));
    let hosts = said.count("host");
    let has_host = hosts == 1 && said.values("host").all(is_host) || hosts == 0 && said.first[2] == "0";
    let expects = said.values("expect").all(|value| value.eq_ignore_ascii_case(b"100-continue"));
    if has_host && expects { verdict } else { Verdict::Wrong }
}

/// The first response that is no interim one. What is behind its head is its body, unless it has none.
fn response(stream: &[u8]) -> Verdict {
    let verdict = read(stream, status_line);
    let Verdict::Head(said, taken) = verdict else { return verdict };
    match &*said.first[0] {
        "101" | "204" | "304" => Verdict::Head(said, taken),
        code if code.starts_with('1') => match response(&stream[taken..]) {
            Verdict::Head(said, more) => Verdict::Head(said, taken + more),
            other => other,
        },
        _ => Verdict::Head(said, stream.len()),
    }
}

/// What the reader of requests makes of the pieces.
fn read_request(pieces: &[&[u8]]) -> Verdict {
    let (mut reader, limits, mut taken) = (RequestReader::new(), Limits::default(), 0);
    for piece in pieces {
        let mut input = *piece;
        let result = reader.read(&limits, &mut input);
        taken += piece.len() - input.len();
        match result {
            Ok(Some(request)) => {
                let Asked { method, target, minor_version, headers, .. } = Asked::from(&request);
                return Verdict::Head(
                    Said { first: vec![method, target, minor_version.to_string()], lines: headers },
                    taken,
                );
            }
            Ok(None) => assert!(input.is_empty()),
            Err(_) => return Verdict::Wrong,
        }
    }
    Verdict::Unfinished
}

/// The same of responses, up to the end of the stream.
fn read_response(pieces: &[&[u8]]) -> Verdict {
    let (mut reader, limits, mut taken) = (ResponseReader::new(), Limits::default(), 0);
    for piece in pieces {
        let mut input = *piece;
        let result = reader.read(&limits, &mut input);
        taken += piece.len() - input.len();
        match result {
            Ok(Some(response)) => return Verdict::Head(said(&response), taken),
            Ok(None) => assert!(input.is_empty()),
            Err(_) => return Verdict::Wrong,
        }
    }
    reader.finish().map_or(Verdict::Unfinished, |response| Verdict::Head(said(&response), taken))
}

fn said(response: &ReceivedResponse) -> Said {
    let lines = response.headers().map(|(name, value)| (name.to_owned(), value.to_vec())).collect();
    Said { first: vec![response.status().to_string()], lines }
}

/// What is put in at each place: what a lenient reader might take for an end of a line, a space or nothing.
const PARTS: [&[u8]; 24] = [
    b"\r",
    b"\n",
    b"\r\n",
    b"\r\r\n",
    b"\n\r\n",
    b"\n\n",
    b"\r\n\r\n",
    b"\0",
    b" ",
    b"  ",
    b"\t",
    b"\x0b",
    b"\x0c",
    b"\x7f",
    b"\x80",
    b"\xc3\xa4",
    b"\r\n ",
    b"\r\n\t",
    b":",
    b" :",
    b"a: b\r\n",
    b"a: b\n",
    b"Host: b\r\n",
    b"HTTP/1.1\r\n",
];

/// `head` with each byte replaced by every other, with each byte left out, and with each of [`PARTS`] put in everywhere.
fn variants(head: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    (0..head.len()).flat_map(move |at| {
        let with = move |part: &[u8], rest: usize| [&head[..at], part, &head[rest..]].concat();
        let replaced = (0..=255).map(move |byte| with(&[byte], at + 1));
        replaced.chain([with(b"", at + 1)]).chain(PARTS.map(|part| with(part, at)))
    })
}

/// What the grammar says of each variant is found in it: whole, in single bytes, and in two pieces.
fn check(heads: &[&str], behind: &str, expected: fn(&[u8]) -> Verdict, found: fn(&[&[u8]]) -> Verdict) {
    let (mut taken, mut wrong, mut unfinished) = (0, 0, 0);
    for (nth, (head, behind)) in heads.iter().flat_map(|head| [(head, ""), (head, behind)]).enumerate() {
        for (place, mut stream) in variants(head.as_bytes()).enumerate() {
            stream.extend_from_slice(behind.as_bytes());
            let expected = expected(&stream);
            *match expected {
                Verdict::Head(..) => &mut taken,
                Verdict::Wrong => &mut wrong,
                Verdict::Unfinished => &mut unfinished,
            } += 1;
            let (one, other) = stream.split_at((place + nth) % stream.len());
            for pieces in [&[&stream[..]][..], &stream.chunks(1).collect::<Vec<_>>(), &[one, other]] {
                assert_eq!(found(pieces), expected, "{} in {} pieces", stream.escape_ascii(), pieces.len());
            }
        }
    }
    assert!([taken, wrong, unfinished].iter().all(|count| *count > 300), "{taken} {wrong} {unfinished}");
}

#[test]
fn a_request_is_what_the_grammar_says_and_nothing_else() {
    let heads = [
        "GET /a?b HTTP/1.1\r\nHost: a\r\nX-Y: z\r\n\r\n",
        "\r\nGET http://h/ HTTP/1.0\r\nA:\t\r\nHost:h:8 \r\n\r\n",
        "O * HTTP/1.0\r\n\r\n",
        "PUT / HTTP/1.1\r\nexpect: 100-Continue\r\nhost:\r\na:\r\n\r\n",
    ];
    check(&heads, "GET / HTTP/1.1\r\nHost: b\r\n\r\n", request, read_request);
}

#[test]
fn a_response_is_what_the_grammar_says_and_nothing_else() {
    let heads = [
        "HTTP/1.1 204 No\r\nA: b\r\nX-Y:\tz \r\n\r\n",
        "\r\nHTTP/1.0 101\r\nA:\r\n\r\n",
        "HTTP/1.1 100 \r\n\r\nHTTP/1.1 304 \t\r\n\r\n",
    ];
    check(&heads, "HTTP/1.1 204 No\r\nB: c\r\n\r\n", response, read_response);
}
