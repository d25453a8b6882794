//! What can be had at best by hand: frames parsed in place, unmasked, checked. No limits, no state machine, no answers,
//! no time; whoever violates the protocol is not noticed.

use crate::feed::Feed;
use crate::sink::Sink;

/// Reads messages in a buffer that has room for the largest of them.
pub fn receive(feed: &mut Feed<'_>, buffer: &mut Vec<u8>, gathered: &mut Vec<u8>, sink: &mut Sink) {
    let (mut begin, mut end) = (0, 0);
    let mut is_text = false;
    loop {
        while let Some((start, size)) = header(&buffer[begin..end]) {
            let (from, to) = (begin + start, begin + start + size);
            if to > end {
                if to - begin > buffer.len() {
                    buffer.resize(to - begin, 0);
                }
                break;
            }
            let first = buffer[begin];
            let key = buffer[from - 4..from].try_into().expect("four bytes");
            let payload = &mut buffer[from..to];
            unmask(payload, key);
            begin = to;
            if first & 0x0F != 0 {
                is_text = first & 0x0F == 1;
            }
            if first & 0x8F > 0x80 {
                sink.message(is_text && checked(payload), payload);
                continue;
            }
            gathered.extend_from_slice(payload);
            if first & 0x80 != 0 {
                sink.message(is_text && checked(gathered), gathered);
                gathered.clear();
            }
        }
        buffer.copy_within(begin..end, 0);
        (begin, end) = (0, end - begin);
        match feed.fill(&mut buffer[end..]) {
            0 => return,
            count => end += count,
        }
    }
}

/// Where the payload begins, and how long it is.
#[inline(always)]
fn header(bytes: &[u8]) -> Option<(usize, usize)> {
    let (start, size) = match bytes.get(1)? & 0x7F {
        126 => (8, usize::from(u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?))),
        127 => (14, u64::from_be_bytes(*bytes.get(2..)?.first_chunk()?) as usize),
        size => (6, usize::from(size)),
    };
    (bytes.len() >= start).then_some((start, size))
}

#[inline(always)]
pub fn unmask(bytes: &mut [u8], key: [u8; 4]) {
    let [a, b, c, d] = key;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let mask = |word: &mut [u8; 8]| *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    let (blocks, rest) = bytes.as_chunks_mut::<32>();
    blocks.iter_mut().for_each(|block| block.as_chunks_mut::<8>().0.iter_mut().for_each(mask));
    let (words, tail) = rest.as_chunks_mut::<8>();
    words.iter_mut().for_each(mask);
    tail.iter_mut().zip(key.iter().cycle()).for_each(|(byte, key)| *byte ^= key);
}

#[inline(always)]
fn checked(text: &[u8]) -> bool {
    match text.len() {
        ..64 => core::str::from_utf8(text).is_ok(),
        _ if text.is_ascii() => true,
        _ => simdutf8::basic::from_utf8(text).is_ok(),
    }
}
