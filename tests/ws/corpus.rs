//! The fuzz target's body over its seeds and over generated streams.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use crate::script::{cases, scripts};
use crate::support::fuzz;
use crate::support::ws::End;

#[test]
fn the_seeds_of_ws_frames() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/ws_frames");
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        fuzz::ws_frames(&fs::read(entry.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count >= 10, "{count} seeds");
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn generated_streams(choice: u8, (end, stream) in scripts()) {
        let role = match end {
            End::Server => 0,
            End::ClientAfterUpgrade => 1,
            End::ServerAfterUpgrade => 2,
        };
        fuzz::ws_frames(&[&[choice & !3 | role], &stream[..]].concat());
    }
}
