//! What a client wrote is what the application reads, and the other way round.

use proptest::collection::vec;
use proptest::prelude::*;
use roomwire::http::{Limits, Response};

use crate::script::{Plain, cases, cuts, plain};
use crate::support::cuts::Cuts;
use crate::support::http::{Answers, Asked, read, responses, run};

fn asked(plain: &Plain) -> Asked {
    let lists = |member: &str| {
        plain.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("connection")).any(|(_, value)| {
            String::from_utf8_lossy(value).split(',').any(|part| part.trim().eq_ignore_ascii_case(member))
        })
    };
    Asked {
        method: plain.method.into(),
        target: plain.target.clone(),
        minor_version: plain.minor_version,
        headers: plain.all_headers(),
        body: plain.body.clone().unwrap_or_default(),
        keep_alive: !lists("close") && (plain.minor_version == 1 || lists("keep-alive")),
    }
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn requests_are_read_as_they_were_written(plains in vec(plain(), 1..6), cuts in cuts()) {
        let stream: Vec<u8> = plains.iter().flat_map(Plain::encode).collect();
        let expected: Vec<Asked> = plains.iter().map(asked).collect();
        prop_assert_eq!(read(&Limits::default(), &cuts.of(&stream)), (expected, None));
    }

    #[test]
    fn each_request_gets_its_answer_in_order(plains in vec(plain(), 1..6)) {
        let stream: Vec<u8> = plains.iter().flat_map(Plain::encode).collect();
        let last = plains.iter().position(|plain| !asked(plain).keep_alive || plain.target == "/last");
        let answered = last.map_or(plains.len(), |last| last + 1);
        for answers in [Answers::AtOnce, Answers::Late] {
            let trace = run(roomwire::http::Config::default(), &Cuts::Whole.of(&stream), answers, false);
            prop_assert_eq!(trace.requests().len(), answered);
            let answers: Vec<_> = trace.responses().into_iter().filter(|response| response.status != 100).collect();
            prop_assert_eq!(answers.len(), answered);
            for (plain, answer) in plains.iter().zip(&answers) {
                let echoed = plain.method != "HEAD" && answer.status == 200 && !plain.target.starts_with("/large");
                prop_assert!(!echoed || answer.body == asked(plain).body);
            }
        }
    }
}

/// Every prefix and every cut in two of one stream.
#[test]
fn every_prefix_and_every_cut_in_two() {
    let stream =
        b"GET /a?b HTTP/1.1\r\nHost: a\r\n\r\n\r\nPOST /c HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n\r\n\r\n\
        POST /e HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n\r\n\r\n1;x\r\n0\r\n0\r\n\r\n\
        HEAD /d HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /last HTTP/1.1\r\nhost: a\r\n\r\n";
    let config = roomwire::http::Config::default();
    let whole = run(config, &[stream], Answers::AtOnce, false);
    assert_eq!((whole.requests().len(), whole.statuses()), (5, vec![200; 5]));
    for at in 0..=stream.len() {
        let (first, second) = stream.split_at(at);
        assert_eq!(run(config, &[first, second], Answers::AtOnce, false), whole, "cut at {at}");
        let prefix = run(config, &[first], Answers::AtOnce, true);
        assert!(whole.outgoing.starts_with(&prefix.outgoing));
        assert!(whole.requests().starts_with(&prefix.requests()));
    }
}

/// A response says its own length, and HEAD gets the head alone.
#[test]
fn responses_have_their_own_length() {
    let stream = b"GET /large HTTP/1.1\r\nHost: a\r\n\r\nHEAD /large HTTP/1.1\r\nHost: a\r\n\r\nGET /empty HTTP/1.1\r\nHost: a\r\n\r\n";
    let trace = run(roomwire::http::Config::default(), &[stream], Answers::AtOnce, false);
    let answers = responses(&trace.outgoing, &["GET", "HEAD", "GET"]);
    assert_eq!(answers.iter().map(|answer| answer.body.len()).collect::<Vec<_>>(), [600, 0, 0]);
    assert_eq!(answers[1].headers, [("content-length".to_owned(), "600".to_owned())]);
    assert_eq!((answers[2].status, answers[2].headers.len()), (204, 0));
}

/// Nothing that an application can say to `Response` breaks a head.
#[test]
fn an_unknown_status_is_sent_as_500() {
    for status in [0, 99, 1000, u16::MAX] {
        assert_eq!(Response::new(status).status(), 500);
    }
}
