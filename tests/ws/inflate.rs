//! What is inflated of a connection's messages, beside a reading of RFC 1951 that is as plain as can be.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use roomwire::ws::{DeflateConfig, Error, Piece};

use crate::clock::START;
use crate::deflate::{all, frame, pair_of, take};
use crate::script::{cases, cuts};
use crate::support::cuts::Cuts;
use crate::support::ws::{Seen, frames, receive};

/// One message that is inflated.
struct Naive<'a> {
    /// What it may refer to, and what it is so far.
    window: &'a mut Vec<u8>,
    message: Vec<u8>,
    payload: &'a [u8],
    /// The next bit, counted from the first byte's lowest.
    at: usize,
}

impl Naive<'_> {
    /// The message; `None` if it is none (RFC 7692 section 7.2.2).
    fn message(mut self) -> Option<Vec<u8>> {
        let mut ended = false;
        loop {
            if ended && self.at == 8 * self.payload.len() {
                // A final block has ended where the message does.
                return Some(self.message);
            }
            let last = self.bits(1)? == 1;
            match self.bits(2)? {
                0 => {
                    self.at = self.at.next_multiple_of(8);
                    if self.at == 8 * self.payload.len() {
                        // What the sender left out is the length of this block.
                        self.forget_if(last);
                        return Some(self.message);
                    }
                    let length = self.bits(16)?;
                    (self.bits(16)? == !length & 0xFFFF).then_some(())?;
                    for _ in 0..length {
                        let byte = self.bits(8)?;
                        self.push(byte as u8);
                    }
                }
                1 => {
                    let lengths = (0..288).map(|symbol| match symbol {
                        144..256 => 9,
                        256..280 => 7,
                        _ => 8,
                    });
                    self.block(&Codes::new(lengths.collect()), &Codes::new(vec![5; 32]))?;
                }
                2 => {
                    let (literals, distances) = self.tables()?;
                    self.block(&literals, &distances)?;
                }
                _ => return None,
            }
            if last {
                self.at = self.at.next_multiple_of(8);
            }
            self.forget_if(last);
            ended = last;
        }
    }

    /// Another stream begins behind a final block.
    fn forget_if(&mut self, last: bool) {
        if last {
            self.window.clear();
        }
    }

    fn push(&mut self, byte: u8) {
        self.window.push(byte);
        self.message.push(byte);
    }

    fn bits(&mut self, count: usize) -> Option<usize> {
        let mut bits = 0;
        for place in 0..count {
            let byte = self.payload.get(self.at / 8)?;
            bits |= usize::from(byte >> (self.at % 8) & 1) << place;
            self.at += 1;
        }
        Some(bits)
    }

    fn symbol(&mut self, codes: &Codes) -> Option<usize> {
        let (mut code, mut length) = (0, 0);
        while length < 15 {
            code = code << 1 | self.bits(1)?;
            length += 1;
            if let Some((symbol, ..)) = codes.0.iter().find(|(_, of, is)| (*of, *is) == (length, code)) {
                return Some(*symbol);
            }
        }
        None
    }

    /// Section 3.2.7.
    fn tables(&mut self) -> Option<(Codes, Codes)> {
        let (literals, distances, count) = (self.bits(5)? + 257, self.bits(5)? + 1, self.bits(4)? + 4);
        (literals <= 286 && distances <= 30).then_some(())?;
        let mut lengths = vec![0; 19];
        for place in [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15].into_iter().take(count) {
            lengths[place] = self.bits(3)?;
        }
        let codes = Codes::new(lengths);
        codes.is_complete().then_some(())?;
        let mut lengths = Vec::new();
        while lengths.len() < literals + distances {
            match self.symbol(&codes)? {
                16 => {
                    let length = *lengths.last()?;
                    let count = 3 + self.bits(2)?;
                    lengths.extend(vec![length; count]);
                }
                17 => lengths.extend(vec![0; 3 + self.bits(3)?]),
                18 => lengths.extend(vec![0; 11 + self.bits(7)?]),
                length => lengths.push(length),
            }
        }
        (lengths.len() == literals + distances && lengths[256] > 0).then_some(())?;
        let distances = Codes::new(lengths.split_off(literals));
        let literals = Codes::new(lengths);
        // One code alone, or none, need not be complete.
        let fits = |codes: &Codes| {
            codes.is_complete() || codes.0.iter().all(|(_, length, _)| *length == 1) && codes.0.len() < 2
        };
        (fits(&literals) && fits(&distances)).then_some((literals, distances))
    }

    /// Section 3.2.5.
    fn block(&mut self, literals: &Codes, distances: &Codes) -> Option<()> {
        const LENGTHS: [usize; 29] = [
            3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195,
            227, 258,
        ];
        loop {
            let symbol = self.symbol(literals)?;
            match symbol {
                0..256 => self.push(symbol as u8),
                256 => return Some(()),
                _ => {
                    let place = symbol - 257;
                    let extra = if (8..28).contains(&place) { place / 4 - 1 } else { 0 };
                    let length = LENGTHS.get(place)? + self.bits(extra)?;
                    let code = self.symbol(distances).filter(|code| *code < 30)?;
                    let extra = (code / 2).saturating_sub(1);
                    let least = if code < 4 { code + 1 } else { ((2 + code % 2) << extra) + 1 };
                    let distance = least + self.bits(extra)?;
                    for _ in 0..length {
                        let from = self.window.len().checked_sub(distance)?;
                        self.push(self.window[from]);
                    }
                }
            }
        }
    }
}

