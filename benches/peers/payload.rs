//! What messages are made of.

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Binary,
    Ascii,
    /// Characters of two to four bytes throughout.
    Mixed,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::Ascii => "ascii",
            Self::Mixed => "mixed",
        }
    }

    pub fn is_text(self) -> bool {
        self != Self::Binary
    }
}

/// The same sequence in every run.
pub struct Random(u64);

impl Random {
    pub fn new() -> Self {
        Self(0x9E37_79B9_7F4A_7C15)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn key(&mut self) -> [u8; 4] {
        (self.next() as u32).to_be_bytes()
    }
}

pub fn payload(kind: Kind, size: usize, random: &mut Random) -> Vec<u8> {
    if kind != Kind::Mixed {
        let byte = |random: &mut Random| match kind {
            Kind::Ascii => b' ' + (random.next() >> 40) as u8 % 95,
            _ => (random.next() >> 40) as u8,
        };
        return (0..size).map(|_| byte(random)).collect();
    }
    let mut text = String::with_capacity(size);
    while text.len() < size {
        let left = size - text.len();
        // Never one byte that no character would fill.
        let width = match (2 + random.next() as usize % 3).min(left) {
            width if left - width == 1 => {
                if width > 2 {
                    width - 1
                } else {
                    3
                }
            }
            width => width,
        };
        let (from, count) = match width {
            2 => (0x00A1, 0x0600),
            3 => (0x3041, 0x5000),
            _ => (0x1F300, 0x0300),
        };
        text.push(char::from_u32(from + (random.next() >> 33) as u32 % count).expect("no surrogates there"));
    }
    assert_eq!(text.len(), size);
    text.into_bytes()
}
