//! Hostile inputs, by the ids of the project's list of them.

use std::sync::Arc;
use std::time::Duration;

use roomwire::http::{Config, Connection, Error, Event, Limits, Response};
use roomwire::{Instant, Stream};

use crate::clock::{START, after, connection, feed, outgoing, request};
use crate::support::cuts::Cuts;
use crate::support::http::{Answers, Trace, run};
use crate::support::memory::{Usage, measure};

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// The stream is refused for this reason, with this one answer, and the application was told of no request.
fn refused(stream: &[u8]) -> (Option<Error>, Option<u16>) {
    let whole = run(Config::default(), &[stream], Answers::AtOnce, false);
    assert_eq!(run(Config::default(), &Cuts::Bytes.of(stream), Answers::AtOnce, false), whole);
    assert!(whole.requests().is_empty(), "{}", stream.escape_ascii());
    let statuses = whole.statuses();
    assert!(statuses.len() <= 1);
    (whole.error(), statuses.first().copied())
}

/// Feeds `stream` in pieces and yields what the connection then holds.
fn usage(stream: &[u8], piece: usize) -> (Connection, Usage) {
    let config = Arc::new(Config::default());
    measure(|| {
        let mut conn = Connection::new(config, START);
        for mut input in stream.chunks(piece) {
            while conn.receive(START, &mut input).is_some() {}
        }
        conn
    })
}

/// A name of an error and its status, for one stream each.
#[track_caller]
fn check(stream: &str, error: Error) {
    assert_eq!(refused(stream.as_bytes()), (Some(error), error.status()), "{}", stream.escape_debug());
}

#[test]
fn a01_a_head_without_end_costs_no_more_than_its_cap() {
    let mut stream = b"GET / HTTP/1.1\r\nA: ".to_vec();
    stream.resize(20 << 20, b'x');
    let (conn, usage) = usage(&stream, 4096);
    assert_eq!(conn.stream(), Stream::HalfClosed);
    assert!(usage.peak < 2 * 8192 + 1024 && usage.requested < 4 * 8192, "{usage:?}");
    assert_eq!(refused(&stream[..10_000]), (Some(Error::HeadTooLarge), Some(431)));
}

/// The cap is none of the sizes that a buffer happens to have, and is the same for single bytes.
#[test]
fn a01_the_cap_counts_every_byte() {
    let config = || Config { limits: Limits { head_bytes_max: 150, ..Limits::default() }, ..Config::default() };
    for (size, error) in [(149, None), (150, None), (151, Some(Error::HeadTooLarge)), (400, Some(Error::HeadTooLarge))]
    {
        let mut head = b"GET / HTTP/1.1\r\nHost: a\r\nA: ".to_vec();
        head.resize(size - 4, b'x');
        head.extend_from_slice(b"\r\n\r\n");
        let unfinished = [&head[..size - 4], b"xxxx"].concat();
        for cuts in [Cuts::Whole, Cuts::Bytes] {
            let trace = run(config(), &cuts.of(&head), Answers::AtOnce, false);
            assert_eq!((trace.error(), trace.requests().len()), (error, usize::from(error.is_none())), "{size}");
            // Not only when the end would come.
            let trace = run(config(), &cuts.of(&unfinished), Answers::AtOnce, false);
            assert_eq!(trace.error(), error, "{size}");
        }
    }
}

/// How the bytes come makes no difference to what is copied: memory is asked for in proportion to the
/// length, a head is not built up again by each piece.
#[test]
fn a01_pieces_cost_what_the_whole_costs() {
    let head = |size: usize| format!("GET / HTTP/1.1\r\nHost: a\r\nA: {}\r\n", "x".repeat(size)).into_bytes();
    let requested = |size: usize, piece: usize| usage(&head(size), piece).1.requested;
    for piece in [1, 7, 4096] {
        assert!(requested(6000, piece) <= 3 * requested(6000, 8192), "pieces of {piece}");
    }
    assert!(requested(6000, 1) * 10 <= requested(3000, 1) * 22);
}

