//! No response can be split.

use proptest::prelude::*;
use roomwire::http::{HeaderError, Response};

use crate::clock::{START, connection, outgoing, request};
use crate::script::cases;
use crate::support::http::{responses, small};

fn written(response: Response) -> Vec<u8> {
    let mut conn = connection(small());
    request(&mut conn, START, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    conn.respond(START, response).unwrap();
    outgoing(&conn)
}

proptest! {
    #![proptest_config(cases(1000))]

    #[test]
    fn a19_whatever_header_is_taken_stays_one_line(
        name in prop_oneof!["[a-zA-Z-]{1,8}", "[ -~]{0,4}", "\\PC{0,4}", "[a-z\r\n\0: ]{1,4}"],
        value in prop_oneof!["[ -~]{0,20}", "\\PC{0,9}", "[a\r\n\0\t\u{7f}\u{85}]{0,6}"],
    ) {
        if let Ok(response) = Response::new(200).header(&name, &value) {
            let bytes = written(response.body("x"));
            prop_assert_eq!(bytes.windows(4).filter(|four| four == b"\r\n\r\n").count(), 1);
            let answered = responses(&bytes, &["GET"]);
            prop_assert_eq!(answered.len(), 1);
            prop_assert_eq!(&answered[0].headers[0], &(name.to_ascii_lowercase(), value));
            prop_assert_eq!(answered[0].headers.len(), 2);
        }
    }
}

#[test]
fn a19_line_breaks_and_names_of_ours_are_refused() {
    for value in ["a\r\nset-cookie: b=c", "a\nb", "a\rb", "a\0b", "a\u{7f}"] {
        assert_eq!(Response::new(200).header("x-name", value).err(), Some(HeaderError::Value), "{value:?}");
    }
    for name in ["", "a b", "a:", "a\r\nb", "é", "a\0"] {
        assert_eq!(Response::new(200).header(name, "x").err(), Some(HeaderError::Name), "{name:?}");
    }
    for name in ["Content-Length", "transfer-encoding", "CONNECTION"] {
        assert_eq!(Response::new(200).header(name, "x").err(), Some(HeaderError::Reserved), "{name:?}");
    }
}

/// A path that a client wrote may be said back in a header: it is printable or it was refused.
#[test]
fn a20_what_a_client_wrote_can_be_said_back() {
    let mut conn = connection(small());
    let asked = request(&mut conn, START, b"GET /a%0d%0ab HTTP/1.1\r\nHost: a\r\n\r\n");
    let answer = Response::new(302).header("location", asked.path()).unwrap();
    conn.respond(START, answer).unwrap();
    assert_eq!(responses(&outgoing(&conn), &["GET"])[0].headers[0].1, "/a%0d%0ab");
}
