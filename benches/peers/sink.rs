//! Where messages go: they are counted and summed up, so that nobody can skip work.

/// The same little work for every contender. A thorough one looks at every byte.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sink {
    pub thorough: bool,
    pub messages: usize,
    bytes: usize,
    sum: u64,
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
        let ends = u64::from_le_bytes(*first) ^ u64::from_le_bytes(*last).rotate_left(32);
        self.sum = self.sum.rotate_left(5).wrapping_add(ends) ^ u64::from(is_text);
        if self.thorough {
            self.every_byte(payload);
        }
    }

    #[inline(never)]
    fn every_byte(&mut self, payload: &[u8]) {
        for byte in payload {
            self.sum = (self.sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3);
        }
    }
}