/// Each symbol with the length of its code and the code (section 3.2.2).
struct Codes(Vec<(usize, usize, usize)>);

impl Codes {
    fn new(lengths: Vec<usize>) -> Self {
        let (mut codes, mut code) = (Vec::new(), 0);
        for length in 1..16 {
            for (symbol, _) in lengths.iter().enumerate().filter(|(_, of)| **of == length) {
                codes.push((symbol, length, code));
                code += 1;
            }
            code <<= 1;
        }
        Self(codes)
    }

    fn is_complete(&self) -> bool {
        self.0.iter().map(|(_, length, _)| 1 << (15 - length)).sum::<usize>() == 1 << 15
    }
}

/// What is told of these payloads, each that of a compressed message.
fn expected(payloads: &[Vec<u8>], takeover: bool) -> Vec<Result<Vec<u8>, Error>> {
    let (mut window, mut told) = (Vec::new(), Vec::new());
    for payload in payloads {
        match (Naive { window: &mut window, message: Vec::new(), payload, at: 0 }).message() {
            Some(message) => told.push(Ok(message)),
            None => return [told, vec![Err(Error::InvalidDeflate)]].concat(),
        }
        if !takeover {
            window.clear();
        }
    }
    told
}

/// What becomes of a payload on its way.
#[derive(Clone, Debug)]
enum Damage {
    None,
    Cut(Index),
    Flip(Index, u8),
    Insert(Index, Vec<u8>),
    /// Its first block is the last of its stream.
    Final,
}

impl Damage {
    fn apply(&self, payload: &mut Vec<u8>) {
        let size = payload.len();
        match self {
            Self::Cut(at) => payload.truncate(at.index(size + 1)),
            Self::Flip(at, bits) if size > 0 => payload[at.index(size)] ^= bits,
            Self::Insert(at, bytes) => {
                let at = at.index(size + 1);
                payload.splice(at..at, bytes.iter().copied());
            }
            Self::Final if size > 0 => payload[0] ^= 1,
            _ => {}
        }
    }
}

