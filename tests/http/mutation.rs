//! Streams that were valid, damaged: nothing panics, the end is told once, and the peer gets one answer to it.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::script::{cases, cuts, script};
use crate::support::cuts::Cuts;
use crate::support::http::{Answers, Seen, run, small};
use crate::support::memory::measure;

#[derive(Clone, Debug)]
pub enum Damage {
    Flip(Index, u8),
    Insert(Index, u8),
    Delete(Index),
    Repeat(Index, usize),
}

pub fn damage() -> impl Strategy<Value = Damage> {
    let byte = prop_oneof![any::<u8>(), proptest::sample::select(b"\r\n :,0/\0\x7f".to_vec())];
    prop_oneof![
        (any::<Index>(), 1u8..=255).prop_map(|(at, bits)| Damage::Flip(at, bits)),
        (any::<Index>(), byte).prop_map(|(at, byte)| Damage::Insert(at, byte)),
        any::<Index>().prop_map(Damage::Delete),
        (any::<Index>(), 1usize..40).prop_map(|(at, count)| Damage::Repeat(at, count)),
    ]
}

pub fn apply(damage: &[Damage], stream: &mut Vec<u8>) {
    for damage in damage {
        if stream.is_empty() {
            return;
        }
        let size = stream.len();
        match damage {
            Damage::Flip(at, bits) => stream[at.index(size)] ^= bits,
            Damage::Insert(at, byte) => stream.insert(at.index(size + 1), *byte),
            Damage::Delete(at) => drop(stream.remove(at.index(size))),
            Damage::Repeat(at, count) => {
                let part: Vec<u8> = stream[at.index(size)..].iter().take(*count).copied().collect();
                let at = at.index(size);
                stream.splice(at..at, part);
            }
        }
    }
}

proptest! {
    #![proptest_config(cases(1500))]

    #[test]
    fn damage_is_answered_once(mut stream in script(), damage in vec(damage(), 1..4), cuts in cuts()) {
        apply(&damage, &mut stream.0);
        for answers in [Answers::AtOnce, Answers::Late] {
            let whole = run(small(), &Cuts::Whole.of(&stream), answers, true);
            prop_assert_eq!(&run(small(), &cuts.of(&stream), answers, true), &whole);
            // At the peer's end it is over, and that is told once.
            let told = whole.seen.iter().filter(|seen| matches!(seen, Seen::Closed(_))).count();
            prop_assert_eq!(told, 1);
            let error = whole.error().and_then(roomwire::http::Error::status);
            let refusals: Vec<u16> = whole.statuses().into_iter().filter(|&status| status >= 400).collect();
            prop_assert_eq!(refusals, error.into_iter().collect::<Vec<_>>());
        }
    }

    /// What a connection holds is at most twice what it received and 4 KiB, whatever that is.
    #[test]
    fn memory_is_bounded_by_what_was_received(mut stream in script(), damage in vec(damage(), 0..4)) {
        apply(&damage, &mut stream.0);
        let now = roomwire::Instant::ORIGIN;
        let config = std::sync::Arc::new(small());
        let (_, usage) = measure(|| {
            let mut conn = roomwire::http::Connection::new(config, now);
            for mut piece in stream.chunks(7) {
                while conn.receive(now, &mut piece).is_some() {}
            }
            conn
        });
        prop_assert!(usage.peak <= 2 * stream.len() as isize + 4096, "{usage:?} for {} bytes", stream.len());
    }
}
