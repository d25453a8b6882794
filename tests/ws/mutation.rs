//! Streams that were valid, damaged: nothing panics, the end is told once, and the peer gets one close frame or
//! one response.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use roomwire::Instant;
use roomwire::ws::Error;

use crate::script::{cases, cuts, scripts};
use crate::support::cuts::Cuts;
use crate::support::memory::measure;
use crate::support::ws::{Answers, End, Frame, Seen, answered, frames, run, small};

#[derive(Clone, Debug)]
enum Damage {
    Flip(Index, u8),
    Insert(Index, u8),
    Delete(Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    let bits = prop_oneof![any::<u8>(), (0u32..8).prop_map(|bit| 1 << bit)];
    prop_oneof![
        3 => (any::<Index>(), bits).prop_map(|(at, bits)| Damage::Flip(at, bits)),
        1 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Damage::Insert(at, byte)),
        1 => any::<Index>().prop_map(Damage::Delete),
    ]
}

/// Damages what stands behind `from`, so that opening handshakes are not all that is hit.
fn apply(damage: &[Damage], stream: &mut Vec<u8>, from: usize) {
    for damage in damage {
        let Some(size) = stream.len().checked_sub(from).filter(|&size| size > 0) else { return };
        match damage {
            Damage::Flip(at, bits) => stream[from + at.index(size)] ^= bits,
            Damage::Insert(at, byte) => stream.insert(from + at.index(size + 1), *byte),
            Damage::Delete(at) => drop(stream.remove(from + at.index(size))),
        }
    }
}

proptest! {
    #![proptest_config(cases(1500))]

    #[test]
    fn damage_is_answered_once(
        (end, mut stream) in scripts(), damage in vec(damage(), 1..4), spare_the_head: bool, cuts in cuts(),
    ) {
        let head = stream.windows(4).position(|four| four == b"\r\n\r\n").map_or(0, |at| at + 4);
        apply(&damage, &mut stream.0, if spare_the_head { head } else { 0 });
        let whole = run(end, small(), &Cuts::Whole.of(&stream), Answers::AtOnce, true);
        prop_assert_eq!(&run(end, small(), &cuts.of(&stream), Answers::AtOnce, true), &whole);

        let told = whole.seen.iter().filter(|seen| matches!(seen, Seen::Closed(_))).count();
        prop_assert_eq!(told, 1);
        let (status, frames) = match end {
            End::Server => answered(&whole.outgoing),
            _ => (None, frames(&whole.outgoing)),
        };
        let closes = frames.iter().filter(|frame| frame.is_close()).count();
        let closed = whole.closed().unwrap();
        match closed.error {
            None => prop_assert_eq!(closes, 1),
            Some(Error::Http(roomwire::http::Error::UnexpectedEof)) => prop_assert_eq!(status, None),
            Some(Error::Http(_) | Error::Handshake(_)) => prop_assert!(matches!(status, Some(400..=599)), "{status:?}"),
            Some(Error::UnexpectedEof) => prop_assert!(closes <= 1, "only if the application closed"),
            Some(_) => {
                prop_assert_eq!(closes, 1);
                // With its own code, unless the application had sent another before.
                let code = frames.last().and_then(Frame::code);
                prop_assert!(code == Some(closed.code.get()) || code == Some(1000));
            }
        }
        prop_assert!(closes == 0 || frames.last().is_some_and(Frame::is_close));
    }

    /// What a connection holds is at most twice what it received and 4 KiB, whatever that is.
    #[test]
    fn memory_is_bounded_by_what_was_received(
        (end, mut stream) in scripts(), damage in vec(damage(), 0..4), piece in 1usize..40,
    ) {
        apply(&damage, &mut stream.0, 0);
        let now = Instant::ORIGIN;
        let mut bytes = stream.to_vec();
        let (_, usage) = measure(|| {
            let mut conn = end.connection(small(), now);
            for mut input in bytes.chunks_mut(piece) {
                while let Some(event) = conn.receive(now, &mut input) {
                    if let roomwire::ws::Event::Upgrade(_) = event {
                        conn.accept(now, &roomwire::ws::Accept::new()).unwrap();
                    }
                }
            }
            conn
        });
        prop_assert!(usage.peak <= 2 * stream.len() as isize + 4096, "{usage:?} for {} bytes", stream.len());
    }
}