fn damages() -> impl Strategy<Value = Damage> {
    // Blocks with nothing in them, what is left out at the end, and a final block with a word in it.
    let inserted =
        select(vec![&b"\0"[..], b"\x01", b"\0\0\xFF\xFF", b"\0\0\0\xFF\xFF", b"\x02\0", b"\xF3\x48\xCD\xC9\xC9\x07\0"]);
    prop_oneof![
        3 => Just(Damage::None),
        3 => any::<Index>().prop_map(Damage::Cut),
        1 => (any::<Index>(), any::<u8>()).prop_map(|(at, bits)| Damage::Flip(at, bits)),
        1 => (any::<Index>(), 0u8..8).prop_map(|(at, bit)| Damage::Flip(at, 1 << bit)),
        2 => (any::<Index>(), prop_oneof![inserted.prop_map(<[u8]>::to_vec), vec(any::<u8>(), 1..4)])
            .prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        1 => Just(Damage::Final),
    ]
}

fn messages() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        2 => "[a-e]{0,60}".prop_map(String::into_bytes),
        1 => "([a-z ]{1,7}){1,20}".prop_map(|text| text.repeat(5).into_bytes()),
        1 => vec(any::<u8>(), 0..400),
        1 => (any::<u8>(), 0usize..9000).prop_map(|(byte, count)| vec![byte; count]),
    ]
}

proptest! {
    #![proptest_config(cases(1500))]

    /// Whole or damaged, in any fragments and any reads: what is told is what the definition says, and it is refused where
    /// that says so, and at no other place.
    #[test]
    fn equals_the_definition(
        messages in vec((messages(), vec(any::<Index>(), 0..3), vec(damages(), 0..3)), 1..5),
        rubbish in prop::option::of(vec(any::<u8>(), 0..20)), level in 1u8..=9, takeover: bool, fragments in 1usize..400,
        cuts in prop_oneof![Just(Cuts::Whole), cuts()],
    ) {
        let deflate = DeflateConfig { level, client_no_context_takeover: !takeover, ..all() };
        let config = std::sync::Arc::new(roomwire::ws::Config { deflate: Some(deflate), ..Default::default() });
        let (mut client, mut server) = pair_of(config.clone(), config);
        let (mut payloads, mut stream) = (Vec::new(), Vec::new());
        for (message, flushes, damages) in &messages {
            let mut ends: Vec<usize> = flushes.iter().map(|flush| flush.index(message.len() + 1)).chain([message.len()]).collect();
            ends.sort_unstable();
            let (mut start, count) = (0, ends.len());
            for (nth, end) in ends.into_iter().enumerate() {
                let data = message[std::mem::replace(&mut start, end)..end].into();
                client.send_piece(START, Piece { data, first: nth == 0, last: nth + 1 == count }).unwrap();
            }
            // One that is empty goes plain if it is in one piece.
            let sent = frames(&take(&mut client));
            let mut payload: Vec<u8> = sent.iter().flat_map(|frame| frame.payload.clone()).collect();
            if sent[0].first & 0x40 == 0 {
                payload = vec![0];
            }
            damages.iter().for_each(|damage| damage.apply(&mut payload));
            payloads.push(payload);
        }
        payloads.extend(rubbish);
        for payload in &payloads {
            let parts: Vec<&[u8]> = if payload.is_empty() { vec![&[]] } else { payload.chunks(fragments).collect() };
            for (nth, part) in parts.iter().enumerate() {
                let (begins, ends) = (nth == 0, nth + 1 == parts.len());
                let first = if begins { 0x42 } else { 0 } | if ends { 0x80 } else { 0 };
                stream.extend(frame(first, part));
            }
        }
        let seen = cuts.of(&stream).into_iter().flat_map(|piece| receive(&mut server, START, piece));
        let told: Vec<_> = seen.map(|seen| match seen {
            Seen::Binary(message) => Ok(message),
            Seen::Closed(closed) => Err(closed.error.unwrap()),
            other => panic!("{other:?}"),
        }).collect();
        prop_assert_eq!(told, expected(&payloads, takeover), "{:x?}", payloads);
    }
}
