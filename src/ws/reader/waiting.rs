//! The payload of a frame that waits in the caller's buffer until it is whole.

use crate::ws::frame::{Header, Opcode, Role};
use crate::ws::mask::{apply_mask, rotate};

/// What has come is unmasked when it is more than so many bytes, and in blocks of so many: they are still in the nearest cache then, and to
/// do it more often costs more than that is worth.
const NEAR_BYTES: usize = 16 << 10;
const LINE_BYTES: usize = 64;

/// How far a payload that waits is unmasked, from its first byte on. When the end of a large one comes, its beginning is far
/// from the processor; so what has come is unmasked while it is near, and the connection notes how much that was.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::ws) struct Waiting {
    /// A connection has room for four bytes. What is beyond their range is unmasked at the end.
    unmasked: u32,
}

impl Waiting {
    /// Whether anything is unmasked.
    #[inline]
    pub(in crate::ws) const fn has_begun(self) -> bool {
        self.unmasked > 0
    }

    /// The frame that is first in `input` waits, with as much of it as has come.
    #[inline]
    pub(in crate::ws) fn come(&mut self, role: Role, input: &mut [u8]) {
        if input.len().saturating_sub(self.unmasked as usize) > NEAR_BYTES {
            self.unmask_near(role, input);
        }
    }

    #[inline(never)]
    fn unmask_near(&mut self, role: Role, input: &mut [u8]) {
        let Some((key, payload)) = lent_payload(role, input) else { return };
        let unmasked = self.unmasked as usize;
        let masked = payload.get_mut(unmasked..).unwrap_or_default();
        // Up to the end of a cache line, so that the next time begins with one.
        let in_lines = masked.len().saturating_sub(masked.as_ptr().align_offset(LINE_BYTES));
        let size = masked.len().saturating_sub(in_lines % LINE_BYTES);
        let Ok(sum) = u32::try_from(unmasked.saturating_add(size)) else { return };
        // What came last is nearest.
        let mut end = sum as usize;
        for block in masked.get_mut(..size).unwrap_or_default().rchunks_mut(NEAR_BYTES) {
            end = end.saturating_sub(block.len());
            apply_mask(block, rotate(key, end));
        }
        self.unmasked = sum;
    }

    /// All of the payload is there: what is still masked is not so any more.
    pub(super) fn end(&mut self, payload: &mut [u8], key: [u8; 4]) {
        let unmasked = core::mem::take(self).unmasked as usize;
        apply_mask(payload.get_mut(unmasked..).unwrap_or_default(), rotate(key, unmasked));
    }

    /// What is first in `input` is to be read in another way: it is masked again, so that it is what the peer sent.
    #[inline]
    pub(in crate::ws) fn give_up(&mut self, role: Role, input: &mut [u8]) {
        if self.has_begun() && !input.is_empty() {
            self.mask_again(role, input);
        }
    }

    #[cold]
    fn mask_again(&mut self, role: Role, input: &mut [u8]) {
        let unmasked = core::mem::take(self).unmasked as usize;
        // If the caller has lost bytes, others stand there: then these are masked, or nothing is.
        if let Some((key, payload)) = lent_payload(role, input) {
            let size = payload.len().min(unmasked);
            apply_mask(payload.get_mut(..size).unwrap_or_default(), key);
        }
    }
}

/// The masking key and what is there of the payload of a frame that is lent when it is whole: a message of its own.
fn lent_payload(role: Role, input: &mut [u8]) -> Option<([u8; 4], &mut [u8])> {
    let (header, start) = Header::parse(input, role).ok()??;
    match header {
        Header { fin: true, opcode: Opcode::Text | Opcode::Binary, mask: Some(key), .. } => {
            Some((key, input.get_mut(start..)?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    const SIZE: usize = 200 << 10;

    /// How much of a payload is unmasked at last when it came in so large reads, but for its last byte.
    fn unmasked(read: usize) -> usize {
        let mut frame = vec![0; SIZE + 14];
        let (header, _) =
            Header { fin: true, opcode: Opcode::Binary, mask: Some([1; 4]), payload_len: SIZE as u64 }.encode();
        frame[..14].copy_from_slice(&header);
        let mut waiting = Waiting::default();
        for end in (read..SIZE + 13).step_by(read).chain([SIZE + 13]) {
            waiting.come(Role::Server, &mut frame[..end]);
            let begin = frame[14 + waiting.unmasked as usize..].as_ptr().align_offset(LINE_BYTES);
            assert!(!waiting.has_begun() || begin == 0, "goes on {begin} bytes before a line");
        }
        let (unmasked, masked) = frame[14..].split_at(waiting.unmasked as usize);
        assert!(unmasked.iter().all(|byte| *byte == 1) && masked.iter().all(|byte| *byte == 0), "{read}");
        unmasked.len()
    }

    #[test]
    fn what_comes_is_unmasked_while_it_is_near() {
        for read in [1 << 10, 1460, 4 << 10, 10_000, 16 << 10, 50_001, SIZE] {
            assert!(unmasked(read) > SIZE - NEAR_BYTES - LINE_BYTES - 1, "{read}: {}", unmasked(read));
        }
    }

    /// What is gathered when it is whole is left as it came.
    #[test]
    fn what_is_not_lent_is_not_touched() {
        for (fin, opcode, begins) in
            [(true, Opcode::Text, true), (false, Opcode::Text, false), (false, Opcode::Binary, false)]
        {
            let (header, _) = Header { fin, opcode, mask: Some([1; 4]), payload_len: SIZE as u64 }.encode();
            let mut waiting = Waiting::default();
            waiting.come(Role::Server, &mut [&header[..], &[0; NEAR_BYTES + 100]].concat());
            assert_eq!(waiting.has_begun(), begins, "{fin} {opcode:?}");
        }
    }

    #[test]
    fn it_is_told_once() {
        let mut waiting = Waiting { unmasked: 3 };
        let mut payload = [0; 8];
        waiting.end(&mut payload, [1, 2, 3, 4]);
        assert_eq!((payload, waiting.has_begun()), ([0, 0, 0, 4, 1, 2, 3, 4], false));
    }
}
