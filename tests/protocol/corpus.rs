//! The bodies of the fuzz targets for packets and payloads over their seeds and over generated texts.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use crate::fuzz_packets::packets;
use crate::fuzz_payloads::payloads;

#[test]
fn the_seeds_of_packets() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/packets");
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        packets(&fs::read(entry.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count >= 30, "{count} seeds");
}

#[test]
fn the_seeds_of_payloads() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/payloads");
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        payloads(&fs::read(entry.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count >= 14, "{count} seeds");
}

/// Pieces of payloads in any order, and of what they are wrapped in.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        &b"4"[..],
        b"42[\"a\"]",
        b"\x1e",
        b"b",
        b"b4",
        b"AQID",
        b"BA==",
        b"1:",
        b"2:",
        b"10:",
        b"0:",
        b"\0",
        b"\x01",
        b"\x05",
        b"\xff",
        b"\x04",
        b"d=",
        b"&",
        b"%5C",
        b"%5Cn",
        b"+",
        b"\\",
        b"n",
        b"\n",
        "é".as_bytes(),
        "😀".as_bytes(),
        "\u{2028}".as_bytes(),
        b"</",
        b"\"",
    ]);
    prop::collection::vec(piece, 0..16).prop_map(|pieces| pieces.concat())
}

/// Pieces of packets in any order.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[0-9]{1,3}",
        "/[a-z]{0,2}",
        r#""[a-z\\"]{0,3}""#,
        prop::sample::select(vec![
            ",", "-", "?", "[", "]", "{", "}", ":", " ", "\"", "null", "true", "1e9", "\\u0041", "é", "\u{2028}", "\n",
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn generated_texts(front in "4?[0-6]?", text in text(), array: bool) {
        packets(if array { format!("{front}[{text}]") } else { format!("{front}{text}") }.as_bytes());
    }

    #[test]
    fn generated_bodies(choice: u8, body in body()) {
        payloads(&[&[choice], &body[..]].concat());
    }

    #[test]
    fn any_bytes(bytes: Vec<u8>) {
        packets(&bytes);
        payloads(&bytes);
    }
}
