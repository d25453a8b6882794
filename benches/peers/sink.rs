//! Where messages go: they are counted and summed up, so that nobody can skip work.

/// The same little work for every contender. A thorough one looks at every byte.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sink {
    pub thorough: bool,
    pub messages: usize,
    bytes: usize,
    sum: u64,
    pieces: Pieces,
}

/// What has come of a message in pieces: its first and last bytes, or in a thorough pass all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Pieces {
    first: [u8; 8],
    last: [u8; 8],
    bytes: usize,
    whole: Vec<u8>,
}

impl Sink {
    pub fn new(thorough: bool) -> Self {
        Self { thorough, ..Self::default() }
    }

    #[inline(always)]
    pub fn message(&mut self, is_text: bool, payload: &[u8]) {
        self.messages += 1;
        self.bytes += payload.len();
        let ends = (payload.first_chunk::<8>(), payload.last_chunk::<8>());
        let (Some(first), Some(last)) = ends else { panic!("no message is that short") };
        self.ends(is_text, *first, *last);
        if self.thorough {
            self.every_byte(payload);
        }
    }

    #[inline(always)]
    fn ends(&mut self, is_text: bool, first: [u8; 8], last: [u8; 8]) {
        let ends = u64::from_le_bytes(first) ^ u64::from_le_bytes(last).rotate_left(32);
        self.sum = self.sum.rotate_left(5).wrapping_add(ends) ^ u64::from(is_text);
    }

    /// The same for a message in pieces.
    #[inline(always)]
    pub fn piece(&mut self, is_text: bool, piece: &[u8], ends: bool) {
        if self.thorough {
            self.pieces.whole.extend_from_slice(piece);
            if ends {
                let whole = std::mem::take(&mut self.pieces.whole);
                self.message(is_text, &whole);
            }
            return;
        }
        let pieces = &mut self.pieces;
        if pieces.bytes < 8 {
            pieces.first[pieces.bytes..].iter_mut().zip(piece).for_each(|(to, from)| *to = *from);
        }
        pieces.bytes += piece.len();
        match piece.last_chunk() {
            Some(last) => pieces.last = *last,
            None => {
                pieces.last.rotate_left(piece.len());
                pieces.last[8 - piece.len()..].copy_from_slice(piece);
            }
        }
        if ends {
            let Pieces { first, last, bytes, .. } = std::mem::take(pieces);
            self.messages += 1;
            self.bytes += bytes;
            self.ends(is_text, first, last);
        }
    }

    #[inline(never)]
    fn every_byte(&mut self, payload: &[u8]) {
        for byte in payload {
            self.sum = (self.sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3);
        }
    }
}
