//! The payload of one frame, while it arrives.

use super::split;
use crate::ws::frame::{Header, Opcode};
use crate::ws::mask::{apply_mask, rotate};

/// What has not come yet of a frame's payload.
#[derive(Clone, Copy, Debug)]
pub(super) struct Payload {
    pub(super) opcode: Opcode,
    pub(super) fin: bool,
    /// The masking key, turned to the next byte.
    key: Option<[u8; 4]>,
    left: u64,
}

impl Payload {
    pub(super) const fn of(header: &Header) -> Self {
        Self { opcode: header.opcode, fin: header.fin, key: header.mask, left: header.payload_len }
    }

    /// Whether all of it was taken.
    pub(super) const fn is_over(&self) -> bool {
        self.left == 0
    }

    /// How much of it lies in `input`, and how much is to come behind that.
    pub(super) fn arrived(&self, input: &[u8]) -> (usize, u64) {
        let here = usize::try_from(self.left).unwrap_or(usize::MAX).min(input.len());
        (here, self.left.saturating_sub(here as u64))
    }

    /// Takes at most `most` bytes of it off the front of `input`, unmasked.
    pub(super) fn take<'a>(&mut self, most: usize, input: &mut &'a mut [u8]) -> &'a [u8] {
        let size = self.arrived(input).0.min(most);
        let bytes = split(input, size).unwrap_or_default();
        if let Some(key) = self.key {
            apply_mask(bytes, key);
        }
        self.advance(size);
        bytes
    }

    /// Takes what of it lies in `input` off the front of that, and shows it to `read` in blocks of so many bytes, unmasked.
    #[inline]
    pub(super) fn take_blocks<E>(
        &mut self,
        block_bytes: usize,
        input: &mut &mut [u8],
        mut read: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let size = self.arrived(input).0;
        for block in split(input, size).unwrap_or_default().chunks_mut(block_bytes) {
            if let Some(key) = self.key {
                apply_mask(block, key);
            }
            self.advance(block.len());
            read(block)?;
        }
        Ok(())
    }

    /// Shows at most `most` bytes of it to `read`, unmasked, and takes as many off the front of `input` as that says.
    pub(super) fn read<R>(&mut self, most: usize, input: &mut &mut [u8], read: impl FnOnce(&[u8]) -> (usize, R)) -> R {
        let size = self.arrived(input).0.min(most);
        let bytes = input.get_mut(..size).unwrap_or_default();
        if let Some(key) = self.key {
            apply_mask(bytes, key);
        }
        let (taken, result) = read(bytes);
        self.advance(taken);
        if let (Some(key), Some(rest)) = (self.key, bytes.get_mut(taken..)) {
            // What stays in the input stays as it came.
            apply_mask(rest, key);
        }
        split(input, taken);
        result
    }

    fn advance(&mut self, count: usize) {
        self.key = self.key.map(|key| rotate(key, count));
        self.left = self.left.saturating_sub(count as u64);
    }
}
