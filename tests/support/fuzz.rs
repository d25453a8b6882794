//! The bodies of the fuzz targets. `cargo test` runs them over the seeds of `fuzz/corpus`.

use super::cuts::Cuts;
use super::{http, pieces, ws};

/// Requests on a kept-alive connection. The first byte chooses limits, answers and cut.
pub fn http_head(data: &[u8]) {
    let Some((&choice, stream)) = data.split_first() else { return };
    let config = if choice & 1 == 0 { http::small() } else { roomwire::http::Config::default() };
    let answers = if choice & 2 == 0 { http::Answers::AtOnce } else { http::Answers::Late };
    let eof = choice & 4 != 0;
    let whole = http::run(config, &Cuts::Whole.of(stream), answers, eof);
    for cuts in [Cuts::Bytes, Cuts::At(vec![usize::from(choice >> 3)])] {
        assert_eq!(http::run(config, &cuts.of(stream), answers, eof), whole);
    }
    let read = |cuts: Cuts| http::read(&config.limits, &cuts.of(stream));
    assert_eq!(read(Cuts::Bytes), read(Cuts::Whole));
    check_responses(&whole);
}

/// Each request is answered at most once, an error exactly once and last.
fn check_responses(trace: &http::Trace) {
    let answers: Vec<_> = trace.responses().into_iter().filter(|response| response.status >= 200).collect();
    let errors = usize::from(trace.error().is_some_and(|error| error.status().is_some()));
    assert!(answers.len() <= trace.requests().len() + errors);
    if let Some(status) = trace.error().and_then(roomwire::http::Error::status) {
        let last = answers.last().expect("an error is answered");
        assert_eq!(last.status, status);
        assert!(last.headers.contains(&("connection".into(), "close".into())));
    }
}

/// Frames in both roles, and an opening handshake with frames behind it. The first byte chooses
/// role, limits, answers and cut.
pub fn ws_frames(data: &[u8]) {
    let Some((&choice, stream)) = data.split_first() else { return };
    let end = match choice & 3 {
        0 => ws::End::Server,
        1 => ws::End::ClientAfterUpgrade,
        _ => ws::End::ServerAfterUpgrade,
    };
    let config = if choice & 4 == 0 { ws::small() } else { roomwire::ws::Config::default() };
    let answers = if choice & 8 == 0 { ws::Answers::AtOnce } else { ws::Answers::Late };
    let eof = choice & 16 != 0;
    let run = |cuts: Cuts| ws::run(end, config.clone(), &cuts.of(stream), answers, eof);
    let whole = run(Cuts::Whole);
    assert_eq!(run(Cuts::Bytes), whole);
    let cuts = Cuts::At(vec![usize::from(choice >> 5) * 7, 64]);
    assert_eq!(run(cuts.clone()), whole);
    for room in [1 << 10, 20, 1 << 20] {
        assert_eq!(ws::run_in_place(end, config.clone(), &cuts.of(stream), room, answers, eof), whole);
    }
    check_frames(end, &whole);
    in_pieces(end, stream, eof);
}

/// Joined, the pieces are the messages of a connection that gathers them, and no cut shows.
fn in_pieces(end: ws::End, stream: &[u8], eof: bool) {
    let run = |config: &roomwire::ws::Config, cuts: Cuts| {
        ws::run(end, config.clone(), &cuts.of(stream), ws::Answers::AtOnce, eof)
    };
    let mut config = pieces::in_pieces();
    // The application closes when it is told so, whole.
    config.limits.fragments_max = ws::small().limits.fragments_max;
    let (whole, bytes) = (run(&config, Cuts::Whole), run(&config, Cuts::Bytes));
    assert_eq!(bytes.outgoing, whole.outgoing);
    assert_eq!(pieces::joined(bytes.seen.clone()).0, run(&ws::small(), Cuts::Whole).seen);
    assert_eq!(pieces::merged(bytes.seen), pieces::merged(whole.seen));
}

/// What was written are whole frames with or without masks as the role demands, and nothing stands
/// behind a close frame, which has a code that may be sent or none.
fn check_frames(end: ws::End, trace: &ws::Trace) {
    let upgraded = trace.seen.iter().any(|seen| matches!(seen, ws::Seen::Upgrade { .. }));
    let frames = if end == ws::End::Server {
        let (status, frames) = ws::answered(&trace.outgoing);
        assert!(status != Some(101) || upgraded, "accepted what was not asked");
        frames
    } else {
        ws::frames(&trace.outgoing)
    };
    let closes = frames.iter().filter(|frame| frame.is_close()).count();
    assert!(closes <= 1 && (closes == 0 || frames.last().is_some_and(ws::Frame::is_close)));
    for frame in &frames {
        assert_eq!(frame.mask.is_some(), end == ws::End::ClientAfterUpgrade);
        assert!(frame.code().is_none_or(|code| roomwire::ws::CloseCode::new(code).is_some()));
    }
    if let Some(code) = trace.closed().and_then(|closed| closed.error).and_then(roomwire::ws::Error::close_code) {
        // Failing while our own close frame is on its way adds none.
        assert!(closes == 1 && code.is_sendable());
    }
}
