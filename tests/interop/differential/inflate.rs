//! DEFLATE (RFC 1951) read slowly and strictly, to see how far back a sender refers.

/// Reads the bits of some bytes, the lowest first.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn one(&mut self) -> u16 {
        let byte = self.bytes.get(self.at / 8).expect("the data end within a block");
        self.at += 1;
        u16::from(byte >> ((self.at - 1) % 8) & 1)
    }

    fn number(&mut self, bits: u32) -> usize {
        (0..bits).map(|at| usize::from(self.one()) << at).sum()
    }
}

/// A Huffman code (section 3.2.2): for each length its first code, and the symbols that have one of that length.
struct Code {
    lengths: Vec<(u16, Vec<u16>)>,
}

impl Code {
    fn new(lengths: &[usize]) -> Self {
        let (mut next, mut table) = (0u16, Vec::new());
        for length in 1..=15 {
            let of_length = lengths.iter().enumerate().filter(|(_, l)| **l == length);
            let symbols: Vec<u16> = of_length.map(|(symbol, _)| symbol as u16).collect();
            let count = symbols.len() as u16;
            table.push((next, symbols));
            next = (next + count) << 1;
        }
        Self { lengths: table }
    }

    fn symbol(&self, bits: &mut Bits<'_>) -> usize {
        let mut code = 0;
        for (first, symbols) in &self.lengths {
            code = code << 1 | bits.one();
            if let Some(symbol) = code.checked_sub(*first).and_then(|nth| symbols.get(usize::from(nth))) {
                return usize::from(*symbol);
            }
        }
        panic!("a code that is none")
    }
}

/// The base of a length or distance code and its extra bits (section 3.2.5): `step` codes share a number of bits.
fn extended(code: usize, step: usize, base: usize, bits: &mut Bits<'_>) -> usize {
    let extra = (code / step).saturating_sub(1);
    let start: usize = (0..code).map(|code| 1 << (code / step).saturating_sub(1)).sum();
    base + start + bits.number(extra as u32)
}

/// Appends what `data` inflate to to `out`, which has what they may refer to. Panics on what is not deflated data, and on
/// what refers back by more than `distance_max` bytes.
pub fn inflate(data: &[u8], distance_max: usize, out: &mut Vec<u8>) {
    let mut bits = Bits { bytes: data, at: 0 };
    // A message ends with an empty stored block, and with the data.
    while bits.at < data.len() * 8 {
        assert_eq!(bits.one(), 0, "a final block");
        match bits.number(2) {
            0 => {
                bits.at = bits.at.div_ceil(8) * 8;
                let (size, check) = (bits.number(16), bits.number(16));
                assert_eq!(size ^ 0xFFFF, check, "length of a stored block");
                let start = bits.at / 8;
                out.extend(&data[start..start + size]);
                bits.at += size * 8;
            }
            1 => {
                let lengths: Vec<usize> = [8; 144].into_iter().chain([9; 112]).chain([7; 24]).chain([8; 8]).collect();
                block(&Code::new(&lengths), &Code::new(&[5; 30]), distance_max, &mut bits, out);
            }
            2 => {
                let (literals, distances) = codes(&mut bits);
                block(&literals, &distances, distance_max, &mut bits, out);
            }
            _ => panic!("a type of block that is none"),
        }
    }
}

fn block(literals: &Code, distances: &Code, distance_max: usize, bits: &mut Bits<'_>, out: &mut Vec<u8>) {
    loop {
        let length = match literals.symbol(bits) {
            literal @ 0..256 => {
                out.push(literal as u8);
                continue;
            }
            256 => return,
            285 => 258,
            code => extended(code - 257, 4, 3, bits),
        };
        let distance = extended(distances.symbol(bits), 2, 1, bits);
        assert!(distance <= distance_max, "refers back by {distance}, the window is {distance_max}");
        let start = out.len().checked_sub(distance).expect("refers back to before the start");
        for at in start..start + length {
            out.push(out[at]);
        }
    }
}

/// The codes at the head of a block that brings its own (section 3.2.7).
fn codes(bits: &mut Bits<'_>) -> (Code, Code) {
    let (literals, distances, count) = (bits.number(5) + 257, bits.number(5) + 1, bits.number(4) + 4);
    let mut lengths = [0; 19];
    for place in [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15].into_iter().take(count) {
        lengths[place] = bits.number(3);
    }
    let code = Code::new(&lengths);
    let mut lengths: Vec<usize> = Vec::new();
    while lengths.len() < literals + distances {
        let (length, times) = match code.symbol(bits) {
            16 => (*lengths.last().expect("nothing to repeat"), 3 + bits.number(2)),
            17 => (0, 3 + bits.number(3)),
            18 => (0, 11 + bits.number(7)),
            length => (length, 1),
        };
        lengths.extend(std::iter::repeat_n(length, times));
    }
    assert_eq!(lengths.len(), literals + distances, "a repetition beyond the end");
    (Code::new(&lengths[..literals]), Code::new(&lengths[literals..]))
}

/// The example of RFC 7692 section 7.2.3.2, whose second message refers to the first.
#[test]
fn the_example() {
    let mut out = Vec::new();
    inflate(b"\xF2\x48\xCD\xC9\xC9\x07\x00\x00\x00\xFF\xFF", 0, &mut out);
    inflate(b"\xF2\x00\x11\x00\x00\x00\x00\xFF\xFF", 5, &mut out);
    assert_eq!(out, b"HelloHello");
}

#[test]
#[should_panic = "refers back by 5"]
fn too_far_back() {
    let mut out = b"Hello".to_vec();
    inflate(b"\xF2\x00\x11\x00\x00\x00\x00\xFF\xFF", 4, &mut out);
}
