//! Generated conversations.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::Config;

use crate::ends::{End, Item};
use crate::wire::{Frame, fragmented, frames};

/// As many cases as `PROPTEST_CASES` says, or `cases`. What fails is printed, not kept in a file.
pub fn cases(cases: u32) -> Config {
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { Config::default().cases } else { cases };
    Config { cases, failure_persistence: None, max_shrink_time: 60_000, ..Config::default() }
}

/// What one end writes, and what becomes of the bytes on their way.
#[derive(Clone, Debug)]
pub struct Turn {
    up: bool,
    items: Vec<Item>,
    ways: Vec<Way>,
    cuts: Cuts,
}

/// How the frame of a message is cut into fragments, and which control frames come between them.
#[derive(Clone, Debug)]
struct Way {
    cuts: Vec<Index>,
    between: Vec<Item>,
}

#[derive(Clone, Debug)]
pub enum Cuts {
    Whole,
    Bytes,
    At(Vec<Index>),
}

impl Cuts {
    pub fn of(&self, bytes: &[u8]) -> Vec<Vec<u8>> {
        let ends = match self {
            Self::Whole => vec![],
            // Of a long stream the start in bytes, which has the headers.
            Self::Bytes => (1..bytes.len().min(3000)).collect(),
            Self::At(cuts) => sorted(cuts, bytes.len()),
        };
        let starts = [0].into_iter().chain(ends.iter().copied());
        let ends = ends.iter().copied().chain([bytes.len()]);
        starts.zip(ends).map(|(start, end)| bytes[start..end].to_vec()).collect()
    }
}

fn sorted(cuts: &[Index], size: usize) -> Vec<usize> {
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(size + 1)).collect();
    ends.sort_unstable();
    ends
}

pub fn cuts() -> impl Strategy<Value = Cuts> {
    prop_oneof![1 => Just(Cuts::Bytes), 4 => few_cuts()]
}

/// For whom many small pieces are an attack.
pub fn few_cuts() -> impl Strategy<Value = Cuts> {
    prop_oneof![1 => Just(Cuts::Whole), 3 => vec(any::<Index>(), 1..12).prop_map(Cuts::At)]
}

/// Sizes around the forms of a length, of the words of a machine, and of the window of a small compressor.
fn size() -> impl Strategy<Value = usize> {
    prop_oneof![6 => 0usize..200, 2 => 500usize..1100, 1 => select(vec![65_535, 65_536, 70_000])]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-c€😀]{0,40}",
        // Characters of each length that lie across whatever cut there is.
        ("[aé€😀]{1,7}", size()).prop_map(|(word, size)| word.repeat(size / word.len() + 1)),
        // What repeats at some distance: within a window, or beyond it.
        ("[a-z]{1,600}", 1usize..20).prop_map(|(word, count)| word.repeat(count)),
    ]
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 0..200),
        (any::<u8>(), size()).prop_map(|(byte, size)| vec![byte; size]),
        (vec(any::<u8>(), 1..3000), 1usize..12).prop_map(|(block, count)| block.repeat(count)),
    ]
}

pub fn control() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![vec(any::<u8>(), 0..20), vec(any::<u8>(), 120..126)]
}

fn item() -> impl Strategy<Value = Item> {
    prop_oneof![
        3 => text().prop_map(Item::Text),
        3 => bytes().prop_map(Item::Binary),
        1 => control().prop_map(Item::Ping),
    ]
}

fn way() -> impl Strategy<Value = Way> {
    let between = prop_oneof![control().prop_map(Item::Ping), control().prop_map(Item::Pong)];
    prop_oneof![
        Just(Way { cuts: vec![], between: vec![] }),
        (vec(any::<Index>(), 1..9), vec(between, 0..4)).prop_map(|(cuts, between)| Way { cuts, between }),
    ]
}

pub fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let turn = (any::<bool>(), vec(item(), 1..6), vec(way(), 1..6), cuts());
    vec(turn.prop_map(|(up, items, ways, cuts)| Turn { up, items, ways, cuts }), 1..5)
}

/// Lets both ends say what is theirs to say; each must read what the other wrote.
pub fn play(lower: &mut impl End, upper: &mut impl End, turns: &[Turn]) {
    for turn in turns {
        if turn.up {
            carry(lower, upper, turn);
        } else {
            carry(upper, lower, turn);
        }
    }
}

fn carry(from: &mut impl End, to: &mut impl End, turn: &Turn) {
    for item in &turn.items {
        from.write(item);
    }
    let written = frames(&from.take());
    let mut written = written.chunk_by(|frame, next| !frame.is_control() && !next.begins());
    let (mut bytes, mut expected) = (Vec::new(), Vec::new());
    for (item, way) in turn.items.iter().zip(turn.ways.iter().cycle()) {
        match written.next().expect("something for each item") {
            [frame] if !frame.is_control() && !way.cuts.is_empty() => {
                let between: Vec<Frame> = way.between.iter().map(Item::control_frame).collect();
                let ends = sorted(&way.cuts, frame.payload.len());
                fragmented(frame, &ends, &between, &mut bytes);
                // In the order in which they stand between the fragments.
                let order = (0..ends.len()).flat_map(|nth| way.between.iter().skip(nth).step_by(ends.len()));
                expected.extend(order.cloned());
            }
            frames => frames.iter().for_each(|frame| frame.write(&mut bytes)),
        }
        expected.push(item.clone());
    }
    assert!(written.next().is_none(), "something more");
    let told = to.read(&turn.cuts.of(&bytes));
    assert_same(&told, &expected);
    answers(from, to, &expected);
}

/// Which is longer than `assert_eq!` would print.
fn assert_same(told: &[Item], expected: &[Item]) {
    for (nth, (told, expected)) in told.iter().zip(expected).enumerate() {
        assert!(told == expected, "item {nth}: {} for {}", told.summary(), expected.summary());
    }
    assert_eq!(told.len(), expected.len(), "items");
}

/// An end may answer the newest ping alone (section 5.5.3), but that it must.
fn answers(from: &mut impl End, to: &mut impl End, told: &[Item]) {
    let pings: Vec<&Vec<u8>> = told.iter().filter_map(Item::ping).collect();
    let answers = from.read(&[to.take()]);
    let pongs: Vec<&Vec<u8>> = answers.iter().filter_map(Item::pong).collect();
    assert_eq!(pongs.len(), answers.len(), "something else than answers");
    let mut open = pings.iter();
    assert!(pongs.iter().all(|pong| open.any(|ping| ping == pong)), "a pong out of order, or twice");
    assert_eq!(pongs.last(), pings.last(), "the newest ping");
}
