//! A byte stream in pieces.

/// Where a stream is cut.
#[derive(Clone, Debug)]
pub enum Cuts {
    Whole,
    Bytes,
    /// At these offsets, each taken modulo the length.
    At(Vec<usize>),
}

impl Cuts {
    /// The pieces in their order; together they are `bytes`. Two cuts at one place give an empty piece.
    pub fn of<'a>(&self, bytes: &'a [u8]) -> Vec<&'a [u8]> {
        match self {
            Self::Whole => vec![bytes],
            Self::Bytes => bytes.chunks(1).collect(),
            Self::At(offsets) => {
                let mut ends: Vec<usize> = offsets.iter().map(|offset| offset % (bytes.len() + 1)).collect();
                ends.push(bytes.len());
                ends.sort_unstable();
                let mut start = 0;
                ends.into_iter().map(|end| &bytes[std::mem::replace(&mut start, end)..end]).collect()
            }
        }
    }
}

/// A byte stream that a failing test prints as text.
#[derive(Clone, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

impl std::ops::Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}
