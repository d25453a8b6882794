//! Beside tungstenite, without compression.

use proptest::prelude::*;
use roomwire::ws::Role;

use crate::ends::{End, Item, Mode, Ours, Tungstenite};
use crate::script::{cases, cuts, play, turns};

const ROLES: [(Role, Role); 2] = [(Role::Client, Role::Server), (Role::Server, Role::Client)];

proptest! {
    #![proptest_config(cases(600))]

    #[test]
    fn each_reads_what_the_other_wrote(turns in turns()) {
        for (ours, theirs) in ROLES {
            for mode in Mode::ALL {
                play(&mut Ours::after_upgrade(ours, mode), &mut Tungstenite::new(theirs), &turns);
            }
        }
    }

    #[test]
    fn closing(ours_first: bool, code in close_code(), reason in "[a-zé€😀]{0,30}", empty: bool, cuts in cuts()) {
        let close = Item::Close((!empty).then_some((code, reason)));
        for (ours, theirs) in ROLES {
            let (mut ours, mut theirs) = (Ours::after_upgrade(ours, Mode::Whole), Tungstenite::new(theirs));
            if ours_first {
                close_by(&mut ours, &mut theirs, &close, &cuts);
            } else {
                close_by(&mut theirs, &mut ours, &close, &cuts);
            }
        }
    }
}

/// Codes that may be sent (RFC 6455 section 7.4). 1014 is left out: tungstenite does not know it.
fn close_code() -> impl Strategy<Value = u16> {
    prop_oneof![1000u16..=1003, 1007u16..=1013, 3000u16..=4999]
}

/// One closes, the other is told how and answers with the same code, and that is the end for the first too.
fn close_by(first: &mut impl End, second: &mut impl End, close: &Item, cuts: &crate::script::Cuts) {
    first.write(close);
    let told = second.read(&cuts.of(&first.take()));
    assert_eq!(&told, std::slice::from_ref(close));
    let answer = first.read(&cuts.of(&second.take()));
    let code =
        |item: &Item| if let Item::Close(close) = item { Some(close.as_ref().map(|(code, _)| *code)) } else { None };
    assert_eq!(answer.iter().map(code).collect::<Vec<_>>(), [code(close)]);
    assert!(first.take().is_empty() && second.take().is_empty(), "something behind the close frames");
}
