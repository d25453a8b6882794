//! The two directions of compression (RFC 7692 section 7.2), over zlib-rs.

use alloc::vec::Vec;
use core::fmt;

use zlib_rs::{Deflate as Compress, DeflateFlush, Inflate as Decompress, InflateFlush, Status};

use crate::ws::Error;

/// What an empty block ends with: taken off every message that is sent, put behind every one that comes
/// (sections 7.2.1 and 7.2.2).
pub(super) const TAIL: [u8; 4] = [0, 0, 0xFF, 0xFF];

/// The same and a byte that is not of the message.
const TAIL_AND_MORE: [u8; 5] = [0, 0, 0xFF, 0xFF, 0];

/// What became of a piece of deflated data.
#[derive(Clone, Copy, Debug)]
pub(in crate::ws) struct Inflated {
    /// Bytes taken from the input.
    pub(in crate::ws) taken: usize,
    /// Bytes given to the output. If that is full there may be more without more input.
    pub(in crate::ws) given: usize,
    /// Whether what was not taken may be deflated data.
    pub(in crate::ws) valid: Result<(), Error>,
}

/// Inflates messages, into no more than there is room for.
pub(in crate::ws) struct Inflater {
    window_bits: u8,
    no_context_takeover: bool,
    /// Made when the first byte comes.
    state: Option<Decompress>,
    reached: Reached,
}

/// How far the message is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Reached {
    /// Nothing of it is taken. A final block that ends now is of the message before.
    #[default]
    Nothing,
    /// It goes on, or ends with what the sender left out.
    Block,
    /// A final block has ended, and nothing is taken behind it.
    Final,
}

impl Inflater {
    pub(super) const fn new(window_bits: u8, no_context_takeover: bool) -> Self {
        Self { window_bits, no_context_takeover, state: None, reached: Reached::Nothing }
    }

    /// Inflates the next piece of a message, until it is all taken or `out` is full.
    pub(in crate::ws) fn inflate(&mut self, input: &[u8], out: &mut [u8]) -> Inflated {
        let bits = self.window_bits;
        let state = self.state.get_or_insert_with(|| Decompress::new(false, bits));
        let (mut taken, mut given) = (0_usize, 0_usize);
        loop {
            let (rest, room) = (input.get(taken..).unwrap_or_default(), out.get_mut(given..).unwrap_or_default());
            let (enough, before) = (rest.is_empty() || room.is_empty(), (state.total_in(), state.total_out()));
            let status = state.decompress(rest, room, InflateFlush::SyncFlush);
            let progress = (state.total_in().saturating_sub(before.0), state.total_out().saturating_sub(before.1));
            taken = taken.saturating_add(usize::try_from(progress.0).unwrap_or(usize::MAX));
            given = given.saturating_add(usize::try_from(progress.1).unwrap_or(usize::MAX));
            self.reached = match (self.reached, status) {
                (Reached::Nothing, _) if progress.0 == 0 => Reached::Nothing,
                (_, Ok(Status::StreamEnd)) => Reached::Final,
                (Reached::Final, _) if progress.0 == 0 => Reached::Final,
                _ => Reached::Block,
            };
            let valid = match status {
                Ok(Status::StreamEnd) => {
                    // A final block ends the stream, not the message (section 7.2.3.4): what follows is another stream.
                    state.reset(false);
                    Ok(())
                }
                Ok(_) if enough || progress != (0, 0) => Ok(()),
                _ => Err(Error::InvalidDeflate),
            };
            if valid.is_err() || given == out.len() || taken == input.len() {
                return Inflated { taken, given, valid };
            }
        }
    }

