//! What goes wrong between a poll and its client: answers that are lost, given up or never asked for.

use roomwire::http::Request;
use roomwire::hub::{Answer, Origins, Peer, RequestId};

use crate::world::{World, config};

fn request(method: &str, query: &str, headers: &[(&str, &str)], body: &str) -> Request {
    let headers = [("host", "a")].into_iter().chain(headers.iter().copied());
    let headers: Vec<_> = headers.map(|(name, value)| (name, value.as_bytes())).collect();
    Request::from_parts(method, &format!("/socket.io/?transport=polling&{query}"), 1, headers).unwrap().with_body(body)
}

fn parked(world: &mut World, request: Request) -> RequestId {
    match world.hub.handle_request(world.now, Peer::default(), request) {
        Answer::Parked(id) => id,
        other => panic!("{other:?}"),
    }
}

/// A page of another origin cannot read by a script what it may not read otherwise.
#[test]
fn e17_a_script_of_another_page_opens_no_session() {
    let mut own = config();
    own.origins = Origins::SameHost;
    let mut world = World::new(own);
    for headers in [&[][..], &[("referer", "https://evil/")], &[("sec-fetch-site", "cross-site")]] {
        let asked = request("GET", "EIO=3&j=0", headers, "");
        let answer = world.hub.handle_request(world.now, Peer::default(), asked);
        assert!(matches!(&answer, Answer::Now(response) if response.status() == 403), "{headers:?} {answer:?}");
    }
    assert_eq!(world.hub.counts().sessions, 0);
    for headers in
        [&[("referer", "https://a/page")][..], &[("sec-fetch-site", "same-origin")], &[("origin", "https://a")]]
    {
        parked(&mut world, request("GET", "EIO=3&j=0", headers, ""));
    }
    // Without a script nobody reads it.
    parked(&mut world, request("GET", "EIO=3", &[], ""));
}