/// Empty lines before a request may be ignored; they must not cost a stack frame each.
#[test]
fn a01_empty_lines_without_end() {
    for count in [1, 2, 1000, 500_000] {
        let stream = b"\r\n".repeat(count);
        let (conn, usage) = usage(&stream, stream.len());
        assert!(usage.peak < 1024, "{usage:?}");
        let due = after(START, Config::default().head_timeout);
        assert!(conn.stream() != Stream::Open || conn.poll_timeout() == Some(due), "the deadline moved");
    }
}

#[test]
fn a02_too_many_different_headers() {
    let lines = |count: usize| (0..count).map(|n| format!("x{n}: y\r\n")).collect::<String>();
    check(&format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", lines(64)), Error::TooManyHeaders);
    check(&format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", lines(2000)), Error::TooManyHeaders);
    let most = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", lines(63));
    assert_eq!(run(Config::default(), &[most.as_bytes()], Answers::AtOnce, false).requests()[0].headers.len(), 64);
}

#[test]
fn a03_headers_without_end() {
    let stream = [b"GET / HTTP/1.1\r\n".to_vec(), b"x: y\r\n".repeat(1_000_000)].concat();
    let (conn, usage) = usage(&stream, 4096);
    assert_eq!(conn.stream(), Stream::HalfClosed);
    assert!(usage.peak < 2 * 8192 + 1024, "{usage:?}");
    let (error, status) = refused(&stream[..6000]);
    assert_eq!((error, status), (Some(Error::TooManyHeaders), Some(431)));
}

#[test]
fn a04_lines_are_counted_not_names() {
    check(&format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "a: 1\r\n".repeat(64)), Error::TooManyHeaders);
}

#[test]
fn a15_lax_content_length() {
    for value in ["+5", "-5", "5, 5", "5,", "0x5", "5 5", "", "five", "5;", "5.0", "٥"] {
        check(&format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {value}\r\n\r\nabcde"), Error::AmbiguousLength);
    }
    check("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nabcde", Error::AmbiguousLength);
    check("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\ncontent-length: 6\r\n\r\nabcde", Error::AmbiguousLength);
    for value in ["1000001", "18446744073709551615", "18446744073709551616", "99999999999999999999999999"] {
        check(&format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {value}\r\n\r\nabcde"), Error::BodyTooLarge);
    }
    // White space around a value is not part of it (RFC 9110 section 5.5): this can mean only one thing.
    let trace = run(
        Config::default(),
        &[b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length:  5 \r\n\r\nabcde"],
        Answers::AtOnce,
        false,
    );
    assert_eq!(trace.requests()[0].body, b"abcde");
}

/// A request with these chunks and their end.
fn chunked(chunks: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}")
}

#[test]
fn a13_chunks_on_an_upgrade() {
    for body in ["0\r\n\r\n", "1\r\nx\r\n0\r\n\r\n", "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"] {
        let lines = "Connection: Upgrade\r\nUpgrade: h2c, WebSocket\r\nTransfer-Encoding: chunked\r\n";
        check(&format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n{body}"), Error::UpgradeWithBody);
    }
}

#[test]
fn a16_sizes_of_chunks_do_not_overflow() {
    for size in ["ffffffffffffffff", "fffffffffffffffe", "8000000000000000", "10000000000000000", "f4241", "F4241;x"] {
        check(&chunked(&format!("{size}\r\nabc\r\n0\r\n\r\n")), Error::BodyTooLarge);
    }
    // One is within the limit, two are not: what is told of them is never more than what came.
    let half = "x".repeat(600_000);
    check(&chunked(&format!("927c0\r\n{half}\r\n927c0\r\n")), Error::BodyTooLarge);
    for size in ["00000000000000001", "", "-1", "+1", "0x1", "1 ", " 1", "1h", "one", "\u{661}"] {
        check(&chunked(&format!("{size}\r\na\r\n0\r\n\r\n")), Error::Chunk);
    }
    // A size is a claim: nothing is allocated for it.
    let (_conn, usage) = usage(chunked("f4240\r\nabc").as_bytes(), 7);
    assert!(usage.live < 1024, "{usage:?}");
}

/// The smallest chunks are as many objects as one large one: one.
#[test]
fn a16_f16_chunks_of_one_byte() {
    let stream = chunked(&"1\r\nx\r\n".repeat(100_000));
    let (_conn, held) = usage(stream.as_bytes(), 4096);
    assert!(held.live <= 2 * 100_000 && held.peak <= 3 * 100_000 + 4096, "{held:?}");
    // Neither empty chunks nor extensions go on for ever.
    check(&chunked("1;\r\na\r\n".repeat(257).as_str()), Error::Chunk);
    check(&chunked(&format!("1;{}\r\n", "x".repeat(300))), Error::Chunk);
    let trace = run(Config::default(), &[chunked("0\r\n\r\n0\r\n\r\n").as_bytes()], Answers::AtOnce, false);
    assert_eq!((trace.requests().len(), trace.error()), (1, Some(Error::MalformedHead)));
}

#[test]
fn a17_variants_of_transfer_encoding() {
    for value in ["xchunked", "chunked\u{b}", "gzip, chunked", "chunked, identity", "identity", "", "\u{e9}"] {
        let (error, status) =
            refused(format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: {value}\r\n\r\n").as_bytes());
        assert!(matches!(error, Some(Error::TransferCoding | Error::MalformedHead)), "{value:?}: {error:?}");
        assert!(matches!(status, Some(501 | 400)));
    }
    check("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", Error::AmbiguousLength);
    for value in ["chunked;a", "chunked, chunked", "chunked,", ",chunked", "\"chunked\"", "chunke\u{212a}"] {
        check(&format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: {value}\r\n\r\n"), Error::TransferCoding);
    }
    let two = "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n";
    let both = "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n";
    let both_turned = "Content-Length: 5\r\nTransfer-Encoding: identity\r\n";
    let nothing_beside = "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n";
    for lines in [two, both, both_turned, nothing_beside] {
        check(&format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\nabcde"), Error::AmbiguousLength);
    }
}

#[test]
fn a18_bare_line_ends() {
    for stream in [
        "GET / HTTP/1.1\nHost: a\n\n",
        "GET / HTTP/1.1\r\nHost: a\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nb: c\rd\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\n",
        "GET / HTTP/1.1\rHost: a\r\n\r\n",
        "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        // Whatever else is wrong.
        "GET / HTTP/1.\r1\r\nHost: a\r\n\r\n",
        "GET / HTTP/2.0\r\r\nHost: a\r\n\r\n",
        "GET / HTTP/2.0\r\nHost: a\rb\r\n\r\n",
        "(GET) / HTTP/1.1\r\nHost: a\r\nb: \rc\r\n\r\n",
    ] {
        check(stream, Error::BareLineEnd);
    }
    check("GET / HTTP/1.1\r\nHost: a\r\n b: c\r\n\r\n", Error::MalformedHead);
    check("GET / HTTP/1.1\r\nHost: a\r\nb : c\r\n\r\n", Error::MalformedHead);
}

/// RFC 9112 section 2.2.
#[test]
fn a18_one_empty_line_before_a_request() {
    let stream = ["\r\n", std::str::from_utf8(GET).unwrap()].concat();
    for size in [1, 2, 3, stream.len()] {
        let pieces: Vec<_> = stream.as_bytes().chunks(size).collect();
        let trace = run(Config::default(), &pieces, Answers::AtOnce, true);
        assert_eq!((trace.requests().len(), trace.error()), (1, None), "in pieces of {size}");
    }
    check(&["\r\n", &*stream].concat(), Error::MalformedHead);
    // The next request may have one too, wherever the first was cut.
    let both = stream.repeat(2).into_bytes();
    for at in 0..both.len() {
        let trace = run(Config::default(), &Cuts::At(vec![at]).of(&both), Answers::AtOnce, true);
        assert_eq!((trace.requests().len(), trace.error()), (2, None), "cut at {at}");
    }
}

#[test]
fn a18_line_ends_of_chunks() {
    for chunks in [
        "3\r\nabcXX0\r\n\r\n",
        "3\r\nabc\n0\r\n\r\n",
        "3\r\nabc\r0\r\n\r\n",
        "3\nabc\r\n0\r\n\r\n",
        "3\rabc\r\n0\r\n\r\n",
        "3;a\nabc\r\n0\r\n\r\n",
        "3;\"\n\"\r\nabc\r\n",
        "3\r\nabc\r\n0\n\n",
        "3\r\nabc\r\n0\r\n\n",
        "0\r\n\r\r\n",
        "2\r\nabc\r\n",
        "4\r\nabc\r\n0\r\n\r\n",
        "0\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "0\r\nContent-Length: 5\r\n\r\nabcde",
        "0\r\n a\r\n\r\n",
    ] {
        check(&chunked(chunks), Error::Chunk);
    }
}

/// What follows the last chunk is the next request.
#[test]
fn a18_a_chunked_body_ends_with_its_last_chunk() {
    let stream = chunked("3\r\nabc\r\n0\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n");
    let trace = run(Config::default(), &[stream.as_bytes()], Answers::AtOnce, true);
    let requests = trace.requests();
    assert_eq!((requests[0].body.as_slice(), requests[1].target.as_str(), requests.len()), (&b"abc"[..], "/next", 2));
}

/// Chunks that trickle do not extend the time that a body has.
#[test]
fn a24_chunks_that_trickle() {
    let mut conn = connection(Config::default());
    feed(&mut conn, START, chunked("").as_bytes());
    let due = after(START, Duration::from_secs(30));
    for second in 1..30 {
        feed(&mut conn, after(START, Duration::from_secs(second)), b"1\r\nx\r\n");
        assert_eq!(conn.poll_timeout(), Some(due));
    }
    assert!(matches!(conn.handle_timeout(due), Some(Event::Closed { error: Some(Error::Timeout) })));
}

/// What follows a body of known length is the next request, not an extension of this one.
#[test]
fn a18_a_body_ends_where_its_length_says() {
    let stream = b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcXX";
    let trace = run(Config::default(), &[stream], Answers::AtOnce, true);
    assert_eq!((trace.requests()[0].body.as_slice(), trace.requests().len()), (&b"abc"[..], 1));
    assert_eq!(trace.error(), Some(Error::UnexpectedEof));
}

#[test]
fn a22_a_request_says_which_host_it_means() {
    check("GET / HTTP/1.1\r\n\r\n", Error::Host);
    check("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", Error::Host);
    for host in ["a b", "a/", "a@b", "a?b", "a#b", "a\\b", "<a>", "\u{e9}"] {
        check(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"), Error::Host);
    }
}

#[test]
fn a24_bytes_that_trickle_do_not_extend_the_deadline() {
    let mut conn = connection(Config::default());
    let due = conn.poll_timeout();
    assert_eq!(due, Some(after(START, Duration::from_secs(10))));
    let mut now = START;
    for byte in &GET[..9] {
        now = after(now, Duration::from_secs(1));
        feed(&mut conn, now, &[*byte]);
        assert_eq!(conn.poll_timeout(), due);
    }
    now = after(now, Duration::from_secs(1));
    assert!(matches!(conn.handle_timeout(now), Some(Event::Closed { error: Some(Error::Timeout) })));
}

#[test]
fn a25_one_request_at_a_time() {
    // In order and answered at once, any number of them is fine if the peer reads …
    let stream = GET.repeat(10_000);
    let wide = Config { pipelined_bytes_max: stream.len(), ..Config::default() };
    let trace = run(wide, &[&stream], Answers::AtOnce, false);
    assert_eq!((trace.requests().len(), trace.error()), (10_000, None));
    // … but one that is not answered holds up the others, and what is kept of them is bounded.
    let (conn, usage) = usage(&stream[..60_000], 4096);
    assert!(!conn.wants_read());
    assert!(usage.peak < 2 * 60_000 + 4096, "{usage:?}");
    let trace = run(Config::default(), &[&stream], Answers::Never, false);
    assert_eq!((trace.requests().len(), trace.error()), (1, Some(Error::Pipelined)));
    // What a driver reads at once has room; behind an answer it is told without being copied for each.
    let mut conn = connection(Config::default());
    let (mut input, mut told) = (&stream[..64 * 1024], 0);
    while conn.receive(START, &mut input).is_some() {
        told += 1;
    }
    assert_eq!((told, conn.wants_read()), (1, false));
    while conn.respond(START, Response::new(204)).is_ok() {
        told += usize::from(conn.poll_event().is_some());
    }
    assert_eq!(told, 64 * 1024 / GET.len());
    // Who reads no answers is not asked for more.
    let mut conn = connection(Config::default());
    while conn.wants_read() {
        request(&mut conn, START, GET);
        conn.respond(START, Response::new(200).body(vec![0; 1000])).unwrap();
    }
    assert!(conn.outgoing_len() < 65_536 + 1200);
}

/// What is read at once may be thousands of requests. Who reads no answers gets no more of them than stop a driver from reading.
#[test]
fn a25_who_does_not_read_is_not_answered() {
    const PAGE: usize = 50_000;
    fn serve(event: Option<Event>, conn: &mut Connection, now: Instant, told: &mut usize) -> bool {
        let Some(Event::Request(_)) = event else { return event.is_some() };
        *told += 1;
        conn.respond(now, Response::new(200).body(vec![0; PAGE])).unwrap();
        true
    }
    let config = Config { pipelined_bytes_max: 8192, ..Config::default() };
    let (most, idle) = (config.pipelined_bytes_max + PAGE + 200, config.idle_timeout);
    let count = config.pipelined_bytes_max / GET.len();
    let stream = GET.repeat(count);
    for (cut, ends) in [(stream.len(), false), (1, false), (stream.len(), true), (1, true)] {
        let (mut conn, mut told, mut now) = (connection(config), 0, START);
        for mut piece in stream.chunks(cut) {
            while serve(conn.receive(now, &mut piece), &mut conn, now, &mut told) {}
        }
        assert!(!ends || conn.receive_eof(now).is_none());
        assert!(conn.outgoing_len() < most && !conn.wants_read());
        // It takes its time, in which nothing is told for longer than an idle stream may last.
        while now.saturating_since(START) < 4 * idle {
            now = after(now, Duration::from_secs(29));
            conn.sent(now, 17_000);
            while serve(conn.handle_timeout(now), &mut conn, now, &mut told) {}
            assert!(told < 10 && conn.outgoing_len() < most);
            assert!(conn.poll_timeout().is_some_and(|due| due > now));
        }
        assert!(told > 1);
        // All are told in the end, and then that the stream is over.
        while conn.outgoing_len() > 0 {
            conn.sent(now, usize::MAX);
            while serve(conn.poll_event(), &mut conn, now, &mut told) {}
        }
        assert_eq!((told, conn.stream() == Stream::Closed), (count, ends));
    }
}

/// A request that has begun does not wait, be there room or not for what it is told: its time runs.
#[test]
fn a25_a_request_under_way_is_read_to_its_end() {
    let mut conn = connection(Config { pipelined_bytes_max: 150, ..Config::default() });
    request(&mut conn, START, GET);
    conn.respond(START, Response::new(200).body(vec![0; 90])).unwrap();
    assert!((125..150).contains(&conn.outgoing_len()), "100 Continue fills it: {}", conn.outgoing_len());
    let head = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 200\r\n\r\n";
    for byte in [head.as_bytes(), &[b'x'; 199]].concat() {
        assert!(conn.receive(START, &mut &[byte][..]).is_none());
    }
    assert!(conn.outgoing_len() >= 150 && !conn.wants_read());
    let Some(Event::Request(request)) = conn.receive(START, &mut &b"x"[..]) else { panic!("no request") };
    assert_eq!(request.body(), [b'x'; 200]);
}

#[test]
fn c10_the_end_of_the_stream_again_and_again() {
    for part in [0, 1, GET.len()] {
        let mut conn = connection(Config::default());
        let mut told = 0;
        let mut input = &GET[..part];
        while conn.receive(START, &mut input).is_some() {}
        for minute in 0..100 {
            told += usize::from(conn.receive_eof(START).is_some());
            told += usize::from(conn.handle_timeout(after(START, Duration::from_secs(60 * minute))).is_some());
        }
        assert_eq!((told, conn.stream(), conn.poll_timeout()), (1, Stream::Closed, None));
    }
}

/// A driver that cannot write now says so with zero; that is no progress and no event.
#[test]
fn c11_a_write_of_nothing_does_nothing() {
    let mut conn = connection(Config::default());
    request(&mut conn, START, GET);
    conn.respond(START, Response::new(200)).unwrap();
    let before = (outgoing(&conn), conn.poll_timeout(), conn.stream());
    for second in 0..20 {
        conn.sent(after(START, Duration::from_secs(second)), 0);
        assert_eq!((outgoing(&conn), conn.poll_timeout(), conn.stream()), before);
    }
}

/// However much is wrong, there is one answer to it and nothing behind that is looked at.
#[test]
fn m02_one_error_is_one_answer() {
    let stream = b"GET / HTTP/9.9\r\n\r\n".repeat(1000);
    for cuts in [Cuts::Whole, Cuts::Bytes] {
        let trace: Trace = run(Config::default(), &cuts.of(&stream), Answers::AtOnce, true);
        assert_eq!((trace.error(), trace.statuses()), (Some(Error::Version), vec![505]));
        assert!(trace.outgoing.len() <= 256);
    }
}

#[test]
fn m07_nothing_is_kept_of_a_large_request() {
    let stream = [&b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n"[..], &[b'x'; 900_000]].concat();
    let config = Arc::new(Config::default());
    let (_conn, usage) = measure(|| {
        let mut conn = Connection::new(config, START);
        for piece in stream.chunks(60_000) {
            let mut input = piece;
            while let Some(event) = conn.receive(START, &mut input) {
                assert!(matches!(event, Event::Request(_)));
                drop(event);
                conn.respond(START, Response::new(200).body(vec![0; 100_000])).unwrap();
            }
        }
        conn.sent(START, usize::MAX);
        conn
    });
    assert!(usage.peak >= 900_000 && usage.live == 0, "{usage:?}");
}

#[test]
fn m07_nothing_is_kept_of_what_was_pipelined() {
    let config = Arc::new(Config::default());
    let (_conn, usage) = measure(|| {
        let mut conn = Connection::new(config, START);
        let stream = GET.repeat(2000);
        let mut input = &stream[..];
        let mut event = conn.receive(START, &mut input);
        // The application is late with the first answer, so that the other requests wait.
        assert!(conn.receive(START, &mut input).is_none());
        while event.is_some() {
            conn.respond(START, Response::new(204)).unwrap();
            event = conn.receive(START, &mut input);
        }
        conn.sent(START, usize::MAX);
        conn
    });
    assert_eq!(usage.live, 0, "{usage:?}");
}

#[test]
fn m08_a_connection_in_a_handshake_is_small() {
    let stream = format!("GET / HTTP/1.1\r\nHost: a\r\nb: {}\r\n", "x".repeat(8000));
    for size in [0, 1, 100, 8000] {
        let (_, usage) = usage(&stream.as_bytes()[..size], 1);
        assert!(usage.live <= 8192 + 1024 && usage.live <= 2 * size as isize + 512, "{usage:?} for {size}");
    }
}

/// A first request that stops at any byte never panics, and the time-out finds it.
#[test]
fn x04_every_beginning_of_a_request() {
    for size in 0..GET.len() {
        let mut conn = connection(Config::default());
        feed(&mut conn, START, &GET[..size]);
        let due = conn.poll_timeout().unwrap();
        assert!(matches!(conn.handle_timeout(due), Some(Event::Closed { .. })));
        assert!(conn.handle_timeout(Instant::NEVER).is_none());
    }
}
