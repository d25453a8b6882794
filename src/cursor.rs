//! The cursor over what was read: input functions take bytes off its front.

/// Lets a reader that changes nothing take bytes off the front of a cursor over bytes that may be changed.
pub(crate) fn read_shared<R>(input: &mut &mut [u8], read: impl FnOnce(&mut &[u8]) -> R) -> R {
    let mut rest: &[u8] = input;
    let result = read(&mut rest);
    let taken = input.len().saturating_sub(rest.len());
    *input = core::mem::take(input).get_mut(taken..).unwrap_or_default();
    result
}
