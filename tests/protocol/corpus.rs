//! The body of the fuzz target for packets over its seeds and over generated texts.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use crate::fuzz_packets::packets;

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
    fn any_bytes(bytes: Vec<u8>) {
        packets(&bytes);
    }
}
