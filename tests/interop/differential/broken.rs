//! Beside tungstenite, on frames that are rarely in order: the same messages come through, and then both fail or neither.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use roomwire::ws::Role;

use crate::ends::{End, Item, Mode, Ours, Tungstenite};
use crate::script::{Cuts, cases, control, cuts};
use crate::wire::Frame;

proptest! {
    #![proptest_config(cases(20_000))]

    #[test]
    fn both_say_the_same_of_any_frames(server: bool, frames in vec(frame(), 1..8), cuts in cuts()) {
        let role = if server { Role::Server } else { Role::Client };
        let bytes = stream(role, &frames);
        let theirs = verdict(Tungstenite::new(role), &bytes, &cuts);
        for mode in Mode::ALL {
            prop_assert_eq!(&verdict(Ours::after_upgrade(role, mode), &bytes, &cuts), &theirs);
        }
    }
}

/// A frame as it stands, and whether it is masked as its reader does not expect.
type Odd = (u8, bool, Vec<u8>);

fn frame() -> impl Strategy<Value = Odd> {
    let data = (select(vec![0x01u8, 0x02, 0x81, 0x82, 0x00, 0x00, 0x80, 0x80]), payload());
    let control = (select(vec![0x89u8, 0x8A]), control());
    let close = (Just(0x88u8), close());
    let odd = (any::<u8>(), prop_oneof![payload(), vec(any::<u8>(), 120..130)]);
    let usual = prop_oneof![8 => data, 3 => control, 1 => close, 1 => odd];
    (usual, prop::bool::weighted(0.03)).prop_map(|((first, payload), odd_mask)| (first, odd_mask, payload))
}

/// Text whole and in parts of characters, right and wrong, and other bytes.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    let parts: Vec<&[u8]> = vec![
        b"",
        b"abc",
        "é€😀".as_bytes(),
        b"\xC3",
        b"\xA9",
        b"\xE2\x82",
        b"\xAC",
        b"\xF0\x9F",
        b"\x98\x80",
        b"\xED",
        b"\xA0\x80",
        b"\xED\xA0",
        b"\xF4\x90",
        b"\xC0\x80",
        b"\xFF",
        b"\xEF\xBF\xBD",
    ];
    vec(select(parts), 0..4).prop_map(|parts| parts.concat())
}

fn close() -> impl Strategy<Value = Vec<u8>> {
    let code = prop_oneof![3 => 1000u16..1016, 1 => select(vec![0u16, 999, 1016, 2999, 3000, 4999, 5000, 65_535])];
    // 1014 came later than tungstenite's list.
    let code = code.prop_filter("known to both", |code| *code != 1014);
    prop_oneof![
        1 => Just(vec![]),
        1 => Just(vec![3]),
        6 => (code, payload()).prop_map(|(code, reason)| [&code.to_be_bytes()[..], &reason].concat()),
    ]
}

fn stream(reader: Role, frames: &[Odd]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (first, odd_mask, payload) in frames {
        let masked = (reader == Role::Server) != *odd_mask;
        Frame { first: *first, key: masked.then_some([0x12, 0x34, 0x56, 0x78]), payload: payload.clone() }
            .write(&mut bytes);
    }
    bytes
}

/// Everything up to the end.
fn verdict(mut end: impl End, bytes: &[u8], cuts: &Cuts) -> Vec<Item> {
    let mut items = end.read(&cuts.of(bytes));
    for item in &mut items {
        // How tungstenite tells a code that must not be sent.
        if matches!(item, Item::Close(Some((1002, reason))) if reason == "Protocol violation") {
            *item = Item::Failed;
        }
    }
    let last = items.iter().position(|item| matches!(item, Item::Close(_) | Item::Failed));
    items.truncate(last.map_or(items.len(), |last| last + 1));
    items
}