    /// Ends a message of which everything is taken and given.
    ///
    /// What the sender left out must be the length of an empty block (section 7.2.1), so that it is all taken, nothing comes of
    /// it, and nothing is wanted behind it. Elsewhere in a block it is data, or part of a longer length: the message was cut.
    /// Behind a final block nothing is missing. Only a block that is cut within the lengths of its codes, and made so that these bits
    /// complete them and end it, is not told apart from an empty one: what stands before it is the message, and what its
    /// sender makes of the next one is its own affair.
    ///
    /// # Errors
    /// If the message may not end here.
    pub(in crate::ws) fn end_message(&mut self) -> Result<(), Error> {
        if core::mem::take(&mut self.reached) != Reached::Final {
            let Some(state) = &mut self.state else { return Err(Error::InvalidDeflate) };
            let before = (state.total_in(), state.total_out());
            // Stops at the end of a block, before what stands behind it.
            let status = state.decompress(&TAIL_AND_MORE, &mut [0], InflateFlush::Block);
            let progress = (state.total_in().saturating_sub(before.0), state.total_out().saturating_sub(before.1));
            if (status, progress) != (Ok(Status::Ok), (TAIL.len() as u64, 0)) {
                return Err(Error::InvalidDeflate);
            }
        }
        if self.no_context_takeover
            && let Some(state) = &mut self.state
        {
            state.reset(false);
        }
        Ok(())
    }

    /// Gives back what the negotiation does not require to keep; only between messages.
    pub(super) fn release(&mut self) {
        if self.no_context_takeover {
            self.state = None;
        }
    }
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater").field("window_bits", &self.window_bits).finish_non_exhaustive()
    }
}

/// Deflates messages.
pub(in crate::ws) struct Deflater {
    state: Compress,
    /// With the smallest window there are no references across more than this.
    block_bytes: usize,
}

impl Deflater {
    pub(in crate::ws) fn new(level: u8, window_bits: u8) -> Self {
        // zlib has no window of 256 bytes. Its next larger one is cleared after each 256 bytes instead.
        let (window_bits, block_bytes) = if window_bits <= 8 { (9, 256) } else { (window_bits, usize::MAX) };
        Self { state: Compress::new(i32::from(level.clamp(1, 9)), false, window_bits.min(15)), block_bytes }
    }

    /// Appends the deflated form of a message, without its tail; false, and nothing appended, if zlib fails.
    pub(in crate::ws) fn compress(&mut self, payload: &[u8], out: &mut Vec<u8>) -> bool {
        let start = out.len();
        for block in payload.chunks(self.block_bytes.min(payload.len().max(1))) {
            let flush = if self.block_bytes < usize::MAX { DeflateFlush::FullFlush } else { DeflateFlush::SyncFlush };
            if !self.append(block, flush, out) {
                out.truncate(start);
                self.reset();
                return false;
            }
        }
        match out.len().checked_sub(TAIL.len()) {
            Some(end) if end >= start && out.ends_with(&TAIL) => {
                out.truncate(end);
                true
            }
            _ => {
                out.truncate(start);
                self.reset();
                false
            }
        }
    }

    fn append(&mut self, mut input: &[u8], flush: DeflateFlush, out: &mut Vec<u8>) -> bool {
        loop {
            let at = out.len();
            // Room for data that cannot be deflated, and for the empty block at the end.
            let room = input.len().saturating_add(input.len() / 64).saturating_add(64);
            out.resize(at.saturating_add(room), 0);
            let (taken, given) = (self.state.total_in(), self.state.total_out());
            let status = self.state.compress(input, out.get_mut(at..).unwrap_or_default(), flush);
            let taken = usize::try_from(self.state.total_in().saturating_sub(taken)).unwrap_or(usize::MAX);
            let given = usize::try_from(self.state.total_out().saturating_sub(given)).unwrap_or(usize::MAX);
            out.truncate(at.saturating_add(given));
            input = input.get(taken..).unwrap_or_default();
            match status {
                Ok(_) if input.is_empty() && given < room => return true,
                Ok(_) if taken > 0 || given > 0 => {}
                _ => return false,
            }
        }
    }

    pub(in crate::ws) fn reset(&mut self) {
        self.state.reset();
    }
}

