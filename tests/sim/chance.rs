use std::time::Duration;

/// Numbers that only look like chance.
#[derive(Clone, Debug)]
pub struct Chance(u64);

/// Spreads a number over all bits.
pub fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(mix(seed ^ 0x5EED))
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    /// From 0 to `below`, which is not reached.
    pub fn below(&mut self, below: u64) -> u64 {
        self.next() % below.max(1)
    }

    pub fn index(&mut self, len: usize) -> usize {
        self.below(len as u64) as usize
    }

    /// So many times in a hundred.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// Of a span from one microsecond to `most`, short ones as often as long ones.
    pub fn span(&mut self, most: Duration) -> Duration {
        let most = most.as_micros().max(1) as u64;
        let scale = 1 + self.below(most);
        Duration::from_micros(1 + self.below(scale))
    }

    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.index(of.len())]
    }

    pub fn seed(&mut self) -> [u8; 32] {
        let mut seed = [0; 32];
        seed.chunks_mut(8).for_each(|part| part.copy_from_slice(&self.next().to_le_bytes()));
        seed
    }
}
