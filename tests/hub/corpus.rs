//! The fuzz target's body over its seeds, and over bytes that nobody chose.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use crate::chunking::cases;
use crate::fuzz_hub;

#[test]
fn the_seeds_of_hub() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/hub");
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        fuzz_hub::hub(&fs::read(entry.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count >= 10, "{count} seeds");
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn arbitrary_bytes(data in prop::collection::vec(any::<u8>(), 0..600)) {
        fuzz_hub::hub(&data);
    }
}