impl fmt::Debug for Deflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Deflater(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn inflate(inflater: &mut Inflater, deflated: &[u8], limit: usize) -> Result<Vec<u8>, Error> {
        let (mut inflated, mut out) = (Vec::new(), [0; 1000]);
        let mut at = 0;
        loop {
            let piece = inflater.inflate(&deflated[at..], &mut out);
            at += piece.taken;
            inflated.extend_from_slice(&out[..piece.given]);
            if inflated.len() > limit {
                return Err(Error::MessageTooBig);
            }
            piece.valid?;
            if piece.given < out.len() {
                break;
            }
        }
        assert_eq!(at, deflated.len());
        inflater.end_message()?;
        Ok(inflated)
    }

    fn message() -> impl Strategy<Value = Vec<u8>> {
        let letters = prop::collection::vec(prop::sample::select(b"abcde".to_vec()), 0..2000);
        let noise = prop::collection::vec(any::<u8>(), 0..2000);
        let run = (any::<u8>(), 0usize..70_000).prop_map(|(byte, count)| alloc::vec![byte; count]);
        prop_oneof![letters, noise, run]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// Whatever window, whatever takeover, whatever messages came before.
        #[test]
        fn inflate_inverts_deflate(
            messages in prop::collection::vec(message(), 1..8), bits in 8u8..=15, reset: bool, level in 1u8..=9,
        ) {
            let (mut deflater, mut inflater) = (Deflater::new(level, bits), Inflater::new(bits, reset));
            for message in messages.iter().filter(|message| !message.is_empty()) {
                let mut deflated = Vec::new();
                prop_assert!(deflater.compress(message, &mut deflated));
                if reset {
                    deflater.reset();
                }
                prop_assert_eq!(&inflate(&mut inflater, &deflated, usize::MAX).unwrap(), message);
            }
        }

        #[test]
        fn rubbish_ends(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = inflate(&mut Inflater::new(15, false), &bytes, 1 << 20);
        }
    }

    /// The examples of section 7.2.3.
    #[test]
    fn examples_of_the_rfc() {
        let mut inflater = Inflater::new(15, false);
        let hello = |inflater: &mut Inflater, bytes: &[u8]| inflate(inflater, bytes, 100).map(|m| m == b"Hello");
        assert_eq!(hello(&mut inflater, &[0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00]), Ok(true));
        assert_eq!(hello(&mut inflater, &[0xF2, 0x00, 0x11, 0x00, 0x00]), Ok(true), "refers back into the window");
        assert_eq!(hello(&mut inflater, &[0x00, 0x05, 0x00, 0xFA, 0xFF, 0x48, 0x65, 0x6C, 0x6C, 0x6F, 0x00]), Ok(true));
        assert_eq!(hello(&mut inflater, &[0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x00]), Ok(true), "a final block");
        let two = [0xF2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xCA, 0xC9, 0xC9, 0x07, 0x00];
        assert_eq!(hello(&mut inflater, &two), Ok(true), "two blocks");
        assert_eq!(inflate(&mut inflater, &[0x00], 100), Ok(Vec::new()), "an empty message");
        let mut fresh = Inflater::new(15, true);
        assert_eq!(hello(&mut fresh, &[0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00]), Ok(true));
        assert_eq!(hello(&mut fresh, &[0xF2, 0x00, 0x11, 0x00, 0x00]), Err(Error::InvalidDeflate), "no takeover");
    }

    #[test]
    fn d01_a_bomb_stops_at_the_limit() {
        let (mut deflater, mut deflated) = (Deflater::new(9, 15), Vec::new());
        assert!(deflater.compress(&alloc::vec![0; 10 << 20], &mut deflated));
        assert!(deflated.len() < 11 << 10, "1,000 : 1");
        assert_eq!(inflate(&mut Inflater::new(15, false), &deflated, 65_536), Err(Error::MessageTooBig));
    }

    #[test]
    fn d04_empty_blocks_and_streams() {
        let mut stored = [0x00, 0x00, 0x00, 0xFF, 0xFF].repeat(100_000);
        stored.push(0);
        assert_eq!(inflate(&mut Inflater::new(15, false), &stored, 100), Ok(Vec::new()));
        let finals = [0x03, 0x00].repeat(100_000);
        assert_eq!(inflate(&mut Inflater::new(15, false), &finals, 100), Ok(Vec::new()));
    }

    /// Four empty blocks with fixed codes in five bytes: work without output is work for each byte of input, no more.
    #[test]
    fn d05_blocks_without_output() {
        let mut blocks = [0x02, 0x08, 0x20, 0x80, 0x00].repeat(200_000);
        blocks.push(0);
        assert_eq!(inflate(&mut Inflater::new(15, false), &blocks, 0), Ok(Vec::new()));
    }
}
