//! The fuzz target's body over its seeds and over generated streams.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use crate::script::{cases, script};
use crate::support::fuzz;

#[test]
fn the_seeds_of_http_head() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/http_head");
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        fuzz::http_head(&fs::read(entry.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count >= 10, "{count} seeds");
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn generated_streams(choice: u8, stream in script()) {
        fuzz::http_head(&[&[choice], &stream[..]].concat());
    }
}
